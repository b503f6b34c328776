// Making the namespaces and PID 1; and the launcher of a single sandbox, which stays outside to see that it does not outlive the
// agent.
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int write_text(const char *path, const char *text) {
    int descriptor = open(path, O_WRONLY | O_CLOEXEC);
    if (descriptor < 0)
        return -1;
    ssize_t written = write(descriptor, text, strlen(text));
    int code = errno;
    close(descriptor);
    errno = code;
    return written == (ssize_t)strlen(text) ? 0 : -1;
}

static int write_map(pid_t pid, const char *file, uint32_t inside, uint32_t outside, uint32_t count) {
    char path[64], line[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    snprintf(line, sizeof line, "%u %u %u\n", inside, outside, count);
    return write_text(path, line);
}

static pid_t clone_with(uint64_t flags, int signal, int group) {
    struct clone_args arguments = {.flags = flags, .exit_signal = (uint64_t)signal};
    if (group >= 0) {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = (uint64_t)group;
    }
    return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

// A user namespace that commands will live in and that owns none of the other namespaces (FACTS: so mount, sysctl and sysrq are
// refused to root inside). A child holds it for the moment it takes to write the map. It sends no signal at its end: the zygote has
// its children reaped by the kernel, which leaves alone those that are waited for by name (wait(2), __WALL).
int csandbox_user_namespace(uint32_t first, uint32_t count, int *step) {
    int hold[2], result = -1, code;
    *step = CSANDBOX_STEP_USER_NAMESPACE;
    if (pipe2(hold, O_CLOEXEC) < 0)
        return -1;
    pid_t pid = clone_with(CLONE_NEWUSER, 0, -1);
    if (pid == 0) {
        char byte;
        close(hold[1]);
        ssize_t ignored = read(hold[0], &byte, 1);
        (void)ignored;
        _exit(0);
    }
    code = errno;
    close(hold[0]);
    if (pid > 0) {
        char path[64];
        *step = CSANDBOX_STEP_ID_MAP;
        if (write_map(pid, "uid_map", 0, first, count) == 0 && write_map(pid, "gid_map", 0, first, count) == 0) {
            *step = CSANDBOX_STEP_USER_NAMESPACE;
            snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
            result = open(path, O_RDONLY | O_CLOEXEC);
        }
        code = errno;
    }
    close(hold[1]);
    if (pid > 0)
        while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR) {
        }
    errno = code;
    return result;
}

// What comes late: the agent makes the groups, and looks for the filter, while the layers are mounted here.
static int receive_late(struct sandbox *sandbox) {
    struct csandbox_message message;
    int descriptors[CSANDBOX_MAX_PASSED], count;
    int result = csandbox_receive(sandbox->control, &message, descriptors, &count, 1);
    if (result == 0)
        _exit(0);  // the agent has thought better of it, or is gone
    if (result < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_CGROUP_JOIN, -result, NULL);
    int filters = (sandbox->plan->flags & CSANDBOX_SECCOMP) != 0, groups = count - filters;
    if (message.type != CSANDBOX_JOIN || groups < 0 || groups > CSANDBOX_MAX_CGROUPS)
        csandbox_fail(sandbox, CSANDBOX_STEP_CGROUP_JOIN, EPROTO, NULL);
    if (filters)
        sandbox->filter = descriptors[0];
    for (int i = 0; i < groups; i++)
        sandbox->cgroups[i] = descriptors[filters + i];
    return groups;
}

static void join_cgroups(struct sandbox *sandbox) {
    int count = sandbox->plan->flags & CSANDBOX_LATE ? receive_late(sandbox) : (int)sandbox->plan->cgroup_count;
    for (int i = 0; i < count; i++) {
        ssize_t written = write(sandbox->cgroups[i], "0", 1);
        if (written != 1)
            csandbox_fail(sandbox, CSANDBOX_STEP_CGROUP_JOIN, errno, NULL);
        close(sandbox->cgroups[i]);
    }
    // After joining, so that the sandbox's own group is what it sees as the top.
    if (unshare(CLONE_NEWCGROUP) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_CGROUP_NAMESPACE, errno, NULL);
}

// PID 1, from the first instruction to the last.
static _Noreturn void first_process(struct sandbox *sandbox, int mapped, int network) {
    const struct csandbox_plan *plan = sandbox->plan;
    struct sigaction standard = {.sa_handler = SIG_DFL};
    if (sigaction(SIGCHLD, &standard, NULL) < 0)  // the zygote ignores it
        csandbox_fail(sandbox, CSANDBOX_STEP_SUPERVISE, errno, "signals");
    if (plan->mode == CSANDBOX_USER) {
        char byte;
        ssize_t length = read(mapped, &byte, 1);
        if (length < 0)
            csandbox_fail(sandbox, CSANDBOX_STEP_ID_MAP, errno, NULL);
        if (length == 0)
            _exit(125);  // the launcher has said why
    }
    if (mapped >= 0)
        close(mapped);
    if (sandbox->seat >= 0)
        close(sandbox->seat);
    if (network >= 0 && setns(network, CLONE_NEWNET) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_NETWORK_NAMESPACE, errno, NULL);
    if (!(plan->flags & CSANDBOX_LATE))
        join_cgroups(sandbox);
    csandbox_leave_keyring(sandbox);
    const char *hostname = csandbox_string(sandbox, plan->hostname);
    if (sethostname(hostname, strlen(hostname)) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_HOSTNAME, errno, hostname);
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_PRIVATE_MOUNTS, errno, NULL);
    csandbox_make_stage(sandbox);
    csandbox_make_overlays(sandbox);
    if (plan->flags & CSANDBOX_LATE)
        join_cgroups(sandbox);  // before what shows the group inside is mounted
    csandbox_mount_private(sandbox);
    csandbox_mask(sandbox);
    csandbox_place_resolver(sandbox);
    csandbox_pivot(sandbox);
    csandbox_drop(sandbox);
    csandbox_supervise(sandbox);
}

