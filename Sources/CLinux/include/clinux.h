// What the Linux room needs from the kernel and Glibc's Swift module hides: thin calls that return a value >= 0, or -errno.
// Every descriptor made here is close-on-exec. Calls that the kernel may interrupt are taken up again after EINTR.
#ifndef GRACE_CLINUX_H
#define GRACE_CLINUX_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stddef.h>
#include <stdint.h>

// One inode as statx(2) tells it. Times are whole seconds and nanoseconds since the epoch.
struct clinux_status {
    uint64_t inode;
    uint64_t size;
    uint64_t blocks;      // of 512 bytes
    uint64_t mount_id;    // 0 before Linux 5.8
    uint64_t attributes;  // STATX_ATTR_*
    uint32_t mode;
    uint32_t uid;
    uint32_t gid;
    uint32_t links;
    uint32_t device_major, device_minor;
    uint32_t special_major, special_minor;
    int64_t accessed_seconds, modified_seconds, changed_seconds;
    uint32_t accessed_nanoseconds, modified_nanoseconds, changed_nanoseconds;
};

struct clinux_file_system {
    uint64_t type;  // *_MAGIC of linux/magic.h
    uint64_t block_size;
    uint64_t blocks, blocks_available;
    uint64_t inodes, inodes_available;
};

// Where descriptor `parent` of the caller is to be found in the child.
struct clinux_mapping {
    int32_t child;
    int32_t parent;
};

enum clinux_group { CLINUX_GROUP_INHERITED = 0, CLINUX_GROUP_NEW = 1, CLINUX_GROUP_SESSION = 2 };

struct clinux_spawn {
    const char *executable;  // a path; PATH is not searched
    char *const *arguments;
    char *const *environment;
    const char *directory;  // NULL: the caller's
    const struct clinux_mapping *mappings;
    size_t mapping_count;
    int32_t group;  // enum clinux_group
    int32_t change_user;
    uint32_t uid, gid;
    const uint32_t *groups;
    size_t group_count;
    // Out:
    int32_t pidfd;
    const char *failed_step;  // the call that failed, for the message
};

// Files
int clinux_openat(int directory, const char *path, int flags, uint32_t mode);
int clinux_openat2(int directory, const char *path, int flags, uint32_t mode, uint64_t resolve);
int64_t clinux_read(int descriptor, void *buffer, size_t count);
int64_t clinux_pread(int descriptor, void *buffer, size_t count, int64_t offset);
int64_t clinux_write(int descriptor, const void *buffer, size_t count);
int clinux_close(int descriptor);
int clinux_duplicate(int descriptor);
int clinux_fsync(int descriptor);
int clinux_fdatasync(int descriptor);
int clinux_syncfs(int descriptor);
int clinux_ftruncate(int descriptor, int64_t length);
int clinux_status(int directory, const char *path, int empty_path, struct clinux_status *status);
int clinux_file_system(const char *path, struct clinux_file_system *status);
int clinux_renameat2(int from_directory, const char *from, int to_directory, const char *to, uint32_t flags);
int clinux_link(const char *from, const char *to);
// Another name for an open file (AT_EMPTY_PATH, CAP_DAC_READ_SEARCH).
int clinux_link_of(int descriptor, const char *to);
int clinux_symlink(const char *target, const char *path);
int64_t clinux_readlink(const char *path, char *buffer, size_t size);
int clinux_mkdir(const char *path, uint32_t mode);
int clinux_unlinkat(int directory, const char *path, int is_directory);
int clinux_lchown(const char *path, uint32_t uid, uint32_t gid);
int clinux_chmod(const char *path, uint32_t mode);
int clinux_fchmod(int descriptor, uint32_t mode);
// Nanoseconds of CLINUX_TIME_OMIT leave that time as it is.
#define CLINUX_TIME_OMIT 0x3ffffffe
int clinux_set_times(const char *path, int64_t accessed, int64_t accessed_ns, int64_t modified, int64_t modified_ns);
int clinux_mknod(const char *path, uint32_t mode, uint32_t major, uint32_t minor);
int64_t clinux_list_xattrs(const char *path, int follow, char *buffer, size_t size);
int64_t clinux_get_xattr(const char *path, int follow, const char *name, void *buffer, size_t size);
int clinux_set_xattr(const char *path, int follow, const char *name, const void *value, size_t size);
int clinux_remove_xattr(const char *path, int follow, const char *name);
// Calls `each` with every name but "." and ".."; takes the descriptor's ownership. Stops when `each` returns non-zero.
int clinux_entries(int descriptor, int (*each)(const char *name, uint8_t type, void *context), void *context);
int clinux_flock(int descriptor, int exclusive, int wait);
int clinux_funlock(int descriptor);
// 0: read lease (F_RDLCK), 1: none (F_UNLCK)
int clinux_lease(int descriptor, int release);
// Takes a write lease. 1: held, and no other open file of the inode exists; 0: one does
int clinux_is_alone(int descriptor);
/* The bytes of the file's handle (name_to_handle_at(2), Linux 2.6.39), of a link itself; their number, or -errno. */
int clinux_file_handle(const char *path, unsigned char *out, size_t room);
int clinux_clone_file(int from, int to);
int64_t clinux_copy_range(int from, int to, size_t count);

