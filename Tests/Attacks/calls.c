// Attacks that are one system call, or a few of a kind.
#include "attacks.h"

#include <asm/ldt.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/module.h>
#include <linux/perf_event.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <signal.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <time.h>

// --- user namespaces ---

static void unshare_user(char **arguments) {
    if (syscall(SYS_unshare, CLONE_NEWUSER) == 0)
        attacks_succeeded("unshare made a user namespace");
    attacks_refused("unshare");
}

static void clone_user(char **arguments) {
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    if (pid > 0) {
        waitpid((pid_t)pid, NULL, 0);
        attacks_succeeded("clone made a user namespace");
    }
    attacks_refused("clone");
    // The high half of the flags and the signal in the low byte must not help.
    pid = syscall(SYS_clone, 0x100000000UL | CLONE_NEWUSER | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    if (pid > 0)
        attacks_succeeded("clone made a user namespace with odd flags");
    attacks_refused("clone with odd flags");
}

static void clone3_user(char **arguments) {
    struct clone_args wanted = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    long pid = syscall(SYS_clone3, &wanted, sizeof wanted);
    if (pid == 0)
        _exit(0);
    if (pid > 0) {
        waitpid((pid_t)pid, NULL, 0);
        attacks_succeeded("clone3 made a user namespace");
    }
    attacks_refused("clone3");
}

// `setns FD…`: enters what each descriptor, inherited, stands for.
static void set_namespace(char **arguments) {
    for (; *arguments != NULL; arguments++) {
        if (syscall(SYS_setns, atoi(*arguments), 0) == 0)
            attacks_succeeded("entered the namespace of descriptor %s", *arguments);
        attacks_refused("setns");
    }
}

// --- kernel interfaces with a history ---

static void userfault(char **arguments) {
    int descriptor = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
    if (descriptor >= 0)
        attacks_succeeded("userfaultfd");
    attacks_refused("userfaultfd");
    if (open("/dev/userfaultfd", O_RDWR | O_CLOEXEC) >= 0)
        attacks_succeeded("/dev/userfaultfd");
    attacks_refused("/dev/userfaultfd");
}

static void bpf(char **arguments) {
    union bpf_attr map = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
    if (syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map) >= 0)
        attacks_succeeded("a BPF map");
    attacks_refused("bpf");
}

static void perf(char **arguments) {
    struct perf_event_attr event = {
        .type = PERF_TYPE_SOFTWARE, .size = sizeof event, .config = PERF_COUNT_SW_CPU_CLOCK, .exclude_kernel = 1};
    if (syscall(SYS_perf_event_open, &event, 0, -1, -1, 0) >= 0)
        attacks_succeeded("a performance counter");
    attacks_refused("perf_event_open");
}

static void uring(char **arguments) {
    struct io_uring_params parameters = {0};
    if (syscall(SYS_io_uring_setup, 2, &parameters) >= 0)
        attacks_succeeded("an io_uring");
    attacks_refused("io_uring_setup");
}

// --- keys ---

// `add-key DESCRIPTION`: into the user's keyring, which outlives the process. Bare, with `process` as second argument, into its own.
static void add_key(char **arguments) {
    int ring = arguments[1] != NULL ? KEY_SPEC_PROCESS_KEYRING : KEY_SPEC_USER_KEYRING;
    if (syscall(SYS_add_key, "user", arguments[0], "grace", 5, ring) >= 0)
        attacks_succeeded("a key");
    attacks_refused("add_key");
}

static void request_key(char **arguments) {
    if (arguments[1] != NULL)
        syscall(SYS_add_key, "user", arguments[0], "grace", 5, KEY_SPEC_PROCESS_KEYRING);
    if (syscall(SYS_request_key, "user", arguments[0], NULL, KEY_SPEC_PROCESS_KEYRING) >= 0)
        attacks_succeeded("a key");
    attacks_refused("request_key");
}

static void key_control(char **arguments) {
    if (syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1) >= 0)
        attacks_succeeded("a keyring");
    attacks_refused("keyctl");
    char text[64];
    if (attacks_read_at(AT_FDCWD, "/proc/keys", text, sizeof text) > 0)
        attacks_succeeded("/proc/keys: %s", text);
    errno = ENODATA;
    attacks_refused("/proc/keys");
}

// --- the machine ---

