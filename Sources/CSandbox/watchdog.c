// `grace-sandbox thaw PATH VALUE SECONDS`: whoever freezes live starts this first. When the freezer dies (end of standard input)
// or takes too long, live is thawed all the same.
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int csandbox_thaw(int argc, char **argv) {
    char *end = NULL;
    double seconds = argc == 5 ? strtod(argv[4], &end) : 0;
    if (argc != 5 || end == argv[4] || *end != 0 || !(seconds > 0 && seconds < 86400)) {
        fprintf(stderr, "usage: grace-sandbox thaw PATH VALUE SECONDS (more than 0, less than a day)\n");
        return 2;
    }
    // Opened now: a path that cannot be written must fail before anything is frozen.
    int file = open(argv[2], O_WRONLY | O_CLOEXEC);
    if (file < 0) {
        fprintf(stderr, "grace-sandbox: %s cannot be opened for writing: %s.\n", argv[2], strerror(errno));
        return 1;
    }
    sigset_t all;
    sigfillset(&all);
    if (sigprocmask(SIG_SETMASK, &all, NULL) < 0) {
        fprintf(stderr, "grace-sandbox: signals cannot be blocked: %s.\n", strerror(errno));
        return 1;
    }
    setsid();  // refused to the leader of a process group alone: then it is apart already
    if (write(STDOUT_FILENO, "ready\n", 6) != 6) { /* nobody listens: it watches all the same */
    }
    double deadline = now() + seconds;
    for (;;) {
        double left = deadline - now();
        struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
        int ready = left > 0 ? poll(&input, 1, (int)(left * 1000) + 1) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        char buffer[64];
        if (ready > 0 && read(STDIN_FILENO, buffer, sizeof buffer) > 0)
            continue;
        break;
    }
    // Nobody else is left to do it: what fails is tried again, for a second.
    int wrong = 1;
    for (int tries = 0; wrong && tries < 10; tries++) {
        if (tries > 0)
            nanosleep(&(struct timespec){.tv_nsec = 100 * 1000 * 1000}, NULL);
        wrong = write(file, argv[3], strlen(argv[3])) != (ssize_t)strlen(argv[3]);
    }
    if (wrong) {
        fprintf(stderr, "grace-sandbox: writing “%s” to %s failed: %s.\n", argv[3], argv[2], strerror(errno));
        return 1;
    }
    return 0;
}
