// The copy-on-write layers.
//
// For root inside to own files exactly as on live, every layer is an idmapped clone of its mount, and the overlay is created while
// the file-system ids are those of the *mapped* root but capabilities are still the host's: with fsuid 0 it comes up read-only.
// Linux 6.1 refuses detached mounts as layers, so each clone is attached to the stage first. Layers are named to overlayfs as
// /proc/self/fd/N: no path of the host needs escaping, and none is looked up twice.
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MOUNT_ATTR_IDMAP
#define MOUNT_ATTR_IDMAP 0x00100000
#endif

static int layer_number;

// A directory of the host as a layer: opened, and where root is mapped, cloned, idmapped and attached to the stage.
static int open_layer(struct sandbox *sandbox, const char *path) {
    if (sandbox->plan->mode != CSANDBOX_MAPPED) {
        int descriptor = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (descriptor < 0)
            csandbox_fail(sandbox, CSANDBOX_STEP_LAYER, errno, path);
        return descriptor;
    }
    int clone = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (clone < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_LAYER, errno, path);
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)sandbox->user_namespace};
    if (mount_setattr(clone, "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_IDMAP_LAYER, errno, path);
    char name[32];
    snprintf(name, sizeof name, "layer-%d", layer_number++);
    if (mkdirat(sandbox->stage, name, 0700) < 0
        || move_mount(clone, "", sandbox->stage, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_LAYER, errno, path);
    return clone;
}

// An upper layer on the private tmpfs, with the live directory's own mode and owner: they become the mount point's.
static int scratch_layer(struct sandbox *sandbox, int live, int number) {
    static int scratch = -1;
    struct stat status;
    char name[32];
    if (scratch < 0) {
        int mount = csandbox_scratch(sandbox);
        if (mount < 0 || mkdirat(sandbox->stage, "scratch", 0700) < 0
            || move_mount(mount, "", sandbox->stage, "scratch", MOVE_MOUNT_F_EMPTY_PATH) < 0)
            csandbox_fail(sandbox, CSANDBOX_STEP_LAYER, errno, "the private layers");
        scratch = mount;
    }
    snprintf(name, sizeof name, "%d", number);
    if (mkdirat(scratch, name, 0755) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_LAYER, errno, "the private layers");
    int base = openat(scratch, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (base < 0 || mkdirat(base, "upper", 0755) < 0 || mkdirat(base, "work", 0700) < 0 || fstat(live, &status) < 0
        || (sandbox->plan->mode != CSANDBOX_USER && fchownat(base, "upper", status.st_uid, status.st_gid, 0) < 0)
        || fchmodat(base, "upper", status.st_mode & 07777, 0) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_LAYER, errno, "the private layers");
    return base;
}

struct layers {
    const char *lower;  // descriptors, ':' between them
    int base;
    const char *upper, *work;  // below base
    int is_volatile;
};

static _Noreturn void overlay_failed(struct sandbox *sandbox, int context, const char *mount_point) {
    int code = errno;
    char said[96] = "", detail[112];
    ssize_t length = read(context, said, sizeof said - 1);  // what the file system logged, "e overlay: …"
    if (length > 0 && said[length - 1] == '\n')
        said[length - 1] = 0;
    snprintf(detail, sizeof detail, "%s%s%.60s", mount_point, length > 0 ? ": " : "", length > 0 ? said : "");
    csandbox_fail(sandbox, CSANDBOX_STEP_OVERLAY, code, detail);
}

static int make_overlay(struct sandbox *sandbox, const char *mount_point, const struct layers *layers, unsigned attributes) {
    static const char *const off[] = {"redirect_dir", "metacopy", "index", "xino"};
    char upper[256], work[256];
    snprintf(upper, sizeof upper, "/proc/self/fd/%d/%s", layers->base, layers->upper);
    snprintf(work, sizeof work, "/proc/self/fd/%d/%s", layers->base, layers->work);
    int context = fsopen("overlay", FSOPEN_CLOEXEC);
    if (context < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_OVERLAY, errno, "this kernel has no overlay file system");
    if (fsconfig(context, FSCONFIG_SET_STRING, "source", "grace", 0) < 0
        || fsconfig(context, FSCONFIG_SET_STRING, "lowerdir", layers->lower, 0) < 0
        || fsconfig(context, FSCONFIG_SET_STRING, "upperdir", upper, 0) < 0
        || fsconfig(context, FSCONFIG_SET_STRING, "workdir", work, 0) < 0)
        overlay_failed(sandbox, context, mount_point);
    // With userxattr (below) the kernel itself rules out redirects and metacopy, and calls “off” a contradiction.
    for (size_t i = sandbox->plan->mode == CSANDBOX_USER ? 2 : 0; i < sizeof off / sizeof *off; i++)
        if (fsconfig(context, FSCONFIG_SET_STRING, off[i], "off", 0) < 0)
            overlay_failed(sandbox, context, mount_point);
    if (layers->is_volatile && fsconfig(context, FSCONFIG_SET_FLAG, "volatile", NULL, 0) < 0)
        overlay_failed(sandbox, context, mount_point);
    // An unprivileged overlay may not write trusted.* attributes; user.overlay.* mean the same (Linux 5.11).
    if (sandbox->plan->mode == CSANDBOX_USER && fsconfig(context, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0)
        overlay_failed(sandbox, context, mount_point);
    if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        overlay_failed(sandbox, context, mount_point);
    int mount = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV | attributes);
    if (mount < 0)
        overlay_failed(sandbox, context, mount_point);
    close(context);
    // overlayfs turns read-only by itself where it cannot write its upper layer; that must not pass for success.
    struct statfs status;
    if (fstatfs(mount, &status) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_OVERLAY, errno, mount_point);
    if ((status.f_flags & ST_RDONLY) && !(attributes & MOUNT_ATTR_RDONLY))
        csandbox_fail(sandbox, CSANDBOX_STEP_OVERLAY, EROFS, mount_point);
    return mount;
}

// What the live mount does not allow, its overlay does not either. Devices never work on an overlay, whatever live says: a node
// that lies in the lower layer would reach the host's device.
static unsigned live_attributes(struct sandbox *sandbox, int live, const char *path) {
    struct statvfs status;
    if (fstatvfs(live, &status) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_LAYER, errno, path);
    return ((status.f_flag & ST_RDONLY) ? MOUNT_ATTR_RDONLY : 0) | ((status.f_flag & ST_NOSUID) ? MOUNT_ATTR_NOSUID : 0)
        | ((status.f_flag & ST_NOEXEC) ? MOUNT_ATTR_NOEXEC : 0);
}

// overlayfs refuses one lower layer inside another ("overlapping lowerdir", ELOOP), and state directories usually lie on the live
// root's own file system. So there: a throw-away overlay gets its extra layers copied into its upper layer (which also spares
// the trial the copy-up); a durable one is stacked on an overlay whose upper layer is the extra one, since what is copied would
// pass for a change. Layers on other file systems are simply layers.
static int same_file_system(struct sandbox *sandbox, int a, int b) {
    struct stat left, right;
    if (fstat(a, &left) < 0 || fstat(b, &right) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_LAYER, errno, "its file system");
    return left.st_dev == right.st_dev;
}

static void copy_lowers(struct sandbox *sandbox, const struct csandbox_overlay *overlay, const int *lowers, int upper) {
    char where[112] = "";
    // The other one is not overlayfs's here: a program that ran in a layer may have written it.
    const char *opaque = sandbox->plan->mode == CSANDBOX_USER ? "user.overlay.opaque" : "trusted.overlay.opaque";
    for (uint32_t i = 0; i < overlay->lower_count; i++)
        if (csandbox_copy_layer(lowers[i], upper, opaque, where, sizeof where) < 0)
            csandbox_fail(sandbox, CSANDBOX_STEP_COPY_LAYER, errno, where);
}

// A directory with what a sandbox has besides live's files, below every other layer: live's own, if there is one, wins. An empty
// resolv.conf is there for csandbox_place_resolver to cover.
static int added_layer(struct sandbox *sandbox) {
    static const char script[] = "#!/bin/sh\n# Services are not started by package scripts in a sandbox.\nexit 101\n";
    const char *const directories[] = {"added", "added/etc", "added/usr", "added/usr/sbin"};
    for (size_t i = 0; i < 4; i++)
        if (mkdirat(sandbox->stage, directories[i], 0755) < 0)
            csandbox_fail(sandbox, CSANDBOX_STEP_LAYER, errno, directories[i]);
    if (sandbox->plan->flags & CSANDBOX_QUIET_SERVICES) {
        int file = openat(sandbox->stage, "added/usr/sbin/policy-rc.d", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
        if (file < 0 || write(file, script, sizeof script - 1) != (ssize_t)(sizeof script - 1) || fchmod(file, 0755) < 0)
            csandbox_fail(sandbox, CSANDBOX_STEP_LAYER, errno, "policy-rc.d");
        close(file);
    }
    if (sandbox->plan->resolver != CSANDBOX_NONE && mknodat(sandbox->stage, "added/etc/resolv.conf", S_IFREG | 0644, 0) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_LAYER, errno, "resolv.conf");
    int layer = openat(sandbox->stage, "added", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (layer < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_LAYER, errno, "added files");
    return layer;
}

static int build(struct sandbox *sandbox, const struct csandbox_overlay *overlay, int number, int live, const int *lowers, int base,
                 int added, unsigned attributes) {
    const char *mount_point = csandbox_string(sandbox, overlay->mount_point);
    char list[1024];
    int used = 0, under = live;
    int copied = overlay->lower_count > 0 && same_file_system(sandbox, lowers[0], live);
    for (uint32_t i = 1; i < overlay->lower_count; i++)
        copied |= same_file_system(sandbox, lowers[i], live);
    struct layers layers = {.base = base, .is_volatile = (int)overlay->is_volatile, .upper = "upper", .work = "work"};
    if (overlay->base != CSANDBOX_NONE) {
        layers.upper = csandbox_string(sandbox, overlay->upper);
        layers.work = csandbox_string(sandbox, overlay->work);
    }
    if (overlay->stacked) {
        struct layers below = {
            .base = lowers[0],
            .upper = csandbox_string(sandbox, overlay->under_upper),
            .work = csandbox_string(sandbox, overlay->under_work),
        };
        char name[32];
        snprintf(list, sizeof list, "/proc/self/fd/%d", live);
        below.lower = list;
        under = make_overlay(sandbox, mount_point, &below, 0);
        snprintf(name, sizeof name, "under-%d", number);
        if (mkdirat(sandbox->stage, name, 0700) < 0
            || move_mount(under, "", sandbox->stage, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
            csandbox_fail(sandbox, CSANDBOX_STEP_ATTACH, errno, mount_point);
    } else if (copied) {
        if (!overlay->is_volatile)
            csandbox_fail(sandbox, CSANDBOX_STEP_COPY_LAYER, EXDEV, mount_point);
        int upper = openat(base, layers.upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (upper < 0)
            csandbox_fail(sandbox, CSANDBOX_STEP_LAYER, errno, mount_point);
        copy_lowers(sandbox, overlay, lowers, upper);
        close(upper);
    } else {
        for (uint32_t i = 0; i < overlay->lower_count; i++)
            used += snprintf(list + used, sizeof list - (size_t)used, "/proc/self/fd/%d:", lowers[i]);
    }
    used = overlay->stacked || copied ? 0 : used;
    used += snprintf(list + used, sizeof list - (size_t)used, "/proc/self/fd/%d", under);
    if (added >= 0)
        snprintf(list + used, sizeof list - (size_t)used, ":/proc/self/fd/%d", added);
    layers.lower = list;
    return make_overlay(sandbox, mount_point, &layers, attributes);
}

void csandbox_make_overlays(struct sandbox *sandbox) {
    const struct csandbox_plan *plan = sandbox->plan;
    const struct csandbox_overlay *overlays = (const void *)(sandbox->bytes + plan->overlays);
    int lives[CSANDBOX_MAX_OVERLAYS], bases[CSANDBOX_MAX_OVERLAYS], made[CSANDBOX_MAX_OVERLAYS];
    int lowers[CSANDBOX_MAX_OVERLAYS][CSANDBOX_MAX_LOWERS];
    unsigned attributes[CSANDBOX_MAX_OVERLAYS];

    for (uint32_t i = 0; i < plan->overlay_count; i++) {
        uint32_t live = overlays[i].live == CSANDBOX_NONE ? overlays[i].mount_point : overlays[i].live;
        lives[i] = open_layer(sandbox, csandbox_string(sandbox, live));
        attributes[i] = live_attributes(sandbox, lives[i], csandbox_string(sandbox, live));
        if (overlays[i].stacked)
            lowers[i][0] = open_layer(sandbox, csandbox_string(sandbox, overlays[i].under_base));
        for (uint32_t j = 0; j < overlays[i].lower_count && !overlays[i].stacked; j++)
            lowers[i][j] = open_layer(sandbox, csandbox_string(sandbox, overlays[i].lowers[j]));
        bases[i] = overlays[i].base == CSANDBOX_NONE ? -1 : open_layer(sandbox, csandbox_string(sandbox, overlays[i].base));
    }
    csandbox_become_mapped(sandbox);
    int added = plan->flags & CSANDBOX_QUIET_SERVICES || plan->resolver != CSANDBOX_NONE ? added_layer(sandbox) : -1;
    for (uint32_t i = 0; i < plan->overlay_count; i++) {
        if (bases[i] < 0)
            bases[i] = scratch_layer(sandbox, lives[i], (int)i);
        made[i] = build(sandbox, &overlays[i], (int)i, lives[i], lowers[i], bases[i], i == 0 ? added : -1, attributes[i]);
    }

    // All are made before the first is attached: the stage may cover a directory that a later one lies in.
    if (mkdirat(sandbox->stage, "root", 0755) < 0
        || move_mount(made[0], "", sandbox->stage, "root", MOVE_MOUNT_F_EMPTY_PATH) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_ATTACH, errno, "/");
    sandbox->root = made[0];
    for (uint32_t i = 1; i < plan->overlay_count; i++) {
        const char *mount_point = csandbox_string(sandbox, overlays[i].mount_point);
        if (csandbox_attach(made[i], sandbox->root, mount_point) < 0)
            csandbox_fail(sandbox, CSANDBOX_STEP_ATTACH, errno, mount_point);
        close(made[i]);
    }
    for (uint32_t i = 0; i < plan->overlay_count; i++) {
        close(lives[i]);
        close(bases[i]);
        for (uint32_t j = 0; j < overlays[i].lower_count; j++)
            close(lowers[i][j]);
    }
}
