// `grace-sandbox probe DIRECTORY`: tries what a sandbox needs, each in a child of its own, and prints a line for each:
// NAME ok, or NAME STEP ERRNO. DIRECTORY is where throw-away layers would lie. For `grace doctor`.
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Runs `attempt` in a child inside new namespaces; the errno it failed with, 0 when it did not.
static int in_child(uint64_t flags, int (*attempt)(const char *), const char *directory) {
    struct clone_args arguments = {.flags = flags, .exit_signal = SIGCHLD};
    pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid < 0)
        return errno;
    if (pid == 0)
        _exit(attempt == NULL ? 0 : attempt(directory));
    int status;
    if (waitpid(pid, &status, 0) < 0)
        return errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

static int try_seccomp(const char *directory) {
    uint32_t action = SECCOMP_RET_ERRNO;
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0 ? errno : 0;
}

static int try_listener(const char *directory) {
    struct sock_filter instruction = {.code = BPF_RET | BPF_K, .k = SECCOMP_RET_ALLOW};
    struct sock_fprog filter = {.len = 1, .filter = &instruction};
    int code = csandbox_can_report();
    if (code != 0)
        return code;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return errno;
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter) < 0 ? errno : 0;
}

static int try_user(const char *directory) {
    return unshare(CLONE_NEWUSER) < 0 ? errno : 0;
}

static int try_overlay(const char *directory) {
    char options[1024];
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || chdir(directory) < 0)
        return errno;
    snprintf(options, sizeof options, "lowerdir=/,upperdir=upper,workdir=work%s", geteuid() == 0 ? "" : ",userxattr");
    if (mount("overlay", "root", "overlay", 0, options) < 0)
        return errno;
    // It turns read-only by itself where the upper layer will not do.
    return mkdir("root/.grace-probe", 0700) < 0 ? errno : 0;
}

// 0 or an errno.
static int write_to(const char *path, const char *text) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return errno;
    ssize_t written = write(file, text, strlen(text));
    int code = written < 0 ? errno : written == (ssize_t)strlen(text) ? 0 : EIO;
    close(file);
    return code;
}

// As an ordinary user: the same from inside a user namespace.
static int try_own_overlay(const char *directory) {
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        return errno;
    const char *const files[] = {"/proc/self/setgroups", "/proc/self/uid_map", "/proc/self/gid_map"};
    for (int i = 0; i < 3; i++) {
        char line[32];
        snprintf(line, sizeof line, i == 0 ? "deny" : "0 %u 1", i == 1 ? uid : gid);
        int code = write_to(files[i], line);
        if (code != 0)
            return code;
    }
    char options[1024];
    if (chdir(directory) < 0)
        return errno;
    snprintf(options, sizeof options, "lowerdir=/usr,upperdir=upper,workdir=work,userxattr");
    return mount("overlay", "root", "overlay", 0, options) < 0 ? errno : 0;
}

static int try_idmap(const char *directory) {
    int step, user = csandbox_user_namespace(2147483648U, 2147483647U, &step);
    int layer = user < 0 ? -1 : open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    struct mount_attr attributes = {.attr_set = 0x00100000 /* MOUNT_ATTR_IDMAP */, .userns_fd = (uint64_t)user};
    return layer < 0 || mount_setattr(layer, "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0 ? errno : 0;
}

static void print(const char *name, int code) {
    if (code == 0)
        printf("%s ok\n", name);
    else
        printf("%s failed %d\n", name, code);
}

static const char *const parts[] = {"", "/upper", "/work", "/root"};

static void clean(const char *place) {
    char path[544];
    snprintf(path, sizeof path, "%s/upper/.grace-probe", place);
    rmdir(path);
    snprintf(path, sizeof path, "%s/work/work", place);
    chmod(path, 0700);
    rmdir(path);
    for (int i = 3; i >= 0; i--) {
        snprintf(path, sizeof path, "%s%s", place, parts[i]);
        if (rmdir(path) < 0 && errno != ENOENT)
            fprintf(stderr, "grace-sandbox: %s cannot be removed: %s; remove it yourself.\n", path, strerror(errno));
    }
}

int csandbox_probe(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: grace-sandbox probe DIRECTORY\n");
        return 2;
    }
    char place[512];
    snprintf(place, sizeof place, "%s/probe-%d", argv[2], getpid());
    char path[544];
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s%s", place, parts[i]);
        if (mkdir(path, 0700) < 0) {
            fprintf(stderr, "grace-sandbox: %s: %s\n", path, strerror(errno));
            if (i > 0)
                clean(place);
            return 1;
        }
    }
    uint64_t user = geteuid() == 0 ? 0 : CLONE_NEWUSER;
    print("user_namespace", in_child(0, try_user, place));
    print("mount_namespace", in_child(user | CLONE_NEWNS, NULL, place));
    print("pid_namespace", in_child(user | CLONE_NEWPID, NULL, place));
    print("network_namespace", in_child(user | CLONE_NEWNET, NULL, place));
    print("ipc_namespace", in_child(user | CLONE_NEWIPC, NULL, place));
    print("cgroup_namespace", in_child(user | CLONE_NEWCGROUP, NULL, place));
    print("seccomp", in_child(0, try_seccomp, place));
    print("denied_calls", in_child(0, try_listener, place));
    print("overlay", user == 0 ? in_child(CLONE_NEWNS, try_overlay, place) : in_child(0, try_own_overlay, place));
    print("mapped_root", user == 0 ? in_child(CLONE_NEWNS, try_idmap, place) : EPERM);
    fflush(stdout);
    clean(place);
    return 0;
}
