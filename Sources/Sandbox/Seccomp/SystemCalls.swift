internal import CSeccomp

/// The system calls of Grace's standard filter, by what they are for.
///
/// The choice follows the default profiles of Docker and Podman (moby `profiles/seccomp/default.json`), tightened: keyrings, io_uring,
/// userfaultfd, new namespaces and socket families that are not namespaced are out.
enum SystemCalls {
    static let standard: [String] =
        files + memory + processes + signals + time + sockets + events + ids + messages + guarded

    static let files = [
        "access", "chdir", "chmod", "chown", "chown32", "close", "close_range", "copy_file_range", "creat", "dup",
        "dup2", "dup3",
        "faccessat", "faccessat2", "fadvise64", "fadvise64_64", "fallocate", "fchdir", "fchmod", "fchmodat",
        "fchmodat2", "fchown", "fchown32",
        "fchownat", "fcntl", "fcntl64", "fdatasync", "fgetxattr", "flistxattr", "flock", "fremovexattr", "fsetxattr",
        "fstat", "fstat64",
        "fstatat64", "fstatfs", "fstatfs64", "fsync", "ftruncate", "ftruncate64", "futimesat", "getcwd", "ioctl",
        "getdents", "getdents64",
        "getxattr", "inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch", "lchown", "lchown32",
        "lgetxattr", "link",
        "linkat", "listxattr", "llistxattr", "_llseek", "lremovexattr", "lseek", "lsetxattr", "lstat", "lstat64",
        "mkdir", "mkdirat",
        "mknod", "mknodat", "newfstatat", "open", "openat", "openat2", "pipe", "pipe2", "pread64", "preadv", "preadv2",
        "pwrite64",
        "pwritev", "pwritev2", "read", "readahead", "readlink", "readlinkat", "readv", "removexattr", "rename",
        "renameat", "renameat2",
        "rmdir", "sendfile", "sendfile64", "setxattr", "splice", "stat", "stat64", "statfs", "statfs64", "statx",
        "symlink", "symlinkat",
        "sync", "sync_file_range", "sync_file_range2", "syncfs", "tee", "truncate", "truncate64", "umask", "unlink",
        "unlinkat", "utime",
        "utimensat", "utimensat_time64", "utimes", "vmsplice", "write", "writev", "ioprio_get", "ioprio_set",
        "memfd_create", "chroot",
        "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self",
    ]
    static let memory = [
        "brk", "madvise", "process_madvise", "mincore", "mlock", "mlock2", "mlockall", "mmap", "mmap2", "mprotect",
        "mremap", "msync", "munlock",
        "munlockall", "munmap", "membarrier", "remap_file_pages", "pkey_alloc", "pkey_free", "pkey_mprotect",
        "get_mempolicy",
        "set_mempolicy", "mbind",
    ]
    static let processes = [
        "arch_prctl", "capget", "capset", "execve", "execveat", "exit", "exit_group", "fork", "futex", "futex_time64",
        "futex_waitv",
        "get_robust_list", "get_thread_area", "getcpu", "getpgid", "getpgrp", "getpid", "getppid", "getpriority",
        "getrlimit", "getrusage",
        "getsid", "gettid", "getrandom", "kill", "pidfd_open", "pidfd_send_signal", "prctl", "prlimit64", "rseq",
        "sched_get_priority_max",
        "sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam", "sched_getscheduler",
        "sched_rr_get_interval",
        "sched_rr_get_interval_time64", "sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler",
        "sched_yield",
        "seccomp", "set_robust_list", "set_thread_area", "set_tid_address", "setpgid", "setpriority", "setrlimit",
        "setsid", "sysinfo",
        "tgkill", "times", "tkill", "ugetrlimit", "uname", "vfork", "wait4", "waitid", "waitpid", "cacheflush",
        "set_tls", "breakpoint",
    ]
    static let signals = [
        "pause", "restart_syscall", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo",
        "rt_sigreturn", "rt_sigsuspend",
        "rt_sigtimedwait", "rt_sigtimedwait_time64", "rt_tgsigqueueinfo", "sigaltstack", "signalfd", "signalfd4",
        "sigprocmask", "sigreturn",
    ]
    static let time = [
        "alarm", "clock_getres", "clock_getres_time64", "clock_gettime", "clock_gettime64", "clock_nanosleep",
        "clock_nanosleep_time64",
        "getitimer", "gettimeofday", "nanosleep", "setitimer", "time", "timer_create", "timer_delete",
        "timer_getoverrun", "timer_gettime",
        "timer_gettime64", "timer_settime", "timer_settime64", "timerfd_create", "timerfd_gettime", "timerfd_gettime64",
        "timerfd_settime",
        "timerfd_settime64",
    ]
    static let sockets = [
        "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen", "recv",
        "recvfrom", "recvmmsg",
        "recvmmsg_time64", "recvmsg", "send", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown", "socketcall",
        "socketpair",
    ]
    static let events = [
        "epoll_create", "epoll_create1", "epoll_ctl", "epoll_ctl_old", "epoll_pwait", "epoll_pwait2", "epoll_wait",
        "epoll_wait_old", "eventfd",
        "eventfd2", "io_cancel", "io_destroy", "io_getevents", "io_pgetevents", "io_setup", "io_submit", "poll",
        "ppoll", "ppoll_time64",
        "pselect6", "pselect6_time64", "select", "_newselect",
    ]
    static let ids = [
        "getegid", "getegid32", "geteuid", "geteuid32", "getgid", "getgid32", "getgroups", "getgroups32", "getresgid",
        "getresgid32",
        "getresuid", "getresuid32", "getuid", "getuid32", "setfsgid", "setfsgid32", "setfsuid", "setfsuid32", "setgid",
        "setgid32",
        "setgroups", "setgroups32", "setregid", "setregid32", "setresgid", "setresgid32", "setresuid", "setresuid32",
        "setreuid",
        "setreuid32", "setuid", "setuid32",
    ]
    static let messages = [
        "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedreceive_time64", "mq_timedsend",
        "mq_timedsend_time64", "mq_unlink",
        "msgctl", "msgget", "msgrcv", "msgsnd", "semctl", "semget", "semop", "semtimedop", "semtimedop_time64", "shmat",
        "shmctl", "shmdt",
        "shmget", "ipc",
    ]
    /// `socket` and `clone` are allowed as far as ``FilterGuards`` lets them.
    static let guarded = ["clone", "socket"]

