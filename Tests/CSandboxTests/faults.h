// Put in front of every file of CSandbox when it is compiled for its tests (-include): each call that can fail is counted, by the
// process that makes it, and one of them can be made to fail with an errno that no kernel gives, so that it is known again. Every
// place in the source that makes such a call is in a list, so that the tests know of those that they have never made to fail.
#ifndef GRACE_CSANDBOX_FAULTS_H
#define GRACE_CSANDBOX_FAULTS_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { FAULT_ERRNO = ENOTRECOVERABLE };

// Who makes a call: each counts for itself. The launcher is whoever was told to be (fault_become), the zygote, the watchdog and the
// prober too; process 1 and its commands are known by their descent from it.
enum fault_role { FAULT_LAUNCHER, FAULT_FIRST, FAULT_COMMAND, FAULT_OTHER, FAULT_ROLES };
enum { FAULT_MOST = 2048, FAULT_PLACES = 1024 };

// A place in the source: one for each call in the files of CSandbox.
struct fault_place {
    const char *file;
    int line;
    const char *function, *name;
};
extern struct fault_place __start_fault_places[], __stop_fault_places[];

// Shared by all processes of a test.
struct faults {
    int role, index;   // what fails, by its number; index -1: nothing
    int place, code;   // besides: every call from this place, with this errno (0: FAULT_ERRNO); place 0: none, else its number + 1
    int struck;        // how often one was made to fail
    int waits;         // whether the launcher waits without an end (poll)
    int meddle_role;   // who has a byte changed behind its back,
    int meddle_place;  // when it comes to which place (its number + 1; 0: never)
    int count[FAULT_ROLES];
    int places[FAULT_ROLES][FAULT_MOST];
};
extern struct faults *faults;
// What was ever made to fail, by place; outlives a test.
extern unsigned char *fault_ever;
// That byte, in memory shared with whoever is to be deceived; it becomes a 9.
extern char *fault_meddle_at;

void fault_become(int role);
// Whether this call, the next of this process, is to fail; sets errno.
int fault(const struct fault_place *place);
// The number of the `nth` line (from 0) where `function` calls `name`; -1: there is none.
int fault_place_of(const char *function, const char *name, int nth);
// As mmap, but what is mapped ends where nothing is: reading past it is fatal.
void fault_unmap(void);  // what was mapped last
void *fault_mmap(void *place, size_t size, int protection, int flags, int descriptor, off_t offset);
int fault_munmap(void *place, size_t size);
int fault_poll(struct pollfd *watched, nfds_t count, int timeout);

#define FAULT_HERE(text) \
    ({ \
        static struct fault_place fault_here __attribute__((section("fault_places"), used, no_sanitize("address"))) = \
            {__FILE__, __LINE__, __func__, text}; \
        fault(&fault_here); \
    })
