#include "support.h"

#include <ftw.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>

struct faults *faults;
char place[64];
int failures, checks;

void check(int holds, const char *format, ...) {
    checks++;
    if (holds)
        return;
    failures++;
    va_list arguments;
    va_start(arguments, format);
    fputs("FAILED: ", stdout);
    vprintf(format, arguments);
    puts("");
    va_end(arguments);
    fflush(stdout);
}

// --- faults -----------------------------------------------------------------------------------------------------------

int fault(const char *name) {
    if (faults == NULL)
        return 0;
    int pid = getpid();
    int role = pid == 1 ? FAULT_FIRST : pid == faults->launcher ? FAULT_LAUNCHER : getppid() == 1 ? FAULT_COMMAND : FAULT_OTHER;
    int index = faults->count[role]++;
    if (index < FAULT_MOST)
        snprintf(faults->name[role][index], sizeof faults->name[role][index], "%s", name);
    if (role != faults->role || index != faults->index)
        return 0;
    faults->struck = 1;
    errno = FAULT_ERRNO;
    return 1;
}

const char *fault_syscall(long number) {
    switch (number) {
    case SYS_clone3: return "clone3";
    case SYS_pivot_root: return "pivot_root";
    case SYS_seccomp: return "seccomp";
    case SYS_capset: return "capset";
    case SYS_openat2: return "openat2";
    case SYS_pidfd_open: return "pidfd_open";
    case SYS_close_range: return "close_range";
    case SYS_setresuid: return "setresuid";
    case SYS_setresgid: return "setresgid";
    case SYS_setgroups: return "setgroups";
    case SYS_keyctl: return "keyctl";
    case SYS_prctl: return "prctl";
    case SYS_setpgid: return "setpgid";
    default: return "syscall";
    }
}

static char *last_pages;
static size_t last_room;

void fault_unmap(void) {
    if (last_pages != NULL)
        munmap(last_pages, last_room);
    last_pages = NULL;
}

void *fault_mmap(void *where, size_t size, int protection, int flags, int descriptor, off_t offset) {
    if (!(flags & MAP_ANONYMOUS))
        return mmap(where, size, protection, flags, descriptor, offset);
    size_t room = (size + 4095) & ~(size_t)4095, end = (size + 7) & ~(size_t)7;
    char *pages = mmap(NULL, room + 4096, protection, flags, -1, 0);
    if (pages == MAP_FAILED)
        return MAP_FAILED;
    mprotect(pages + room, 4096, PROT_NONE);
    last_pages = pages;
    last_room = room + 4096;
    return pages + room - end;
}

// --- the place --------------------------------------------------------------------------------------------------------

static void directory(const char *name, mode_t mode) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", place, name);
    if (mkdir(path, mode) < 0 || chmod(path, mode) < 0) {
        perror(path);
        exit(2);
    }
}

static void file(const char *name, const char *content) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", place, name);
    int made = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (made < 0 || write(made, content, strlen(content)) != (ssize_t)strlen(content)) {
        perror(path);
        exit(2);
    }
    close(made);
}

// Everything that a layer can hold, to be copied.
static void fill_layer(const char *name) {
    char path[256], other[256];
    snprintf(path, sizeof path, "%s/sub", name);
    directory(path, 0755);
    snprintf(path, sizeof path, "%s/file", name);
    file(path, "copied");
    snprintf(other, sizeof other, "%s/%s/hard", place, name);
    snprintf(path, sizeof path, "%s/%s/file", place, name);
    if (link(path, other) < 0 || lsetxattr(path, "user.kept", "yes", 3, 0) < 0 || truncate(path, 1 << 20) < 0)
        perror("layer");
    snprintf(path, sizeof path, "%s/sub/deep", name);
    file(path, "deep");
    snprintf(path, sizeof path, "%s/%s/link", place, name);
    snprintf(other, sizeof other, "%s/%s/gone", place, name);
    if (symlink("file", path) < 0 || mknod(other, S_IFCHR, 0) < 0)
        perror("layer");
}

