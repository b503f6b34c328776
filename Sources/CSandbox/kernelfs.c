// Private /proc, minimal /dev and /sys.
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static int make_kernel_fs(const char *type, const char *const options[][2], unsigned attributes) {
    int context = fsopen(type, FSOPEN_CLOEXEC);
    if (context < 0)
        return -1;
    int mount = -1, wrong = 0;
    for (int i = 0; options != NULL && options[i][0] != NULL && !wrong; i++)
        wrong = fsconfig(context, FSCONFIG_SET_STRING, options[i][0], options[i][1], 0) < 0;
    if (!wrong && fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        mount = fsmount(context, FSMOUNT_CLOEXEC, attributes);
    int code = errno;
    close(context);
    errno = code;
    return mount;
}

// Covers path with itself, read-only. Absent paths are no fault: kernels differ.
static int cover_read_only(int directory, const char *path) {
    int clone = csandbox_clone_tree(directory, path, 1);
    if (clone < 0)
        return errno == ENOENT ? 0 : -1;
    int result = csandbox_attach(clone, directory, path);
    close(clone);
    return result;
}

static int cover_empty(struct sandbox *sandbox, int directory, const char *path) {
    struct stat status;
    if (fstatat(directory, path, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -1;
    int stand_in = S_ISDIR(status.st_mode)
        ? csandbox_tmpfs("0555", sandbox->root_id, 4096, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID)
        : csandbox_clone_tree(sandbox->stage, "nothing", 1);
    if (stand_in < 0)
        return -1;
    int result = csandbox_attach(stand_in, directory, path);
    close(stand_in);
    return result;
}

void csandbox_mount_proc(struct sandbox *sandbox) {
    static const char *const read_only[] = {"bus", "fs", "irq", "sys", "sysrq-trigger"};
    static const char *const hidden[] = {
        "acpi",        "asound",     "kallsyms",       "kcore",      "key-users", "keys",
        "kmsg",        "kpagecgroup", "kpagecount",    "kpageflags", "latency_stats", "mtrr",
        "sched_debug", "scsi",       "slabinfo",       "timer_list", "timer_stats", "vmallocinfo",
    };
    int proc = make_kernel_fs("proc", NULL, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    if (proc < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_PROC, errno, NULL);
    if (csandbox_attach(proc, sandbox->root, "/proc") < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_PROC, errno, "/proc");
    if (sandbox->plan->flags & CSANDBOX_OWN_NETWORK) {
        // A network of its own has no privileged ports: a service that live starts as root may run as its user here.
        int file = openat(proc, "sys/net/ipv4/ip_unprivileged_port_start", O_WRONLY | O_CLOEXEC);
        ssize_t written = file < 0 ? -1 : write(file, "0", 1);
        if (written != 1 && sandbox->plan->mode == CSANDBOX_MAPPED)
            csandbox_fail(sandbox, CSANDBOX_STEP_PROC, errno, "ip_unprivileged_port_start");
        if (file >= 0)
            close(file);
    }
    if (mknodat(sandbox->stage, "nothing", S_IFREG | 0444, 0) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_PROC, errno, NULL);
    for (size_t i = 0; i < sizeof read_only / sizeof *read_only; i++)
        if (cover_read_only(proc, read_only[i]) < 0)
            csandbox_fail(sandbox, CSANDBOX_STEP_PROC, errno, read_only[i]);
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        if (cover_empty(sandbox, proc, hidden[i]) < 0)
            csandbox_fail(sandbox, CSANDBOX_STEP_PROC, errno, hidden[i]);
    close(proc);
}

static int make_device(struct sandbox *sandbox, int dev, const char *name, unsigned major_number, unsigned minor_number) {
    if (sandbox->plan->mode != CSANDBOX_USER
        && mknodat(dev, name, S_IFCHR | 0666, makedev(major_number, minor_number)) == 0)
        return fchmodat(dev, name, 0666, 0);
    // Not allowed to make nodes (a user namespace, a container): bind the host's.
    char path[64];
    snprintf(path, sizeof path, "/dev/%s", name);
    int node = csandbox_clone_tree(AT_FDCWD, path, 0);
    if (node < 0 || mknodat(dev, name, S_IFREG | 0666, 0) < 0)
        return -1;
    int result = move_mount(node, "", dev, name, MOVE_MOUNT_F_EMPTY_PATH);
    close(node);
    return result;
}

void csandbox_mount_dev(struct sandbox *sandbox) {
    static const struct {
        const char *name;
        unsigned major_number, minor_number;
    } devices[] = {{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};
    static const char *const links[][2] = {
        {"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"},
        {"/proc/self/fd/2", "stderr"}, {"pts/ptmx", "ptmx"},
    };
    int dev = csandbox_tmpfs("0755", sandbox->root_id, 1 << 20, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    if (dev < 0 || csandbox_attach(dev, sandbox->root, "/dev") < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_DEV, errno, "/dev");
    mode_t before = umask(0);
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
        if (make_device(sandbox, dev, devices[i].name, devices[i].major_number, devices[i].minor_number) < 0)
            csandbox_fail(sandbox, CSANDBOX_STEP_DEV, errno, devices[i].name);
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        if (symlinkat(links[i][0], dev, links[i][1]) < 0)
            csandbox_fail(sandbox, CSANDBOX_STEP_DEV, errno, links[i][1]);

    char terminals[32];
    snprintf(terminals, sizeof terminals, "%u", sandbox->root_id + 5);  // the group “tty” of every distribution
    const char *const mapped[][2] = {{"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", terminals}, {NULL, NULL}};
    const char *const single[][2] = {{"ptmxmode", "0666"}, {"mode", "0620"}, {NULL, NULL}};
    // Until devpts got a parser of its own (after Linux 6.1) it took “gid” for a signed number, which a mapped one overflows. There a
    // terminal belongs to its user alone.
    const char *const own[][2] = {{"ptmxmode", "0666"}, {"mode", "0600"}, {NULL, NULL}};
    const unsigned attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    int pts = make_kernel_fs("devpts", sandbox->plan->mode == CSANDBOX_USER ? single : mapped, attributes);
    if (pts < 0 && errno == EINVAL && sandbox->plan->mode == CSANDBOX_MAPPED)
        pts = make_kernel_fs("devpts", own, attributes);
    if (pts < 0 || mkdirat(dev, "pts", 0755) < 0 || move_mount(pts, "", dev, "pts", MOVE_MOUNT_F_EMPTY_PATH) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_DEV, errno, "/dev/pts");
    int shm = csandbox_tmpfs(
        "1777", sandbox->root_id, sandbox->plan->temporary_bytes, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID);
    if (shm < 0 || mkdirat(dev, "shm", 01777) < 0 || move_mount(shm, "", dev, "shm", MOVE_MOUNT_F_EMPTY_PATH) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_DEV, errno, "/dev/shm");
    umask(before);
    close(pts);
    close(shm);
    close(dev);
}

// Makes every directory of a path below `directory`.
static int make_path(int directory, const char *path) {
    char part[128];
    for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
        if (mkdirat(directory, part, 0755) < 0 && errno != EEXIST)
            return -1;
    }
    return mkdirat(directory, path, 0755) < 0 && errno != EEXIST ? -1 : 0;
}

// What run-time systems look up: processors, memory nodes, huge pages, and their own control group. The rest of /sys tells about
// the host's hardware and is not there.
void csandbox_mount_sys(struct sandbox *sandbox) {
    static const char *const shown[] = {
        "devices/system/cpu", "devices/system/node", "kernel/mm/transparent_hugepage",
    };
    int sys = csandbox_tmpfs(
        "0755", sandbox->root_id, 1 << 20, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    if (sys < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_SYS, errno, NULL);
    if (csandbox_attach(sys, sandbox->root, "/sys") < 0) {
        if (errno == ENOENT)
            return (void)close(sys);
        csandbox_fail(sandbox, CSANDBOX_STEP_SYS, errno, "/sys");
    }
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        char path[96];
        snprintf(path, sizeof path, "/sys/%s", shown[i]);
        int clone = csandbox_clone_tree(AT_FDCWD, path, 1);
        if (clone < 0) {
            if (errno == ENOENT)
                continue;
            csandbox_fail(sandbox, CSANDBOX_STEP_SYS, errno, path);
        }
        if (make_path(sys, shown[i]) < 0 || csandbox_attach(clone, sys, shown[i]) < 0)
            csandbox_fail(sandbox, CSANDBOX_STEP_SYS, errno, path);
        close(clone);
    }
    if (make_path(sys, "fs/cgroup") < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_SYS, errno, "fs/cgroup");
    if (sandbox->plan->flags & CSANDBOX_CGROUP_VIEW) {
        int groups = make_kernel_fs(
            "cgroup2", NULL, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
        if (groups < 0 || csandbox_attach(groups, sys, "fs/cgroup") < 0)
            csandbox_fail(sandbox, CSANDBOX_STEP_SYS, errno, "fs/cgroup");
        close(groups);
    }
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
    if (mount_setattr(sys, "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_SYS, errno, NULL);
    close(sys);
}
