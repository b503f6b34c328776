// Calls that a sandbox's filter denies and reports: answered, counted by program and call, slowed when they flood.
//
// It reads /proc of processes that are hostile: every name is bounded, and none is believed before the kernel has said that the
// call is still waiting, since otherwise its process number may have passed to somebody else (seccomp_unotify(2)).
#include "csandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#define IS_NATIVE(data) ((data)->arch == NATIVE && ((data)->nr & 0x40000000) == 0)  // not x32
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#define IS_NATIVE(data) ((data)->arch == NATIVE)
#else
#error "denied.c: say which AUDIT_ARCH this machine has"
#endif

struct csandbox_denied {
    int listener;  // -1: everything inside is gone
    uint32_t burst, per_second;
    double allowance, filled;  // calls that may be answered now, and when that was so (seconds)
    struct csandbox_denied_call *calls;
    uint32_t count, room;
    struct seccomp_notif_sizes sizes;  // of this kernel, which may be larger than the headers' structures
};

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int csandbox_can_report(void) {
    uint32_t action = SECCOMP_RET_USER_NOTIF;
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0 ? errno : 0;
}

struct csandbox_denied *csandbox_denied_make(int32_t listener, uint32_t burst, uint32_t per_second) {
    struct csandbox_denied *denied = calloc(1, sizeof *denied);
    if (denied == NULL)
        return NULL;
    *denied = (struct csandbox_denied){
        .listener = listener, .burst = burst, .per_second = per_second, .allowance = burst, .filled = now()};
    int code = syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &denied->sizes) < 0 ? errno : 0;
    if (code != 0 || denied->sizes.seccomp_notif < sizeof(struct seccomp_notif)
        || denied->sizes.seccomp_notif_resp < sizeof(struct seccomp_notif_resp)) {
        free(denied);
        errno = code != 0 ? code : ENOSYS;
        return NULL;
    }
    return denied;
}

int csandbox_denied_poll(struct csandbox_denied *denied, int *pause_ms) {
    *pause_ms = -1;
    if (denied->listener < 0)
        return -1;
    double time = now();
    denied->allowance += (time - denied->filled) * denied->per_second;
    denied->filled = time;
    if (denied->allowance > denied->burst)
        denied->allowance = denied->burst;
    if (denied->allowance >= 1)
        return denied->listener;
    *pause_ms = 5;  // some at a time, rather than a wake-up for each
    return -1;
}

