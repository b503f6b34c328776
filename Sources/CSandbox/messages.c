// The control socket, from both sides, and the words for steps.
#include "internal.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <signal.h>
#include <unistd.h>

int csandbox_control_pair(int32_t ends[2]) {
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0 ? -errno : 0;
}

int csandbox_send(int socket, const struct csandbox_message *message, const int32_t *descriptors, int count) {
    if (count < 0 || count > CSANDBOX_MAX_PASSED)
        return -EINVAL;
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int) * CSANDBOX_MAX_PASSED)];
    } control;
    struct iovec part = {.iov_base = (void *)message, .iov_len = sizeof *message};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        memset(&control, 0, sizeof control);
        header.msg_control = &control;
        header.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
        memcpy(CMSG_DATA(rights), descriptors, sizeof(int) * (size_t)count);
    }
    ssize_t sent;
    do {
        sent = sendmsg(socket, &header, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

int csandbox_shut(int socket) { return shutdown(socket, SHUT_RDWR) < 0 ? -errno : 0; }

int csandbox_receive(int socket, struct csandbox_message *message, int32_t *descriptors, int32_t *count, int wait) {
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int) * CSANDBOX_MAX_PASSED)];
    } control;
    struct iovec part = {.iov_base = message, .iov_len = sizeof *message};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    *count = 0;
    ssize_t received;
    int resets = 0;
    // ECONNRESET comes once, and before what the other side said last: it has closed its end without having read all of ours, as
    // a sandbox does that fails while its control groups are still on their way to it. What it said is still to be had.
    do {
        received = recvmsg(socket, &header, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    } while (received < 0 && (errno == EINTR || (errno == ECONNRESET && resets++ == 0)));
    if (received < 0)
        return errno == ECONNRESET ? 0 : -errno;
    for (struct cmsghdr *item = CMSG_FIRSTHDR(&header); item != NULL; item = CMSG_NXTHDR(&header, item)) {
        if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS)
            continue;
        int held = (int)((item->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (int i = 0; i < held; i++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(item) + sizeof(int) * (size_t)i, sizeof descriptor);
            if (*count < CSANDBOX_MAX_PASSED)
                descriptors[(*count)++] = descriptor;
            else
                close(descriptor);
        }
    }
    if (received == 0)
        return 0;
    int whole = received == (ssize_t)sizeof *message && (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
    if (!whole) {
        for (int i = 0; i < *count; i++)
            close(descriptors[i]);
        *count = 0;
        return -EPROTO;
    }
    message->detail[sizeof message->detail - 1] = 0;
    return 1;
}

void csandbox_report(const struct sandbox *sandbox, int step, int code, const char *detail) {
    struct csandbox_message message = {.type = CSANDBOX_FAILED, .value = code, .more = step};
    if (detail != NULL)
        strncpy(message.detail, detail, sizeof message.detail - 1);
    csandbox_send(sandbox->control, &message, NULL, 0);
}

_Noreturn void csandbox_fail(const struct sandbox *sandbox, int step, int code, const char *detail) {
    csandbox_report(sandbox, step, code, detail);
    _exit(125);
}

int csandbox_wait_readable(int descriptor, int wake) {
    struct pollfd watched[2] = {{.fd = descriptor, .events = POLLIN}, {.fd = wake, .events = POLLIN}};
    while (poll(watched, 2, -1) < 0)
        if (errno != EINTR)
            return -errno;
    return watched[1].revents != 0 ? 2 : 1;
}

int csandbox_mounts_changed(int mountinfo) {
    struct pollfd watched = {.fd = mountinfo, .events = POLLPRI};
    return poll(&watched, 1, 0) != 0;  // an error counts as a change; proc(5), /proc/PID/mounts
}

int csandbox_take_terminal(int terminal, int group) {
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGTTOU);
    if (sigprocmask(SIG_BLOCK, &set, &before) < 0)
        return -errno;  // it would be stopped (termios(3), TOSTOP)
    pid_t wanted = group > 0 ? group : getpgrp();
    int result = ioctl(terminal, TIOCSPGRP, &wanted) < 0 ? -errno : 0;
    sigprocmask(SIG_SETMASK, &before, NULL);
    return result;
}