// Descriptors
int clinux_pipe(int32_t ends[2]);
int clinux_eventfd(void);
int clinux_memfd(const char *name);
int clinux_set_nonblocking(int descriptor, int on);
// poll(2) on up to 8 descriptors; a negative descriptor is passed over. `events` and `ready` hold POLL* bits. Milliseconds, -1 for ever.
int clinux_poll(const int32_t *descriptors, const int16_t *events, int16_t *ready, int count, int64_t milliseconds);

// Processes
int clinux_pidfd_open(int pid);
int clinux_pidfd_send_signal(int pidfd, int signal);
int clinux_kill(int pid, int signal);
// Waits for a child. Returns its pid, 0 when `block` is 0 and it still runs; sets code and whether a signal ended it.
int clinux_wait(int pid, int block, int32_t *code, int32_t *signaled);
// Both of every resource limit of a process (prlimit(2)), soft and hard in turn, 16 pairs.
int clinux_limits(int pid, uint64_t *pairs);
// ioprio_get(2) of one process: its class and level, or -errno.
int clinux_io_priority(int pid);
// Starts a program as vfork would, without copying the caller's page tables. Returns the pid.
int clinux_spawn(struct clinux_spawn *plan);
// Blocks SIGPIPE in the calling thread, so that writing to a closed pipe is EPIPE.
void clinux_block_sigpipe(void);
char **clinux_environment(void);
int clinux_set_thread_name(const char *name);
// The path of the library that holds an address, as the loader was given it, or /proc/self/exe; NULL: none.
const char *clinux_object_of(const void *address);

// Namespaces and sockets
// Connects a TCP socket made in the network namespace `network` (-1: the caller's); the calling *thread* stays in that
// namespace, so call it only on a thread that ends afterwards. Address in host byte order. `step` names what failed.
int clinux_connect_in(int network, uint32_t address, uint16_t port, int64_t milliseconds, const char **step);

// Clocks and the host
uint64_t clinux_boot_nanoseconds(void);
uint64_t clinux_monotonic_nanoseconds(void);
int clinux_kernel(char *release, size_t release_size, char *machine, size_t machine_size, char *host, size_t host_size);
int clinux_online_processors(void);
uint64_t clinux_effective_capabilities(void);

// Disks
// Attaches an open file to a free loop device that lets go of it by itself once nobody uses the device any more. Returns the open
// device; `path` gets its name.
int clinux_loop_attach(int file, char *path, size_t size);
// Mounts the ext4 file system on `device` at a directory, without device nodes.
int clinux_mount_ext4(const char *device, const char *directory);
// Takes a mount away at once; who still uses it keeps it until then.
int clinux_unmount(const char *directory);
// Whether the file system of `descriptor` enforces project quotas (1, 0).
int clinux_has_project_quota(int descriptor);
// Gives a directory a project that everything made in it inherits.
int clinux_set_project(int descriptor, uint32_t project);
// The project of a file or directory.
int64_t clinux_project(int descriptor);
// Hard limits of a project, 0 for none; and what it uses.
int clinux_set_project_quota(int descriptor, uint32_t project, uint64_t bytes, uint64_t inodes);
int clinux_project_quota(int descriptor, uint32_t project, uint64_t *bytes, uint64_t *inodes, uint64_t *used_bytes, uint64_t *used_inodes);

const char *clinux_errno_name(int code);
const char *clinux_errno_text(int code, char *buffer, size_t size);

#endif
