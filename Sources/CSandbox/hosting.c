// The socket between `grace run` and an agent that gives it one of its sandboxes, and the caller's signals as a descriptor: what Swift's
// Glibc module does not show. The messages on it are those of the control socket (csandbox.h).
#include "csandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static int local_socket(const char *path, struct sockaddr_un *address, socklen_t *length) {
    size_t size = strlen(path);
    if (size == 0 || size >= sizeof address->sun_path)
        return -ENAMETOOLONG;
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, size + 1);
    *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + 1);
    int made = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return made < 0 ? -errno : made;
}

static int closing(int descriptor, int code) {
    close(descriptor);
    return -code;
}

int csandbox_host_connect(const char *path) {
    struct sockaddr_un address;
    socklen_t length;
    int made = local_socket(path, &address, &length);
    if (made < 0)
        return made;
    // A backlog that is full must not hold anybody either; what is said later may take its time.
    if (connect(made, (const struct sockaddr *)&address, length) < 0)
        return closing(made, errno);
    int flags = fcntl(made, F_GETFL);
    if (flags < 0 || fcntl(made, F_SETFL, flags & ~O_NONBLOCK) < 0)
        return closing(made, errno);
    return made;
}

int csandbox_host_listen(const char *path) {
    struct sockaddr_un address;
    socklen_t length;
    int made = local_socket(path, &address, &length);
    if (made < 0)
        return made;
    // Before it has a name: the mode is the name's from the first moment (unix(7); Linux takes it from the socket).
    if (fchmod(made, 0600) < 0 || bind(made, (const struct sockaddr *)&address, length) < 0 || listen(made, 64) < 0)
        return closing(made, errno);
    return made;
}

int csandbox_host_accept(int listener) {
    int made;
    do {
        made = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    } while (made < 0 && (errno == EINTR || errno == ECONNABORTED));
    return made < 0 ? -errno : made;
}

int csandbox_host_peer(int socket, int32_t *pid, uint32_t *uid) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
        return -errno;
    *pid = peer.pid;
    *uid = peer.uid;
    return 0;
}

int csandbox_host_proof(int pid, int number) {
    int process = (int)syscall(SYS_pidfd_open, pid, 0);
    if (process < 0)
        return -errno;
    int taken = (int)syscall(SYS_pidfd_getfd, process, number, 0);
    int code = errno;
    close(process);
    return taken < 0 ? -code : taken;
}

// Neither those that the caller ignores, which would be queued all the same once they are blocked, nor those that it blocked itself.
int csandbox_signals_take(uint32_t *taken) {
    static const int ending[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    sigset_t set, before;
    sigemptyset(&set);
    if (sigprocmask(SIG_SETMASK, NULL, &before) < 0)
        return -errno;
    *taken = 0;
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++) {
        struct sigaction now;
        if (sigaction(ending[i], NULL, &now) < 0)
            return -errno;
        if (now.sa_handler == SIG_IGN || sigismember(&before, ending[i]) == 1)
            continue;
        sigaddset(&set, ending[i]);
        *taken |= UINT32_C(1) << ending[i];
    }
    int made = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (made < 0)
        return -errno;
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return closing(made, errno);
    return made;
}

int csandbox_signals_next(int descriptor) {
    struct signalfd_siginfo one;
    ssize_t count;
    do {
        count = read(descriptor, &one, sizeof one);
    } while (count < 0 && errno == EINTR);
    if (count < 0)
        return errno == EAGAIN ? 0 : -errno;
    return count == sizeof one ? (int)one.ssi_signo : -EIO;
}

void csandbox_signals_give_back(uint32_t taken) {
    sigset_t set;
    sigemptyset(&set);
    for (int number = 1; number < 32; number++)
        if (taken & (UINT32_C(1) << number))
            sigaddset(&set, number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}