    /// Groups that a profile may name in `seccomp.allow` or `seccomp.deny`.
    static let groups: [String: [String]] = [
        "@debug": ["ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd"],
        "@handles": ["name_to_handle_at"],
        "@network": sockets + ["socket"],
        "@ipc": messages,
    ]

    /// Calls that answer EPERM, and that no profile can allow: they change what a sandbox is made of, or reach past it.
    static let forbidden: Set<String> = [
        "mount", "umount", "umount2", "pivot_root", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount",
        "fspick", "mount_setattr",
        "setns", "unshare", "bpf", "perf_event_open", "kexec_load", "kexec_file_load", "init_module", "finit_module",
        "delete_module",
        "create_module", "query_module", "get_kernel_syms", "reboot", "swapon", "swapoff", "acct", "quotactl",
        "quotactl_fd", "settimeofday", "stime",
        "clock_settime", "clock_settime64", "adjtimex", "clock_adjtime", "clock_adjtime64", "add_key", "request_key",
        "keyctl", "ioperm", "iopl",
        "open_by_handle_at", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "syslog",
        "vhangup", "sethostname",
        "setdomainname", "lookup_dcookie", "nfsservctl", "personality", "uselib", "ustat", "sysfs", "_sysctl",
        "fanotify_init", "fanotify_mark",
        "vm86", "vm86old", "modify_ldt", "migrate_pages", "move_pages", "memfd_secret", "set_mempolicy_home_node",
    ]

    /// Those of them (and of what profiles deny) that answer EPERM without a report: programs try them out of habit, and what they
    /// would do is harmless or long gone.
    static let quiet: Set<String> = [
        "personality", "migrate_pages", "move_pages", "set_mempolicy_home_node", "create_module", "query_module",
        "get_kernel_syms", "lookup_dcookie", "nfsservctl", "uselib", "ustat", "sysfs", "_sysctl", "vm86", "vm86old",
    ]

    /// What process 1 of a sandbox calls once it is under the filter, and its children until they execute a command. A filter that
    /// denied one of them would keep every sandbox from starting; one that reported it would make process 1 wait for its own supervisor.
    static let essential: Set<String> = [
        "brk", "capset", "chdir", "clone", "close", "close_range", "dup2", "dup3", "execve", "exit_group", "fcntl",
        "fork", "fstat", "getpid", "ioctl", "kill", "mmap", "munmap", "newfstatat", "open", "openat", "pipe2", "poll",
        "ppoll", "prctl", "prlimit64", "read", "recvmsg", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sendmsg",
        "set_robust_list", "setgroups", "setpgid", "setresgid", "setresuid", "setrlimit", "setsid", "signalfd4",
        "waitid", "write",
    ]

    /// The number on this machine's architecture, or `nil` when it has none.
    static func number(of name: String) -> Int32? {
        let number = seccomp_syscall_resolve_name(name)
        return number >= 0 ? number : nil
    }

    /// Whether libseccomp has ever heard of the call, on any architecture.
    static func isKnown(_ name: String) -> Bool { seccomp_syscall_resolve_name(name) != -1 }
}
