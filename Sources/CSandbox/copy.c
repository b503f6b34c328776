// Copies an overlay layer into an upper layer: everything that makes it a layer, whiteouts and overlay attributes included.
// What the target has already stays: it is the layer above. So layers are copied topmost first.
#include "internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { deepest = 256 };

// Names of one inode that were copied, so that hard links stay hard links.
struct linked {
    dev_t device;
    ino_t inode;
    char *path;  // below the target's root
};

struct copying {
    int root;  // the target
    const char *opaque;
    struct linked *links;
    size_t link_count, link_room;
    char *where;
    size_t size;
};

static int failed(struct copying *copying, const char *path) {
    int code = errno;
    snprintf(copying->where, copying->size, "%s", path);
    errno = code;
    return -1;
}

// Extended attributes by way of /proc/self/fd: there is no call that takes a directory and a name before Linux 6.13.
static int copy_attributes(int from, int to, const char *name) {
    char source[512], target[512], names[16384], value[65536];
    snprintf(source, sizeof source, "/proc/self/fd/%d/%s", from, name);
    snprintf(target, sizeof target, "/proc/self/fd/%d/%s", to, name);
    ssize_t length = llistxattr(source, names, sizeof names);
    if (length < 0)
        return errno == EOPNOTSUPP ? 0 : -1;
    for (char *attribute = names; attribute < names + length; attribute += strlen(attribute) + 1) {
        ssize_t size = lgetxattr(source, attribute, value, sizeof value);
        if (size < 0)
            return -1;
        if (lsetxattr(target, attribute, value, (size_t)size, 0) < 0)
            return -1;
    }
    return 0;
}

static int copy_contents(int from, int to, off_t size) {
    if (ioctl(to, FICLONE, from) == 0)
        return 0;
    off_t place = 0;
    while (place < size) {
        off_t data = lseek(from, place, SEEK_DATA);
        if (data < 0) {
            if (errno == ENXIO)
                break;  // only a hole is left
            return -1;
        }
        off_t hole = lseek(from, data, SEEK_HOLE);
        if (hole < 0)
            return -1;
        while (data < hole) {
            off_t out = data;
            ssize_t moved = copy_file_range(from, &data, to, &out, (size_t)(hole - data), 0);
            if (moved < 0 && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS)) {
                static char buffer[1 << 16];
                size_t wanted = (size_t)(hole - data) < sizeof buffer ? (size_t)(hole - data) : sizeof buffer;
                moved = pread(from, buffer, wanted, data);
                ssize_t written = moved > 0 ? pwrite(to, buffer, (size_t)moved, data) : 0;
                if (moved > 0 && written != moved) {
                    if (written >= 0)
                        errno = ENOSPC;
                    return -1;
                }
                if (moved > 0)
                    data += moved;
            }
            if (moved < 0)
                return -1;
            if (moved == 0)
                return ftruncate(to, size);  // it shrank meanwhile: the rest reads as zeros
        }
        place = hole;
    }
    return ftruncate(to, size);
}

static const char *known_link(const struct copying *copying, const struct stat *status) {
    for (size_t i = 0; i < copying->link_count; i++)
        if (copying->links[i].device == status->st_dev && copying->links[i].inode == status->st_ino)
            return copying->links[i].path;
    return NULL;
}

static int remember_link(struct copying *copying, const struct stat *status, const char *path) {
    if (copying->link_count == copying->link_room) {
        size_t room = copying->link_room == 0 ? 64 : copying->link_room * 2;
        struct linked *grown = realloc(copying->links, room * sizeof *grown);
        if (grown == NULL)
            return -1;
        copying->links = grown;
        copying->link_room = room;
    }
    char *copy = strdup(path);
    if (copy == NULL)
        return -1;
    copying->links[copying->link_count++] = (struct linked){status->st_dev, status->st_ino, copy};
    return 0;
}

static int copy_file(int from, int to, const char *name, const struct stat *status) {
    int source = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (source < 0)
        return -1;
    int target = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int result = target < 0 ? -1 : copy_contents(source, target, status->st_size);
    int code = errno;
    close(source);
    if (target >= 0)
        close(target);
    errno = code;
    return result;
}

