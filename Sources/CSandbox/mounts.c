// Small tools for mounts, the stage, hidden paths and the change of root.
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// A new tmpfs, detached. `owner` is root inside, numbered as this process sees it. -1 and errno when it cannot be made.
int csandbox_tmpfs(const char *mode, uint32_t owner, uint64_t bytes, unsigned attributes) {
    char number[32];
    int context = fsopen("tmpfs", FSOPEN_CLOEXEC);
    if (context < 0)
        return -1;
    snprintf(number, sizeof number, "%u", owner);
    int wrong = fsconfig(context, FSCONFIG_SET_STRING, "mode", mode, 0) < 0
        || fsconfig(context, FSCONFIG_SET_STRING, "uid", number, 0) < 0
        || fsconfig(context, FSCONFIG_SET_STRING, "gid", number, 0) < 0;
    if (!wrong && bytes > 0) {
        snprintf(number, sizeof number, "%llu", (unsigned long long)bytes);
        wrong = fsconfig(context, FSCONFIG_SET_STRING, "size", number, 0) < 0;
    }
    int mount = -1;
    if (!wrong && fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        mount = fsmount(context, FSMOUNT_CLOEXEC, attributes);
    int code = errno;
    close(context);
    errno = code;
    return mount;
}

// Opens a path of the sandbox's root: links are followed, but never out of it.
int csandbox_open_inside(int directory, const char *path, int flags) {
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC), .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

// Attaches a detached mount at a path inside. 0, or -1 with errno.
int csandbox_attach(int mount, int directory, const char *path) {
    int place = csandbox_open_inside(directory, path, O_PATH);
    if (place < 0)
        return -1;
    int result = move_mount(mount, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    int code = errno;
    close(place);
    errno = code;
    return result;
}

// A bind of one file or directory, detached; with `read_only`, as that.
int csandbox_clone_tree(int directory, const char *path, int read_only) {
    int clone = open_tree(directory, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (clone < 0 || !read_only)
        return clone;
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
    if (mount_setattr(clone, "", AT_EMPTY_PATH, &attributes, sizeof attributes) == 0)
        return clone;
    int code = errno;
    close(clone);
    errno = code;
    return -1;
}

void csandbox_make_stage(struct sandbox *sandbox) {
    const char *place = csandbox_string(sandbox, sandbox->plan->stage);
    // The agent passes an empty directory that is there for nothing else: no layer that is opened by name lies below it.
    int mount = csandbox_tmpfs("0755", 0, 0, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID);
    if (mount < 0 || move_mount(mount, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_STAGE, errno, place);
    sandbox->stage = mount;
}

static void temporary(struct sandbox *sandbox, const char *path, const char *mode) {
    int mount =
        csandbox_tmpfs(mode, sandbox->root_id, sandbox->plan->temporary_bytes, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID);
    if (mount < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_TEMPORARY, errno, path);
    if (strcmp(path, "/run") == 0 && (mkdirat(mount, "lock", 01777) < 0 || fchmodat(mount, "lock", 01777, 0) < 0))
        csandbox_fail(sandbox, CSANDBOX_STEP_TEMPORARY, errno, "/run/lock");
    if (csandbox_attach(mount, sandbox->root, path) < 0 && errno != ENOENT)
        csandbox_fail(sandbox, CSANDBOX_STEP_TEMPORARY, errno, path);
    close(mount);
}

void csandbox_mount_private(struct sandbox *sandbox) {
    csandbox_mount_proc(sandbox);
    csandbox_mount_dev(sandbox);
    csandbox_mount_sys(sandbox);
    temporary(sandbox, "/run", "0755");
    if (!(sandbox->plan->flags & CSANDBOX_SHARED_TEMPORARY))
        temporary(sandbox, "/tmp", "1777");
}

void csandbox_mask(struct sandbox *sandbox) {
    const struct csandbox_plan *plan = sandbox->plan;
    const uint32_t *masks = (const void *)(sandbox->bytes + plan->masks);
    // One empty directory and one empty file on a read-only tmpfs stand in for everything hidden.
    const unsigned locked = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    int empty = csandbox_tmpfs("0755", sandbox->root_id, 65536, locked);
    if (empty < 0 || mkdirat(empty, "directory", 0555) < 0 || mknodat(empty, "file", S_IFREG | 0444, 0) < 0
        || mkdirat(sandbox->stage, "empty", 0700) < 0
        || move_mount(empty, "", sandbox->stage, "empty", MOVE_MOUNT_F_EMPTY_PATH) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_MASK, errno, "the stand-in");
    for (uint32_t i = 0; i < plan->mask_count; i++) {
        const char *path = csandbox_string(sandbox, masks[i]);
        int place = csandbox_open_inside(sandbox->root, path, O_PATH);
        if (place < 0) {
            if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
                continue;  // nothing there, nothing to hide
            if (errno == EACCES && plan->mode == CSANDBOX_USER)
                continue;  // out of the caller's own reach, and so of everything inside
            csandbox_fail(sandbox, CSANDBOX_STEP_MASK, errno, path);
        }
        struct stat status;
        if (fstat(place, &status) < 0)
            csandbox_fail(sandbox, CSANDBOX_STEP_MASK, errno, path);
        int stand_in = csandbox_clone_tree(empty, S_ISDIR(status.st_mode) ? "directory" : "file", 1);
        if (stand_in < 0
            || move_mount(stand_in, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
            csandbox_fail(sandbox, CSANDBOX_STEP_MASK, errno, path);
        close(stand_in);
        close(place);
    }
    close(empty);
}

// Makes the directories of an absolute path inside, and a file at its end. 0, or -1 with errno.
static int make_file_inside(int root, char *path) {
    for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        char *name = slash != NULL ? slash : path + strlen(path);
        char after = *name;
        *name = 0;
        char *last = strrchr(path, '/');
        *last = 0;
        int parent = csandbox_open_inside(root, *path != 0 ? path : "/", O_PATH | O_DIRECTORY);
        *last = '/';
        if (parent < 0)
            return -1;
        int made = strcmp(last, "/..") == 0 || strcmp(last, "/.") == 0 ? 0
            : after == 0                                               ? mknodat(parent, last + 1, S_IFREG | 0644, 0)
                                                                       : mkdirat(parent, last + 1, 0755);
        int code = errno;
        close(parent);
        errno = code;
        if (made < 0 && errno != EEXIST)
            return -1;
        if (after == 0)
            return 0;
        *name = after;
    }
}

// Covers /etc/resolv.conf. Where it is a link into /run, which is fresh and empty, the file it leads to is made there first.
void csandbox_place_resolver(struct sandbox *sandbox) {
    if (sandbox->plan->resolver == CSANDBOX_NONE)
        return;
    const char *text = csandbox_string(sandbox, sandbox->plan->resolver);
    int place = csandbox_open_inside(sandbox->root, "/etc/resolv.conf", O_PATH);
    if (place < 0 && errno == ENOENT) {
        char target[512] = "/etc/";
        int directory = csandbox_open_inside(sandbox->root, "/etc", O_PATH | O_DIRECTORY);
        ssize_t length = directory < 0 ? -1 : readlinkat(directory, "resolv.conf", target + 5, sizeof target - 6);
        if (directory >= 0)
            close(directory);
        if (length > 0 && length < (ssize_t)sizeof target - 6
            && make_file_inside(sandbox->root, target[5] == '/' ? target + 5 : target) == 0)
            place = csandbox_open_inside(sandbox->root, "/etc/resolv.conf", O_PATH);
    }
    if (place < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_RESOLVER, errno, "/etc/resolv.conf");
    int holder = csandbox_tmpfs("0755", sandbox->root_id, 65536, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    int file = holder < 0 ? -1 : openat(holder, "resolv.conf", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file < 0 || write(file, text, strlen(text)) != (ssize_t)strlen(text)
        || mkdirat(sandbox->stage, "resolver", 0700) < 0
        || move_mount(holder, "", sandbox->stage, "resolver", MOVE_MOUNT_F_EMPTY_PATH) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_RESOLVER, errno, "resolv.conf");
    close(file);
    int cover = csandbox_clone_tree(holder, "resolv.conf", 1);
    if (cover < 0 || move_mount(cover, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_RESOLVER, errno, "/etc/resolv.conf");
    close(cover);
    close(holder);
    close(place);
}

void csandbox_pivot(struct sandbox *sandbox) {
    // Over itself, then the old root is peeled off: no directory for it is needed in the new one (pivot_root(2), NOTES).
    if (fchdir(sandbox->root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0
        || chdir("/") < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_PIVOT, errno, NULL);
    close(sandbox->root);
    close(sandbox->stage);
    sandbox->root = sandbox->stage = -1;
}
