// A small agent, in C, for the tests of CSandbox.
#ifndef GRACE_CSANDBOX_TESTS_H
#define GRACE_CSANDBOX_TESTS_H
#include "faults.h"
// The tests' own calls never fail on purpose.
#undef socket
#undef open
#undef mount
#undef write
#undef fcntl
#undef fork
#undef pread
#undef fstat
#undef dup2
#undef syscall
#undef mmap
#undef ftruncate
#undef ioctl
#undef chdir
#undef openat
#undef mkdirat
#undef umount2
#undef prctl
#undef dup3

#include "../../Sources/CSandbox/internal.h"

#include <stdio.h>

// A flat structure under construction, a plan or a command.
struct flat {
    _Alignas(8) char bytes[1 << 16];
    uint32_t size;
};
uint32_t flat_string(struct flat *flat, const char *text);
uint32_t flat_array(struct flat *flat, const void *items, size_t size);
int flat_file(const void *bytes, size_t size);  // as a memfd

enum { OVERLAYS = 6 };

// What one test asks of a sandbox, and what came of it.
struct trial {
    // asked
    uint32_t mode, flags;
    int cgroups;            // files that take the place of cgroup.procs
    const char *seat;       // with CSANDBOX_SEATED: the directory
    int only_root;          // no overlays but that of /
    const char *device;     // of the private layers; NULL: a tmpfs
    const void *plan;       // instead of the one made of the above
    size_t plan_size;
    const void *filter;     // instead of the tests' own
    size_t filter_size;
    const char *program;    // a command to run once it is ready; NULL: none
    const char *argument;
    const void *command;    // instead of the one made of that
    size_t command_size;
    uint32_t uid, command_flags;
    const char *directory;
    int passed;             // descriptors that come along
    int ask_socket;         // a family
    int repeat;             // more of the same command
    int leave_at_once;      // do not wait for anything: close the socket
    // came of it
    int ready, step, code;  // FAILED with id 0
    char detail[112];
    int command_started, command_step, command_code, exit_code;
    int socket_code;
    uint64_t denied;
    int status;             // of the launcher: an exit code, or 128 + signal
    int timed_out;
};

// The place where everything lies: a root to be copied on write, layers, a stage.
extern char place[64];
void make_place(void);
void remove_place(void);

void make_plan(struct flat *flat, const struct trial *trial);
void make_command(struct flat *flat, const struct trial *trial);
void run_trial(struct trial *trial);

// Checks: a sentence is printed when one does not hold, and the tests fail at the end.
extern int failures, checks;
void check(int holds, const char *format, ...) __attribute__((format(printf, 2, 3)));
#endif
