// Work whose cost is that of system calls: run bare, in a sandbox and in a peer's.
//
//   load getpid COUNT       getpid, COUNT times
//   load files COUNT PATH   open, read 4 KiB, close
//
// Prints the nanoseconds of one round.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

int main(int argc, char **argv) {
    long count = argc > 2 ? atol(argv[2]) : 0;
    if (count <= 0)
        return 2;
    double begin = now();
    if (strcmp(argv[1], "getpid") == 0) {
        for (long i = 0; i < count; i++)
            syscall(SYS_getpid);
    } else if (strcmp(argv[1], "files") == 0 && argc > 3) {
        char buffer[4096];
        for (long i = 0; i < count; i++) {
            int file = open(argv[3], O_RDONLY | O_CLOEXEC);
            if (file < 0 || read(file, buffer, sizeof buffer) < 0)
                return 1;
            close(file);
        }
    } else {
        return 2;
    }
    printf("%.1f\n", (now() - begin) / (double)count);
    return 0;
}
