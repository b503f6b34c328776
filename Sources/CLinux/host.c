#include "clinux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static uint64_t nanoseconds(clockid_t clock) {
    struct timespec now;
    if (clock_gettime(clock, &now) != 0)
        return 0;
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
uint64_t clinux_boot_nanoseconds(void) { return nanoseconds(CLOCK_BOOTTIME); }
uint64_t clinux_monotonic_nanoseconds(void) { return nanoseconds(CLOCK_MONOTONIC); }

int clinux_connect_in(int network, uint32_t address, uint16_t port, int64_t milliseconds, const char **step) {
    *step = "setns";
    if (network >= 0 && setns(network, CLONE_NEWNET) != 0)
        return -errno;
    *step = "socket";
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        return -errno;
    int one = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct sockaddr_in target = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {.s_addr = htonl(address)}};
    *step = "connect";
    int code = connect(descriptor, (struct sockaddr *)&target, sizeof target) < 0 ? errno : 0;
    if (code == EINPROGRESS || code == EINTR) {
        uint64_t deadline = clinux_monotonic_nanoseconds() + (uint64_t)milliseconds * 1000000u;
        for (;;) {
            uint64_t now = clinux_monotonic_nanoseconds();
            int64_t left = now >= deadline ? 0 : (int64_t)((deadline - now + 999999u) / 1000000u);
            struct pollfd polled = {.fd = descriptor, .events = POLLOUT};
            int ready = poll(&polled, 1, left > 1000000000 ? 1000000000 : (int)left);
            if (ready < 0 && errno == EINTR)
                continue;
            if (ready < 0) {
                code = errno;
                break;
            }
            if (ready == 0) {
                code = ETIMEDOUT;
                break;
            }
            socklen_t size = sizeof code;
            if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) < 0)
                code = errno;
            break;
        }
    }
    if (code != 0) {
        close(descriptor);
        return -code;
    }
    return descriptor;
}

int clinux_kernel(char *release, size_t release_size, char *machine, size_t machine_size, char *host, size_t host_size) {
    struct utsname names;
    if (uname(&names) != 0)
        return -errno;
    snprintf(release, release_size, "%s", names.release);
    snprintf(machine, machine_size, "%s", names.machine);
    snprintf(host, host_size, "%s", names.nodename);
    return 0;
}

int clinux_online_processors(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (int)count : 1;
}

uint64_t clinux_effective_capabilities(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[2] = {{0}};
    if (syscall(SYS_capget, &header, data) != 0)
        return 0;
    return (uint64_t)data[1].effective << 32 | data[0].effective;
}

const char *clinux_errno_name(int code) {
    const char *name = strerrorname_np(code);
    return name != NULL ? name : "E?";
}
const char *clinux_errno_text(int code, char *buffer, size_t size) { return strerror_r(code, buffer, size); }
