// Between fork and exec of one command: checks what was asked for, places descriptors, becomes the user, executes.
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { highest_target = 250 };

static _Noreturn void refuse(int report, int step, int code) {
    struct csandbox_start_failure failure = {.step = step, .code = code};
    ssize_t ignored = write(report, &failure, sizeof failure);
    (void)ignored;
    _exit(127);
}

static int is_text(const struct csandbox_command *command, uint32_t offset) {
    return offset >= sizeof *command && offset < command->size
        && memchr((const char *)command + offset, 0, command->size - offset) != NULL;
}

static int is_list(const struct csandbox_command *command, uint32_t offset, uint32_t count) {
    return offset >= sizeof *command && offset % 4 == 0 && offset <= command->size
        && count <= (command->size - offset) / sizeof(uint32_t);
}

static const uint32_t *list_at(const struct csandbox_command *command, uint32_t offset) {
    return (const void *)((const char *)command + offset);
}

static const struct csandbox_command *read_command(int descriptor, int report) {
    struct stat status;
    if (fstat(descriptor, &status) < 0)
        refuse(report, CSANDBOX_STEP_COMMAND, errno);
    if (status.st_size < (off_t)sizeof(struct csandbox_command) || status.st_size > 1 << 28)
        refuse(report, CSANDBOX_STEP_COMMAND, EINVAL);
    size_t size = (size_t)status.st_size;
    char *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, descriptor, 0);
    if (bytes == MAP_FAILED)
        refuse(report, CSANDBOX_STEP_COMMAND, errno);
    // A page that was written to is this process's own: whoever still holds the memfd cannot change it after the check. Reading it into
    // memory would be simpler, but a filter may deny pread(2) (SystemCalls.essential).
    for (size_t at = 0; at < size; at += 4096)
        *(volatile char *)(bytes + at) = *(volatile char *)(bytes + at);
    const struct csandbox_command *command = (const void *)bytes;
    if (command->magic != CSANDBOX_MAGIC || command->version != CSANDBOX_VERSION || command->size != size
        || command->argument_count == 0 || !is_text(command, command->directory)
        || !is_list(command, command->groups, command->group_count)
        || !is_list(command, command->arguments, command->argument_count)
        || !is_list(command, command->environment, command->environment_count)
        || !is_list(command, command->passed, command->passed_count) || command->limit_count > RLIM_NLIMITS
        || (command->limit_count > 0 && !is_list(command, command->limits, command->limit_count * 4)))
        refuse(report, CSANDBOX_STEP_COMMAND, EINVAL);
    return command;
}

// The pointers that execve wants. The memory goes with the process.
static char **pointers(const struct csandbox_command *command, uint32_t offset, uint32_t count, int report) {
    const uint32_t *offsets = list_at(command, offset);
    size_t size = ((size_t)count + 1) * sizeof(char *);
    char **result = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (result == MAP_FAILED)
        refuse(report, CSANDBOX_STEP_COMMAND, errno);
    for (uint32_t i = 0; i < count; i++) {
        if (!is_text(command, offsets[i]))
            refuse(report, CSANDBOX_STEP_COMMAND, EINVAL);
        result[i] = (char *)command + offsets[i];
    }
    return result;
}

// Puts each descriptor at the number the command expects it at; everything else closes at exec. Returns where `report` went.
static int place_descriptors(const struct csandbox_command *command, const int *sent, int report) {
    const uint32_t *targets = list_at(command, command->passed);
    int moved[CSANDBOX_MAX_PASSED];
    // Out of the way first, and no further than they must: the caller's limit of open files may be low.
    int free = 3;
    for (uint32_t i = 0; i < command->passed_count; i++) {
        if (targets[i] > highest_target)
            refuse(report, CSANDBOX_STEP_STDIO, EBADF);
        if ((int)targets[i] >= free)
            free = (int)targets[i] + 1;
    }
    int kept = fcntl(report, F_DUPFD_CLOEXEC, free);
    if (kept < 0)
        refuse(report, CSANDBOX_STEP_STDIO, errno);
    for (uint32_t i = 0; i < command->passed_count; i++) {
        moved[i] = fcntl(sent[i], F_DUPFD_CLOEXEC, free);
        if (moved[i] < 0)
            refuse(report, CSANDBOX_STEP_STDIO, errno);
    }
    if (syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */) < 0)
        refuse(report, CSANDBOX_STEP_STDIO, errno);
    for (uint32_t i = 0; i < command->passed_count; i++)
        if (dup2(moved[i], (int)targets[i]) < 0)
            refuse(kept, CSANDBOX_STEP_STDIO, errno);
    return kept;
}

