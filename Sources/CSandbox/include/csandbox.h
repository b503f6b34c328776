// The child side of a sandbox: what Swift hands over, and what comes back.
//
// A sandbox is made from these descriptors, in this order:
//   the plan: one flat struct csandbox_plan with its strings behind it
//   the control socket, SOCK_SEQPACKET
//   the seccomp program (struct sock_filter[]), when CSANDBOX_SECCOMP is set, unless CSANDBOX_LATE is
//   the files (cgroup.procs, or version 1's tasks) to write "0" to, `cgroup_count` of them, unless CSANDBOX_LATE is set
//   a network namespace, when CSANDBOX_GIVEN_NETWORK is set
//   the directory of the version-2 control group that PID 1 is born into, when CSANDBOX_SEATED is set
//
// `grace-sandbox zygote` is started once per engine and makes any number of them: each CSANDBOX_SPAWN on its descriptor 3 brings one
// sandbox's descriptors. `grace-sandbox run` makes one, from descriptors 3, 4, 5 (the program, or nothing), 6…. Neither holds a key
// or any memory of the agent. They stay outside and end their sandboxes when the agent dies. *PID 1* of each sandbox sets it up,
// gives up every right that its commands are not to have, and then runs commands sent over the control socket.
// Everything in a plan is checked before it is used, although only Grace writes plans.
#ifndef GRACE_CSANDBOX_H
#define GRACE_CSANDBOX_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stddef.h>
#include <stdint.h>

#define CSANDBOX_MAGIC 0x58425247u  // "GRBX"
#define CSANDBOX_VERSION 1u
#define CSANDBOX_NONE 0xffffffffu  // no string

enum { CSANDBOX_PLAN_FD = 3, CSANDBOX_CONTROL_FD = 4, CSANDBOX_SECCOMP_FD = 5, CSANDBOX_CGROUP_FD = 6 };

// Bounds of a plan; beyond them it is refused.
enum {
    CSANDBOX_MAX_OVERLAYS = 64,
    CSANDBOX_MAX_LOWERS = 16,
    CSANDBOX_MAX_MASKS = 1024,
    CSANDBOX_MAX_CGROUPS = 12,
    CSANDBOX_MAX_COMMANDS = 256,  // running at once
    CSANDBOX_MAX_PASSED = 64,     // descriptors of one command, stdio included
    CSANDBOX_MAX_PLAN = 4 << 20,
    CSANDBOX_MAX_PROGRAM = 8 * 4096,
};

enum csandbox_mode {
    CSANDBOX_MAPPED = 1,  // privileged caller, mapped root, idmapped layers
    CSANDBOX_PLAIN = 2,   // privileged caller, real root with few capabilities: the fallback
    CSANDBOX_USER = 3,    // unprivileged caller: a user namespace with one id
};

enum csandbox_flags {
    CSANDBOX_OWN_NETWORK = 1u << 0,
    CSANDBOX_LOOPBACK_UP = 1u << 1,
    CSANDBOX_NO_NEW_PRIVS = 1u << 2,
    CSANDBOX_SECCOMP = 1u << 3,
    CSANDBOX_CGROUP_VIEW = 1u << 4,   // show the sandbox's own version-2 control group at /sys/fs/cgroup, read-only
    CSANDBOX_QUIET_SERVICES = 1u << 5,
    CSANDBOX_LISTENER = 1u << 6,  // the filter reports calls: its listener is sent with CSANDBOX_LISTENING (Linux 5.0)
    CSANDBOX_GIVEN_NETWORK = 1u << 7,  // with CSANDBOX_OWN_NETWORK: the network namespace is there already
    CSANDBOX_LATE = 1u << 8,  // the seccomp program and the files of control groups, any number, come in a CSANDBOX_JOIN; PID 1 waits
    CSANDBOX_SHARED_TEMPORARY = 1u << 9,  // /tmp is the host's, seen through the layers, and not a fresh one
    CSANDBOX_SEATED = 1u << 10,  // PID 1 is born into a version-2 control group (CLONE_INTO_CGROUP, Linux 5.7)
};

