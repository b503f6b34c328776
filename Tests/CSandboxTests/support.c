#include "support.h"

#include <ftw.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <time.h>

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
    if (trial->other_ids) {
        plan.mapped_first = 1879048192U;
        plan.mapped_count = 65536;
    }
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
    // The caller's own, with one that differs from everybody's.
    uint64_t limits[16][2];
    for (int resource = 0; resource < 16; resource++) {
        struct rlimit now;
        getrlimit((__rlimit_resource_t)resource, &now);
        limits[resource][0] = resource == RLIMIT_SIGPENDING ? 77 : now.rlim_cur;
        limits[resource][1] = now.rlim_max;
    }
    command.limit_count = 16;
    command.limits = flat_array(flat, limits, sizeof limits);
    flat_string(flat, "");
    command.size = flat->size;
    memcpy(flat->bytes, &command, sizeof command);
}

static int cgroup_file(int number) {
    char path[256];
    snprintf(path, sizeof path, "%s/cgroups/%d", place, number);
    return open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
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

// A network namespace made for a sandbox: what happens in it must not be the host's.
static int new_network(void) {
    int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    int made = unshare(CLONE_NEWNET) < 0 ? -1 : open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (own < 0 || made < 0 || setns(own, CLONE_NEWNET) < 0) {
        perror("network namespace");
        exit(2);
    }
    close(own);
    return made;
}

// What a sandbox is made from, in the order of csandbox.h; -1 where there is a gap in the launcher's numbers.
static int descriptors_of(const struct trial *trial, int plan, int control, int program, int *all) {
    int count = 0;
    all[count++] = plan;
    all[count++] = control;
    all[count++] = program;
    for (int i = 0; i < trial->cgroups && !(trial->flags & CSANDBOX_LATE); i++)
        all[count++] = cgroup_file(i);
    if (trial->flags & CSANDBOX_GIVEN_NETWORK)
        all[count++] = new_network();
    if (trial->flags & CSANDBOX_SEATED)
        all[count++] = open(trial->seat, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return count;
}

static _Noreturn void launch(const struct trial *trial, int plan, int control) {
    int given[CSANDBOX_MAX_PASSED];
    int count = descriptors_of(trial, plan, control, filter(trial), given);
    for (int i = 0; i < count; i++)
        given[i] = fcntl(given[i], F_DUPFD, 64);
    for (int i = 0; i < count; i++)
        dup2(given[i], 3 + i);
    close_range(3 + (unsigned)count, ~0U, 0);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    if (trial->mode == CSANDBOX_USER && (setgid(65534) < 0 || setuid(65534) < 0))
        _exit(2);
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    fault_become(FAULT_LAUNCHER);
    _exit(csandbox_launch());
}

static void send_command(const struct trial *trial, int control) {
    static struct flat flat;
    int32_t sent[1 + CSANDBOX_MAX_PASSED];
    if (trial->command == NULL && trial->command_file == 0)
        make_command(&flat, trial);
    sent[0] = trial->command_file != 0 ? dup(trial->command_file)
        : trial->command != NULL      ? flat_file(trial->command, trial->command_size) : flat_file(flat.bytes, flat.size);
    for (int i = 0; i < trial->passed; i++)
        sent[1 + i] = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i <= trial->repeat; i++) {
        struct csandbox_message message = {.type = CSANDBOX_RUN, .id = 7 + (uint32_t)i};
        csandbox_send(control, &message, sent, 1 + trial->passed);
    }
    for (int i = 0; i <= trial->passed; i++)
        close(sent[i]);
}

// The filter and the control groups, when they come late.
static void send_late(const struct trial *trial, int control) {
    int sent[1 + CSANDBOX_MAX_CGROUPS], count = 0;
    sent[count++] = filter(trial);
    for (int i = 0; i < trial->cgroups; i++)
        sent[count++] = cgroup_file(i);
    struct csandbox_message message = {.type = CSANDBOX_JOIN};
    csandbox_send(control, &message, sent, count);
    for (int i = 0; i < count; i++)
        close(sent[i]);
}

// One message; whether the conversation is over for this trial.
static int take(struct trial *trial, int control, const struct csandbox_message *message, struct csandbox_denied **denied,
                const int32_t *descriptors, int count) {
    if (message->type == CSANDBOX_LISTENING && count == 1 && *denied == NULL) {
        *denied = csandbox_denied_make(descriptors[0], 4096, 4096);
        if (*denied == NULL) {
            trial->lost = -errno;
            close(descriptors[0]);
        }
        return *denied == NULL;
    }
    int keeps = message->type == CSANDBOX_READY && count == 3 && trial->pidfd < 0;
    if (keeps)
        trial->pidfd = descriptors[2];
    for (int i = 0; i < count - keeps; i++)
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
        if (trial->program == NULL)
            return 1;
        send_command(trial, control);
        return 0;
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
        if (trial->inspect)
            inspect(trial->pidfd);
        return trial->inspect;
    case CSANDBOX_EXITED:
        trial->exit_code = message->more ? 128 + message->value : message->value;
        return 1;
    default:
        return 0;
    }
}