void make_place(void) {
    const char *within = getenv("GRACE_TEST_PLACE");
    snprintf(place, sizeof place, "%s/place-XXXXXX", within != NULL ? within : "/var/tmp");
    if (mkdtemp(place) == NULL) {
        perror(place);
        exit(2);
    }
    chmod(place, 0755);
    const char *const roots[] = {"root",     "root/bin", "root/proc", "root/dev",  "root/sys", "root/run", "root/tmp",
                                 "root/etc", "root/usr", "root/usr/sbin", "root/data", "root/more", "root/kept", "root/secret"};
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++)
        directory(roots[i], 0755);
    file("root/etc/key", "secret");
    // What the overlays below / lie over, and their layers: all of them on one file system, as a state directory is.
    const char *const others[] = {"stage",     "data",      "data/sub", "more",       "kept",      "upper",    "upper/u",
                                  "upper/w",   "low",       "stack",    "stack/u",    "stack/w",   "durable",  "durable/u",
                                  "durable/w", "cgroups"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        directory(others[i], 0755);
    file("data/sub/there", "live");
    file("more/there", "live");
    fill_layer("low");
    char command[512];
    snprintf(command, sizeof command, "cp \"$GRACE_TEST_INSIDE\" %s/root/bin/inside && chmod 755 %s/root/bin/inside", place, place);
    if (system(command) != 0) {
        fputs("the program for the inside cannot be copied\n", stderr);
        exit(2);
    }
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where) { return remove(path); }

static int open_one(const char *path, const struct stat *status, int kind, struct FTW *where) {
    return kind == FTW_DNR ? chmod(path, 0700) : 0;
}

void remove_place(void) {
    nftw(place, open_one, 32, FTW_PHYS);
    if (nftw(place, remove_one, 32, FTW_DEPTH | FTW_PHYS) != 0)
        perror(place);
}

// --- plans and commands -------------------------------------------------------------------------------------------------

uint32_t flat_string(struct flat *flat, const char *text) {
    uint32_t offset = flat->size;
    memcpy(flat->bytes + offset, text, strlen(text) + 1);
    flat->size += (uint32_t)strlen(text) + 1;
    return offset;
}

uint32_t flat_array(struct flat *flat, const void *items, size_t size) {
    flat->size = (flat->size + 7) & ~7U;
    uint32_t offset = flat->size;
    if (size > 0)
        memcpy(flat->bytes + offset, items, size);
    flat->size += (uint32_t)size;
    return offset;
}

int flat_file(const void *bytes, size_t size) {
    int made = memfd_create("test", MFD_CLOEXEC);
    if (made < 0 || write(made, bytes, size) != (ssize_t)size) {
        perror("memfd");
        exit(2);
    }
    return made;
}

static uint32_t below(struct flat *flat, const char *name) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", place, name);
    return flat_string(flat, path);
}

void make_plan(struct flat *flat, const struct trial *trial) {
    memset(flat, 0, sizeof *flat);
    flat->size = sizeof(struct csandbox_plan);
    struct csandbox_plan plan = {
        .magic = CSANDBOX_MAGIC, .version = CSANDBOX_VERSION, .mode = trial->mode, .flags = trial->flags,
        .mapped_first = 2147483648U, .mapped_count = 2147483647U, .cgroup_count = (uint32_t)trial->cgroups,
        .capabilities = UINT64_C(1) << 0 | UINT64_C(1) << 6 | UINT64_C(1) << 7, .temporary_bytes = 1 << 20, .open_files = 64};
    struct csandbox_overlay overlays[OVERLAYS];
    memset(overlays, 0, sizeof overlays);
    uint32_t count = 0;
    struct csandbox_overlay *overlay = &overlays[count++];
    *overlay = (struct csandbox_overlay){.base = CSANDBOX_NONE, .is_volatile = 1};
    overlay->mount_point = flat_string(flat, "/");
    overlay->live = below(flat, "root");
    if (!trial->only_root) {
        // Throw-away with an upper layer of the caller's.
        overlay = &overlays[count++];
        *overlay = (struct csandbox_overlay){.is_volatile = 1};
        overlay->mount_point = flat_string(flat, "/data");
        overlay->live = below(flat, "data");
        overlay->base = below(flat, "upper");
        overlay->upper = flat_string(flat, "u");
        overlay->work = flat_string(flat, "w");
        // Throw-away with one more layer on live's own file system: it is copied.
        overlay = &overlays[count++];
        *overlay = (struct csandbox_overlay){.base = CSANDBOX_NONE, .is_volatile = 1, .lower_count = 1};
        overlay->mount_point = flat_string(flat, "/more");
        overlay->live = below(flat, "more");
        overlay->lowers[0] = below(flat, "low");
        // Lasting, with such a layer: stacked.
        overlay = &overlays[count++];
        *overlay = (struct csandbox_overlay){.lower_count = 1, .stacked = 1};
        overlay->mount_point = flat_string(flat, "/kept");
        overlay->live = below(flat, "kept");
        overlay->lowers[0] = below(flat, "stack/u");
        overlay->under_base = below(flat, "stack");
        overlay->under_upper = flat_string(flat, "u");
        overlay->under_work = flat_string(flat, "w");
        overlay->base = below(flat, "durable");
        overlay->upper = flat_string(flat, "u");
        overlay->work = flat_string(flat, "w");
    }
    uint32_t masks[3] = {flat_string(flat, "/secret"), flat_string(flat, "/etc/key"), flat_string(flat, "/not/there")};
    plan.scratch_inodes = 1000;
    plan.scratch_device = trial->device != NULL ? flat_string(flat, trial->device) : CSANDBOX_NONE;
    plan.resolver = trial->only_root ? CSANDBOX_NONE : flat_string(flat, "nameserver 127.0.0.1\n");
    plan.hostname = flat_string(flat, "sandbox");
    plan.stage = below(flat, "stage");
    plan.overlay_count = count;
    plan.overlays = flat_array(flat, overlays, count * sizeof *overlays);
    plan.mask_count = 3;
    plan.masks = flat_array(flat, masks, sizeof masks);
    flat_string(flat, "");
    plan.size = flat->size;
    memcpy(flat->bytes, &plan, sizeof plan);
}