// Strings are offsets from the start of the plan to NUL-terminated bytes inside it.
struct csandbox_overlay {
    uint32_t mount_point;
    uint32_t lower_count;
    uint32_t lowers[CSANDBOX_MAX_LOWERS];  // directories, topmost first
    uint32_t base;                         // the common parent of upper and work; CSANDBOX_NONE: the private tmpfs
    uint32_t upper, work;                  // names relative to base
    uint32_t under_work;                   // with `stacked`: a work directory, relative to the parent of lowers[0]
    uint32_t under_base, under_upper;
    uint32_t is_volatile;
    uint32_t stacked;  // lowers[0] (the only one) lies on the live mount's own file system: see overlay.c
    uint32_t live;     // the directory that is the lowest layer; CSANDBOX_NONE: mount_point
};

struct csandbox_plan {
    uint32_t magic, version, size, mode;
    uint32_t flags;
    uint32_t mapped_first, mapped_count;  // CSANDBOX_MAPPED: inside 0… is outside mapped_first…
    uint32_t cgroup_count;
    uint64_t capabilities;   // what root inside may hold
    uint64_t scratch_bytes;  // size of the private tmpfs for upper layers; 0: the kernel's default
    uint64_t scratch_inodes;  // inodes of it; 0: the kernel's default
    uint64_t temporary_bytes;  // size of /tmp, /run and /dev/shm each; 0: the kernel's default
    uint64_t open_files;       // RLIMIT_NOFILE; 0: unchanged
    uint32_t hostname;
    uint32_t stage;  // an existing directory, covered inside the sandbox's mount namespace while it is built
    uint32_t scratch_device;  // an ext4 file system that takes the tmpfs's place, a block device; CSANDBOX_NONE: none
    uint32_t overlay_count, overlays;  // struct csandbox_overlay[], 8-byte aligned; the first is "/", parents before children
    uint32_t mask_count, masks;        // uint32_t[]
    uint32_t resolver;  // what /etc/resolv.conf holds inside, whatever live's own says; CSANDBOX_NONE: as on live
};

// Every message over the control socket, in both directions, is one of these; descriptors come with it by SCM_RIGHTS.
struct csandbox_message {
    uint32_t type;
    uint32_t id;    // of the command, chosen by the agent
    int32_t value;  // STARTED: pid inside; FAILED: errno; EXITED: code or signal; SIGNAL: number
    int32_t more;   // FAILED: enum csandbox_step; EXITED: 1 when a signal ended it; SIGNAL: 1 for its whole process group
    char detail[112];  // FAILED: what was at hand, NUL-terminated
};

enum csandbox_message_type {
    // From the agent.
    CSANDBOX_RUN = 1,     // descriptors: struct csandbox_command in a memfd, then those it lists
    CSANDBOX_SIGNAL = 2,  // to a running command
    CSANDBOX_SOCKET = 3,  // asks for a TCP socket made in the sandbox's network; value: AF_INET or AF_INET6
    CSANDBOX_JOIN = 4,    // with CSANDBOX_LATE; descriptors: the seccomp program, if any, then the files of control groups to join
    CSANDBOX_SPAWN = 5,   // to the zygote: a sandbox's descriptors; every answer comes over that sandbox's control socket
    // From `grace run` to an agent that gives it a sandbox (hosting.c); SIGNAL too.
    // Once HELLO came; descriptors: what is asked for, in a memfd, the proof, then standard input, output and error.
    CSANDBOX_ASK = 6,
    // From the sandbox.
    CSANDBOX_READY = 16,    // descriptors: the root directory (O_PATH), the network namespace, the pid namespace's PID 1 as a pidfd
    CSANDBOX_FAILED = 17,   // id 0: the sandbox could not be set up; else: the command could not be started
    CSANDBOX_STARTED = 18,  // the program of command `id` was executed
    CSANDBOX_EXITED = 19,
    CSANDBOX_MADE_SOCKET = 20,  // descriptors: the socket; value: 0 or an errno
    CSANDBOX_LISTENING = 21,    // before READY; descriptors: the filter's listener. It must be attended from now on
    // From that agent. STARTED and EXITED too; with EXITED may come a report, in a memfd.
    CSANDBOX_HELLO = 22,     // it is awake; value: the number of the descriptor that is the proof. Also the answer to each SIGNAL
    CSANDBOX_DECLINED = 23,  // nothing ran and nothing will; detail: why
};

enum csandbox_command_flags {
    CSANDBOX_FOREGROUND = 1u << 0,  // make its process group the foreground one of the terminal on descriptor 0
};