// The executable's path and the thread's name of a caller that still waits.
static void identify(const struct csandbox_denied *denied, const struct seccomp_notif *call, struct csandbox_denied_call *kind) {
    char path[32];
    if (call->pid == 0)
        return;  // not to be seen from this pid namespace
    snprintf(path, sizeof path, "/proc/%u", call->pid);
    int process = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (process < 0)
        return;
    // Opened first, asked afterwards: the directory is that of the process that waits, and stays so.
    uint64_t id = call->id;
    if (ioctl(denied->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0) {
        char target[4096];
        ssize_t length = readlinkat(process, "exe", target, sizeof target);
        if (length > 0) {
            size_t kept = (size_t)length < sizeof kind->program ? (size_t)length : sizeof kind->program - 1;
            memcpy(kind->program, target + (size_t)length - kept, kept);
        }
        int file = openat(process, "comm", O_RDONLY | O_CLOEXEC);
        length = file < 0 ? 0 : read(file, kind->name, sizeof kind->name - 1);
        if (file >= 0)
            close(file);
        if (length < 0)
            length = 0;
        if (length > 0 && kind->name[length - 1] == '\n')
            length--;
        memset(kind->name + length, 0, sizeof kind->name - (size_t)length);
    }
    close(process);
}

static struct csandbox_denied_call *find(struct csandbox_denied *denied, const struct csandbox_denied_call *kind) {
    for (uint32_t i = 0; i < denied->count; i++) {
        struct csandbox_denied_call *known = &denied->calls[i];
        if (known->call == kind->call && known->architecture == kind->architecture && strcmp(known->name, kind->name) == 0
            && strcmp(known->program, kind->program) == 0)
            return known;
    }
    return NULL;
}

// A place of its own for a kind; NULL when there is no memory.
static struct csandbox_denied_call *add(struct csandbox_denied *denied, const struct csandbox_denied_call *kind) {
    if (denied->count == denied->room) {
        uint32_t room = denied->room == 0 ? 4 : denied->room * 2;
        struct csandbox_denied_call *grown = realloc(denied->calls, room * sizeof *grown);
        if (grown == NULL)
            return NULL;
        denied->calls = grown;
        denied->room = room;
    }
    denied->calls[denied->count] = *kind;
    denied->calls[denied->count].count = 0;
    return &denied->calls[denied->count++];
}

static int count(struct csandbox_denied *denied, struct csandbox_denied_call *kind) {
    struct csandbox_denied_call *place = find(denied, kind);
    if (place == NULL && denied->count >= CSANDBOX_DENIED_PROGRAMS) {
        memset(kind->name, 0, sizeof kind->name);
        memset(kind->program, 0, sizeof kind->program);
        place = find(denied, kind);
    }
    if (place == NULL && denied->count >= CSANDBOX_DENIED_KINDS) {
        kind->architecture = 0;
        kind->call = -1;
        place = find(denied, kind);
    }
    if (place == NULL)
        place = add(denied, kind);
    if (place == NULL)
        return -ENOMEM;
    place->count++;
    return 0;
}

int csandbox_denied_serve(struct csandbox_denied *denied, int revents) {
    if (denied->listener < 0 || revents == 0)
        return 0;
    if (!(revents & POLLIN)) {
        close(denied->listener);
        denied->listener = -1;
        return revents & POLLNVAL ? -EBADF : 0;  // the last process under the filter is gone
    }
    char question[denied->sizes.seccomp_notif] __attribute__((aligned(8)));
    char answer[denied->sizes.seccomp_notif_resp] __attribute__((aligned(8)));
    memset(question, 0, sizeof question);
    memset(answer, 0, sizeof answer);
    const struct seccomp_notif *call = (const void *)question;
    struct seccomp_notif_resp *response = (void *)answer;
    if (ioctl(denied->listener, SECCOMP_IOCTL_NOTIF_RECV, question) < 0)
        return errno == ENOENT || errno == EINTR ? 0 : -errno;  // ENOENT: the caller was killed meanwhile
    denied->allowance -= 1;
    struct csandbox_denied_call kind = {.architecture = call->data.arch, .call = call->data.nr};
    identify(denied, call, &kind);
    int result = count(denied, &kind);
    response->id = call->id;
    response->error = IS_NATIVE(&call->data) ? -EPERM : -ENOSYS;
    while (ioctl(denied->listener, SECCOMP_IOCTL_NOTIF_SEND, answer) < 0)
        if (errno != EINTR)
            return errno == ENOENT ? result : -errno;
    return result;
}

const struct csandbox_denied_call *csandbox_denied_calls(const struct csandbox_denied *denied, uint32_t *count) {
    *count = denied->count;
    return denied->calls;
}

void csandbox_denied_free(struct csandbox_denied *denied) {
    if (denied == NULL)
        return;
    if (denied->listener >= 0)
        close(denied->listener);
    free(denied->calls);
    free(denied);
}

int csandbox_attend(int socket, struct csandbox_denied *denied) {
    for (;;) {
        int pause = -1;
        struct pollfd watched[2] = {{.fd = socket, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
        if (denied != NULL)
            watched[1].fd = csandbox_denied_poll(denied, &pause);
        if (poll(watched, 2, pause) < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        int result = denied == NULL ? 0 : csandbox_denied_serve(denied, watched[1].revents);
        if (result < 0)
            return result;
        if (watched[0].revents != 0)
            return 0;
    }
}
