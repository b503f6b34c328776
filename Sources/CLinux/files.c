#include "clinux.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define RETRY(expression)                         \
    ({                                            \
        int64_t retry_result;                     \
        do {                                      \
            retry_result = (int64_t)(expression); \
        } while (retry_result < 0 && errno == EINTR); \
        retry_result < 0 ? -(int64_t)errno : retry_result; \
    })

int clinux_openat(int directory, const char *path, int flags, uint32_t mode) {
    return (int)RETRY(openat(directory, path, flags | O_CLOEXEC, mode));
}

int clinux_openat2(int directory, const char *path, int flags, uint32_t mode, uint64_t resolve) {
    // openat2 refuses a mode without O_CREAT, which open ignores.
    struct open_how how = {.flags = (uint64_t)(uint32_t)flags | O_CLOEXEC, .resolve = resolve};
    if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE)
        how.mode = mode;
    int64_t result;
    // EAGAIN: something was renamed meanwhile and RESOLVE_BENEATH/IN_ROOT could not be decided; openat2(2) says to try again.
    int tries = 0;
    do {
        result = RETRY(syscall(SYS_openat2, directory, path, &how, sizeof how));
    } while (result == -EAGAIN && (resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) != 0 && ++tries < 32);
    return (int)result;
}

int64_t clinux_read(int descriptor, void *buffer, size_t count) { return RETRY(read(descriptor, buffer, count)); }
int64_t clinux_pread(int descriptor, void *buffer, size_t count, int64_t offset) {
    return RETRY(pread(descriptor, buffer, count, offset));
}
int64_t clinux_write(int descriptor, const void *buffer, size_t count) { return RETRY(write(descriptor, buffer, count)); }
// Linux frees the number even when close is interrupted: never try again.
int clinux_close(int descriptor) { return close(descriptor) < 0 && errno != EINTR ? -errno : 0; }
int clinux_duplicate(int descriptor) { return (int)RETRY(fcntl(descriptor, F_DUPFD_CLOEXEC, 3)); }
int clinux_fsync(int descriptor) { return (int)RETRY(fsync(descriptor)); }
int clinux_fdatasync(int descriptor) { return (int)RETRY(fdatasync(descriptor)); }
int clinux_syncfs(int descriptor) { return (int)RETRY(syncfs(descriptor)); }
int clinux_ftruncate(int descriptor, int64_t length) { return (int)RETRY(ftruncate(descriptor, length)); }

int clinux_status(int directory, const char *path, int empty_path, struct clinux_status *out) {
    struct statx status;
    memset(&status, 0, sizeof status);
    int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_SYNC_AS_STAT | (empty_path ? AT_EMPTY_PATH : 0);
    int64_t result = RETRY(statx(directory, path, flags, STATX_BASIC_STATS | STATX_MNT_ID, &status));
    if (result < 0)
        return (int)result;
    *out = (struct clinux_status){
        .inode = status.stx_ino,
        .size = status.stx_size,
        .blocks = status.stx_blocks,
        .mount_id = (status.stx_mask & STATX_MNT_ID) ? status.stx_mnt_id : 0,
        .attributes = status.stx_attributes,
        .mode = status.stx_mode,
        .uid = status.stx_uid,
        .gid = status.stx_gid,
        .links = status.stx_nlink,
        .device_major = status.stx_dev_major,
        .device_minor = status.stx_dev_minor,
        .special_major = status.stx_rdev_major,
        .special_minor = status.stx_rdev_minor,
        .accessed_seconds = status.stx_atime.tv_sec,
        .accessed_nanoseconds = status.stx_atime.tv_nsec,
        .modified_seconds = status.stx_mtime.tv_sec,
        .modified_nanoseconds = status.stx_mtime.tv_nsec,
        .changed_seconds = status.stx_ctime.tv_sec,
        .changed_nanoseconds = status.stx_ctime.tv_nsec,
    };
    return 0;
}

int clinux_file_system(const char *path, struct clinux_file_system *out) {
    struct statfs status;
    int64_t result = RETRY(statfs(path, &status));
    if (result < 0)
        return (int)result;
    *out = (struct clinux_file_system){
        .type = (uint64_t)status.f_type,
        .block_size = (uint64_t)status.f_bsize,
        .blocks = status.f_blocks,
        .blocks_available = status.f_bavail,
        .inodes = status.f_files,
        .inodes_available = status.f_ffree,
    };
    return 0;
}

int clinux_renameat2(int from_directory, const char *from, int to_directory, const char *to, uint32_t flags) {
    return (int)RETRY(syscall(SYS_renameat2, from_directory, from, to_directory, to, flags));
}
int clinux_link(const char *from, const char *to) { return (int)RETRY(link(from, to)); }
int clinux_symlink(const char *target, const char *path) { return (int)RETRY(symlink(target, path)); }
int64_t clinux_readlink(const char *path, char *buffer, size_t size) { return RETRY(readlink(path, buffer, size)); }
int clinux_mkdir(const char *path, uint32_t mode) { return (int)RETRY(mkdir(path, mode)); }
int clinux_unlinkat(int directory, const char *path, int is_directory) {
    return (int)RETRY(unlinkat(directory, path, is_directory ? AT_REMOVEDIR : 0));
}
int clinux_lchown(const char *path, uint32_t uid, uint32_t gid) { return (int)RETRY(lchown(path, uid, gid)); }
int clinux_chmod(const char *path, uint32_t mode) { return (int)RETRY(chmod(path, mode)); }
int clinux_fchmod(int descriptor, uint32_t mode) { return (int)RETRY(fchmod(descriptor, mode)); }

