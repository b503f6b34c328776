// syscall-killer [--changing] N PROGRAM [ARGUMENT…]
//
// Runs a program under ptrace(2) and kills it with SIGKILL right after its N-th system call (N = 0: never), over all its threads,
// counted from close(77770001) to close(77770002), which the program makes for this. With --changing only calls count that can
// change a file system or start a program. Prints `calls=COUNT last=NUMBER killed=0|1 status=STATUS`.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/fs.h>
#include <linux/ptrace.h>
#include <unistd.h>

enum { BEGIN = 77770001, END = 77770002 };

static int changes(const struct ptrace_syscall_info *call) {
    switch (call->entry.nr) {
    case SYS_openat:
        return (call->entry.args[2] & (O_CREAT | O_TRUNC)) != 0 || (call->entry.args[2] & O_TMPFILE) == O_TMPFILE;
    case SYS_ioctl:
        return call->entry.args[1] == FICLONE || call->entry.args[1] == FICLONERANGE;
    case SYS_openat2: case SYS_write: case SYS_pwrite64: case SYS_writev: case SYS_pwritev: case SYS_ftruncate: case SYS_fallocate:
    case SYS_copy_file_range: case SYS_sendfile: case SYS_rename: case SYS_renameat: case SYS_renameat2: case SYS_link:
    case SYS_linkat: case SYS_symlink: case SYS_symlinkat: case SYS_unlink: case SYS_unlinkat: case SYS_rmdir: case SYS_mkdir:
    case SYS_mkdirat: case SYS_mknod: case SYS_mknodat: case SYS_chmod: case SYS_fchmod: case SYS_fchmodat: case SYS_chown:
    case SYS_fchown: case SYS_lchown: case SYS_fchownat: case SYS_setxattr: case SYS_lsetxattr: case SYS_fsetxattr:
    case SYS_removexattr: case SYS_lremovexattr: case SYS_fremovexattr: case SYS_utimensat: case SYS_fsync: case SYS_fdatasync:
    case SYS_syncfs: case SYS_flock: case SYS_execve: case SYS_clone: case SYS_clone3: case SYS_vfork: case SYS_fork:
        return 1;
    default:
        return 0;
    }
}

// The call that each traced thread is in.
static struct {
    pid_t tid;
    int counts;
    unsigned long number;
    long mark;
} threads[1024];

static int slot(pid_t tid) {
    int free_one = -1;
    for (int i = 0; i < 1024; i++) {
        if (threads[i].tid == tid)
            return i;
        if (threads[i].tid == 0 && free_one < 0)
            free_one = i;
    }
    if (free_one < 0) {
        fprintf(stderr, "syscall-killer: too many threads\n");
        exit(3);
    }
    threads[free_one].tid = tid;
    return free_one;
}

int main(int argc, char **argv) {
    int only_changing = argc > 1 && strcmp(argv[1], "--changing") == 0;
    if (only_changing) {
        argc--;
        argv++;
    }
    if (argc < 3) {
        fprintf(stderr, "usage: syscall-killer [--changing] N PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    long wanted = atol(argv[1]);
    pid_t victim = fork();
    if (victim < 0)
        return 3;
    if (victim == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        execv(argv[2], argv + 2);
        _exit(127);
    }
    int status;
    if (waitpid(victim, &status, 0) < 0 || !WIFSTOPPED(status))
        return 3;
    // What the victim starts is not traced: a command is killed by nobody when its promoter is.
    ptrace(PTRACE_SETOPTIONS, victim, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL | PTRACE_O_TRACEEXEC);
    ptrace(PTRACE_SYSCALL, victim, 0, 0);

    long calls = 0, last = -1;
    int counting = 0, killed = 0, code = -1;
    for (;;) {
        pid_t tid = waitpid(-1, &status, __WALL);
        if (tid < 0) {
            if (errno == EINTR)
                continue;
            break;
        }
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            threads[slot(tid)].tid = 0;
            if (tid == victim) {
                code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
                break;
            }
            continue;
        }
        if (killed)
            continue;
        int signal = WSTOPSIG(status), deliver = 0;
        if (signal == (SIGTRAP | 0x80)) {
            struct ptrace_syscall_info call = {0};
            int at = slot(tid);
            if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof call, &call) > 0) {
                if (call.op == PTRACE_SYSCALL_INFO_ENTRY) {
                    threads[at].counts = !only_changing || changes(&call);
                    threads[at].number = call.entry.nr;
                    threads[at].mark = call.entry.nr == SYS_close ? (long)call.entry.args[0] : 0;
                } else if (call.op == PTRACE_SYSCALL_INFO_EXIT) {
                    if (threads[at].mark == BEGIN) {
                        counting = 1;
                    } else if (threads[at].mark == END) {
                        counting = 0;
                    } else if (counting && threads[at].counts) {
                        calls++;
                        last = (long)threads[at].number;
                        if (calls == wanted) {
                            kill(victim, SIGKILL);
                            killed = 1;
                            continue;
                        }
                    }
                    threads[at].mark = 0;
                }
            }
        } else if (status >> 16 != 0 || signal == SIGSTOP || signal == SIGTRAP) {
            // A clone, an exec, or a new thread's first stop.
        } else {
            deliver = signal;
        }
        ptrace(PTRACE_SYSCALL, tid, 0, deliver);
    }
    printf("calls=%ld last=%ld killed=%d status=%d\n", calls, last, killed, code);
    return 0;
}
