// A small agent, in C, for the tests of CSandbox.
#ifndef GRACE_CSANDBOX_TESTS_H
#define GRACE_CSANDBOX_TESTS_H
#include "faults.h"
#include "unfault.h"

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
    int other_ids;          // of the mapped root
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
    int inspect;            // look at it when the command has started, and end it
    int withheld;           // so many of the last descriptors are not sent (the zygote)
    int plan_file, command_file;  // instead of those made here; 0: none
    // came of it
    int ready, step, code;  // FAILED with id 0
    char detail[112];
    int command_started, command_step, command_code, exit_code;
    int socket_code;
    uint64_t denied, denied_named;
    int lost;               // -errno: the listener
    int status;             // of the launcher: an exit code, or 128 + signal
    int timed_out;
    int pidfd;              // of process 1
};

// The place where everything lies: a root to be copied on write, layers, a stage.
extern char place[64];
void make_place(void);
void remove_place(void);

void make_plan(struct flat *flat, const struct trial *trial);
void make_command(struct flat *flat, const struct trial *trial);
void run_trial(struct trial *trial);

// The zygote, in a child of the tests'.
struct zygote_process {
    pid_t pid;
    int socket;
};
struct zygote_process start_zygote(const struct trial *first);
int zygote_rests(struct zygote_process *zygote);  // whether it waits for requests alone; 0: it has ended
int ask_zygote(struct zygote_process *zygote, struct trial *trial);  // 0, or -errno: it takes no request
int stop_zygote(struct zygote_process *zygote);                      // its exit code, or 128 + signal

// What holds for a sandbox and its command, in lines: namespaces, ids, capabilities, filters, signals, limits, descriptors, mounts.
enum { INSPECTED = 1 << 15 };
extern char inspected[INSPECTED];
void inspect(int pidfd);  // nothing where it has ended
void inspect_process(pid_t zygote);  // another process alone, without its descriptors
// Checks that two such texts are the same but for lines in which one of the words `but` (NULL at its end; may be NULL) occurs.
void check_same(const char *what, const char *before, const char *after, const char *const *but);
// What a process has open, sorted, one word for each; how many children it has.
void open_files_of(pid_t pid, char *text, size_t size);
int children_of(pid_t pid, int *first);

// Checks: a sentence is printed when one does not hold, and the tests fail at the end.
extern int failures, checks;
void check(int holds, const char *format, ...) __attribute__((format(printf, 2, 3)));
#endif