void make_command(struct flat *flat, const struct trial *trial) {
    memset(flat, 0, sizeof *flat);
    flat->size = sizeof(struct csandbox_command);
    struct csandbox_command command = {
        .magic = CSANDBOX_MAGIC, .version = CSANDBOX_VERSION, .flags = trial->command_flags, .uid = trial->uid,
        .gid = trial->uid, .passed_count = (uint32_t)trial->passed};
    uint32_t groups[1] = {trial->uid}, targets[CSANDBOX_MAX_PASSED] = {0};
    for (int i = 0; i < trial->passed; i++)
        targets[i] = (uint32_t)i;
    uint32_t arguments[2] = {flat_string(flat, trial->program),
                             flat_string(flat, trial->argument != NULL ? trial->argument : "0")};
    uint32_t environment[1] = {flat_string(flat, "PATH=/bin")};
    command.directory = flat_string(flat, trial->directory != NULL ? trial->directory : "/");
    command.group_count = 1;
    command.groups = flat_array(flat, groups, sizeof groups);
    command.argument_count = 2;
    command.arguments = flat_array(flat, arguments, sizeof arguments);
    command.environment_count = 1;
    command.environment = flat_array(flat, environment, sizeof environment);
    command.passed = flat_array(flat, targets, sizeof *targets * (size_t)trial->passed);
    flat_string(flat, "");
    command.size = flat->size;
    memcpy(flat->bytes, &command, sizeof command);
}

// --- running --------------------------------------------------------------------------------------------------------------

// Allows everything, reports keyctl.
static int filter(const struct trial *trial) {
    if (trial->filter != NULL)
        return flat_file(trial->filter, trial->filter_size);
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_keyctl, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, trial->flags & CSANDBOX_LISTENER ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    return flat_file(program, sizeof program);
}

static _Noreturn void launch(const struct trial *trial, int plan, int control) {
    int program = filter(trial);
    int moved[3] = {fcntl(plan, F_DUPFD, 64), fcntl(control, F_DUPFD, 64), fcntl(program, F_DUPFD, 64)};
    for (int i = 0; i < 3; i++)
        dup2(moved[i], 3 + i);
    for (int i = 0; i < trial->cgroups; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/cgroups/%d", place, i);
        int procs = open(path, O_WRONLY | O_CREAT, 0600);
        dup2(procs, CSANDBOX_CGROUP_FD + i);
    }
    int used = CSANDBOX_CGROUP_FD + trial->cgroups;
    // One made for it: what happens in it must not be the host's.
    if (trial->flags & CSANDBOX_GIVEN_NETWORK && unshare(CLONE_NEWNET) == 0)
        dup2(open("/proc/self/ns/net", O_RDONLY), used++);
    if (trial->flags & CSANDBOX_SEATED)
        dup2(open(trial->seat, O_RDONLY | O_DIRECTORY), used++);
    close_range((unsigned)used, ~0U, 0);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    if (trial->mode == CSANDBOX_USER && (setgid(65534) < 0 || setuid(65534) < 0))
        _exit(2);
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    if (faults != NULL)
        faults->launcher = getpid();
    _exit(csandbox_launch());
}