static int make_entry(int from, int to, const char *name, const struct stat *status) {
    char target[4096];
    ssize_t length;
    switch (status->st_mode & S_IFMT) {
    case S_IFREG:
        return copy_file(from, to, name, status);
    case S_IFDIR:
        return mkdirat(to, name, 0700);
    case S_IFLNK:
        length = readlinkat(from, name, target, sizeof target - 1);
        if (length < 0)
            return -1;
        target[length] = 0;
        return symlinkat(target, to, name);
    default:
        return mknodat(to, name, status->st_mode & (S_IFMT | 0600), status->st_rdev);
    }
}

// Owner, mode, attributes and times. The order matters: chown clears setuid bits and file capabilities.
static int dress(int from, int to, const char *name, const struct stat *status) {
    struct timespec times[2] = {status->st_atim, status->st_mtim};
    if (fchownat(to, name, status->st_uid, status->st_gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != EPERM && errno != EINVAL)
        return -1;
    int is_whiteout = S_ISCHR(status->st_mode) && status->st_rdev == 0;
    if (!S_ISLNK(status->st_mode) && !is_whiteout && fchmodat(to, name, status->st_mode & 07777, 0) < 0)
        return -1;
    if (!is_whiteout && copy_attributes(from, to, name) < 0)
        return -1;
    return utimensat(to, name, times, AT_SYMLINK_NOFOLLOW);
}

// 1, 0, or -1 with errno.
static int is_opaque(const struct copying *copying, int directory, const char *name) {
    char path[512], value[4];
    snprintf(path, sizeof path, "/proc/self/fd/%d/%s", directory, name);
    if (lgetxattr(path, copying->opaque, value, sizeof value) > 0)
        return 1;
    return errno == ENODATA || errno == EOPNOTSUPP || errno == EPERM ? 0 : -1;
}

static int copy_directory(struct copying *copying, int from, int to, const char *path, int depth);

static int copy_entry(struct copying *copying, int from, int to, const char *parent, const char *name, int depth) {
    char path[4096];
    snprintf(path, sizeof path, "%s%s%s", parent, *parent ? "/" : "", name);
    struct stat status, there;
    if (fstatat(from, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return failed(copying, path);
    int exists = fstatat(to, name, &there, AT_SYMLINK_NOFOLLOW) == 0;
    if (!exists && errno != ENOENT)
        return failed(copying, path);
    if (exists) {
        int opaque = S_ISDIR(status.st_mode) && S_ISDIR(there.st_mode) ? is_opaque(copying, to, name) : 1;
        if (opaque != 0)
            return opaque < 0 ? failed(copying, path) : 0;  // the layer above hides it
    }
    if (!exists) {
        const char *other = status.st_nlink > 1 && !S_ISDIR(status.st_mode) ? known_link(copying, &status) : NULL;
        if (other != NULL)
            return linkat(copying->root, other, to, name, 0) < 0 ? failed(copying, path) : 0;
        if (make_entry(from, to, name, &status) < 0)
            return failed(copying, path);
        if (!S_ISDIR(status.st_mode)) {
            if (dress(from, to, name, &status) < 0)
                return failed(copying, path);
            return status.st_nlink > 1 && remember_link(copying, &status, path) < 0 ? failed(copying, path) : 0;
        }
    }
    int source = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int target = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int result = source < 0 || target < 0 ? failed(copying, path) : copy_directory(copying, source, target, path, depth + 1);
    if (target >= 0)
        close(target);
    if (source >= 0 && target < 0)
        close(source);
    if (result == 0 && !exists && dress(from, to, name, &status) < 0)
        return failed(copying, path);
    return result;
}

// Takes `from` over.
static int copy_directory(struct copying *copying, int from, int to, const char *path, int depth) {
    if (depth > deepest) {
        close(from);
        errno = ELOOP;
        return failed(copying, path);
    }
    DIR *list = fdopendir(from);
    if (list == NULL) {
        failed(copying, path);
        close(from);
        return -1;
    }
    int result = 0;
    struct dirent *entry;
    while (result == 0 && (errno = 0, entry = readdir(list)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = copy_entry(copying, dirfd(list), to, path, entry->d_name, depth);
    if (result == 0 && errno != 0)
        result = failed(copying, path);
    int code = errno;
    closedir(list);
    errno = code;
    return result;
}

int csandbox_copy_layer(int from, int to, const char *opaque, char *where, size_t size) {
    struct copying copying = {.root = to, .opaque = opaque, .where = where, .size = size};
    int source = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = source < 0 ? -1 : copy_directory(&copying, source, to, "", 0);
    int code = errno;
    for (size_t i = 0; i < copying.link_count; i++)
        free(copying.links[i].path);
    free(copying.links);
    errno = code;
    return result;
}
