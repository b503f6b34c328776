#include "clinux.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/close_range.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

int clinux_pipe(int32_t ends[2]) { return pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0; }
int clinux_eventfd(void) {
    int descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return descriptor < 0 ? -errno : descriptor;
}
int clinux_memfd(const char *name) {
    int descriptor = memfd_create(name, MFD_CLOEXEC);
    return descriptor < 0 ? -errno : descriptor;
}
int clinux_set_nonblocking(int descriptor, int on) {
    int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0)
        return -errno;
    return fcntl(descriptor, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) < 0 ? -errno : 0;
}

int clinux_poll(const int32_t *descriptors, const int16_t *events, int16_t *ready, int count, int64_t milliseconds) {
    struct pollfd polled[8];
    if (count < 0 || count > 8)
        return -EINVAL;
    for (int i = 0; i < count; i++)
        polled[i] = (struct pollfd){.fd = descriptors[i], .events = events[i]};
    int timeout = milliseconds < 0 ? -1 : milliseconds > 1000000000 ? 1000000000 : (int)milliseconds;
    int result = poll(polled, (nfds_t)count, timeout);
    if (result < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++)
        ready[i] = polled[i].revents;
    return result;
}

int clinux_pidfd_open(int pid) {
    long descriptor = syscall(SYS_pidfd_open, pid, 0);
    return descriptor < 0 ? -errno : (int)descriptor;
}
int clinux_pidfd_send_signal(int pidfd, int signal) {
    return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}
int clinux_kill(int pid, int signal) { return kill(pid, signal) < 0 ? -errno : 0; }

int clinux_wait(int pid, int block, int32_t *code, int32_t *signaled) {
    siginfo_t information;
    memset(&information, 0, sizeof information);
    int result;
    // __WALL: the zygote's children are made with exit signal 0 and an ordinary wait passes them over.
    do {
        result = waitid(P_PID, (id_t)pid, &information, WEXITED | __WALL | (block ? 0 : WNOHANG));
    } while (result < 0 && errno == EINTR);
    if (result < 0)
        return -errno;
    if (information.si_pid == 0)
        return 0;
    *code = information.si_status;
    *signaled = information.si_code != CLD_EXITED;
    return information.si_pid;
}

void clinux_block_sigpipe(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}
char **clinux_environment(void) { return environ; }

struct object_search {
    uintptr_t address;
    const char *name;
};

static int holds(struct dl_phdr_info *object, size_t size, void *context) {
    struct object_search *search = context;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        uintptr_t start = object->dlpi_addr + part->p_vaddr;
        if (part->p_type != PT_LOAD || search->address < start || search->address - start >= part->p_memsz)
            continue;
        // The program itself has no name here, a static one neither.
        search->name = object->dlpi_name != NULL && object->dlpi_name[0] != 0 ? object->dlpi_name : "/proc/self/exe";
        return 1;
    }
    return 0;
}

const char *clinux_object_of(const void *address) {
    struct object_search search = {.address = (uintptr_t)address};
    dl_iterate_phdr(holds, &search);
    return search.name;
}
int clinux_set_thread_name(const char *name) { return -pthread_setname_np(pthread_self(), name); }

// --- spawn ----------------------------------------------------------------------------------------------------------
// A child that shares the caller's memory until it execs (CLONE_VM | CLONE_VFORK), on a stack of its own. It may write
// nothing but its stack and `outcome`, and uses raw system calls where Glibc's wrapper would signal the caller's threads
// (set*id) or touch its locks.

struct outcome {
    struct clinux_spawn *plan;
    int *moved;     // a copy of every mapped descriptor, above all targets
    int code;       // errno of what failed
    const char *step;
    sigset_t mask;
};

static int fail(struct outcome *outcome, const char *step) {
    outcome->code = errno;
    outcome->step = step;
    return 127;
}

