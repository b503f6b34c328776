// `grace-attacks NAME ARGUMENT…`: one real attack on a sandbox, by raw system calls. It is run inside a sandbox, where it must be
// refused, and bare, where it must succeed: the same code both times, so that a refusal inside means something.
//
// It prints one line and ends: `succeeded DETAIL` (exit 0), or `refused STEP ERRNO` (exit 1), several steps with "; " between them
// where an attack has several ways. Built for tests; it is no part of what users get.
#ifndef GRACE_ATTACKS_H
#define GRACE_ATTACKS_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

struct attack {
    const char *name;
    int arguments;  // the least number of them
    void (*run)(char **arguments);
};

extern const struct attack attacks_calls[], attacks_processes[], attacks_mounts[], attacks_files[], attacks_network[],
    attacks_resources[];

// The attack came through.
_Noreturn void attacks_succeeded(const char *format, ...) __attribute__((format(printf, 1, 2)));
// One way was refused, with errno; there may be others to try.
void attacks_refused(const char *step);
// Every way was refused.
_Noreturn void attacks_over(void);
// Says something before going on for ever: `started DETAIL`.
void attacks_started(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Reads `path` below `directory` up to `size` bytes, as text. -1 with errno.
int attacks_read_at(int directory, const char *path, char *buffer, size_t size);
// Climbs from a directory to the topmost one it leads to, and reads the secret from there: 1 when it was there, else 0.
int attacks_climb(int directory, const char *secret);
int attacks_write_file(const char *path, const char *text);

#endif