struct csandbox_command {
    uint32_t magic, version, size;
    uint32_t flags;
    uint32_t uid, gid, group_count, groups;  // groups: offset of uint32_t[]
    uint32_t directory;
    uint32_t argument_count, arguments;        // offset of uint32_t[] of string offsets
    uint32_t environment_count, environment;
    uint32_t passed_count, passed;  // offset of uint32_t[]: the descriptor number in the command for each descriptor sent after the memfd
    // Resource limits by number, RLIMIT_CPU first, each a soft and a hard one: offset of uint64_t[2][]; 0: as PID 1 has them. Never above its hard ones.
    uint32_t limit_count, limits;
};

// What was being done when something failed. Names for people: csandbox_step_name.
enum csandbox_step {
    CSANDBOX_STEP_NONE = 0,
    CSANDBOX_STEP_PLAN,
    CSANDBOX_STEP_USER_NAMESPACE,
    CSANDBOX_STEP_ID_MAP,
    CSANDBOX_STEP_CLONE,
    CSANDBOX_STEP_CGROUP_JOIN,
    CSANDBOX_STEP_CGROUP_NAMESPACE,
    CSANDBOX_STEP_KEYRING,
    CSANDBOX_STEP_HOSTNAME,
    CSANDBOX_STEP_PRIVATE_MOUNTS,
    CSANDBOX_STEP_STAGE,
    CSANDBOX_STEP_LAYER,
    CSANDBOX_STEP_IDMAP_LAYER,
    CSANDBOX_STEP_COPY_LAYER,
    CSANDBOX_STEP_BECOME_MAPPED,
    CSANDBOX_STEP_OVERLAY,
    CSANDBOX_STEP_ATTACH,
    CSANDBOX_STEP_PROC,
    CSANDBOX_STEP_DEV,
    CSANDBOX_STEP_SYS,
    CSANDBOX_STEP_TEMPORARY,
    CSANDBOX_STEP_MASK,
    CSANDBOX_STEP_RESOLVER,
    CSANDBOX_STEP_PIVOT,
    CSANDBOX_STEP_NETWORK,
    CSANDBOX_STEP_ENTER_USER_NAMESPACE,
    CSANDBOX_STEP_SECCOMP,
    CSANDBOX_STEP_LISTENER,
    CSANDBOX_STEP_CAPABILITIES,
    CSANDBOX_STEP_LIMITS,
    CSANDBOX_STEP_DESCRIPTORS,
    CSANDBOX_STEP_SUPERVISE,
    CSANDBOX_STEP_NETWORK_NAMESPACE,
    // Steps of starting a command.
    CSANDBOX_STEP_COMMAND,
    CSANDBOX_STEP_TOO_MANY,
    CSANDBOX_STEP_FORK,
    CSANDBOX_STEP_SESSION,
    CSANDBOX_STEP_STDIO,
    CSANDBOX_STEP_DIRECTORY,
    CSANDBOX_STEP_GROUPS,
    CSANDBOX_STEP_USER,
    CSANDBOX_STEP_EXECUTE,
    CSANDBOX_STEP_COUNT
};

// One instruction of a system-call filter: struct sock_filter of linux/filter.h, for the agent's side.
struct csandbox_instruction {
    uint16_t code;
    uint8_t jt, jf;
    uint32_t k;
};

// The whole of the program `grace-sandbox`.
int csandbox_main(int argc, char **argv);

// What a step was about, as in "making the overlay"; for messages to people.
const char *csandbox_step_name(int step);

// --- for the agent's side, which is Swift ---------------------------------------------------------------------------

// Makes the control socket's two ends, close-on-exec. 0 or -errno.
int csandbox_control_pair(int32_t ends[2]);
// Sends a message with descriptors. 0 or -errno.
int csandbox_send(int socket, const struct csandbox_message *message, const int32_t *descriptors, int count);
// Receives one message. 1: a message with `count` descriptors (capacity CSANDBOX_MAX_PASSED), close-on-exec; 0: the other side is
// gone; -EAGAIN: nothing yet, unless `wait` is set; other -errno.
int csandbox_receive(int socket, struct csandbox_message *message, int32_t *descriptors, int32_t *count, int wait);
// Ends the conversation in both directions; the descriptor stays open.
int csandbox_shut(int socket);
// Waits until `descriptor` can be read or is at its end (1), or until `wake` is (2); -errno.
int csandbox_wait_readable(int descriptor, int wake);
// Denied calls (denied.c): what a sandbox's filter reports instead of answering by itself (seccomp_unotify(2)). Each is answered
// EPERM, one of another architecture ENOSYS, and counted by program and call. None of this needs a privilege or a thread of its
// own: any process outside that holds the listener can attend to it. While nobody does, the callers wait; once every copy of the
// listener is closed they are answered ENOSYS, so whoever loses it must end the sandbox.

