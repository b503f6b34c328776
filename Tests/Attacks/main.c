// The command line, the answers, and the bare surroundings for attacks that are to succeed.
#include "attacks.h"

#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char refusals[1024];

void attacks_refused(const char *step) {
    int code = errno;
    const char *name = strerrorname_np(code);
    size_t used = strlen(refusals);
    snprintf(refusals + used, sizeof refusals - used, "%s%s %s", used > 0 ? "; " : "", step, name == NULL ? "0" : name);
}

_Noreturn void attacks_over(void) {
    printf("refused %s\n", refusals);
    fflush(stdout);
    _exit(1);
}

_Noreturn void attacks_succeeded(const char *format, ...) {
    va_list list;
    va_start(list, format);
    printf("succeeded ");
    vprintf(format, list);
    printf("\n");
    fflush(stdout);
    _exit(0);
}

void attacks_started(const char *format, ...) {
    va_list list;
    va_start(list, format);
    printf("started ");
    vprintf(format, list);
    printf("\n");
    fflush(stdout);
}

int attacks_read_at(int directory, const char *path, char *buffer, size_t size) {
    int file = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return -1;
    ssize_t length = read(file, buffer, size - 1);
    int code = errno;
    close(file);
    errno = code;
    if (length < 0)
        return -1;
    buffer[length] = 0;
    return (int)length;
}

int attacks_climb(int directory, const char *secret) {
    char text[256];
    int at = dup(directory);
    struct stat here, above;
    for (int i = 0; i < 64 && at >= 0 && fstat(at, &here) == 0; i++) {
        int parent = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (parent < 0 || fstat(parent, &above) < 0)
            break;
        close(at);
        at = parent;
        if (attacks_read_at(at, secret[0] == '/' ? secret + 1 : secret, text, sizeof text) > 0) {
            close(at);
            return 1;
        }
        if (here.st_ino == above.st_ino && here.st_dev == above.st_dev)
            break;
    }
    int code = errno;
    if (at >= 0)
        close(at);
    errno = code;
    return 0;
}

int attacks_write_file(const char *path, const char *text) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return -1;
    ssize_t written = write(file, text, strlen(text));
    int code = errno;
    close(file);
    errno = code;
    return written < 0 ? -1 : 0;
}

static const struct attack *find(const char *name) {
    const struct attack *const lists[] = {
        attacks_calls, attacks_processes, attacks_mounts, attacks_files, attacks_network, attacks_resources,
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (const struct attack *attack = lists[i]; attack->name != NULL; attack++)
            if (strcmp(attack->name, name) == 0)
                return attack;
    return NULL;
}

static _Noreturn void give_up(const char *step) {
    fprintf(stderr, "grace-attacks: %s: %s\n", step, strerror(errno));
    _exit(3);
}

// New namespaces of its own for an attack that is to succeed without harm: m(ount) p(id) i(pc) u(ts) n(et) c(group).
static void isolate(const char *letters) {
    static const struct {
        char letter;
        int flag;
    } known[] = {{'m', CLONE_NEWNS}, {'p', CLONE_NEWPID}, {'i', CLONE_NEWIPC}, {'u', CLONE_NEWUTS}, {'n', CLONE_NEWNET}, {'c', CLONE_NEWCGROUP}};
    int flags = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strchr(letters, known[i].letter) != NULL)
            flags |= known[i].flag;
    if (unshare(flags) < 0)
        give_up("unshare");
    if ((flags & CLONE_NEWNS) && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        give_up("private mounts");
    if (!(flags & CLONE_NEWPID))
        return;
    pid_t pid = fork();
    if (pid < 0)
        give_up("fork");
    if (pid > 0) {
        int status;
        while (waitpid(pid, &status, 0) < 0)
            if (errno != EINTR)
                give_up("waitpid");
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
    if ((flags & CLONE_NEWNS) && mount("proc", "/proc", "proc", 0, NULL) < 0)
        give_up("proc");
}

int main(int argc, char **argv) {
    int at = 1;
    for (; at + 1 < argc && strncmp(argv[at], "--", 2) == 0; at += 2) {
        if (strcmp(argv[at], "--namespaces") == 0) {
            isolate(argv[at + 1]);
        } else if (strcmp(argv[at], "--root") == 0) {
            if (chroot(argv[at + 1]) < 0 || chdir("/") < 0)
                give_up("chroot");
        } else if (strcmp(argv[at], "--user") == 0) {
            uid_t id = (uid_t)strtoul(argv[at + 1], NULL, 10);
            if (setgroups(0, NULL) < 0 || setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0)
                give_up("setresuid");
        } else {
            break;
        }
    }
    const struct attack *attack = at < argc ? find(argv[at]) : NULL;
    if (attack == NULL || argc - at - 1 < attack->arguments) {
        fprintf(stderr, "usage: grace-attacks [--namespaces mpiunc] [--root DIRECTORY] [--user ID] NAME ARGUMENT…\n");
        return 2;
    }
    attack->run(argv + at + 1);
    attacks_over();
}