static void send_command(const struct trial *trial, int control) {
    static struct flat flat;
    int32_t sent[1 + CSANDBOX_MAX_PASSED];
    if (trial->command == NULL)
        make_command(&flat, trial);
    sent[0] = trial->command != NULL ? flat_file(trial->command, trial->command_size) : flat_file(flat.bytes, flat.size);
    for (int i = 0; i < trial->passed; i++)
        sent[1 + i] = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i <= trial->repeat; i++) {
        struct csandbox_message message = {.type = CSANDBOX_RUN, .id = 7 + (uint32_t)i};
        csandbox_send(control, &message, sent, 1 + trial->passed);
    }
    for (int i = 0; i <= trial->passed; i++)
        close(sent[i]);
}

// One message; whether the conversation is over for this trial.
static int take(struct trial *trial, int control, const struct csandbox_message *message, struct csandbox_denied **denied,
                const int32_t *descriptors, int count) {
    if (message->type == CSANDBOX_LISTENING && count == 1 && *denied == NULL) {
        *denied = csandbox_denied_make(descriptors[0], 4096, 4096);
        return 0;
    }
    for (int i = 0; i < count; i++)
        close(descriptors[i]);
    switch (message->type) {
    case CSANDBOX_READY:
        trial->ready = count == 3;
        if (trial->ask_socket != 0) {
            struct csandbox_message wanted = {.type = CSANDBOX_SOCKET, .id = 3, .value = trial->ask_socket};
            csandbox_send(control, &wanted, NULL, 0);
        } else if (trial->program != NULL || trial->command != NULL) {
            send_command(trial, control);
        } else {
            return 1;
        }
        return 0;
    case CSANDBOX_MADE_SOCKET:
        trial->socket_code = message->value;
        return 1;
    case CSANDBOX_FAILED:
        if (message->id == 0) {
            trial->step = message->more;
            trial->code = message->value;
            memcpy(trial->detail, message->detail, sizeof trial->detail);
        } else {
            trial->command_step = message->more;
            trial->command_code = message->value;
        }
        return 1;
    case CSANDBOX_STARTED:
        trial->command_started = 1;
        return 0;
    case CSANDBOX_EXITED:
        trial->exit_code = message->more ? 128 + message->value : message->value;
        return 1;
    default:
        return 0;
    }
}

void run_trial(struct trial *trial) {
    static struct flat flat;
    int32_t ends[2];
    if (csandbox_control_pair(ends) < 0)
        abort();
    if (trial->plan == NULL)
        make_plan(&flat, trial);
    int plan = trial->plan != NULL ? flat_file(trial->plan, trial->plan_size) : flat_file(flat.bytes, flat.size);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        launch(trial, plan, ends[1]);
    close(plan);
    close(ends[1]);
    struct csandbox_denied *denied = NULL;
    time_t begin = time(NULL);
    for (int over = trial->leave_at_once; !over;) {
        int pause = -1;
        struct pollfd watched[2] = {{.fd = ends[0], .events = POLLIN}, {.fd = -1, .events = POLLIN}};
        if (denied != NULL)
            watched[1].fd = csandbox_denied_poll(denied, &pause);
        int ready = poll(watched, 2, 1000);
        if (time(NULL) - begin > 30) {
            trial->timed_out = 1;
            break;
        }
        if (ready <= 0)
            continue;
        if (denied != NULL && csandbox_denied_serve(denied, watched[1].revents) < 0)
            check(0, "the listener was lost");
        if (watched[0].revents == 0)
            continue;
        struct csandbox_message message;
        int32_t descriptors[CSANDBOX_MAX_PASSED], count;
        int result = csandbox_receive(ends[0], &message, descriptors, &count, 0);
        over = result == -EAGAIN ? 0 : result <= 0 ? 1 : take(trial, ends[0], &message, &denied, descriptors, count);
    }
    close(ends[0]);
    int status = 0;
    for (int i = 0; i < 3000 && waitpid(pid, &status, WNOHANG) == 0; i++) {
        if (i == 2999) {
            trial->timed_out = 1;
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
        }
        usleep(10000);
    }
    trial->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (denied != NULL) {
        uint32_t count;
        const struct csandbox_denied_call *calls = csandbox_denied_calls(denied, &count);
        for (uint32_t i = 0; i < count; i++)
            trial->denied += calls[i].count;
        csandbox_denied_free(denied);
    }
}
