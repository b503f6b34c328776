// The launcher: makes the namespaces and PID 1, and stays outside to see that neither outlives the agent.
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

static pid_t clone_with(uint64_t flags) {
    struct clone_args arguments = {.flags = flags, .exit_signal = SIGCHLD};
    return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

// A user namespace that commands will live in and that owns none of the other namespaces (FACTS: so mount, sysctl and sysrq are
// refused to root inside). A child holds it for the moment it takes to write the map.
static void make_user_namespace(struct sandbox *sandbox) {
    int hold[2];
    if (pipe2(hold, O_CLOEXEC) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_USER_NAMESPACE, errno, NULL);
    pid_t pid = clone_with(CLONE_NEWUSER);
    if (pid < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_USER_NAMESPACE, errno, NULL);
    if (pid == 0) {
        char byte;
        close(hold[1]);
        ssize_t ignored = read(hold[0], &byte, 1);
        (void)ignored;
        _exit(0);
    }
    close(hold[0]);
    const struct csandbox_plan *plan = sandbox->plan;
    if (write_map(pid, "uid_map", 0, plan->mapped_first, plan->mapped_count) < 0
        || write_map(pid, "gid_map", 0, plan->mapped_first, plan->mapped_count) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_ID_MAP, errno, NULL);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
    sandbox->user_namespace = open(path, O_RDONLY | O_CLOEXEC);
    if (sandbox->user_namespace < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_USER_NAMESPACE, errno, path);
    close(hold[1]);
    waitpid(pid, NULL, 0);
}

static void join_cgroups(struct sandbox *sandbox) {
    for (uint32_t i = 0; i < sandbox->plan->cgroup_count; i++) {
        ssize_t written = write(CSANDBOX_CGROUP_FD + (int)i, "0", 1);
        if (written != 1)
            csandbox_fail(sandbox, CSANDBOX_STEP_CGROUP_JOIN, errno, NULL);
        close(CSANDBOX_CGROUP_FD + (int)i);
    }
    // After joining, so that the sandbox's own group is what it sees as the top.
    if (unshare(CLONE_NEWCGROUP) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_CGROUP_NAMESPACE, errno, NULL);
}

// PID 1, from the first instruction to the last.
static _Noreturn void first_process(struct sandbox *sandbox, int mapped) {
    const struct csandbox_plan *plan = sandbox->plan;
    if (plan->mode == CSANDBOX_USER) {
        char byte;
        if (read(mapped, &byte, 1) != 1)
            _exit(125);  // the launcher has said why
    }
    close(mapped);
    join_cgroups(sandbox);
    csandbox_leave_keyring(sandbox);
    const char *hostname = csandbox_string(sandbox, plan->hostname);
    if (sethostname(hostname, strlen(hostname)) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_HOSTNAME, errno, hostname);
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_PRIVATE_MOUNTS, errno, NULL);
    csandbox_make_stage(sandbox);
    csandbox_make_overlays(sandbox);
    csandbox_mount_private(sandbox);
    csandbox_mask(sandbox);
    csandbox_place_resolver(sandbox);
    csandbox_pivot(sandbox);
    csandbox_drop(sandbox);
    csandbox_supervise(sandbox);
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
    struct sandbox sandbox = {.control = CSANDBOX_CONTROL_FD, .user_namespace = -1, .stage = -1, .root = -1, .ready = {-1, -1, -1}};
    // Signals meant for the agent's process group must not end the sandbox behind the agent's back.
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    int agent = (int)syscall(SYS_pidfd_open, getppid(), 0);
    umask(022);

    const char *reason = NULL;
    sandbox.plan = csandbox_read_plan(CSANDBOX_PLAN_FD, &reason);
    if (sandbox.plan == NULL) {
        fprintf(stderr, "grace-sandbox: %s.\n", reason);
        csandbox_fail(&sandbox, CSANDBOX_STEP_PLAN, EINVAL, reason);
    }
    sandbox.bytes = (const char *)sandbox.plan;
    close(CSANDBOX_PLAN_FD);
    const struct csandbox_plan *plan = sandbox.plan;

    // Under memory pressure of the whole host the sandbox goes before live. Inherited by everything inside.
    (void)write_text("/proc/self/oom_score_adj", "500");

    uint64_t flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
    if (plan->flags & CSANDBOX_OWN_NETWORK)
        flags |= CLONE_NEWNET;
    if (plan->mode == CSANDBOX_USER)
        flags |= CLONE_NEWUSER;
    if (plan->mode == CSANDBOX_MAPPED)
        make_user_namespace(&sandbox);

    int mapped[2];
    if (pipe2(mapped, O_CLOEXEC) < 0)
        csandbox_fail(&sandbox, CSANDBOX_STEP_CLONE, errno, NULL);
    uid_t uid = geteuid();
    gid_t gid = getegid();
    pid_t pid = clone_with(flags);
    if (pid < 0)
        csandbox_fail(&sandbox, CSANDBOX_STEP_CLONE, errno, NULL);
    if (pid == 0) {
        close(mapped[1]);
        if (agent >= 0)
            close(agent);
        first_process(&sandbox, mapped[0]);
    }
    close(mapped[0]);
    if (plan->mode == CSANDBOX_USER) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/setgroups", pid);
        if (write_text(path, "deny") < 0 || write_map(pid, "uid_map", 0, uid, 1) < 0
            || write_map(pid, "gid_map", 0, gid, 1) < 0)
            csandbox_fail(&sandbox, CSANDBOX_STEP_ID_MAP, errno, NULL);
        if (write(mapped[1], "m", 1) != 1)
            csandbox_fail(&sandbox, CSANDBOX_STEP_ID_MAP, errno, NULL);
    }
    // Only PID 1 speaks now; the launcher keeps nothing open but what it waits on.
    if (agent >= 0 && agent != 3) {
        dup3(agent, 3, O_CLOEXEC);
        agent = 3;
    }
    syscall(SYS_close_range, agent >= 0 ? 4U : 3U, ~0U, 0U);
    return wait_outside(pid, agent);
}