// Those of whoever asked for the command, where that is not who PID 1 has them from. What PID 1 forbade itself stays forbidden.
static void take_limits(const struct csandbox_command *command, int report) {
    for (uint32_t resource = 0; resource < command->limit_count; resource++) {
        uint64_t wanted[2];
        struct rlimit now;
        memcpy(wanted, list_at(command, command->limits) + resource * 4, sizeof wanted);
        if (getrlimit((int)resource, &now) < 0)
            refuse(report, CSANDBOX_STEP_LIMITS, errno);
        for (int i = 0; i < 2; i++)
            if (wanted[i] > now.rlim_max)
                wanted[i] = now.rlim_max;
        if (now.rlim_cur == wanted[0] && now.rlim_max == wanted[1])
            continue;
        now = (struct rlimit){.rlim_cur = wanted[0], .rlim_max = wanted[1]};
        if (setrlimit((int)resource, &now) < 0)
            refuse(report, CSANDBOX_STEP_LIMITS, errno);
    }
}

static void become_user(const struct sandbox *sandbox, const struct csandbox_command *command, int report) {
    uint64_t allowed = sandbox->plan->capabilities;
    for (int capability = 0; capability < 64; capability++)
        if ((sandbox->kept & ~allowed) & (UINT64_C(1) << capability))
            if (syscall(SYS_prctl, 24 /* PR_CAPBSET_DROP */, capability, 0, 0, 0) < 0)
                refuse(report, CSANDBOX_STEP_USER, errno);
    // A user namespace with a single id has no other groups to take, and setgroups is denied in it (user_namespaces(7)).
    if (sandbox->plan->mode != CSANDBOX_USER
        && syscall(SYS_setgroups, (size_t)command->group_count, list_at(command, command->groups)) < 0)
        refuse(report, CSANDBOX_STEP_GROUPS, errno);
    if (syscall(SYS_setresgid, command->gid, command->gid, command->gid) < 0
        || syscall(SYS_setresuid, command->uid, command->uid, command->uid) < 0)
        refuse(report, CSANDBOX_STEP_USER, errno);
    if (csandbox_set_capabilities(command->uid == 0 ? allowed : 0) < 0)
        refuse(report, CSANDBOX_STEP_USER, errno);
}

static void restore_signals(int report) {
    struct sigaction standard = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++)
        if (sigaction(number, &standard, NULL) < 0 && errno != EINVAL)  // SIGKILL, SIGSTOP, and the C library's own
            refuse(report, CSANDBOX_STEP_EXECUTE, errno);
}

_Noreturn void csandbox_execute(const struct sandbox *sandbox, const int *descriptors, int count, int report) {
    if (count < 1)
        refuse(report, CSANDBOX_STEP_COMMAND, EBADF);
    const struct csandbox_command *command = read_command(descriptors[0], report);
    if (command->passed_count != (uint32_t)count - 1 || command->passed_count > CSANDBOX_MAX_PASSED)
        refuse(report, CSANDBOX_STEP_COMMAND, EBADF);
    char **arguments = pointers(command, command->arguments, command->argument_count, report);
    char **environment = pointers(command, command->environment, command->environment_count, report);
    restore_signals(report);
    report = place_descriptors(command, descriptors + 1, report);

    if (command->flags & CSANDBOX_FOREGROUND) {
        // Its own process group, the terminal's foreground one: the same session as the caller's, so that job control works.
        pid_t group = 0;
        if (syscall(SYS_setpgid, 0, 0) < 0)
            refuse(report, CSANDBOX_STEP_SESSION, errno);
        group = getpid();
        ioctl(0, TIOCSPGRP, &group);  // signals are still blocked; without a terminal it does nothing
    } else if (setsid() < 0) {
        refuse(report, CSANDBOX_STEP_SESSION, errno);
    }

    take_limits(command, report);
    if (sandbox->plan->open_files > 0) {
        struct rlimit limit = {sandbox->plan->open_files, sandbox->plan->open_files}, now;
        if (getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_max < limit.rlim_max)
            limit.rlim_cur = limit.rlim_max = now.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
            refuse(report, CSANDBOX_STEP_LIMITS, errno);
    }
    become_user(sandbox, command, report);
    if (chdir((const char *)command + command->directory) < 0)
        refuse(report, CSANDBOX_STEP_DIRECTORY, errno);
    sigset_t none;
    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
        refuse(report, CSANDBOX_STEP_EXECUTE, errno);
    environ = environment;  // execvp searches the PATH that the command will see
    execvp(arguments[0], arguments);
    refuse(report, CSANDBOX_STEP_EXECUTE, errno);
}
