// The zygote: one small, single-threaded process without keys per engine, from which every sandbox is forked. Its size, not the
// agent's, is what a fork copies. It makes user and network namespaces ahead, single-use both, since they are the slowest to make.
//
// It trusts its socket: only the agent holds the other end. When that closes, or the agent ends, it ends too, and the kernel then
// kills every PID 1 that it forked (PR_SET_PDEATHSIG). A sandbox's troubles are told over the sandbox's own control socket.
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// The stock is enough for the burst that a trial's block is; each item holds some kernel memory (a network namespace about 100 KiB)
// while it waits. Nothing is made within `rest` ms of a request: on few processors it would slow down the very sandbox that starts.
enum { socket_fd = 3, stock_size = 4, rest = 2 };

struct stock {
    int items[stock_size];
    int count;
    int stopped;  // making one failed: it is left to the sandbox's own start, which reports why
};

struct zygote {
    int agent;        // a pidfd; -1 where the kernel gives none
    int own_network;  // to return to after making another
    uint32_t mapped_first, mapped_count;  // of the stocked user namespaces: the agent's own, then the last plan's
    struct stock users, networks;
    unsigned served;
};

static int take(struct stock *stock) { return stock->count > 0 ? stock->items[--stock->count] : -1; }

static void put(struct stock *stock, int item) {
    if (item < 0)
        stock->stopped = 1;
    else
        stock->items[stock->count++] = item;
}

static void drain(struct stock *stock) {
    while (stock->count > 0)
        close(take(stock));
    stock->stopped = 0;
}

static int make_network(const struct zygote *zygote) {
    if (zygote->own_network < 0 || unshare(CLONE_NEWNET) < 0)
        return -1;
    int made = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (setns(zygote->own_network, CLONE_NEWNET) < 0)
        _exit(125);  // sandboxes with the host's network would get another one: better none at all
    return made;
}

// Most zygotes of `grace run` make one sandbox; the first request finds one of each, and who asks twice will ask again.
static int goal(const struct zygote *zygote) { return zygote->served == 0 ? 1 : zygote->served == 1 ? 0 : stock_size; }

static int wants(const struct zygote *zygote, const struct stock *stock) {
    return !stock->stopped && stock->count < goal(zygote);
}

// One namespace at a time: a request that comes meanwhile waits half a millisecond at most.
static void replenish(struct zygote *zygote) {
    int step;
    if (wants(zygote, &zygote->networks) && zygote->networks.count <= zygote->users.count)
        put(&zygote->networks, make_network(zygote));
    else if (wants(zygote, &zygote->users))
        put(&zygote->users, csandbox_user_namespace(zygote->mapped_first, zygote->mapped_count, &step));
    else if (wants(zygote, &zygote->networks))
        put(&zygote->networks, make_network(zygote));
}

static int user_namespace(struct zygote *zygote, const struct csandbox_plan *plan, int *step) {
    if (zygote->mapped_first != plan->mapped_first || zygote->mapped_count != plan->mapped_count) {
        drain(&zygote->users);
        zygote->mapped_first = plan->mapped_first;
        zygote->mapped_count = plan->mapped_count;
    }
    int stocked = take(&zygote->users);
    if (stocked >= 0)
        return stocked;
    int made = csandbox_user_namespace(plan->mapped_first, plan->mapped_count, step);
    zygote->users.stopped = made < 0;
    return made;
}

static void spawn(struct zygote *zygote, const int *descriptors, int count) {
    struct sandbox sandbox = {
        .control = descriptors[1], .user_namespace = -1, .stage = -1, .root = -1, .ready = {-1, -1, -1}};
    const char *reason = NULL;
    const struct csandbox_plan *plan = sandbox.plan = csandbox_read_plan(descriptors[0], &reason);
    if (plan == NULL)
        return csandbox_report(&sandbox, CSANDBOX_STEP_PLAN, errno, reason);
    sandbox.bytes = (const char *)plan;
    int network = -1, step;
    if (!csandbox_take(&sandbox, descriptors + 2, count - 2)) {
        csandbox_report(&sandbox, CSANDBOX_STEP_DESCRIPTORS, EBADF, "not those that the plan asks for");
    } else if (plan->mode == CSANDBOX_MAPPED
               && (sandbox.user_namespace = user_namespace(zygote, plan, &step)) < 0) {
        csandbox_report(&sandbox, step, errno, NULL);
    } else {
        if ((plan->flags & (CSANDBOX_OWN_NETWORK | CSANDBOX_GIVEN_NETWORK)) == CSANDBOX_OWN_NETWORK
            && plan->mode != CSANDBOX_USER)
            network = take(&zygote->networks);
        csandbox_begin(&sandbox, network);
    }
    if (sandbox.user_namespace >= 0)
        close(sandbox.user_namespace);
    if (network >= 0)
        close(network);
    munmap((void *)plan, plan->size);
}

static void serve(struct zygote *zygote) {
    struct csandbox_message message;
    int descriptors[CSANDBOX_MAX_PASSED], count;
    int result = csandbox_receive(socket_fd, &message, descriptors, &count, 0);
    if (result == -EAGAIN)
        return;
    if (result <= 0)
        _exit(result < 0 ? 125 : 0);  // the agent speaks another language, or is gone
    if (message.type == CSANDBOX_SPAWN && count >= 2) {
        spawn(zygote, descriptors, count);
        if (zygote->served < 2)
            zygote->served++;
    }
    for (int i = 0; i < count; i++)
        close(descriptors[i]);
}

int csandbox_zygote(uint32_t mapped_first, uint32_t mapped_count) {
    struct zygote zygote = {.mapped_first = mapped_first, .mapped_count = mapped_count};
    sigset_t all;
    sigfillset(&all);
    // Nobody waits for sandboxes here: the agent watches each by its pidfd, and the kernel reaps.
    struct sigaction ignored = {.sa_handler = SIG_IGN};
    if (sigprocmask(SIG_SETMASK, &all, NULL) < 0 || sigaction(SIGCHLD, &ignored, NULL) < 0)
        return 125;
    zygote.agent = (int)syscall(SYS_pidfd_open, getppid(), 0);
    zygote.own_network = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    zygote.networks.stopped = zygote.users.stopped = geteuid() != 0;
    umask(022);
    prctl(PR_SET_NAME, "grace-zygote", 0, 0, 0);
    if (chdir("/") < 0)
        return 125;
    // Under memory pressure of the whole host sandboxes go before live. Inherited by everything inside.
    int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (score >= 0) {
        ssize_t ignored_length = write(score, "500", 3);
        (void)ignored_length;
        close(score);
    }
    for (int rested = 1;;) {
        int more = wants(&zygote, &zygote.users) || wants(&zygote, &zygote.networks);
        struct pollfd watched[2] = {{.fd = socket_fd, .events = POLLIN}, {.fd = zygote.agent, .events = POLLIN}};
        int ready = poll(watched, 2, !more ? -1 : rested ? 0 : rest);
        if (ready < 0 && errno != EINTR)
            return 125;
        if (watched[1].revents != 0)
            return 0;
        if (ready > 0 && watched[0].revents != 0) {
            serve(&zygote);
            rested = 0;
        } else if (ready == 0) {
            replenish(&zygote);
            rested = 1;
        }
    }
}