// One program's calls of one kind.
struct csandbox_denied_call {
    uint64_t count;
    uint32_t architecture;  // AUDIT_ARCH_…, as in struct seccomp_data; 0 with call -1: whatever found no room of its own
    int32_t call;           // the number, in that architecture's table
    char name[16];          // the thread's name (comm), which the program may choose; empty: it was gone, or one of too many
    char program[256];      // the path of its executable as seen inside, or its last 255 bytes; empty as above
};

enum {
    // Kinds kept apart by program; beyond them by call alone; beyond those in one sum. The counts are always complete.
    CSANDBOX_DENIED_PROGRAMS = 256,
    CSANDBOX_DENIED_KINDS = 512,
    // A flood is slowed: that many at once, and afterwards that many a second. Answering one costs the attending process about
    // 30 us of processor time, which no limit of the sandbox's bounds.
    CSANDBOX_DENIED_BURST = 2048,
    CSANDBOX_DENIED_PER_SECOND = 2048,
};

struct csandbox_denied;

// 0 when this kernel can report calls, else an errno.
int csandbox_can_report(void);
// Takes the listener over. NULL and errno when there is no memory.
struct csandbox_denied *csandbox_denied_make(int32_t listener, uint32_t burst, uint32_t per_second);
// For whoever polls: the listener to wait for, or -1 while a flood is slowed (for *pause_ms) or when everything inside is gone
// (*pause_ms is then -1).
int csandbox_denied_poll(struct csandbox_denied *denied, int *pause_ms);
// Answers and counts one call, once poll(2) has said anything about the listener. 0, or -errno when the listener is lost.
int csandbox_denied_serve(struct csandbox_denied *denied, int revents);
// What was counted; valid until the next call of serve.
const struct csandbox_denied_call *csandbox_denied_calls(const struct csandbox_denied *denied, uint32_t *count);
void csandbox_denied_free(struct csandbox_denied *denied);
// Waits until `socket` can be read (0), attending to `denied` (may be NULL) meanwhile; -errno when the listener is lost.
int csandbox_attend(int socket, struct csandbox_denied *denied);

// A set of descriptors to wait for (epoll); -errno. Each is known by a token, which is answered for as long as it can be read.
int csandbox_watch_new(void);
// A descriptor that can be read once so many seconds have passed, those of a suspended host among them.
int csandbox_watch_timer(double seconds);
int csandbox_watch_add(int epoll, int descriptor, uint64_t token);
int csandbox_watch_remove(int epoll, int descriptor);
int csandbox_watch_wait(int epoll, uint64_t *tokens, int capacity, int timeout_ms);
// Answers and counts what waits at the listener, for whoever is told of it by epoll. 1: go on waiting; 2: a flood, ask again in a few
// milliseconds; 0: everything inside is gone; -errno: the listener is lost.
int csandbox_watch_denied(struct csandbox_denied *denied);
// Whether the mounts that `mountinfo` (an open /proc/self/mountinfo) lists have changed since it was opened or this last asked.
int csandbox_mounts_changed(int mountinfo);
// The caller's signals that mean an end (hang-up, interrupt, quit, terminate) by a descriptor instead (signalfd(2)); `taken`, a bit
// each, is for giving them back. Those that it ignores or blocks stay so. Only in a process of one thread. The descriptor or -errno.
int csandbox_signals_take(uint32_t *taken);
// The number of one that came; 0: none; -errno.
int csandbox_signals_next(int descriptor);
void csandbox_signals_give_back(uint32_t taken);

// The socket at which an agent hands out sandboxes, mode 0600. Its listening end does not block. Descriptors or -errno; EAGAIN from
// connecting: more wait there than are taken.
int csandbox_host_listen(const char *path);
int csandbox_host_connect(const char *path);
int csandbox_host_accept(int listener);
// Who is at the other end, as it was when the connection was made (SO_PEERCRED, in the reader's own namespaces). 0 or -errno.
int csandbox_host_peer(int socket, int32_t *pid, uint32_t *uid);
// A copy of another process's descriptor (pidfd_getfd(2)): who gets it may attach to that process (ptrace(2)), and so do all that it may.
int csandbox_host_proof(int pid, int number);

// Terminal hand-over: makes process group `group` (0: the caller's own) the foreground one. 0 or -errno.
int csandbox_take_terminal(int terminal, int group);

#endif
