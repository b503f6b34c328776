// PID 1 of a sandbox: starts commands, reaps everything, reports. It ends, and with it everything inside, when the agent's end of
// the control socket closes. Signals from inside cannot reach it: the kernel drops those it has no handler for (signal(7)).
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct running {
    pid_t pid;  // 0: free
    uint32_t id;
    int start;  // closed by a successful exec, written to by a failed one; -1 afterwards
    struct csandbox_start_failure failure;
};

static struct running table[CSANDBOX_MAX_COMMANDS];

static void tell(const struct sandbox *sandbox, uint32_t type, uint32_t id, int value, int more) {
    struct csandbox_message message = {.type = type, .id = id, .value = value, .more = more};
    if (csandbox_send(sandbox->control, &message, NULL, 0) < 0)
        _exit(0);  // the agent is gone
}

static void run(struct sandbox *sandbox, uint32_t id, const int *descriptors, int count) {
    struct running *slot = NULL;
    for (int i = 0; i < CSANDBOX_MAX_COMMANDS && slot == NULL; i++)
        if (table[i].pid == 0)
            slot = &table[i];
    if (slot == NULL)
        return tell(sandbox, CSANDBOX_FAILED, id, EAGAIN, CSANDBOX_STEP_TOO_MANY);
    int start[2];
    if (pipe2(start, O_CLOEXEC | O_NONBLOCK) < 0)
        return tell(sandbox, CSANDBOX_FAILED, id, errno, CSANDBOX_STEP_FORK);
    pid_t pid = fork();
    if (pid < 0) {
        int code = errno;
        close(start[0]);
        close(start[1]);
        return tell(sandbox, CSANDBOX_FAILED, id, code, CSANDBOX_STEP_FORK);
    }
    if (pid == 0) {
        close(start[0]);
        csandbox_execute(sandbox, descriptors, count, start[1]);
    }
    close(start[1]);
    *slot = (struct running){.pid = pid, .id = id, .start = start[0]};
}

// Whether the program runs or why not. The pipe is at its end once exec has closed it, or the child has died.
static void started(struct sandbox *sandbox, struct running *slot) {
    ssize_t length = read(slot->start, &slot->failure, sizeof slot->failure);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length < 0) {
        // Nobody knows whether it runs: it is ended, and told as one that failed.
        slot->failure = (struct csandbox_start_failure){.step = CSANDBOX_STEP_FORK, .code = errno};
        kill(slot->pid, SIGKILL);
        length = sizeof slot->failure;
    }
    close(slot->start);
    slot->start = -1;
    if (length != (ssize_t)sizeof slot->failure) {
        slot->failure.step = CSANDBOX_STEP_NONE;
        tell(sandbox, CSANDBOX_STARTED, slot->id, slot->pid, 0);
    }
}

static void reap(struct sandbox *sandbox) {
    for (;;) {
        siginfo_t ended = {0};
        if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | __WALL) < 0) {
            if (errno == ECHILD)
                return;
            _exit(1);  // no command's end would be told any more
        }
        if (ended.si_pid == 0)
            return;
        for (int i = 0; i < CSANDBOX_MAX_COMMANDS; i++) {
            struct running *slot = &table[i];
            if (slot->pid != ended.si_pid)
                continue;
            if (slot->start >= 0)
                started(sandbox, slot);
            if (slot->start >= 0) {  // cannot be: a dead child holds no pipe
                close(slot->start);
                slot->start = -1;
            }
            if (slot->failure.step != CSANDBOX_STEP_NONE)
                tell(sandbox, CSANDBOX_FAILED, slot->id, slot->failure.code, slot->failure.step);
            else
                tell(sandbox, CSANDBOX_EXITED, slot->id, ended.si_status, ended.si_code != CLD_EXITED);
            slot->pid = 0;
            break;
        }
    }
}

