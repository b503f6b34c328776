// Put in front of every file of CSandbox when it is compiled for its tests (-include): each call that can fail is counted, by the
// process that makes it, and one of them can be made to fail with an errno that no kernel gives, so that it is known again.
#ifndef GRACE_CSANDBOX_FAULTS_H
#define GRACE_CSANDBOX_FAULTS_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
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
#include <sys/xattr.h>
#include <unistd.h>

enum { FAULT_ERRNO = ENOTRECOVERABLE };

// Who makes a call: each counts for itself.
enum fault_role { FAULT_LAUNCHER, FAULT_FIRST, FAULT_COMMAND, FAULT_OTHER, FAULT_ROLES };
enum { FAULT_MOST = 1024 };

// Shared by all processes of a test.
struct faults {
    int launcher;     // its process number
    int role, index;  // what fails; index -1: nothing
    int struck;       // whether it was reached
    int count[FAULT_ROLES];
    char name[FAULT_ROLES][FAULT_MOST][20];
};
extern struct faults *faults;

// Whether this call, the next of this process, is to fail; sets errno.
int fault(const char *name);
const char *fault_syscall(long number);
// As mmap, but what is mapped ends where nothing is: reading past it is fatal.
void fault_unmap(void);  // what was mapped last
void *fault_mmap(void *place, size_t size, int protection, int flags, int descriptor, off_t offset);

#define FAULTY(name, ...) (fault(#name) ? -1 : (name)(__VA_ARGS__))
#define chdir(...) FAULTY(chdir, __VA_ARGS__)
#define copy_file_range(...) FAULTY(copy_file_range, __VA_ARGS__)
#define dup2(...) FAULTY(dup2, __VA_ARGS__)
#define dup3(...) FAULTY(dup3, __VA_ARGS__)
#define execvp(...) FAULTY(execvp, __VA_ARGS__)
#define fchdir(...) FAULTY(fchdir, __VA_ARGS__)
#define fchmod(...) FAULTY(fchmod, __VA_ARGS__)
#define fchmodat(...) FAULTY(fchmodat, __VA_ARGS__)
#define fchownat(...) FAULTY(fchownat, __VA_ARGS__)
#define fcntl(...) FAULTY(fcntl, __VA_ARGS__)
#define fdopendir(...) (fault("fdopendir") ? NULL : (fdopendir)(__VA_ARGS__))
#define fork(...) FAULTY(fork, __VA_ARGS__)
#define fsconfig(...) FAULTY(fsconfig, __VA_ARGS__)
#define fsmount(...) FAULTY(fsmount, __VA_ARGS__)
#define fsopen(...) FAULTY(fsopen, __VA_ARGS__)
#define fstat(...) FAULTY(fstat, __VA_ARGS__)
#define fstatat(...) FAULTY(fstatat, __VA_ARGS__)
#define fstatfs(...) FAULTY(fstatfs, __VA_ARGS__)
#define fstatvfs(...) FAULTY(fstatvfs, __VA_ARGS__)
#define ftruncate(...) FAULTY(ftruncate, __VA_ARGS__)
#define ioctl(...) FAULTY(ioctl, __VA_ARGS__)
#define lgetxattr(...) FAULTY(lgetxattr, __VA_ARGS__)
#define linkat(...) FAULTY(linkat, __VA_ARGS__)
#define llistxattr(...) FAULTY(llistxattr, __VA_ARGS__)
#define lseek(...) FAULTY(lseek, __VA_ARGS__)
#define lsetxattr(...) FAULTY(lsetxattr, __VA_ARGS__)
#define mkdirat(...) FAULTY(mkdirat, __VA_ARGS__)
#define mknodat(...) FAULTY(mknodat, __VA_ARGS__)
#define mmap(...) (fault("mmap") ? MAP_FAILED : fault_mmap(__VA_ARGS__))
#define mount(...) FAULTY(mount, __VA_ARGS__)
#define mount_setattr(...) FAULTY(mount_setattr, __VA_ARGS__)
#define move_mount(...) FAULTY(move_mount, __VA_ARGS__)
#define open(...) FAULTY(open, __VA_ARGS__)
#define openat(...) FAULTY(openat, __VA_ARGS__)
#define open_tree(...) FAULTY(open_tree, __VA_ARGS__)
#define pipe2(...) FAULTY(pipe2, __VA_ARGS__)
#define prctl(...) FAULTY(prctl, __VA_ARGS__)
#define pread(...) FAULTY(pread, __VA_ARGS__)
#define readlinkat(...) FAULTY(readlinkat, __VA_ARGS__)
#define sendmsg(...) FAULTY(sendmsg, __VA_ARGS__)
#define sethostname(...) FAULTY(sethostname, __VA_ARGS__)
#define setns(...) FAULTY(setns, __VA_ARGS__)
#define setrlimit(...) FAULTY(setrlimit, __VA_ARGS__)
#define setsid(...) FAULTY(setsid, __VA_ARGS__)
#define signalfd(...) FAULTY(signalfd, __VA_ARGS__)
#define socket(...) FAULTY(socket, __VA_ARGS__)
#define symlinkat(...) FAULTY(symlinkat, __VA_ARGS__)
#define syscall(number, ...) (fault(fault_syscall(number)) ? -1 : (syscall)(number, ##__VA_ARGS__))
#define umount2(...) FAULTY(umount2, __VA_ARGS__)
#define unshare(...) FAULTY(unshare, __VA_ARGS__)
#define utimensat(...) FAULTY(utimensat, __VA_ARGS__)
#define write(...) FAULTY(write, __VA_ARGS__)
#endif