static void kernel_log(char **arguments) {
    if (syscall(SYS_syslog, 10 /* size of the buffer */, NULL, 0) > 0)
        attacks_succeeded("syslog");
    attacks_refused("syslog");
    static const char *const files[] = {"/dev/kmsg", "/proc/kmsg"};
    for (size_t i = 0; i < 2; i++) {
        char line[128];
        if (attacks_read_at(AT_FDCWD, files[i], line, sizeof line) > 0)
            attacks_succeeded("%s was read", files[i]);
        attacks_refused(files[i]);
        if (i == 0 && attacks_write_file(files[i], "<7>grace-attacks was here\n") == 0)
            attacks_succeeded("%s was written", files[i]);
    }
}

static void set_clock(char **arguments) {
    struct timespec now;
    struct timeval day;
    clock_gettime(CLOCK_REALTIME, &now);
    if (syscall(SYS_clock_settime, CLOCK_REALTIME, &now) == 0)
        attacks_succeeded("clock_settime");
    attacks_refused("clock_settime");
    gettimeofday(&day, NULL);
    if (syscall(SYS_settimeofday, &day, NULL) == 0)
        attacks_succeeded("settimeofday");
    attacks_refused("settimeofday");
    static const char *const clocks[] = {"/dev/rtc", "/dev/rtc0", "/dev/ptp0"};
    for (size_t i = 0; i < 3; i++) {
        if (open(clocks[i], O_RDWR | O_CLOEXEC) >= 0)
            attacks_succeeded("%s", clocks[i]);
        attacks_refused(clocks[i]);
    }
}

static void adjust_clock(char **arguments) {
    struct timex same = {0};
    if (adjtimex(&same) < 0)
        attacks_refused("adjtimex to read");
    same.modes = ADJ_TICK;  // to what it is
    if (syscall(SYS_adjtimex, &same) >= 0)
        attacks_succeeded("adjtimex");
    attacks_refused("adjtimex");
    same.modes = ADJ_TICK;
    if (syscall(SYS_clock_adjtime, CLOCK_REALTIME, &same) >= 0)
        attacks_succeeded("clock_adjtime");
    attacks_refused("clock_adjtime");
}

// What would harm the machine if it succeeded is tried in a pid namespace of its own alone: never bare.
static void only_inside(void) {
    struct stat status;
    if (stat("/proc/self/ns/pid", &status) < 0 || status.st_ino != 0xEFFFFFFCU /* PROC_PID_INIT_INO */)
        return;
    fprintf(stderr, "grace-attacks: this attack is never run outside a sandbox\n");
    _exit(3);
}

static void reboot_machine(char **arguments) {
    only_inside();
    if (syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_RESTART, NULL) == 0)
        attacks_succeeded("reboot");
    attacks_refused("reboot");
}

static void kexec(char **arguments) {
    only_inside();
    if (syscall(SYS_kexec_load, 0UL, 0UL, NULL, 0UL) == 0)
        attacks_succeeded("kexec_load");
    attacks_refused("kexec_load");
    if (syscall(SYS_kexec_file_load, -1, -1, 0UL, NULL, 0UL) == 0)
        attacks_succeeded("kexec_file_load");
    attacks_refused("kexec_file_load");
}

static void module(char **arguments) {
    only_inside();
    if (syscall(SYS_init_module, "no module", 9UL, "") == 0)
        attacks_succeeded("init_module");
    attacks_refused("init_module");
    if (syscall(SYS_finit_module, 0, "", 0) == 0)
        attacks_succeeded("finit_module");
    attacks_refused("finit_module");
    if (syscall(SYS_delete_module, "grace_no_such_module", O_NONBLOCK) == 0)
        attacks_succeeded("delete_module");
    attacks_refused("delete_module");
}

static void swap_on(char **arguments) {
    only_inside();
    if (syscall(SYS_swapon, "/grace-no-such-file", 0) == 0)
        attacks_succeeded("swapon");
    attacks_refused("swapon");
    if (syscall(SYS_swapoff, "/grace-no-such-file") == 0)
        attacks_succeeded("swapoff");
    attacks_refused("swapoff");
}

