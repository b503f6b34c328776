// Giving up rights, for good.
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// Raw calls: the process has one thread, and Glibc's wrappers would only add their own bookkeeping.
static int set_ids(uint32_t id) {
    return syscall(SYS_setresgid, id, id, id) < 0 || syscall(SYS_setresuid, id, id, id) < 0 ? -1 : 0;
}

// The agent's session keyring must not come along (keyrings(7)). While the process is still the host's root, since the mapped root's
// quota of keys (kernel.keys.maxkeys, 200) would end at as many sandboxes. Kernels without keys have none to leave, and where keyctl
// is refused (a container's filter) nobody can use one.
void csandbox_leave_keyring(struct sandbox *sandbox) {
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS && errno != EPERM)
        csandbox_fail(sandbox, CSANDBOX_STEP_KEYRING, errno, NULL);
}

// The ids of the mapped root with the capabilities of the host's: the overlays are created like this (see overlay.c).
void csandbox_become_mapped(struct sandbox *sandbox) {
    if (sandbox->plan->mode != CSANDBOX_USER && syscall(SYS_setgroups, 0, NULL) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_BECOME_MAPPED, errno, "setgroups");
    if (sandbox->plan->mode != CSANDBOX_MAPPED)
        return;
    sandbox->root_id = sandbox->plan->mapped_first;
    if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) < 0 || set_ids(sandbox->root_id) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_BECOME_MAPPED, errno, NULL);
}

static void loopback_up(struct sandbox *sandbox) {
    int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_flags = IFF_UP | IFF_RUNNING};
    strcpy(request.ifr_name, "lo");
    if (control < 0 || ioctl(control, SIOCSIFFLAGS, &request) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_NETWORK, errno, NULL);
    close(control);
}

static int write_self(const char *path, const char *text) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return -1;
    ssize_t written = write(file, text, strlen(text));
    int code = errno;
    close(file);
    errno = code;
    return written == (ssize_t)strlen(text) ? 0 : -1;
}

// From here on the process owns no namespace but the one it lives in, so mount, sysctl, unshare and the like are refused by the
// kernel itself, not by the filter alone.
static void enter_user_namespace(struct sandbox *sandbox) {
    if (sandbox->plan->mode == CSANDBOX_MAPPED) {
        if (setns(sandbox->user_namespace, CLONE_NEWUSER) < 0 || set_ids(0) < 0)
            csandbox_fail(sandbox, CSANDBOX_STEP_ENTER_USER_NAMESPACE, errno, NULL);
        close(sandbox->user_namespace);
    } else if (sandbox->plan->mode == CSANDBOX_USER) {
        if (unshare(CLONE_NEWUSER) < 0)
            csandbox_fail(sandbox, CSANDBOX_STEP_ENTER_USER_NAMESPACE, errno, NULL);
        if (write_self("/proc/self/uid_map", "0 0 1") < 0 || write_self("/proc/self/gid_map", "0 0 1") < 0)
            csandbox_fail(sandbox, CSANDBOX_STEP_ENTER_USER_NAMESPACE, errno, "id map");
    }
}

enum { wait_killable = 1 << 5 };  // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV

static void load_filter(struct sandbox *sandbox) {
    static struct sock_filter program[CSANDBOX_MAX_PROGRAM / sizeof(struct sock_filter)];
    struct stat status;
    if (fstat(sandbox->filter, &status) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_SECCOMP, errno, "no program");
    if (status.st_size <= 0 || status.st_size > (off_t)sizeof program || status.st_size % (off_t)sizeof *program != 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_SECCOMP, EINVAL, "size of the program");
    ssize_t length = pread(sandbox->filter, program, (size_t)status.st_size, 0);
    if (length != status.st_size)
        csandbox_fail(sandbox, CSANDBOX_STEP_SECCOMP, length < 0 ? errno : EIO, "the program");
    close(sandbox->filter);
    struct sock_fprog filter = {.len = (unsigned short)((size_t)status.st_size / sizeof *program), .filter = program};
    if (!(sandbox->plan->flags & CSANDBOX_LISTENER)) {
        if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0)
            csandbox_fail(sandbox, CSANDBOX_STEP_SECCOMP, errno, NULL);
        return;
    }
    // A caller whose call is being looked at must not be woken by its own signals, or it would be counted again (Linux 5.19).
    unsigned flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
    int listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags | wait_killable, &filter);
    if (listener < 0 && errno == EINVAL)
        listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
    if (listener < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_LISTENER, errno, NULL);
    // At once: from now on a reported call, one of this process's own too, waits until somebody attends.
    struct csandbox_message message = {.type = CSANDBOX_LISTENING};
    int result = csandbox_send(sandbox->control, &message, &listener, 1);
    if (result < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_LISTENER, -result, NULL);
    close(listener);
}

// Takes every capability outside `set` off the bounding set: no program executed later can gain it.
int csandbox_bound_capabilities(uint64_t set) {
    for (int capability = 0; capability < 64; capability++) {
        if (set & (UINT64_C(1) << capability))
            continue;
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) {
            if (errno == EINVAL)
                return 0;  // past the last one this kernel knows
            return -1;
        }
    }
    return 0;
}

// Permitted and effective become `set`, inheritable and ambient empty.
int csandbox_set_capabilities(uint64_t set) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {
        {.effective = (uint32_t)set, .permitted = (uint32_t)set},
        {.effective = (uint32_t)(set >> 32), .permitted = (uint32_t)(set >> 32)},
    };
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return (int)syscall(SYS_capset, &header, data);
}

void csandbox_drop(struct sandbox *sandbox) {
    const struct csandbox_plan *plan = sandbox->plan;
    if (plan->flags & CSANDBOX_LOOPBACK_UP)
        loopback_up(sandbox);
    // What the agent may open of the sandbox later; afterwards this process may not be looked into any more.
    sandbox->ready[0] = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    sandbox->ready[1] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    sandbox->ready[2] = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (sandbox->ready[0] < 0 || sandbox->ready[1] < 0 || sandbox->ready[2] < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_DESCRIPTORS, errno, NULL);

    enter_user_namespace(sandbox);
    if ((plan->flags & CSANDBOX_NO_NEW_PRIVS) && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_CAPABILITIES, errno, "no_new_privs");
    if (plan->flags & CSANDBOX_SECCOMP)
        load_filter(sandbox);

    // PID 1 keeps what it needs to start commands as other users and to signal them; commands get plan->capabilities alone.
    sandbox->kept = plan->capabilities | UINT64_C(1) << CAP_SETUID | UINT64_C(1) << CAP_SETGID | UINT64_C(1) << CAP_KILL
        | UINT64_C(1) << CAP_SETPCAP;
    if (csandbox_bound_capabilities(sandbox->kept) < 0 || csandbox_set_capabilities(sandbox->kept) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_CAPABILITIES, errno, NULL);
    struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_LIMITS, errno, "core");

    // Not dumpable: its memory, descriptors and root are closed to everything inside, root there included, since what would allow
    // it is a capability in the namespace that its memory was made in, the host's (ptrace(2), access mode checking).
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        csandbox_fail(sandbox, CSANDBOX_STEP_CAPABILITIES, errno, NULL);
    prctl(PR_SET_NAME, "grace-init", 0, 0, 0);
}