static int child(void *argument) {
    struct outcome *outcome = argument;
    struct clinux_spawn *plan = outcome->plan;

    // The caller blocked every signal. Handlers must not run in shared memory: back to the default before unblocking.
    // Straight to the kernel: Glibc refuses its own signals 32 and 33, which a caller may have inherited ignored.
    static const uint64_t default_action[4];  // struct kernel_sigaction, all zero: SIG_DFL
    for (int number = 1; number <= 64; number++)
        if (number != SIGKILL && number != SIGSTOP)
            syscall(SYS_rt_sigaction, number, default_action, NULL, 8);
    if (plan->group == CLINUX_GROUP_SESSION && syscall(SYS_setsid) < 0)
        return fail(outcome, "setsid");
    if (plan->group == CLINUX_GROUP_NEW && syscall(SYS_setpgid, 0, 0) < 0)
        return fail(outcome, "setpgid");

    // Move sources out of the way of targets, then put each in its place.
    int highest = 2;
    for (size_t i = 0; i < plan->mapping_count; i++)
        if (plan->mappings[i].child > highest)
            highest = plan->mappings[i].child;
    for (size_t i = 0; i < plan->mapping_count; i++) {
        outcome->moved[i] = fcntl(plan->mappings[i].parent, F_DUPFD_CLOEXEC, highest + 1);
        if (outcome->moved[i] < 0)
            return fail(outcome, "fcntl(F_DUPFD_CLOEXEC) of a passed descriptor");
    }
    for (int standard = 0; standard < 3; standard++) {
        int mapped = 0;
        for (size_t i = 0; i < plan->mapping_count; i++)
            mapped |= plan->mappings[i].child == standard;
        if (mapped)
            continue;
        int null = open("/dev/null", O_RDWR);
        if (null < 0)
            return fail(outcome, "open(/dev/null)");
        if (null != standard) {
            if (dup2(null, standard) < 0)
                return fail(outcome, "dup2");
            close(null);
        }
    }
    // Everything from 3 up closes at exec; dup2 clears that mark on the targets afterwards.
    if (syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        return fail(outcome, "close_range");
    for (size_t i = 0; i < plan->mapping_count; i++)
        if (dup2(outcome->moved[i], plan->mappings[i].child) < 0)
            return fail(outcome, "dup2");

    if (plan->directory != NULL && chdir(plan->directory) < 0)
        return fail(outcome, "chdir");
    if (plan->change_user) {
        if (syscall(SYS_setgroups, plan->group_count, plan->groups) < 0)
            return fail(outcome, "setgroups");
        if (syscall(SYS_setresgid, plan->gid, plan->gid, plan->gid) < 0)
            return fail(outcome, "setresgid");
        if (syscall(SYS_setresuid, plan->uid, plan->uid, plan->uid) < 0)
            return fail(outcome, "setresuid");
    }
    sigset_t none;
    sigemptyset(&none);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, 8);
    execve(plan->executable, plan->arguments, plan->environment);
    return fail(outcome, "execve");
}

int clinux_spawn(struct clinux_spawn *plan) {
    enum { stack_size = 128 * 1024, guard = 4096 };
    plan->pidfd = -1;
    plan->failed_step = NULL;
    int *moved = calloc(plan->mapping_count + 1, sizeof *moved);
    char *stack = mmap(NULL, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (moved == NULL || stack == MAP_FAILED) {
        plan->failed_step = "mmap";
        free(moved);
        if (stack != MAP_FAILED)
            munmap(stack, stack_size);
        return -ENOMEM;
    }
    mprotect(stack, guard, PROT_NONE);
    struct outcome outcome = {.plan = plan, .moved = moved};
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &outcome.mask);
    int cancel_state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    int pidfd = -1;
    int pid = clone(child, stack + stack_size, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &outcome, &pidfd);
    int code = pid < 0 ? errno : outcome.code;
    pthread_setcancelstate(cancel_state, NULL);
    pthread_sigmask(SIG_SETMASK, &outcome.mask, NULL);
    munmap(stack, stack_size);
    free(moved);
    if (pid < 0) {
        plan->failed_step = "clone";
        return -code;
    }
    if (outcome.step != NULL) {  // it could not start: reap it here, so that no zombie is left
        plan->failed_step = outcome.step;
        int32_t exit_code, signaled;
        clinux_wait(pid, 1, &exit_code, &signaled);
        close(pidfd);
        return code > 0 ? -code : -EIO;
    }
    plan->pidfd = pidfd;
    return pid;
}

int clinux_limits(int pid, uint64_t *pairs) {
    for (int resource = 0; resource < 16; resource++) {
        struct rlimit limit;
        if (prlimit(pid, (__rlimit_resource_t)resource, NULL, &limit) < 0)
            return -errno;
        pairs[2 * resource] = limit.rlim_cur;
        pairs[2 * resource + 1] = limit.rlim_max;
    }
    return 0;
}

int clinux_io_priority(int pid) {
    int priority = (int)syscall(SYS_ioprio_get, 1 /* IOPRIO_WHO_PROCESS */, pid);
    return priority < 0 ? -errno : priority;
}
