// The floor under any sandbox: the system calls that a sandbox of the same strength takes, and nothing else. No plan, no checks, no
// messages, no supervisor: /bin/true is executed as PID 1 itself. What an engine takes on top of it is the engine's own.
//
//   floor FILTER [--ahead] [--mask PATH]… [--group DIR [--limit FILE=VALUE]…]… OVERLAY…
//
// FILTER is a file of struct sock_filter. Below each DIR, of a hierarchy of control groups, it makes a group with these limits and puts
// the sandbox there, as an engine does: born into one of version 2, by its own hand into those of version 1, which are made while it is
// cloned; they are removed when the clock has stopped. For each byte on standard input it runs one sandbox and answers with eight bytes, the
// nanoseconds from the first system call to the end of wait(). With --ahead the user and network namespaces are made before the
// clock starts, as an engine with a stock of them does.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef MOUNT_ATTR_IDMAP
#define MOUNT_ATTR_IDMAP 0x00100000
#endif
#define MUST(what)                                                                                                                \
    do {                                                                                                                          \
        if ((long)(what) < 0) {                                                                                                   \
            fprintf(stderr, "floor: line %d: %s: %s\n", __LINE__, #what, strerror(errno));                                        \
            _exit(125);                                                                                                           \
        }                                                                                                                         \
    } while (0)

enum { mapped = 1u << 31, most = 64, most_groups = 16, most_limits = 4 };
static struct group {
    const char *directory, *limits[most_limits];
    int limit_count;
    int is_unified;  // version 2: it has no tasks file
} groups[most_groups];
static int group_count, made[2];  // a pipe: the groups of version 1 are there
static struct sock_fprog filter;
static const char *masks[256], *overlays[most];
static int mask_count, overlay_count, ahead, stage, root, user, network = -1;
static uint32_t root_id;

static pid_t clone_with(uint64_t flags) {
    struct clone_args arguments = {.flags = flags, .exit_signal = SIGCHLD};
    return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

static void write_to(const char *path, const char *text) {
    int file;
    MUST(file = open(path, O_WRONLY | O_CLOEXEC));
    MUST(write(file, text, strlen(text)));
    close(file);
}

static void make_group(const struct group *group) {
    char path[256];
    snprintf(path, sizeof path, "%s/floor", group->directory);
    MUST(mkdir(path, 0755));
    for (int i = 0; i < group->limit_count; i++) {
        const char *value = strchr(group->limits[i], '=');
        snprintf(path, sizeof path, "%s/floor/%.*s", group->directory, (int)(value - group->limits[i]), group->limits[i]);
        write_to(path, value + 1);
    }
}

static void make_groups(int is_unified) {
    for (int i = 0; i < group_count; i++)
        if (groups[i].is_unified == is_unified)
            make_group(&groups[i]);
}

static void join_groups(void) {
    char path[256], byte;
    MUST(read(made[0], &byte, 1));
    for (int i = 0; i < group_count; i++) {
        if (groups[i].is_unified)
            continue;
        snprintf(path, sizeof path, "%s/floor/tasks", groups[i].directory);
        write_to(path, "0");
    }
}

static void remove_groups(void) {
    char path[256];
    for (int i = 0; i < group_count; i++) {
        snprintf(path, sizeof path, "%s/floor", groups[i].directory);
        MUST(rmdir(path));
    }
}

static pid_t clone_into(uint64_t flags) {
    struct clone_args arguments = {.flags = flags, .exit_signal = SIGCHLD};
    for (int i = 0; i < group_count; i++) {
        char path[256];
        if (!groups[i].is_unified)
            continue;
        snprintf(path, sizeof path, "%s/floor", groups[i].directory);
        int directory;
        MUST(directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = (uint64_t)directory;
    }
    pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
    if (arguments.flags & CLONE_INTO_CGROUP)
        close((int)arguments.cgroup);
    return pid;
}

static int user_namespace(void) {
    int hold[2], result;
    char path[64];
    pid_t pid;
    MUST(pipe2(hold, O_CLOEXEC));
    MUST(pid = clone_with(CLONE_NEWUSER));
    if (pid == 0) {
        close(hold[1]);
        _exit(read(hold[0], path, 1) < 0);
    }
    close(hold[0]);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "/proc/%d/%s", pid, i ? "gid_map" : "uid_map");
        write_to(path, "0 2147483648 2147483647\n");
    }
    snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
    MUST(result = open(path, O_RDONLY | O_CLOEXEC));
    close(hold[1]);
    waitpid(pid, NULL, 0);
    return result;
}

static int network_namespace(void) {
    int own, result;
    MUST(own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    MUST(unshare(CLONE_NEWNET));
    MUST(result = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    MUST(setns(own, CLONE_NEWNET));
    close(own);
    return result;
}

static int make(const char *type, const char *const options[][2], unsigned attributes) {
    int context, mount;
    MUST(context = fsopen(type, FSOPEN_CLOEXEC));
    for (int i = 0; options != NULL && options[i][0] != NULL; i++)
        MUST(options[i][1] == NULL ? fsconfig(context, FSCONFIG_SET_FLAG, options[i][0], NULL, 0)
                                   : fsconfig(context, FSCONFIG_SET_STRING, options[i][0], options[i][1], 0));
    MUST(fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    MUST(mount = fsmount(context, FSMOUNT_CLOEXEC, attributes));
    close(context);
    return mount;
}

static int temporary(const char *mode, const char *size, unsigned attributes) {
    char owner[16];
    snprintf(owner, sizeof owner, "%u", root_id);
    const char *options[][2] = {{"mode", mode}, {"uid", owner}, {"gid", owner}, {size ? "size" : NULL, size}, {NULL, NULL}};
    return make("tmpfs", options, attributes);
}

static int inside(int directory, const char *path) {
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

static int attach(int mount, int directory, const char *path) {
    int place = inside(directory, path);
    if (place < 0)
        return -1;
    MUST(move_mount(mount, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
    close(place);
    close(mount);
    return 0;
}

static int bind_read_only(int directory, const char *path) {
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
    int clone = open_tree(directory, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (clone >= 0)
        MUST(mount_setattr(clone, "", AT_EMPTY_PATH, &attributes, sizeof attributes));
    return clone;
}

static void make_overlays(void) {
    int lower[most], made[most], scratch;
    char name[32];
    for (int i = 0; i < overlay_count; i++) {
        struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)user};
        snprintf(name, sizeof name, "layer-%d", i);
        MUST(lower[i] = open_tree(AT_FDCWD, overlays[i], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
        MUST(mount_setattr(lower[i], "", AT_EMPTY_PATH, &attributes, sizeof attributes));
        MUST(mkdirat(stage, name, 0700));
        MUST(move_mount(lower[i], "", stage, name, MOVE_MOUNT_F_EMPTY_PATH));
    }
    MUST(syscall(SYS_setgroups, 0, NULL));
    MUST(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0));
    root_id = mapped;
    MUST(syscall(SYS_setresgid, mapped, mapped, mapped));
    MUST(syscall(SYS_setresuid, mapped, mapped, mapped));
    scratch = temporary("0755", NULL, MOUNT_ATTR_NODEV);
    MUST(mkdirat(stage, "scratch", 0700));
    MUST(move_mount(scratch, "", stage, "scratch", MOVE_MOUNT_F_EMPTY_PATH));
    for (int i = 0; i < overlay_count; i++) {
        char low[48], up[48], work[48];
        struct stat status;
        snprintf(name, sizeof name, "%d", i);
        MUST(mkdirat(scratch, name, 0755));
        int base;
        MUST(base = openat(scratch, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        MUST(mkdirat(base, "upper", 0755));
        MUST(mkdirat(base, "work", 0700));
        MUST(fstat(lower[i], &status));
        MUST(fchownat(base, "upper", status.st_uid, status.st_gid, 0));
        snprintf(low, sizeof low, "/proc/self/fd/%d", lower[i]);
        snprintf(up, sizeof up, "/proc/self/fd/%d/upper", base);
        snprintf(work, sizeof work, "/proc/self/fd/%d/work", base);
        const char *options[][2] = {
            {"source", "floor"}, {"lowerdir", low}, {"upperdir", up}, {"workdir", work}, {"redirect_dir", "off"},
            {"metacopy", "off"}, {"index", "off"}, {"xino", "off"}, {"volatile", NULL}, {NULL, NULL},
        };
        made[i] = make("overlay", options, MOUNT_ATTR_NODEV);
    }
    MUST(mkdirat(stage, "root", 0755));
    MUST(move_mount(made[0], "", stage, "root", MOVE_MOUNT_F_EMPTY_PATH));
    root = made[0];
    for (int i = 1; i < overlay_count; i++)
        MUST(attach(made[i], root, overlays[i]));
}

static void kernel_file_systems(void) {
    static const char *const read_only[] = {"bus", "fs", "irq", "sys", "sysrq-trigger"};
    static const char *const hidden[] = {
        "acpi", "asound", "kallsyms", "kcore", "key-users", "keys", "kmsg", "kpagecgroup", "kpagecount", "kpageflags",
        "latency_stats", "mtrr", "sched_debug", "scsi", "slabinfo", "timer_list", "timer_stats", "vmallocinfo",
    };
    static const unsigned devices[][2] = {{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}};
    static const char *const device_names[] = {"null", "zero", "full", "random", "urandom", "tty"};
    static const char *const links[][2] = {
        {"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"},
        {"pts/ptmx", "ptmx"},
    };
    static const char *const shown[] = {"devices/system/cpu", "devices/system/node", "kernel/mm/transparent_hugepage"};
    const unsigned quiet = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID;
    int proc = make("proc", NULL, quiet | MOUNT_ATTR_NOEXEC);
    MUST(move_mount(proc, "", inside(root, "/proc"), "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
    if (!ahead)
        write_to("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
    MUST(mknodat(stage, "nothing", S_IFREG | 0444, 0));
    for (unsigned i = 0; i < sizeof read_only / sizeof *read_only; i++) {
        int clone = bind_read_only(proc, read_only[i]);
        if (clone >= 0)
            attach(clone, proc, read_only[i]);
    }
    for (unsigned i = 0; i < sizeof hidden / sizeof *hidden; i++) {
        struct stat status;
        if (fstatat(proc, hidden[i], &status, AT_SYMLINK_NOFOLLOW) == 0)
            attach(S_ISDIR(status.st_mode) ? temporary("0555", "4096", quiet | MOUNT_ATTR_RDONLY)
                                           : bind_read_only(stage, "nothing"),
                   proc, hidden[i]);
    }
    int dev = temporary("0755", "1048576", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    MUST(move_mount(dev, "", inside(root, "/dev"), "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
    umask(0);
    for (int i = 0; i < 6; i++)
        MUST(mknodat(dev, device_names[i], S_IFCHR | 0666, makedev(devices[i][0], devices[i][1])));
    for (int i = 0; i < 5; i++)
        MUST(symlinkat(links[i][0], dev, links[i][1]));
    char terminals[16];
    snprintf(terminals, sizeof terminals, "%u", mapped + 5);
    const char *options[][2] = {{"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", terminals}, {NULL, NULL}};
    MUST(mkdirat(dev, "pts", 0755));
    attach(make("devpts", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC), dev, "pts");
    MUST(mkdirat(dev, "shm", 01777));
    attach(temporary("1777", NULL, quiet), dev, "shm");
    umask(022);
    int sys = temporary("0755", "1048576", quiet | MOUNT_ATTR_NOEXEC);
    MUST(move_mount(sys, "", inside(root, "/sys"), "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
    const char *const parents[] = {"devices", "devices/system", "kernel", "kernel/mm", "fs", "fs/cgroup"};
    for (unsigned i = 0; i < sizeof parents / sizeof *parents; i++)
        MUST(mkdirat(sys, parents[i], 0755));
    for (unsigned i = 0; i < sizeof shown / sizeof *shown; i++) {
        char path[96];
        snprintf(path, sizeof path, "/sys/%s", shown[i]);
        int clone = bind_read_only(AT_FDCWD, path);
        if (clone < 0)
            continue;
        MUST(mkdirat(sys, shown[i], 0755));
        attach(clone, sys, shown[i]);
    }
    struct mount_attr locked = {.attr_set = MOUNT_ATTR_RDONLY};
    MUST(mount_setattr(sys, "", AT_EMPTY_PATH, &locked, sizeof locked));
    int run = temporary("0755", NULL, quiet);
    MUST(mkdirat(run, "lock", 01777));
    attach(run, root, "/run");
    attach(temporary("1777", NULL, quiet), root, "/tmp");
}

static void hide(void) {
    int empty = temporary("0755", "65536", MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    MUST(mkdirat(empty, "directory", 0555));
    MUST(mknodat(empty, "file", S_IFREG | 0444, 0));
    MUST(mkdirat(stage, "empty", 0700));
    MUST(move_mount(empty, "", stage, "empty", MOVE_MOUNT_F_EMPTY_PATH));
    for (int i = 0; i < mask_count; i++) {
        struct stat status;
        int place = inside(root, masks[i]);
        if (place < 0)
            continue;
        MUST(fstat(place, &status));
        int clone = bind_read_only(empty, S_ISDIR(status.st_mode) ? "directory" : "file");
        MUST(move_mount(clone, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
        close(clone);
        close(place);
    }
}

static _Noreturn void first(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};
    MUST(sethostname("floor", 5));
    MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    if (network >= 0)
        MUST(setns(network, CLONE_NEWNET));
    if (group_count > 0)
        join_groups();
    MUST(unshare(CLONE_NEWCGROUP));
    stage = temporary("0755", NULL, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID);
    MUST(move_mount(stage, "", AT_FDCWD, "/tmp", MOVE_MOUNT_F_EMPTY_PATH));
    make_overlays();
    kernel_file_systems();
    hide();
    MUST(fchdir(root));
    MUST(syscall(SYS_pivot_root, ".", "."));
    MUST(umount2(".", MNT_DETACH));
    MUST(chdir("/"));
    MUST(setns(user, CLONE_NEWUSER));
    MUST(syscall(SYS_setresgid, 0, 0, 0));
    MUST(syscall(SYS_setresuid, 0, 0, 0));
    MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    MUST(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter));
    for (int i = 0; i <= CAP_LAST_CAP; i++)
        MUST(prctl(PR_CAPBSET_DROP, i, 0, 0, 0));
    MUST(syscall(SYS_capset, &header, none));
    MUST(syscall(SYS_close_range, 3U, ~0U, 0U));
    char *const arguments[] = {"/bin/true", NULL}, *const environment[] = {NULL};
    execve("/bin/true", arguments, environment);
    _exit(127);
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "floor FILTER [--ahead] [--mask PATH]… [--group DIR [--limit FILE=VALUE]…]… OVERLAY…\n");
        return 2;
    }
    int file;
    struct stat status;
    MUST(file = open(argv[1], O_RDONLY | O_CLOEXEC));
    MUST(fstat(file, &status));
    filter.len = (unsigned short)((size_t)status.st_size / sizeof(struct sock_filter));
    filter.filter = malloc((size_t)status.st_size);
    MUST(read(file, filter.filter, (size_t)status.st_size));
    close(file);
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--ahead") == 0)
            ahead = 1;
        else if (strcmp(argv[i], "--mask") == 0 && i + 1 < argc && mask_count < 256)
            masks[mask_count++] = argv[++i];
        else if (strcmp(argv[i], "--group") == 0 && i + 1 < argc && group_count < most_groups) {
            char path[256];
            struct group *group = &groups[group_count++];
            group->directory = argv[++i];
            snprintf(path, sizeof path, "%s/tasks", group->directory);
            group->is_unified = access(path, F_OK) != 0;
        } else if (strcmp(argv[i], "--limit") == 0 && i + 1 < argc && group_count > 0 && strchr(argv[i + 1], '=') != NULL
                   && groups[group_count - 1].limit_count < most_limits)
            groups[group_count - 1].limits[groups[group_count - 1].limit_count++] = argv[++i];
        else if (overlay_count < most)
            overlays[overlay_count++] = argv[i];
    }
    char byte;
    MUST(pipe2(made, O_CLOEXEC));
    if (ahead) {
        user = user_namespace();
        network = network_namespace();
    }
    while (read(0, &byte, 1) == 1) {
        int code;
        uint64_t begin = now();
        if (!ahead)
            user = user_namespace();
        make_groups(1);
        pid_t pid = clone_into(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | (ahead ? 0 : CLONE_NEWNET));
        MUST(pid);
        if (pid == 0)
            first();
        make_groups(0);
        MUST(write(made[1], "", 1));
        MUST(waitpid(pid, &code, 0));
        uint64_t taken = now() - begin;
        close(user);
        if (group_count == 0)
            MUST(read(made[0], &byte, 1));
        remove_groups();
        if (code != 0)
            taken = UINT64_MAX;
        MUST(write(1, &taken, sizeof taken));
        if (ahead) {
            close(network);
            user = user_namespace();
            network = network_namespace();
        }
    }
    return 0;
}