static void ports(char **arguments) {
    if (syscall(SYS_iopl, 3) == 0)
        attacks_succeeded("iopl");
    attacks_refused("iopl");
    if (syscall(SYS_ioperm, 0x80UL, 1UL, 1) == 0)
        attacks_succeeded("ioperm");
    attacks_refused("ioperm");
    static const char *const files[] = {"/dev/port", "/dev/mem", "/dev/kmem", "/proc/kcore"};
    for (size_t i = 0; i < 4; i++) {
        char byte[2];
        if (attacks_read_at(AT_FDCWD, files[i], byte, sizeof byte) > 0)
            attacks_succeeded("%s", files[i]);
        errno = errno == 0 ? ENODATA : errno;
        attacks_refused(files[i]);
    }
}

// --- other doors into the kernel ---

static void x32(char **arguments) {
    long answer = syscall(0x40000000L | SYS_getpid);
    if (answer > 0)
        attacks_succeeded("x32 getpid gave %ld", answer);
    attacks_refused("x32 getpid");
    answer = syscall(0x40000000L | SYS_unshare, CLONE_NEWUSER);
    if (answer == 0)
        attacks_succeeded("x32 unshare");
    attacks_refused("x32 unshare");
}

// The system calls of i386 from a 64-bit program. A kernel without them ends the program: a child tries.
static void int80(char **arguments) {
    int *answer = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (answer == MAP_FAILED)
        return attacks_refused("mmap");
    pid_t pid = fork();
    if (pid == 0) {
        int result;
        __asm__ volatile("int $0x80" : "=a"(result) : "a"(20 /* getpid */) : "memory", "r8", "r9", "r10", "r11");
        *answer = result;
        _exit(0);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    if (*answer > 0)
        attacks_succeeded("int80 getpid gave %d", *answer);
    errno = WIFSIGNALED(status) ? EFAULT : -*answer;
    attacks_refused("int80 getpid");
}

// --- the terminal on descriptor 0 ---

static void type_into_terminal(char **arguments) {
    char typed = 'x';
    if (arguments[0] != NULL) {  // bare: the terminal is to be its own
        setsid();
        ioctl(0, TIOCSCTTY, 0);
    }
    if (syscall(SYS_ioctl, 0L, 0x5412UL /* TIOCSTI */, &typed) == 0)
        attacks_succeeded("TIOCSTI");
    attacks_refused("TIOCSTI");
    // The kernel looks at 32 bits of the request.
    if (syscall(SYS_ioctl, 0L, 0x100005412UL, &typed) == 0)
        attacks_succeeded("TIOCSTI with a high half");
    attacks_refused("TIOCSTI with a high half");
    static char selection[16] = {2 /* select */};
    if (syscall(SYS_ioctl, 0L, 0x541cUL /* TIOCLINUX */, selection) == 0)
        attacks_succeeded("TIOCLINUX");
    attacks_refused("TIOCLINUX");
}

static void linux_terminal(char **arguments) {
    static char selection[16] = {2 /* TIOCL_SETSEL */};
    if (syscall(SYS_ioctl, 0L, 0x541cUL, selection) == 0)
        attacks_succeeded("TIOCLINUX");
    attacks_refused("TIOCLINUX");
    if (syscall(SYS_ioctl, 0L, 0xffffffff0000541cUL, selection) == 0)
        attacks_succeeded("TIOCLINUX with a high half");
    attacks_refused("TIOCLINUX with a high half");
    static const char *const consoles[] = {"/dev/tty0", "/dev/tty1", "/dev/console"};
    for (size_t i = 0; i < 3; i++) {
        if (open(consoles[i], O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC) >= 0)
            attacks_succeeded("%s", consoles[i]);
        attacks_refused(consoles[i]);
    }
}

const struct attack attacks_calls[] = {
    {"unshare-user", 0, unshare_user}, {"clone-user", 0, clone_user}, {"clone3-user", 0, clone3_user},
    {"setns", 1, set_namespace}, {"userfaultfd", 0, userfault}, {"bpf", 0, bpf}, {"perf", 0, perf}, {"io-uring", 0, uring},
    {"add-key", 1, add_key}, {"request-key", 1, request_key}, {"keyctl", 0, key_control}, {"kernel-log", 0, kernel_log},
    {"set-clock", 0, set_clock}, {"adjust-clock", 0, adjust_clock}, {"reboot", 0, reboot_machine}, {"kexec", 0, kexec},
    {"module", 0, module}, {"swap", 0, swap_on}, {"ports", 0, ports}, {"x32", 0, x32}, {"int80", 0, int80},
    {"tiocsti", 0, type_into_terminal}, {"tioclinux", 0, linux_terminal}, {NULL, 0, NULL},
};