const char *csandbox_step_name(int step) {
    static const char *const names[CSANDBOX_STEP_COUNT] = {
        [CSANDBOX_STEP_PLAN] = "reading the plan",
        [CSANDBOX_STEP_USER_NAMESPACE] = "making the user namespace",
        [CSANDBOX_STEP_ID_MAP] = "writing the user namespace's id map",
        [CSANDBOX_STEP_CLONE] = "making the namespaces",
        [CSANDBOX_STEP_CGROUP_JOIN] = "joining the control group",
        [CSANDBOX_STEP_CGROUP_NAMESPACE] = "making the cgroup namespace",
        [CSANDBOX_STEP_KEYRING] = "leaving the agent's session keyring",
        [CSANDBOX_STEP_HOSTNAME] = "setting the host name",
        [CSANDBOX_STEP_PRIVATE_MOUNTS] = "making mounts private",
        [CSANDBOX_STEP_STAGE] = "preparing the place where the root is put together",
        [CSANDBOX_STEP_LAYER] = "opening a layer",
        [CSANDBOX_STEP_IDMAP_LAYER] = "mapping the ids of a layer",
        [CSANDBOX_STEP_COPY_LAYER] = "copying a layer",
        [CSANDBOX_STEP_BECOME_MAPPED] = "becoming the mapped root",
        [CSANDBOX_STEP_OVERLAY] = "making the overlay",
        [CSANDBOX_STEP_ATTACH] = "attaching the overlay",
        [CSANDBOX_STEP_PROC] = "mounting /proc",
        [CSANDBOX_STEP_DEV] = "filling /dev",
        [CSANDBOX_STEP_SYS] = "filling /sys",
        [CSANDBOX_STEP_TEMPORARY] = "mounting a temporary file system",
        [CSANDBOX_STEP_MASK] = "hiding a path",
        [CSANDBOX_STEP_RESOLVER] = "placing /etc/resolv.conf",
        [CSANDBOX_STEP_PIVOT] = "changing to the new root",
        [CSANDBOX_STEP_NETWORK] = "bringing loopback up",
        [CSANDBOX_STEP_ENTER_USER_NAMESPACE] = "entering the user namespace",
        [CSANDBOX_STEP_SECCOMP] = "loading the system-call filter",
        [CSANDBOX_STEP_LISTENER] = "having denied calls reported",
        [CSANDBOX_STEP_CAPABILITIES] = "dropping capabilities",
        [CSANDBOX_STEP_LIMITS] = "setting resource limits",
        [CSANDBOX_STEP_DESCRIPTORS] = "closing descriptors",
        [CSANDBOX_STEP_SUPERVISE] = "supervising commands",
        [CSANDBOX_STEP_NETWORK_NAMESPACE] = "entering the network namespace",
        [CSANDBOX_STEP_COMMAND] = "reading the command",
        [CSANDBOX_STEP_TOO_MANY] = "starting one more command beside those running",
        [CSANDBOX_STEP_FORK] = "making the process",
        [CSANDBOX_STEP_SESSION] = "making its session",
        [CSANDBOX_STEP_STDIO] = "placing its descriptors",
        [CSANDBOX_STEP_DIRECTORY] = "entering its directory",
        [CSANDBOX_STEP_GROUPS] = "taking its groups",
        [CSANDBOX_STEP_USER] = "becoming its user",
        [CSANDBOX_STEP_EXECUTE] = "executing the program",
    };
    if (step < 0 || step >= CSANDBOX_STEP_COUNT || names[step] == NULL)
        return "an unknown step";
    return names[step];
}