// Speaks with a sandbox until what was asked of it has come to its end.
static void converse(struct trial *trial, int control) {
    struct csandbox_denied *denied = NULL;
    time_t begin = time(NULL);
    trial->pidfd = -1;
    *inspected = 0;
    if (trial->flags & CSANDBOX_LATE && !trial->leave_at_once)
        send_late(trial, control);
    for (int over = trial->leave_at_once; !over;) {
        int pause = -1;
        struct pollfd watched[2] = {{.fd = control, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
        if (denied != NULL)
            watched[1].fd = csandbox_denied_poll(denied, &pause);
        int ready = poll(watched, 2, 1000);
        if (time(NULL) - begin > 30) {
            trial->timed_out = 1;
            break;
        }
        if (ready <= 0)
            continue;
        if (denied != NULL && (trial->lost = csandbox_denied_serve(denied, watched[1].revents)) < 0)
            break;  // as the agent does: the sandbox ends
        if (watched[0].revents == 0)
            continue;
        struct csandbox_message message;
        int32_t descriptors[CSANDBOX_MAX_PASSED], count;
        int result = csandbox_receive(control, &message, descriptors, &count, 0);
        over = result == -EAGAIN ? 0 : result <= 0 ? 1 : take(trial, control, &message, &denied, descriptors, count);
    }
    close(control);
    if (trial->pidfd >= 0) {
        struct pollfd end = {.fd = trial->pidfd, .events = POLLIN};
        trial->timed_out |= poll(&end, 1, 30000) <= 0;
        close(trial->pidfd);
    }
    if (denied != NULL) {
        uint32_t count;
        const struct csandbox_denied_call *calls = csandbox_denied_calls(denied, &count);
        for (uint32_t i = 0; i < count; i++) {
            trial->denied += calls[i].count;
            trial->denied_named += calls[i].name[0] != 0 && calls[i].program[0] != 0 ? calls[i].count : 0;
        }
        csandbox_denied_free(denied);
    }
}

// The exit code of a child, or 128 + the signal that ended it.
static int status_of(pid_t pid, int *timed_out) {
    int status = 0;
    for (int i = 0; i < 3000 && waitpid(pid, &status, WNOHANG) == 0; i++) {
        if (i == 2999) {
            *timed_out = 1;
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
        }
        usleep(10000);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int plan_of_trial(const struct trial *trial) {
    static struct flat flat;
    if (trial->plan != NULL)
        return flat_file(trial->plan, trial->plan_size);
    if (trial->plan_file != 0)
        return dup(trial->plan_file);
    make_plan(&flat, trial);
    return flat_file(flat.bytes, flat.size);
}

void run_trial(struct trial *trial) {
    int32_t ends[2];
    if (csandbox_control_pair(ends) < 0)
        abort();
    int plan = plan_of_trial(trial);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        launch(trial, plan, ends[1]);
    close(plan);
    close(ends[1]);
    converse(trial, ends[0]);
    trial->status = status_of(pid, &trial->timed_out);
}

// --- the zygote -----------------------------------------------------------------------------------------------------------

struct zygote_process start_zygote(const struct trial *first) {
    int32_t ends[2];
    if (csandbox_control_pair(ends) < 0)
        abort();
    fflush(stdout);
    faults->waits = 0;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fcntl(ends[1], F_DUPFD, 64), 3);
        close_range(4, ~0U, 0);
        int null = open("/dev/null", O_RDWR);
        for (int i = 0; i < 3; i++)
            if (i != 2)
                dup2(null, i);
        close(null);
        if (first->mode == CSANDBOX_USER && (setgid(65534) < 0 || setuid(65534) < 0))
            _exit(2);
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
        fault_become(FAULT_LAUNCHER);
        _exit(csandbox_zygote(2147483648U, 2147483647U));
    }
    close(ends[1]);
    return (struct zygote_process){.pid = pid, .socket = ends[0]};
}

int zygote_rests(struct zygote_process *zygote) {
    struct pollfd end = {.fd = zygote->socket, .events = POLLIN};
    for (int i = 0; i < 10000; i++) {
        if (poll(&end, 1, 1) != 0)
            return 0;
        if (__atomic_load_n(&faults->waits, __ATOMIC_SEQ_CST))
            return 1;
    }
    check(0, "the zygote finds no rest");
    return 0;
}

int ask_zygote(struct zygote_process *zygote, struct trial *trial) {
    int32_t ends[2];
    if (csandbox_control_pair(ends) < 0)
        abort();
    int given[CSANDBOX_MAX_PASSED];
    int count = descriptors_of(trial, plan_of_trial(trial), ends[1], filter(trial), given);
    if (trial->flags & CSANDBOX_LATE) {
        close(given[2]);  // it comes late
        memmove(given + 2, given + 3, sizeof *given * (size_t)(--count - 2));
    }
    struct csandbox_message message = {.type = CSANDBOX_SPAWN};
    int result = csandbox_send(zygote->socket, &message, given, count - trial->withheld);
    for (int i = 0; i < count; i++)
        close(given[i]);
    if (result < 0) {
        close(ends[0]);
        return result;
    }
    converse(trial, ends[0]);
    return 0;
}

int stop_zygote(struct zygote_process *zygote) {
    int late = 0;
    close(zygote->socket);
    int status = status_of(zygote->pid, &late);
    check(!late, "the zygote does not end with its socket");
    return status;
}
