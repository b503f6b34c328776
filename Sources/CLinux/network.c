#include "clinux.h"
#include "clinux_network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

int clinux_network_own(void) {
    int descriptor = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    return descriptor < 0 ? -errno : descriptor;
}

int clinux_network_new(void) {
    if (unshare(CLONE_NEWNET) != 0)
        return -errno;
    int descriptor = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    return descriptor < 0 ? -errno : descriptor;
}

int clinux_network_enter(int network) { return setns(network, CLONE_NEWNET) != 0 ? -errno : 0; }

static socklen_t to_kernel(const struct clinux_endpoint *endpoint, struct sockaddr_storage *address) {
    memset(address, 0, sizeof *address);
    if (endpoint->version == 4) {
        struct sockaddr_in *four = (struct sockaddr_in *)address;
        four->sin_family = AF_INET;
        four->sin_port = htons(endpoint->port);
        memcpy(&four->sin_addr, endpoint->bytes, 4);
        return sizeof *four;
    }
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)address;
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(endpoint->port);
    memcpy(&six->sin6_addr, endpoint->bytes, 16);
    return sizeof *six;
}

static void from_kernel(const struct sockaddr_storage *address, struct clinux_endpoint *endpoint) {
    memset(endpoint, 0, sizeof *endpoint);
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)address;
        endpoint->version = 4;
        endpoint->port = ntohs(four->sin_port);
        memcpy(endpoint->bytes, &four->sin_addr, 4);
    } else {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
        endpoint->version = 6;
        endpoint->port = ntohs(six->sin6_port);
        memcpy(endpoint->bytes, &six->sin6_addr, 16);
    }
}

static int set(int descriptor, int level, int option) {
    int one = 1;
    return setsockopt(descriptor, level, option, &one, sizeof one);
}

int clinux_listen_any(int version, int stream, uint16_t port) {
    int descriptor = socket(
        version == 4 ? AF_INET : AF_INET6, (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        return -errno;
    struct clinux_endpoint any = {.version = (uint8_t)version, .port = port};
    struct sockaddr_storage address;
    socklen_t length = to_kernel(&any, &address);
    int wrong = set(descriptor, SOL_SOCKET, SO_REUSEADDR) < 0;
    if (version == 4)
        wrong |= set(descriptor, IPPROTO_IP, IP_TRANSPARENT) < 0 || (!stream && set(descriptor, IPPROTO_IP, IP_PKTINFO) < 0);
    else
        wrong |= set(descriptor, IPPROTO_IPV6, IPV6_V6ONLY) < 0 || set(descriptor, IPPROTO_IPV6, IPV6_TRANSPARENT) < 0
            || (!stream && set(descriptor, IPPROTO_IPV6, IPV6_RECVPKTINFO) < 0);
    if (wrong || bind(descriptor, (struct sockaddr *)&address, length) < 0 || (stream && listen(descriptor, 128) < 0)) {
        int code = errno;
        close(descriptor);
        return -code;
    }
    return descriptor;
}

int clinux_accept(int listener, struct clinux_endpoint *local, struct clinux_endpoint *peer) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    int descriptor;
    do
        descriptor = accept4(listener, (struct sockaddr *)&address, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
    while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0)
        return -errno;
    from_kernel(&address, peer);
    length = sizeof address;
    if (getsockname(descriptor, (struct sockaddr *)&address, &length) < 0) {
        int code = errno;
        close(descriptor);
        return -code;
    }
    from_kernel(&address, local);
    set(descriptor, IPPROTO_TCP, TCP_NODELAY);
    return descriptor;
}

union control {
    struct cmsghdr head;
    char room[CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

int64_t clinux_receive(int socket, void *buffer, size_t size, struct clinux_endpoint *local, struct clinux_endpoint *peer) {
    struct sockaddr_storage address;
    union control control;
    struct iovec part = {.iov_base = buffer, .iov_len = size};
    struct msghdr message = {
        .msg_name = &address, .msg_namelen = sizeof address, .msg_iov = &part, .msg_iovlen = 1,
        .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t length;
    do
        length = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (length < 0 && errno == EINTR);
    if (length < 0)
        return -errno;
    from_kernel(&address, peer);
    memset(local, 0, sizeof *local);
    for (struct cmsghdr *head = CMSG_FIRSTHDR(&message); head != NULL; head = CMSG_NXTHDR(&message, head)) {
        if (head->cmsg_level == IPPROTO_IP && head->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo information;
            memcpy(&information, CMSG_DATA(head), sizeof information);
            local->version = 4;
            memcpy(local->bytes, &information.ipi_addr, 4);
        } else if (head->cmsg_level == IPPROTO_IPV6 && head->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo information;
            memcpy(&information, CMSG_DATA(head), sizeof information);
            local->version = 6;
            memcpy(local->bytes, &information.ipi6_addr, 16);
        }
    }
    return local->version == 0 ? -EBADMSG : length;
}

int64_t clinux_reply(
    int socket, const void *buffer, size_t size, const struct clinux_endpoint *from, const struct clinux_endpoint *to) {
    struct sockaddr_storage address;
    socklen_t length = to_kernel(to, &address);
    union control control;
    memset(&control, 0, sizeof control);
    struct iovec part = {.iov_base = (void *)buffer, .iov_len = size};
    struct msghdr message = {
        .msg_name = &address, .msg_namelen = length, .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control};
    if (from->version == 4) {
        struct in_pktinfo information = {0};
        memcpy(&information.ipi_spec_dst, from->bytes, 4);
        control.head = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof information), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO};
        memcpy(CMSG_DATA(&control.head), &information, sizeof information);
        message.msg_controllen = CMSG_SPACE(sizeof information);
    } else {
        struct in6_pktinfo information = {0};
        memcpy(&information.ipi6_addr, from->bytes, 16);
        control.head = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof information), .cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_PKTINFO};
        memcpy(CMSG_DATA(&control.head), &information, sizeof information);
        message.msg_controllen = CMSG_SPACE(sizeof information);
    }
    ssize_t sent = sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? -errno : sent;
}