static int groups_at_start(const struct csandbox_plan *plan) {
    return plan->flags & CSANDBOX_LATE ? 0 : (int)plan->cgroup_count;
}

static int filter_at_start(const struct csandbox_plan *plan) {
    return (plan->flags & (CSANDBOX_SECCOMP | CSANDBOX_LATE)) == CSANDBOX_SECCOMP;
}

static int wanted_descriptors(const struct csandbox_plan *plan) {
    return filter_at_start(plan) + groups_at_start(plan) + ((plan->flags & CSANDBOX_GIVEN_NETWORK) != 0)
        + ((plan->flags & CSANDBOX_SEATED) != 0);
}

int csandbox_take(struct sandbox *sandbox, const int *descriptors, int count) {
    const struct csandbox_plan *plan = sandbox->plan;
    int next = 0, groups = groups_at_start(plan);
    if (count != wanted_descriptors(plan))
        return 0;
    sandbox->filter = filter_at_start(plan) ? descriptors[next++] : -1;
    for (int i = 0; i < groups; i++)
        sandbox->cgroups[i] = descriptors[next++];
    sandbox->network = plan->flags & CSANDBOX_GIVEN_NETWORK ? descriptors[next++] : -1;
    sandbox->seat = plan->flags & CSANDBOX_SEATED ? descriptors[next] : -1;
    return 1;
}

