// Network namespaces, transparent sockets and relaying between sockets: what an egress gateway needs of the kernel.
// As in clinux.h, results are >= 0 or -errno and every descriptor is close-on-exec.
#ifndef GRACE_CLINUX_NETWORK_H
#define GRACE_CLINUX_NETWORK_H

#include <stddef.h>
#include <stdint.h>

struct clinux_endpoint {
    uint8_t bytes[16];  // network order; the first 4 for IPv4
    uint16_t port;      // host order
    uint8_t version;    // 4 or 6
};

// Moves the calling *thread* into a new network namespace and returns its descriptor. For threads that end afterwards.
int clinux_network_new(void);
// Moves the calling thread into a network namespace.
int clinux_network_enter(int network);
// The caller's process's own one.
int clinux_network_own(void);

// A non-blocking socket in the calling thread's namespace that takes what is sent to `port` of *any* address that is routed to
// this namespace (IP_TRANSPARENT, ip(7)), and can tell which.
int clinux_listen_any(int version, int stream, uint16_t port);
// The next connection, non-blocking; `local` is whom the other side meant to reach.
int clinux_accept(int listener, struct clinux_endpoint *local, struct clinux_endpoint *peer);
// The next datagram: its length, -EAGAIN when there is none.
int64_t clinux_receive(int socket, void *buffer, size_t size, struct clinux_endpoint *local, struct clinux_endpoint *peer);
// Answers a datagram as if from `from`.
int64_t clinux_reply(
    int socket, const void *buffer, size_t size, const struct clinux_endpoint *from, const struct clinux_endpoint *to);

// A connected socket, non-blocking. Gives up after `milliseconds` (-ETIMEDOUT) and when `wake` (-1: none) can be read (-ECANCELED).
int clinux_connect(const struct clinux_endpoint *to, int stream, int64_t milliseconds, int wake);
// Whether the routes of the calling thread's namespace say that the address is this machine's own. No packet is sent.
int clinux_is_own_address(const struct clinux_endpoint *address);

// Carries bytes both ways between two connected stream sockets until both have ended, one fails, or `wake` can be read. Half-closes
// are passed on, a failure of one resets the other. `carried`: bytes from `left` to `right`, and back.
int clinux_pump(int left, int right, int wake, uint64_t carried[2]);
// Closes a stream socket so that the other side sees a reset.
void clinux_reset(int socket);

int clinux_epoll(void);
int clinux_epoll_add(int epoll, int descriptor, uint64_t tag);
int clinux_epoll_remove(int epoll, int descriptor);
// Tags of what can be read; level-triggered.
int clinux_epoll_wait(int epoll, uint64_t *tags, int capacity, int64_t milliseconds);

#endif