int clinux_connect(const struct clinux_endpoint *to, int stream, int64_t milliseconds, int wake) {
    int descriptor = socket(
        to->version == 4 ? AF_INET : AF_INET6, (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        return -errno;
    if (stream)
        set(descriptor, IPPROTO_TCP, TCP_NODELAY);
    struct sockaddr_storage address;
    socklen_t length = to_kernel(to, &address);
    int code = connect(descriptor, (struct sockaddr *)&address, length) < 0 ? errno : 0;
    uint64_t deadline = clinux_monotonic_nanoseconds() + (uint64_t)(milliseconds > 0 ? milliseconds : 0) * 1000000u;
    while (code == EINPROGRESS || code == EINTR) {
        uint64_t now = clinux_monotonic_nanoseconds();
        int64_t left = now >= deadline ? 0 : (int64_t)((deadline - now + 999999u) / 1000000u);
        struct pollfd polled[2] = {{.fd = descriptor, .events = POLLOUT}, {.fd = wake, .events = POLLIN}};
        int ready = poll(polled, 2, left > 1000000000 ? 1000000000 : (int)left);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready < 0) {
            code = errno;
        } else if (ready == 0) {
            code = ETIMEDOUT;
        } else if (polled[1].revents != 0) {
            code = ECANCELED;
        } else {
            socklen_t size = sizeof code;
            if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) < 0)
                code = errno;
        }
        break;
    }
    if (code == 0)
        return descriptor;
    close(descriptor);
    return -code;
}