pid_t csandbox_begin(struct sandbox *sandbox, int network) {
    const struct csandbox_plan *plan = sandbox->plan;
    uint64_t flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
    if (!(plan->flags & CSANDBOX_OWN_NETWORK))
        network = -1;
    else if (sandbox->network >= 0)
        network = sandbox->network;
    else if (network < 0)
        flags |= CLONE_NEWNET;
    int mapped[2] = {-1, -1};
    if (plan->mode == CSANDBOX_USER) {
        flags |= CLONE_NEWUSER;
        if (pipe2(mapped, O_CLOEXEC) < 0) {
            csandbox_report(sandbox, CSANDBOX_STEP_CLONE, errno, NULL);
            return -1;
        }
    }
    uid_t uid = geteuid();
    gid_t gid = getegid();
    pid_t pid = clone_with(flags, SIGCHLD, sandbox->seat);
    if (pid == 0) {
        if (mapped[1] >= 0)
            close(mapped[1]);
        first_process(sandbox, mapped[0], network);
    }
    if (pid < 0) {
        // What clone3 says of the group alone: it is gone, not a leaf, threaded, or not ours.
        int of_group = sandbox->seat >= 0 && (errno == ENODEV || errno == EBUSY || errno == EOPNOTSUPP || errno == EACCES);
        csandbox_report(sandbox, of_group ? CSANDBOX_STEP_CGROUP_JOIN : CSANDBOX_STEP_CLONE, errno, NULL);
    }
    if (plan->mode == CSANDBOX_USER) {
        close(mapped[0]);
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/setgroups", pid);
        if (pid > 0
            && (write_text(path, "deny") < 0 || write_map(pid, "uid_map", 0, uid, 1) < 0
                || write_map(pid, "gid_map", 0, gid, 1) < 0 || write(mapped[1], "m", 1) != 1)) {
            csandbox_report(sandbox, CSANDBOX_STEP_ID_MAP, errno, NULL);
            pid = -1;  // it sees the pipe's end
        }
        close(mapped[1]);
    }
    return pid;
}

// Waits for PID 1, whose end is the end of everything in its pid namespace. When the agent ends first, so does PID 1.
static int wait_outside(pid_t pid, int agent) {
    int child = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd watched[2] = {{.fd = child, .events = POLLIN}, {.fd = agent, .events = POLLIN}};
    while (child >= 0) {
        if (poll(watched, 2, -1) < 0) {
            if (errno == EINTR)
                continue;
            break;
        }
        if (watched[1].revents != 0) {
            kill(pid, SIGKILL);
            watched[1].fd = -1;
        }
        if (watched[0].revents != 0)
            break;
    }
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 125;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int csandbox_launch(void) {
    struct sandbox sandbox = {
        .control = CSANDBOX_CONTROL_FD, .user_namespace = -1, .stage = -1, .root = -1, .ready = {-1, -1, -1}};
    // Signals meant for the agent's process group must not end the sandbox behind the agent's back.
    sigset_t all;
    sigfillset(&all);
    if (sigprocmask(SIG_SETMASK, &all, NULL) < 0)
        csandbox_fail(&sandbox, CSANDBOX_STEP_SUPERVISE, errno, "signals");
    int agent = (int)syscall(SYS_pidfd_open, getppid(), 0);
    umask(022);

    const char *reason = NULL;
    sandbox.plan = csandbox_read_plan(CSANDBOX_PLAN_FD, &reason);
    if (sandbox.plan == NULL) {
        int code = errno;
        fprintf(stderr, "grace-sandbox: %s.\n", reason);
        csandbox_fail(&sandbox, CSANDBOX_STEP_PLAN, code, reason);
    }
    sandbox.bytes = (const char *)sandbox.plan;
    close(CSANDBOX_PLAN_FD);
    const struct csandbox_plan *plan = sandbox.plan;
    int passed[3 + CSANDBOX_MAX_CGROUPS], count = wanted_descriptors(plan);
    for (int i = 0; i < count; i++)
        passed[i] = (filter_at_start(plan) ? CSANDBOX_SECCOMP_FD : CSANDBOX_CGROUP_FD) + i;
    csandbox_take(&sandbox, passed, count);

    // Under memory pressure of the whole host the sandbox goes before live. Inherited by everything inside.
    (void)write_text("/proc/self/oom_score_adj", "500");
    if (plan->mode == CSANDBOX_MAPPED) {
        int step;
        sandbox.user_namespace = csandbox_user_namespace(plan->mapped_first, plan->mapped_count, &step);
        if (sandbox.user_namespace < 0)
            csandbox_fail(&sandbox, step, errno, NULL);
    }
    pid_t pid = csandbox_begin(&sandbox, -1);
    if (pid < 0)
        return 125;
    // Only PID 1 speaks now; the launcher keeps nothing open but what it waits on.
    if (agent >= 0 && agent != 3)
        agent = dup3(agent, 3, O_CLOEXEC);
    syscall(SYS_close_range, agent >= 0 ? 4U : 3U, ~0U, 0U);
    return wait_outside(pid, agent);
}