static void give_socket(struct sandbox *sandbox, uint32_t id, int family) {
    struct csandbox_message message = {.type = CSANDBOX_MADE_SOCKET, .id = id};
    int made = family == AF_INET || family == AF_INET6 ? socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
    if (made < 0)
        message.value = family == AF_INET || family == AF_INET6 ? errno : EINVAL;
    if (csandbox_send(sandbox->control, &message, &made, made < 0 ? 0 : 1) < 0)
        _exit(0);
    if (made >= 0)
        close(made);
}

static void obey(struct sandbox *sandbox) {
    struct csandbox_message message;
    int descriptors[CSANDBOX_MAX_PASSED], count;
    int result = csandbox_receive(sandbox->control, &message, descriptors, &count, 0);
    if (result == -EAGAIN)
        return;
    if (result <= 0)
        _exit(0);  // the agent is gone, or speaks another language
    switch (message.type) {
    case CSANDBOX_RUN:
        run(sandbox, message.id, descriptors, count);
        break;
    case CSANDBOX_SIGNAL:
        for (int i = 0; i < CSANDBOX_MAX_COMMANDS; i++)
            if (table[i].pid != 0 && table[i].id == message.id)
                kill(message.more ? -table[i].pid : table[i].pid, message.value);
        break;
    case CSANDBOX_SOCKET:
        give_socket(sandbox, message.id, message.value);
        break;
    default:
        break;
    }
    for (int i = 0; i < count; i++)
        close(descriptors[i]);
}

_Noreturn void csandbox_supervise(struct sandbox *sandbox) {
    // Descriptors 0 to 2 of PID 1 lead nowhere, and nothing of the agent's stays open beside the control socket.
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i < 3; i++)
        if (null < 0 || dup2(null, i) < 0)
            csandbox_fail(sandbox, CSANDBOX_STEP_DESCRIPTORS, errno, "/dev/null");
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    int signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
    struct csandbox_message message = {.type = CSANDBOX_READY};
    if (signals < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_SUPERVISE, errno, NULL);
    int result = csandbox_send(sandbox->control, &message, sandbox->ready, 3);
    if (result < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_SUPERVISE, -result, NULL);
    // To fixed places, by way of numbers that are neither's; whatever else was open, the zygote's own and its stock too, is closed.
    int control = fcntl(sandbox->control, F_DUPFD_CLOEXEC, 8);
    signals = fcntl(signals, F_DUPFD_CLOEXEC, 8);
    if (control < 0 || signals < 0 || dup3(control, CSANDBOX_PLAN_FD, O_CLOEXEC) < 0
        || dup3(signals, CSANDBOX_SECCOMP_FD, O_CLOEXEC) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_DESCRIPTORS, errno, NULL);
    sandbox->control = CSANDBOX_PLAN_FD;
    signals = CSANDBOX_SECCOMP_FD;
    close(CSANDBOX_CONTROL_FD);
    if (syscall(SYS_close_range, 6U, ~0U, 0U) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_DESCRIPTORS, errno, NULL);

    struct pollfd watched[2 + CSANDBOX_MAX_COMMANDS];
    int starting[CSANDBOX_MAX_COMMANDS];
    for (;;) {
        watched[0] = (struct pollfd){.fd = sandbox->control, .events = POLLIN};
        watched[1] = (struct pollfd){.fd = signals, .events = POLLIN};
        // Those alone that have something to say: more entries than open files are allowed is EINVAL (poll(2)).
        int count = 0;
        for (int i = 0; i < CSANDBOX_MAX_COMMANDS; i++)
            if (table[i].pid != 0 && table[i].start >= 0) {
                starting[count] = i;
                watched[2 + count++] = (struct pollfd){.fd = table[i].start, .events = POLLIN};
            }
        if (poll(watched, 2 + (nfds_t)count, -1) < 0) {
            if (errno == EINTR)
                continue;
            _exit(1);  // the sandbox ends with it
        }
        for (int i = 0; i < count; i++)
            if (watched[2 + i].revents != 0)
                started(sandbox, &table[starting[i]]);
        if (watched[1].revents != 0) {
            struct signalfd_siginfo information;
            while (read(signals, &information, sizeof information) > 0) {
            }
        }
        reap(sandbox);
        if (watched[0].revents != 0)
            obey(sandbox);
    }
}