int clinux_is_own_address(const struct clinux_endpoint *address) {
    // Connecting a datagram socket only looks up the route; to an address of its own the kernel talks from that very address.
    struct clinux_endpoint target = *address;
    target.port = 9;
    int descriptor = clinux_connect(&target, 0, 0, -1);
    if (descriptor < 0)
        return descriptor == -ENETUNREACH || descriptor == -EHOSTUNREACH || descriptor == -EADDRNOTAVAIL
                || descriptor == -EAFNOSUPPORT
            ? 0
            : descriptor;
    struct sockaddr_storage mine;
    socklen_t length = sizeof mine;
    struct clinux_endpoint source;
    int code = getsockname(descriptor, (struct sockaddr *)&mine, &length) < 0 ? -errno : 0;
    close(descriptor);
    if (code < 0)
        return code;
    from_kernel(&mine, &source);
    return source.version == address->version && memcmp(source.bytes, address->bytes, 16) == 0;
}

void clinux_reset(int socket) {
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(socket);
}

enum { room = 64 << 10 };

struct direction {
    int from, to;
    size_t begin, end;
    int finished;   // nothing more will be read
    int passed_on;  // and the other side knows
    unsigned char *bytes;
};

// 0, or -errno.
static int fill(struct direction *direction) {
    ssize_t count = recv(direction->from, direction->bytes, room, MSG_DONTWAIT);
    if (count < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    direction->begin = 0;
    direction->end = (size_t)count;
    direction->finished = count == 0;
    return 0;
}

static int drain(struct direction *direction, uint64_t *carried) {
    while (direction->begin < direction->end) {
        ssize_t count = send(
            direction->to, direction->bytes + direction->begin, direction->end - direction->begin,
            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        direction->begin += (size_t)count;
        *carried += (uint64_t)count;
    }
    if (direction->finished && !direction->passed_on) {
        direction->passed_on = 1;
        if (shutdown(direction->to, SHUT_WR) < 0 && errno != ENOTCONN)
            return -errno;
    }
    return 0;
}

int clinux_pump(int left, int right, int wake, uint64_t carried[2]) {
    unsigned char *bytes = malloc(2 * room);
    if (bytes == NULL)
        return -ENOMEM;
    struct direction ways[2] = {
        {.from = left, .to = right, .bytes = bytes}, {.from = right, .to = left, .bytes = bytes + room}};
    int code = 0;
    carried[0] = carried[1] = 0;
    while (code == 0 && !(ways[0].passed_on && ways[1].passed_on)) {
        struct pollfd polled[3] = {{.fd = left}, {.fd = right}, {.fd = wake, .events = POLLIN}};
        for (int i = 0; i < 2; i++) {
            int empty = ways[i].begin == ways[i].end;
            if (empty && !ways[i].finished)
                polled[i].events |= POLLIN;
            if (!empty)
                polled[1 - i].events |= POLLOUT;
        }
        for (int i = 0; i < 2; i++)
            if (polled[i].events == 0)
                polled[i].fd = -1;  // else its hang-up would be reported over and over
        if (poll(polled, 3, -1) < 0) {
            code = errno == EINTR ? 0 : -errno;
            continue;
        }
        if (polled[2].revents != 0)
            code = -ECANCELED;
        for (int i = 0; i < 2 && code == 0; i++) {
            if (polled[i].revents & (POLLIN | POLLHUP | POLLERR) && ways[i].begin == ways[i].end && !ways[i].finished)
                code = fill(&ways[i]);
            if (code == 0)
                code = drain(&ways[i], &carried[i]);
        }
    }
    free(bytes);
    return code;
}

int clinux_epoll(void) {
    int descriptor = epoll_create1(EPOLL_CLOEXEC);
    return descriptor < 0 ? -errno : descriptor;
}

int clinux_epoll_add(int epoll, int descriptor, uint64_t tag) {
    struct epoll_event event = {.events = EPOLLIN, .data = {.u64 = tag}};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) < 0 ? -errno : 0;
}

int clinux_epoll_remove(int epoll, int descriptor) {
    return epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, NULL) < 0 ? -errno : 0;
}

int clinux_epoll_wait(int epoll, uint64_t *tags, int capacity, int64_t milliseconds) {
    struct epoll_event events[64];
    int count = epoll_wait(epoll, events, capacity < 64 ? capacity : 64, (int)milliseconds);
    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++)
        tags[i] = events[i].data.u64;
    return count;
}
