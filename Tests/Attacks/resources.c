// Attacks that use things up. Each stops by itself at the amount it is told, so that it can be run without its limit too.
#include "attacks.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { mebibyte = 1 << 20 };
static char block[mebibyte];

// `memory-bomb MEBIBYTES`
static void memory_bomb(char **arguments) {
    int wanted = atoi(arguments[0]);
    for (int i = 0; i < wanted; i++) {
        char *memory = mmap(NULL, mebibyte, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
            return attacks_refused("mmap");
        memset(memory, i + 1, mebibyte);
    }
    attacks_succeeded("%d MiB", wanted);
}

static int fill_file(int file, int wanted) {
    memset(block, 'x', sizeof block);
    for (int i = 0; i < wanted; i++)
        for (size_t done = 0; done < sizeof block;) {
            ssize_t count = write(file, block + done, sizeof block - done);
            if (count < 0)
                return -1;
            done += (size_t)count;
        }
    return 0;
}

// `fill MEBIBYTES DIRECTORY…`: success is all of it in one of them; a file that is full stays.
static void fill(char **arguments) {
    int wanted = atoi(arguments[0]);
    for (char **place = arguments + 1; *place != NULL; place++) {
        char path[512];
        snprintf(path, sizeof path, "%s/grace-fill", *place);
        int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        if (file >= 0 && fill_file(file, wanted) == 0)
            attacks_succeeded("%d MiB below %s", wanted, *place);
        attacks_refused(*place);
    }
}

static void fill_memfd(char **arguments) {
    int wanted = atoi(arguments[0]);
    int file = memfd_create("grace-fill", MFD_CLOEXEC);
    if (file >= 0 && fill_file(file, wanted) == 0)
        attacks_succeeded("%d MiB", wanted);
    attacks_refused("memfd");
}

// `fill-inodes COUNT DIRECTORY`
static void fill_inodes(char **arguments) {
    int wanted = atoi(arguments[0]);
    for (int i = 0; i < wanted; i++) {
        char path[512], step[32];
        snprintf(path, sizeof path, "%s/grace-inode-%d", arguments[1], i);
        if (mknod(path, S_IFREG | 0644, 0) < 0) {
            snprintf(step, sizeof step, "file %d", i);
            return attacks_refused(step);
        }
    }
    attacks_succeeded("%d files", wanted);
}

// `descriptors COUNT`
static void descriptors(char **arguments) {
    int wanted = atoi(arguments[0]);
    struct rlimit more = {(rlim_t)wanted + 16, (rlim_t)wanted + 16};
    if (setrlimit(RLIMIT_NOFILE, &more) < 0)
        attacks_refused("setrlimit");
    for (int i = 3; i < wanted; i++)
        if (dup(0) < 0) {
            char step[32];
            snprintf(step, sizeof step, "descriptor %d", i);
            return attacks_refused(step);
        }
    attacks_succeeded("%d descriptors", wanted);
}

const struct attack attacks_resources[] = {
    {"memory-bomb", 1, memory_bomb}, {"fill", 2, fill}, {"fill-memfd", 1, fill_memfd}, {"fill-inodes", 2, fill_inodes},
    {"descriptors", 1, descriptors}, {NULL, 0, NULL},
};