int clinux_set_times(const char *path, int64_t accessed, int64_t accessed_ns, int64_t modified, int64_t modified_ns) {
    _Static_assert(CLINUX_TIME_OMIT == UTIME_OMIT, "UTIME_OMIT has changed");
    struct timespec times[2] = {
        {.tv_sec = accessed, .tv_nsec = (long)accessed_ns},
        {.tv_sec = modified, .tv_nsec = (long)modified_ns},
    };
    return (int)RETRY(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW));
}

int clinux_mknod(const char *path, uint32_t mode, uint32_t major_number, uint32_t minor_number) {
    return (int)RETRY(mknod(path, mode, makedev(major_number, minor_number)));
}

int64_t clinux_list_xattrs(const char *path, int follow, char *buffer, size_t size) {
    return RETRY(follow ? listxattr(path, buffer, size) : llistxattr(path, buffer, size));
}
int64_t clinux_get_xattr(const char *path, int follow, const char *name, void *buffer, size_t size) {
    return RETRY(follow ? getxattr(path, name, buffer, size) : lgetxattr(path, name, buffer, size));
}
int clinux_set_xattr(const char *path, int follow, const char *name, const void *value, size_t size) {
    return (int)RETRY(follow ? setxattr(path, name, value, size, 0) : lsetxattr(path, name, value, size, 0));
}
int clinux_remove_xattr(const char *path, int follow, const char *name) {
    return (int)RETRY(follow ? removexattr(path, name) : lremovexattr(path, name));
}

int clinux_entries(int descriptor, int (*each)(const char *, uint8_t, void *), void *context) {
    DIR *directory = fdopendir(descriptor);
    if (directory == NULL) {
        int code = errno;
        close(descriptor);
        return -code;
    }
    int result = 0;
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(directory);
        if (entry == NULL) {
            result = -errno;
            break;
        }
        const char *name = entry->d_name;
        if (name[0] == '.' && (name[1] == 0 || (name[1] == '.' && name[2] == 0)))
            continue;
        if (each(name, entry->d_type, context) != 0)
            break;
    }
    closedir(directory);
    return result;
}

int clinux_flock(int descriptor, int exclusive, int wait) {
    return (int)RETRY(flock(descriptor, (exclusive ? LOCK_EX : LOCK_SH) | (wait ? 0 : LOCK_NB)));
}
int clinux_funlock(int descriptor) { return (int)RETRY(flock(descriptor, LOCK_UN)); }
int clinux_is_alone(int descriptor) {
    // A write lease is refused while anybody else has the file open in any way (fcntl(2); Linux 5.3 for a descriptor that reads).
    if (fcntl(descriptor, F_SETSIG, SIGURG) < 0)  // as for clinux_lease
        return -errno;
    int result = (int)RETRY(fcntl(descriptor, F_SETLEASE, F_WRLCK));
    if (result == -EAGAIN)
        return 0;
    return result < 0 ? result : 1;
}
int clinux_link_of(int descriptor, const char *to) { return (int)RETRY(linkat(descriptor, "", AT_FDCWD, to, AT_EMPTY_PATH)); }
int clinux_lease(int descriptor, int release) {
    // The kernel tells the holder of a writer's attempt by SIGIO, whose default is to end the process: let it be SIGURG, whose
    // default is to be ignored.
    if (!release && fcntl(descriptor, F_SETSIG, SIGURG) < 0)
        return -errno;
    return (int)RETRY(fcntl(descriptor, F_SETLEASE, release ? F_UNLCK : F_RDLCK));
}
int clinux_file_handle(const char *path, unsigned char *out, size_t room) {
    struct {
        struct file_handle handle;
        unsigned char bytes[MAX_HANDLE_SZ];
    } found = {.handle = {.handle_bytes = MAX_HANDLE_SZ}};
    int mount;
    int result = (int)RETRY(name_to_handle_at(AT_FDCWD, path, &found.handle, &mount, 0));
    if (result < 0)
        return result;
    if (found.handle.handle_bytes > room)
        return -EOVERFLOW;
    memcpy(out, found.handle.f_handle, found.handle.handle_bytes);
    return (int)found.handle.handle_bytes;
}
int clinux_clone_file(int from, int to) { return (int)RETRY(ioctl(to, FICLONE, from)); }
int64_t clinux_copy_range(int from, int to, size_t count) {
    return RETRY(copy_file_range(from, NULL, to, NULL, count, 0));
}
