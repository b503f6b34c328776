// Shared by the parts of grace-sandbox. No part keeps state of its own: it is all in struct sandbox.
#ifndef GRACE_CSANDBOX_INTERNAL_H
#define GRACE_CSANDBOX_INTERNAL_H

#include "csandbox.h"

#include <sys/types.h>

struct sandbox {
    const struct csandbox_plan *plan;
    const char *bytes;  // the plan again, for strings
    int control;
    int filter;                          // the seccomp program; -1: none
    int network;                         // the network namespace to enter; -1: a new one, or the host's
    int seat;                            // the control group's directory that PID 1 is born into; -1: the caller's
    int cgroups[CSANDBOX_MAX_CGROUPS];   // the cgroup.procs files, as many as the plan says
    int user_namespace;  // CSANDBOX_MAPPED: the namespace that commands live in
    uint32_t root_id;    // the host's number for root inside, as this process sees it
    int stage;           // the tmpfs on which everything is put together
    int root;            // the sandbox's root directory
    int ready[3];        // what the agent gets: root, network namespace, pidfd
    uint64_t kept;       // capabilities of PID 1
};

static inline const char *csandbox_string(const struct sandbox *sandbox, uint32_t offset) {
    return sandbox->bytes + offset;
}

// Reports what failed over the control socket. `code` is an errno; `detail` may be NULL.
void csandbox_report(const struct sandbox *sandbox, int step, int code, const char *detail);
// Reports it and ends the process.
_Noreturn void csandbox_fail(const struct sandbox *sandbox, int step, int code, const char *detail);

// plan.c: reads the plan and checks every field of it. NULL, a reason and errno (EINVAL: what it says) when it is wrong.
const struct csandbox_plan *csandbox_read_plan(int descriptor, const char **reason);

// launcher.c
int csandbox_launch(void);
// A user namespace with that map, held by its descriptor alone. -1 with errno and the step that failed.
int csandbox_user_namespace(uint32_t first, uint32_t count, int *step);
// Whether `count` descriptors are what the plan asks for; puts them in their places.
int csandbox_take(struct sandbox *sandbox, const int *descriptors, int count);
// Makes PID 1, which goes on by itself; its number, or -1 when it has been reported why not. `network` is a namespace to live in
// where the plan asks for one of its own and brings none; -1: it is made now.
pid_t csandbox_begin(struct sandbox *sandbox, int network);

// zygote.c
int csandbox_zygote(uint32_t mapped_first, uint32_t mapped_count);

// overlay.c: makes every overlay and attaches them below stage/root; sets sandbox->root.
void csandbox_make_overlays(struct sandbox *sandbox);

// copy.c: copies a layer's tree into another, keeping what is there. `opaque` is the attribute by which overlayfs marks directories that
// hide lower ones. 0 or -1 with errno; `where` gets the path that failed.
int csandbox_copy_layer(int from, int to, const char *opaque, char *where, size_t size);

// scratch.c: the file system of throw-away layers, detached. -1 and errno when it cannot be made.
int csandbox_scratch(struct sandbox *sandbox);

// mounts.c
int csandbox_tmpfs(const char *mode, uint32_t owner, uint64_t bytes, unsigned attributes);
int csandbox_attach(int mount, int directory, const char *path);
int csandbox_open_inside(int directory, const char *path, int flags);
int csandbox_clone_tree(int directory, const char *path, int read_only);
void csandbox_make_stage(struct sandbox *sandbox);
void csandbox_mount_private(struct sandbox *sandbox);  // proc, dev, sys, tmp, run
void csandbox_mask(struct sandbox *sandbox);
void csandbox_place_resolver(struct sandbox *sandbox);
void csandbox_pivot(struct sandbox *sandbox);

// kernelfs.c
void csandbox_mount_proc(struct sandbox *sandbox);
void csandbox_mount_dev(struct sandbox *sandbox);
void csandbox_mount_sys(struct sandbox *sandbox);

// privileges.c
void csandbox_leave_keyring(struct sandbox *sandbox);
void csandbox_become_mapped(struct sandbox *sandbox);
void csandbox_drop(struct sandbox *sandbox);
int csandbox_set_capabilities(uint64_t set);
int csandbox_bound_capabilities(uint64_t set);

// init.c: runs commands until the agent is gone.
_Noreturn void csandbox_supervise(struct sandbox *sandbox);

// command.c: in the forked child. Never returns; reports to `report` when the program could not be executed.
struct csandbox_start_failure {
    int32_t step, code;
};
_Noreturn void csandbox_execute(const struct sandbox *sandbox, const int *descriptors, int count, int report);

// watchdog.c, probe.c
int csandbox_thaw(int argc, char **argv);
int csandbox_probe(int argc, char **argv);

#endif