#define FAULTY(name, ...) (FAULT_HERE(#name) ? -1 : (name)(__VA_ARGS__))
#define FAULTY_NULL(name, ...) (FAULT_HERE(#name) ? NULL : (name)(__VA_ARGS__))
#define accept4(...) FAULTY(accept4, __VA_ARGS__)
#define bind(...) FAULTY(bind, __VA_ARGS__)
#define calloc(...) FAULTY_NULL(calloc, __VA_ARGS__)
#define chdir(...) FAULTY(chdir, __VA_ARGS__)
#define chmod(...) FAULTY(chmod, __VA_ARGS__)
#define connect(...) FAULTY(connect, __VA_ARGS__)
#define copy_file_range(...) FAULTY(copy_file_range, __VA_ARGS__)
#define dup2(...) FAULTY(dup2, __VA_ARGS__)
#define dup3(...) FAULTY(dup3, __VA_ARGS__)
#define epoll_create1(...) FAULTY(epoll_create1, __VA_ARGS__)
#define epoll_ctl(...) FAULTY(epoll_ctl, __VA_ARGS__)
#define epoll_wait(...) FAULTY(epoll_wait, __VA_ARGS__)
#define execvp(...) FAULTY(execvp, __VA_ARGS__)
#define fchdir(...) FAULTY(fchdir, __VA_ARGS__)
#define fchmod(...) FAULTY(fchmod, __VA_ARGS__)
#define fchmodat(...) FAULTY(fchmodat, __VA_ARGS__)
#define fchownat(...) FAULTY(fchownat, __VA_ARGS__)
#define fcntl(...) FAULTY(fcntl, __VA_ARGS__)
#define fdopendir(...) FAULTY_NULL(fdopendir, __VA_ARGS__)
#define fork(...) FAULTY(fork, __VA_ARGS__)
#define fsconfig(...) FAULTY(fsconfig, __VA_ARGS__)
#define fsmount(...) FAULTY(fsmount, __VA_ARGS__)
#define fsopen(...) FAULTY(fsopen, __VA_ARGS__)
#define fstat(...) FAULTY(fstat, __VA_ARGS__)
#define fstatat(...) FAULTY(fstatat, __VA_ARGS__)
#define fstatfs(...) FAULTY(fstatfs, __VA_ARGS__)
#define fstatvfs(...) FAULTY(fstatvfs, __VA_ARGS__)
#define ftruncate(...) FAULTY(ftruncate, __VA_ARGS__)
#define getrlimit(...) FAULTY(getrlimit, __VA_ARGS__)
#define getsockopt(...) FAULTY(getsockopt, __VA_ARGS__)
#define ioctl(...) FAULTY(ioctl, __VA_ARGS__)
#define kill(...) FAULTY(kill, __VA_ARGS__)
#define lgetxattr(...) FAULTY(lgetxattr, __VA_ARGS__)
#define linkat(...) FAULTY(linkat, __VA_ARGS__)
#define listen(...) FAULTY(listen, __VA_ARGS__)
#define llistxattr(...) FAULTY(llistxattr, __VA_ARGS__)
#define lseek(...) FAULTY(lseek, __VA_ARGS__)
#define lsetxattr(...) FAULTY(lsetxattr, __VA_ARGS__)
#define mkdir(...) FAULTY(mkdir, __VA_ARGS__)
#define mkdirat(...) FAULTY(mkdirat, __VA_ARGS__)
#define mknodat(...) FAULTY(mknodat, __VA_ARGS__)
#define mmap(...) (FAULT_HERE("mmap") ? MAP_FAILED : fault_mmap(__VA_ARGS__))
#define mount(...) FAULTY(mount, __VA_ARGS__)
#define mount_setattr(...) FAULTY(mount_setattr, __VA_ARGS__)
#define move_mount(...) FAULTY(move_mount, __VA_ARGS__)
#define munmap(...) fault_munmap(__VA_ARGS__)
#define open(...) FAULTY(open, __VA_ARGS__)
#define open_tree(...) FAULTY(open_tree, __VA_ARGS__)
#define openat(...) FAULTY(openat, __VA_ARGS__)
#define pipe2(...) FAULTY(pipe2, __VA_ARGS__)
#define poll(...) (FAULT_HERE("poll") ? -1 : fault_poll(__VA_ARGS__))
#define prctl(...) FAULTY(prctl, __VA_ARGS__)
#define pread(...) FAULTY(pread, __VA_ARGS__)
#define pwrite(...) FAULTY(pwrite, __VA_ARGS__)
#define read(...) FAULTY(read, __VA_ARGS__)
#define readdir(...) FAULTY_NULL(readdir, __VA_ARGS__)
#define readlinkat(...) FAULTY(readlinkat, __VA_ARGS__)
#define realloc(...) FAULTY_NULL(realloc, __VA_ARGS__)
#define recvmsg(...) FAULTY(recvmsg, __VA_ARGS__)
#define rmdir(...) FAULTY(rmdir, __VA_ARGS__)
#define sendmsg(...) FAULTY(sendmsg, __VA_ARGS__)
#define sethostname(...) FAULTY(sethostname, __VA_ARGS__)
#define setns(...) FAULTY(setns, __VA_ARGS__)
#define setrlimit(...) FAULTY(setrlimit, __VA_ARGS__)
#define setsid(...) FAULTY(setsid, __VA_ARGS__)
#define shutdown(...) FAULTY(shutdown, __VA_ARGS__)
#define sigaction(...) FAULTY(sigaction, __VA_ARGS__)
#define signalfd(...) FAULTY(signalfd, __VA_ARGS__)
#define sigprocmask(...) FAULTY(sigprocmask, __VA_ARGS__)
#define socket(...) FAULTY(socket, __VA_ARGS__)
#define socketpair(...) FAULTY(socketpair, __VA_ARGS__)
#define strdup(...) FAULTY_NULL(strdup, __VA_ARGS__)
#define symlinkat(...) FAULTY(symlinkat, __VA_ARGS__)
#define timerfd_create(...) FAULTY(timerfd_create, __VA_ARGS__)
#define timerfd_settime(...) FAULTY(timerfd_settime, __VA_ARGS__)
#define umount2(...) FAULTY(umount2, __VA_ARGS__)
#define unshare(...) FAULTY(unshare, __VA_ARGS__)
#define utimensat(...) FAULTY(utimensat, __VA_ARGS__)
#define waitid(...) FAULTY(waitid, __VA_ARGS__)
#define waitpid(...) FAULTY(waitpid, __VA_ARGS__)
#define write(...) FAULTY(write, __VA_ARGS__)
// By its own name: SYS_clone3 is clone3.
#define syscall(number, ...) (FAULT_HERE(&#number[4]) ? -1 : (syscall)(number, ##__VA_ARGS__))
#endif
