// One thread of the agent's that waits for all of its sandboxes: epoll(7), which Swift's Glibc module does not show.
#include "csandbox.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

int csandbox_watch_new(void) {
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    return epoll < 0 ? -errno : epoll;
}

int csandbox_watch_add(int epoll, int descriptor, uint64_t token) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = token};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) < 0 ? -errno : 0;
}

int csandbox_watch_remove(int epoll, int descriptor) {
    return epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, NULL) < 0 ? -errno : 0;
}

int csandbox_watch_wait(int epoll, uint64_t *tokens, int capacity, int timeout_ms) {
    struct epoll_event events[64];
    int count;
    do {
        count = epoll_wait(epoll, events, capacity < 64 ? capacity : 64, timeout_ms);
    } while (count < 0 && errno == EINTR);
    for (int i = 0; i < count; i++)
        tokens[i] = events[i].data.u64;
    return count < 0 ? -errno : count;
}

int csandbox_watch_timer(double seconds) {
    int timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (timer < 0)
        return -errno;
    if (!(seconds < 4e9))
        seconds = 4e9;  // a century; more is no time_t's business
    struct itimerspec once = {.it_value = {.tv_sec = (time_t)seconds}};
    once.it_value.tv_nsec = (long)((seconds - (double)once.it_value.tv_sec) * 1e9);
    if (once.it_value.tv_sec == 0 && once.it_value.tv_nsec == 0)
        once.it_value.tv_nsec = 1;  // none would mean never
    if (timerfd_settime(timer, 0, &once, NULL) == 0)
        return timer;
    int code = errno;
    close(timer);
    return -code;
}

int csandbox_watch_denied(struct csandbox_denied *denied) {
    for (int served = 0; served < 16; served++) {  // then the other sandboxes' turn
        int pause;
        struct pollfd watched = {.fd = csandbox_denied_poll(denied, &pause), .events = POLLIN};
        if (watched.fd < 0)
            return pause < 0 ? 0 : 2;
        int ready = poll(&watched, 1, 0);
        if (ready < 0 && errno != EINTR)
            return -errno;
        if (ready <= 0)
            return 1;
        int result = csandbox_denied_serve(denied, watched.revents);
        if (result < 0)
            return result;
    }
    return 1;
}
