// What is not launcher, zygote, process 1 or command: the watchdog, the prober, the agent's side, the copying of layers; and ways
// through process 1 that only some hosts take.
#include "tests.h"

#include <sys/wait.h>

static struct flat flat;

static struct trial watched(void) {
    struct trial trial = mapped();
    trial.program = "inside";
    trial.argument = "w";
    trial.inspect = 1;
    return trial;
}

// What a command of the shell prints, in the place.
static void printed(const char *command, char *text, size_t size) {
    char line[1024];
    snprintf(line, sizeof line, "cd %s && { %s; } 2>&1", place, command);
    FILE *output = popen(line, "r");
    size_t used = output == NULL ? 0 : fread(text, 1, size - 1, output);
    text[used] = 0;
    if (output != NULL)
        pclose(output);
}

// --- between check and use ------------------------------------------------------------------------------------------------

// A memfd whose byte at `offset` becomes a 9 when that process comes to that place.
static int meddled(uint32_t offset, int role, const char *function, const char *name) {
    int file = flat_file(flat.bytes, flat.size);
    char *map = mmap(NULL, flat.size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (map == MAP_FAILED)
        abort();
    no_fault();
    fault_meddle_at = map + offset;
    faults->meddle_role = role;
    faults->meddle_place = fault_place_of(function, name, 0) + 1;
    check(faults->meddle_place > 0, "%s does not call %s any more", function, name);
    return file;
}

static void check_meddled(int file) {
    check(*fault_meddle_at == '9', "the byte was never changed");
    no_fault();
    fault_meddle_at = NULL;
    close(file);
}

void what_is_changed_after_its_check_is_not_seen(void) {
    static char whole[INSPECTED];
    struct trial trial = watched();
    run_fresh(&trial);
    memcpy(whole, inspected, sizeof whole);
    // The plan: /secret becomes 9secret, which hides nothing.
    trial = watched();
    make_plan(&flat, &trial);
    const struct csandbox_plan *plan = (const void *)flat.bytes;
    trial.plan_file = meddled(((const uint32_t *)(const void *)(flat.bytes + plan->masks))[0], FAULT_FIRST, "first_process", "sigaction");
    run_fresh(&trial);
    check(trial.command_started, "%s (%s), errno %d", csandbox_step_name(trial.step), trial.detail, trial.code);
    check_same("a plan that was changed", whole, inspected, NULL);
    check_meddled(trial.plan_file);
    // The command: 3 denied calls become 9.
    trial = mapped();
    trial.program = "inside";
    trial.argument = "3";
    make_command(&flat, &trial);
    const struct csandbox_command *command = (const void *)flat.bytes;
    trial.command_file = meddled(((const uint32_t *)(const void *)(flat.bytes + command->arguments))[1], FAULT_COMMAND,
                                 "become_user", "setgroups");
    run_fresh(&trial);
    check(trial.exit_code == EPERM && trial.denied == 3, "a command that was changed made %d calls", (int)trial.denied);
    check_meddled(trial.command_file);
}

// --- process 1, where hosts differ ------------------------------------------------------------------------------------------

void rare_paths_of_the_root_report_too(void) {
    static char whole[INSPECTED];
    char path[256];
    struct trial trial = watched();
    // resolv.conf is a link into /run, as with systemd.
    snprintf(path, sizeof path, "%s/root/etc/resolv.conf", place);
    check(symlink("../run/some/where/stub.conf", path) == 0, "%s: errno %d", path, errno);
    no_fault();
    run_fresh(&trial);
    memcpy(whole, inspected, sizeof whole);
    check(strstr(whole, "mount /run/some/where/stub.conf ") != NULL, "resolv.conf is not where its link leads");
    const char *const making[][2] = {
        {"csandbox_place_resolver", "readlinkat"}, {"make_file_inside", "mkdirat"}, {"make_file_inside", "mknodat"}};
    for (size_t i = 0; i < sizeof making / sizeof *making; i++) {
        trial = watched();
        no_fault();
        fail_place(FAULT_FIRST, making[i][0], making[i][1], 0, 0);
        run_fresh(&trial);
        check(outcome(making[i][1], &trial, whole, NULL) == CSANDBOX_STEP_RESOLVER, "%s: %s", making[i][1],
              csandbox_step_name(trial.step));
    }
    unlink(path);
    // The kernel's words about an overlay cannot be had either.
    trial = watched();
    no_fault();
    run_fresh(&trial);
    memcpy(whole, inspected, sizeof whole);
    fail_call(FAULT_FIRST, number_of(FAULT_FIRST, "make_overlay", "fsconfig"));
    fail_place(FAULT_FIRST, "overlay_failed", "read", 0, 0);
    trial = watched();
    run_fresh(&trial);
    check(outcome("an overlay without words", &trial, whole, NULL) == CSANDBOX_STEP_OVERLAY && faults->struck == 2
              && strcmp(trial.detail, "/") == 0,
          "an overlay without words: %s (%s)", csandbox_step_name(trial.step), trial.detail);
    // A kernel before 5.19 knows a flag of the filter's listener not: it is done without, and that may fail, too.
    for (int fails = 0; fails < 2; fails++) {
        int index = fails ? number_of(FAULT_FIRST, "load_filter", "seccomp") + 1 : -1;
        fail_call(FAULT_FIRST, index);
        fail_place(FAULT_FIRST, "load_filter", "seccomp", 1, EINVAL);
        trial = watched();
        run_fresh(&trial);
        check(outcome("a listener without its flag", &trial, whole, NULL) == (fails ? CSANDBOX_STEP_LISTENER : 0)
                  && faults->struck == 1 + fails,
              "a listener without its flag: %s", csandbox_step_name(trial.step));
    }
    // Who holds a new user namespace dies at once: it is there, or it is told that it is not.
    trial = watched();
    no_fault();
    fail_place(FAULT_OTHER, "csandbox_user_namespace", "read", 0, 0);
    run_fresh(&trial);
    check(trial.command_started || trial.step == CSANDBOX_STEP_ID_MAP || trial.step == CSANDBOX_STEP_USER_NAMESPACE,
          "a user namespace that nobody holds: %s", csandbox_step_name(trial.step));
    if (trial.command_started)
        check_same("a user namespace that nobody holds", whole, inspected, NULL);
    // A program that is not there, and no way to say so: it ends as a shell's does.
    trial = mapped();
    trial.program = "no-such-program";
    no_fault();
    fail_place(FAULT_COMMAND, "refuse", "write", 0, 0);
    run_fresh(&trial);
    check(trial.command_started && trial.exit_code == 127, "a program that is not there: %d", trial.exit_code);
    // Signals that cannot be read are seen all the same.
    trial = mapped();
    trial.program = "inside";
    trial.exit_code = -1;
    no_fault();
    fail_place(FAULT_FIRST, "csandbox_supervise", "read", 0, 0);
    run_fresh(&trial);
    check(trial.exit_code == 0, "process 1 cannot read its signals: %d", trial.exit_code);
    no_fault();
}

void a_file_system_of_its_own_reports_too(void) {
    char device[64], nothing[256];
    printed("truncate -s 16M image && losetup -f --show image", device, sizeof device);
    device[strcspn(device, "\n")] = 0;
    if (strncmp(device, "/dev/loop", 9) != 0) {
        printf("  left out: no loop device (%s)\n", device);
        return;
    }
    char make[128];
    snprintf(make, sizeof make, "mke2fs -q -t ext4 -F %s", device);
    int begin = 0, count = 1;
    for (int i = -1; i < count; i++) {
        struct trial trial = watched();
        trial.device = device;
        printed(make, nothing, sizeof nothing);
        fail_call(FAULT_FIRST, i < 0 ? -1 : begin + i);
        run_fresh(&trial);
        if (i < 0) {
            check(trial.command_started, "a device: %s (%s), errno %d", csandbox_step_name(trial.step), trial.detail, trial.code);
            begin = number_of(FAULT_FIRST, "csandbox_scratch", "fsopen");
            for (count = 0; strcmp(__start_fault_places[faults->places[FAULT_FIRST][begin + count]].function, "csandbox_scratch") == 0;)
                count++;
            check(count == 5, "the file system of a device takes %d calls", count);
        } else {
            check(outcome("a device", &trial, "", NULL) == CSANDBOX_STEP_LAYER, "call %d of a device: %s", i,
                  csandbox_step_name(trial.step));
        }
    }
    no_fault();
    snprintf(make, sizeof make, "losetup -d %s && rm image", device);
    printed(make, nothing, sizeof nothing);
    check(*nothing == 0, "%s", nothing);
}

// --- the agent's side -------------------------------------------------------------------------------------------------------

void denied_calls_are_counted_whatever_fails(void) {
    static const struct {
        const char *function, *name;
        int nth, lost;
    } parts[] = {
        {"identify", "open", 0, 0},
        {"identify", "ioctl", 0, 0},
        {"identify", "openat", 0, 0},
        {"identify", "readlinkat", 0, 0},
        {"identify", "read", 0, 0},
        {"csandbox_denied_serve", "ioctl", 0, FAULT_ERRNO},
        {"csandbox_denied_serve", "ioctl", 1, FAULT_ERRNO},
        {"add", "realloc", 0, ENOMEM},
        {"csandbox_denied_make", "calloc", 0, FAULT_ERRNO},
        {"csandbox_denied_make", "seccomp", 0, FAULT_ERRNO},
    };
    fault_become(FAULT_LAUNCHER);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        struct trial trial = mapped();
        trial.program = "inside";
        trial.argument = "3";
        trial.exit_code = -1;
        no_fault();
        fail_place(FAULT_LAUNCHER, parts[i].function, parts[i].name, parts[i].nth, 0);
        run_fresh(&trial);
        check(faults->struck > 0 && trial.lost == -parts[i].lost, "%s of %s: %d", parts[i].name, parts[i].function, trial.lost);
        // A listener that is lost is the sandbox's end, for the agent ends it; else every call is counted and answered, without a name.
        if (parts[i].lost != 0)
            check(trial.exit_code == -1, "%s of %s: the command ended with %d", parts[i].name, parts[i].function, trial.exit_code);
        else
            check(trial.exit_code == EPERM && trial.denied == 3 && trial.denied_named == 0, "%s of %s: %d, %d calls", parts[i].name,
                  parts[i].function, trial.exit_code, (int)trial.denied);
    }
    no_fault();
    fail_place(FAULT_LAUNCHER, "csandbox_can_report", "seccomp", 0, 0);
    check(csandbox_can_report() == FAULT_ERRNO, "a kernel without notifications");
    no_fault();
    fault_become(FAULT_OTHER);
}

#define ANSWERS(function, call, name, expected) \
    do { \
        no_fault(); \
        fail_place(FAULT_LAUNCHER, function, name, 0, 0); \
        int answer = (call); \
        check(answer == (expected) && faults->struck == 1, "%s: %d", #call, answer); \
    } while (0)

static uint32_t blocked(void) {
    sigset_t set;
    uint32_t result = 0;
    sigprocmask(SIG_BLOCK, NULL, &set);
    for (int number = 1; number < 32; number++)
        result |= (uint32_t)(sigismember(&set, number) == 1) << number;
    return result;
}

// The socket of an agent that hands out sandboxes, and the signals of who asks for one.
static void hosting_answers_errors(void) {
    char path[128], long_path[200];
    int32_t pid;
    uint32_t uid, held, ending = 1u << SIGHUP | 1u << SIGINT | 1u << SIGQUIT | 1u << SIGTERM;
    snprintf(path, sizeof path, "%s/host", place);
    memset(long_path, 'x', sizeof long_path);
    long_path[sizeof long_path - 1] = 0;
    check(csandbox_host_listen(long_path) == -ENAMETOOLONG && csandbox_host_connect("") == -ENAMETOOLONG, "paths");
    check(csandbox_host_connect(path) == -ENOENT, "nobody listens");
    ANSWERS("local_socket", csandbox_host_listen(path), "socket", -FAULT_ERRNO);
    for (const char *const *name = (const char *const[]){"fchmod", "bind", "listen", NULL}; *name != NULL; name++) {
        ANSWERS("csandbox_host_listen", csandbox_host_listen(path), *name, -FAULT_ERRNO);
        unlink(path);
    }
    no_fault();
    struct stat status;
    int listener = csandbox_host_listen(path);
    check(listener >= 0 && stat(path, &status) == 0 && (status.st_mode & 07777) == 0600, "a socket of mode %o", status.st_mode);
    check(csandbox_host_listen(path) == -EADDRINUSE && csandbox_host_accept(listener) == -EAGAIN, "twice, and nobody");
    ANSWERS("local_socket", csandbox_host_connect(path), "socket", -FAULT_ERRNO);
    ANSWERS("csandbox_host_connect", csandbox_host_connect(path), "connect", -FAULT_ERRNO);
    for (int nth = 0; nth < 2; nth++) {
        no_fault();
        fail_place(FAULT_LAUNCHER, "csandbox_host_connect", "fcntl", nth, 0);
        check(csandbox_host_connect(path) == -FAULT_ERRNO, "fcntl %d", nth);
        close(csandbox_host_accept(listener));
    }
    no_fault();
    int asking = csandbox_host_connect(path);
    ANSWERS("csandbox_host_accept", csandbox_host_accept(listener), "accept4", -FAULT_ERRNO);
    no_fault();
    int hosting = csandbox_host_accept(listener);
    check(asking >= 0 && hosting >= 0, "a caller: %d", hosting);
    ANSWERS("csandbox_host_peer", csandbox_host_peer(hosting, &pid, &uid), "getsockopt", -FAULT_ERRNO);
    no_fault();
    check(csandbox_host_peer(hosting, &pid, &uid) == 0 && pid == getpid() && uid == geteuid(), "who it is: %d, %u", pid, uid);
    close(asking);
    close(hosting);
    close(listener);
    unlink(path);

    // Whoever started the tests may ignore some of them.
    for (const int *number = (const int[]){SIGHUP, SIGINT, SIGQUIT, SIGTERM, 0}; *number != 0; number++)
        signal(*number, SIG_DFL);
    uint32_t before = blocked();
    ANSWERS("csandbox_host_proof", csandbox_host_proof(getpid(), 1), "pidfd_open", -FAULT_ERRNO);
    ANSWERS("csandbox_host_proof", csandbox_host_proof(getpid(), 1), "pidfd_getfd", -FAULT_ERRNO);
    no_fault();
    int proof = csandbox_host_proof(getpid(), 1);
    check(proof > 2 && csandbox_host_proof(getpid(), 99) == -EBADF, "a copy of an own descriptor: %d", proof);
    close(proof);
    ANSWERS("csandbox_signals_take", csandbox_signals_take(&held), "sigaction", -FAULT_ERRNO);
    ANSWERS("csandbox_signals_take", csandbox_signals_take(&held), "signalfd", -FAULT_ERRNO);
    for (int nth = 0; nth < 2; nth++) {
        no_fault();
        fail_place(FAULT_LAUNCHER, "csandbox_signals_take", "sigprocmask", nth, 0);
        check(csandbox_signals_take(&held) == -FAULT_ERRNO, "sigprocmask %d", nth);
    }
    check(blocked() == before, "signals stay blocked after an error");
    no_fault();
    signal(SIGHUP, SIG_IGN);
    sigset_t interrupt;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    sigprocmask(SIG_BLOCK, &interrupt, NULL);
    int fewer = csandbox_signals_take(&held);
    check(held == (1u << SIGQUIT | 1u << SIGTERM), "ignored or blocked ones are taken: %x", held);
    csandbox_signals_give_back(held);
    check(blocked() == (before | 1u << SIGINT), "one that was blocked is let through");
    close(fewer);
    signal(SIGHUP, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &interrupt, NULL);
    no_fault();
    int signals = csandbox_signals_take(&held);
    check(signals >= 0 && blocked() == (before | ending), "signals that are taken");
    check(csandbox_signals_next(signals) == 0, "one that did not come");
    kill(getpid(), SIGTERM);
    ANSWERS("csandbox_signals_next", csandbox_signals_next(signals), "read", -FAULT_ERRNO);
    no_fault();
    check(csandbox_signals_next(signals) == SIGTERM && csandbox_signals_next(signals) == 0, "one that came");
    ANSWERS("csandbox_signals_give_back", (csandbox_signals_give_back(held), (int)blocked()), "sigprocmask", (int)(before | ending));
    no_fault();
    csandbox_signals_give_back(held);
    check(blocked() == before, "signals that are given back");
    close(signals);
}

void the_agents_side_answers_errors(void) {
    char before[1024], after[1024];
    int ends[2], pause;
    uint64_t token;
    fault_become(FAULT_LAUNCHER);
    no_fault();
    open_files_of(getpid(), before, sizeof before);
    if (csandbox_control_pair(ends) < 0)
        abort();
    int epoll = csandbox_watch_new();
    check(epoll >= 0 && csandbox_watch_add(epoll, ends[0], 7) == 0, "a set of descriptors");
    struct csandbox_denied *denied = csandbox_denied_make(dup(ends[1]), 1, 1);
    check(csandbox_denied_poll(denied, &pause) >= 0, "a listener");
    int none[2];
    ANSWERS("csandbox_control_pair", csandbox_control_pair(none), "socketpair", -FAULT_ERRNO);
    ANSWERS("csandbox_shut", csandbox_shut(ends[0]), "shutdown", -FAULT_ERRNO);
    ANSWERS("csandbox_wait_readable", csandbox_wait_readable(ends[0], ends[1]), "poll", -FAULT_ERRNO);
    ANSWERS("csandbox_mounts_changed", csandbox_mounts_changed(ends[0]), "poll", 1);
    ANSWERS("csandbox_take_terminal", csandbox_take_terminal(ends[0], 0), "ioctl", -FAULT_ERRNO);
    ANSWERS("csandbox_attend", csandbox_attend(ends[0], NULL), "poll", -FAULT_ERRNO);
    ANSWERS("csandbox_watch_new", csandbox_watch_new(), "epoll_create1", -FAULT_ERRNO);
    ANSWERS("csandbox_watch_add", csandbox_watch_add(epoll, ends[1], 7), "epoll_ctl", -FAULT_ERRNO);
    ANSWERS("csandbox_watch_remove", csandbox_watch_remove(epoll, ends[0]), "epoll_ctl", -FAULT_ERRNO);
    ANSWERS("csandbox_watch_wait", csandbox_watch_wait(epoll, &token, 1, 0), "epoll_wait", -FAULT_ERRNO);
    ANSWERS("csandbox_watch_timer", csandbox_watch_timer(1), "timerfd_create", -FAULT_ERRNO);
    ANSWERS("csandbox_watch_timer", csandbox_watch_timer(1), "timerfd_settime", -FAULT_ERRNO);
    ANSWERS("csandbox_watch_denied", csandbox_watch_denied(denied), "poll", -FAULT_ERRNO);
    ANSWERS("csandbox_send", csandbox_send(ends[0], &(struct csandbox_message){.type = 1}, NULL, 0), "sendmsg", -FAULT_ERRNO);
    // Signals that cannot be blocked: it would be stopped; that cannot be put back: the answer is the terminal's.
    for (int nth = 0; nth < 2; nth++) {
        sigset_t set;
        no_fault();
        fail_place(FAULT_LAUNCHER, "csandbox_take_terminal", "sigprocmask", nth, 0);
        int answer = csandbox_take_terminal(ends[0], 0);
        check(answer == (nth == 0 ? -FAULT_ERRNO : -ENOTTY), "sigprocmask %d: %d", nth, answer);
        sigprocmask(SIG_BLOCK, NULL, &set);
        check(sigismember(&set, SIGTTOU) == nth, "SIGTTOU is blocked or not");
        sigemptyset(&set);
        sigprocmask(SIG_SETMASK, &set, NULL);
    }
    no_fault();
    csandbox_denied_free(denied);
    hosting_answers_errors();
    close(epoll);
    close(ends[0]);
    close(ends[1]);
    open_files_of(getpid(), after, sizeof after);
    check(strcmp(before, after) == 0, "open were %s, and are %s", before, after);
    fault_become(FAULT_OTHER);
}

// --- programs of their own -----------------------------------------------------------------------------------------------------

// Runs a verb with `input`; its exit code, and what it printed.
static int verb(char *const *arguments, const char *input, int user, char *text, size_t size) {
    int to[2], from[2], count = 0;
    if (pipe(to) < 0 || pipe(from) < 0 || write(to[1], input, strlen(input)) < 0)
        abort();
    while (arguments[count] != NULL)
        count++;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(to[0], 0);
        dup2(from[1], 1);
        dup2(open("/dev/null", O_WRONLY), 2);
        close_range(3, ~0U, 0);
        alarm(60);
        if (user != 0 && (setgid((gid_t)user) < 0 || setuid((uid_t)user) < 0))
            _exit(98);
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
        fault_become(FAULT_LAUNCHER);
        exit(csandbox_main(count, (char **)arguments));
    }
    close(to[0]);
    close(to[1]);
    close(from[1]);
    size_t used = 0;
    for (ssize_t more; (more = read(from[0], text + used, size - 1 - used)) > 0;)
        used += (size_t)more;
    text[used] = 0;
    close(from[0]);
    int status;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void the_watchdog_thaws_whatever_fails(void) {
    char path[128], text[256], content[64];
    snprintf(path, sizeof path, "%s/frozen", place);
    char *arguments[] = {"grace-sandbox", "thaw", path, "THAWED", "5", NULL};
    int count = 0, once = 0;
    // Each call once, then each place always.
    for (int i = -1; i < 2 * count; i++) {
        int always = i >= count, index = i < 0 ? -1 : i % count;
        static struct faults plain;
        close(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600));
        fail_call(FAULT_LAUNCHER, always ? -1 : index);
        if (always)
            faults->place = plain.places[FAULT_LAUNCHER][index] + 1;
        int exit = verb(arguments, "noise", 0, text, sizeof text);
        int ready = strcmp(text, "ready\n") == 0;
        printed("cat frozen", content, sizeof content);
        if (i < 0) {
            memcpy(&plain, faults, sizeof plain);
            count = plain.count[FAULT_LAUNCHER];
            check(exit == 0 && ready && strcmp(content, "THAWED") == 0, "without a fault: %d, “%s”", exit, content);
            continue;
        }
        const struct fault_place *at = &__start_fault_places[plain.places[FAULT_LAUNCHER][index]];
        int last = strcmp(at->name, "write") == 0 && index == count - 1;
        check(faults->struck > 0, "thaw: %s was not reached again", at->name);
        // Ready said: live is thawed, unless that itself is what never works. Else nothing was frozen, and it says why not.
        if (last && always)
            check(exit == 1 && *content == 0 && faults->struck == 10, "a file that cannot be written: %d", exit);
        else if (ready || strcmp(content, "THAWED") == 0)
            check(exit == 0 && strcmp(content, "THAWED") == 0, "thaw: %s failed: %d, “%s”", at->name, exit, content);
        else
            check(exit == 1 && *text == 0, "thaw: %s failed: %d, “%s”", at->name, exit, text);
        once++;
    }
    no_fault();
    unlink(path);
    check(once >= 14, "the watchdog makes %d calls", once / 2);
}

// The verdict of one line, “NAME ok” or “NAME failed N”; NULL: there is no such line.
static const char *verdict(const char *text, const char *line) {
    size_t name = strcspn(line, " ");
    for (; text != NULL && *text != 0; text = strchr(text, '\n'), text += text != NULL)
        if (strncmp(text, line, name + 1) == 0)
            return text + name + 1;
    return NULL;
}

void the_probe_says_failed_and_leaves_nothing(void) {
    static char whole[4096], text[4096], left[1024];
    char path[128];
    snprintf(path, sizeof path, "%s/probed", place);
    char *arguments[] = {"grace-sandbox", "probe", path, NULL};
    check(mkdir(path, 0777) == 0 && chmod(path, 0777) == 0, "%s: errno %d", path, errno);
    for (int user = 0; user <= 65534; user += 65534) {
        int total = 0;
        for (int role = FAULT_LAUNCHER; role < FAULT_ROLES; role++) {
            int count = 0;
            for (int index = -1; index < count; index++) {
                fail_call(role, index);
                int exit = verb(arguments, "", user, text, sizeof text), failed = 0;
                if (index < 0) {
                    // What the kernel refuses for a moment only would leave calls out.
                    for (int again = 0; user == 0 && strstr(text, "failed ") != NULL && again < 5; again++) {
                        usleep(200000);
                        fail_call(role, index);
                        exit = verb(arguments, "", user, text, sizeof text);
                    }
                    count = faults->count[role];
                    memcpy(whole, text, sizeof whole);
                    check(exit == 0, "probe: %d", exit);
                    continue;
                }
                char name[64];
                snprintf(name, sizeof name, "%s in %s", called(role, index),
                         __start_fault_places[faults->places[role][index]].function);
                check(faults->struck == 1, "probe: %s was not reached again", name);
                check(exit == 0 || (exit == 1 && *text == 0), "probe: %s failed: %d\n%s", name, exit, text);
                for (const char *line = whole; exit == 0 && *line != 0; line = strchr(line, '\n') + 1) {
                    const char *before = line + strcspn(line, " ") + 1, *now = verdict(text, line);
                    size_t length = strcspn(before, "\n") + 1;
                    int same = now != NULL && strncmp(before, now, length) == 0;
                    check(same || (now != NULL && strncmp(now, "failed ", 7) == 0 && atoi(now + 7) > 0),
                          "probe: %s failed, and of “%.*s” it says “%s”", name, (int)length - 1, before, now);
                    failed += !same;
                }
                printed("ls probed; rm -rf probed/probe-*", left, sizeof left);
                int cleaning = strstr(name, "in clean") != NULL;
                int waits = strstr(name, "csandbox_user_namespace") != NULL && (*name == 'w' || *name == 'r');
                // What fails is said of the one thing that was tried; who cleans up has said what it cannot.
                check(cleaning || failed == 1 || exit == 1 || waits, "probe: %s failed, and nothing says so\n%s",
                      name, text);
                check(cleaning || *left == 0, "probe: %s failed, and left %s", name, left);
                total++;
            }
        }
        printf("  probe as user %d: %d calls made to fail\n", user, total);
    }
    no_fault();
    rmdir(path);
}

// --- copying layers ---------------------------------------------------------------------------------------------------------

// Copies `low` over a directory that has one of its directories, with a file of its own in it: that stays.
static int copy_anew(char *where, size_t size) {
    char path[128], nothing[512];
    printed("rm -rf copied && mkdir -p copied/sub && echo own > copied/sub/own && touch -d @7 copied/sub/own", nothing, sizeof nothing);
    snprintf(path, sizeof path, "%s/low", place);
    int from = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    snprintf(path, sizeof path, "%s/copied", place);
    int to = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *where = 0;
    int result = csandbox_copy_layer(from, to, "trusted.overlay.opaque", where, size) < 0 ? errno : 0;
    close(from);
    close(to);
    return result;
}

void a_copied_layer_is_whole_or_refused(void) {
    static const char list[] = "cd copied; find . -mindepth 1 ! -type d -printf '%P %y %m %U %s %n %T@ %l\n' | sort; "
                               "find . -mindepth 1 -type d -printf '%P %m\n' | sort; find . -type f -exec cksum {} + | sort; "
                               "getfattr -h -m - -d -R . 2>/dev/null | sort";
    static char whole[8192], text[8192];
    char before[1024], after[1024], where[112];
    fault_become(FAULT_LAUNCHER);
    open_files_of(getpid(), before, sizeof before);
    no_fault();
    check(copy_anew(where, sizeof where) == 0, "a copy: errno %d at “%s”", errno, where);
    printed(list, whole, sizeof whole);
    check(strstr(whole, "sub/own") != NULL && strstr(whole, "sub/deep") != NULL && strstr(whole, "gone c ") != NULL, "a copy is\n%s", whole);
    int count = faults->count[FAULT_LAUNCHER];
    int instead[2];
    // Each call in turn; then, where the kernel copies nothing between these two files, what is done instead.
    for (int i = 0; i < count + 3; i++) {
        fail_call(FAULT_LAUNCHER, i < count ? i : i == count ? -1 : instead[i - count - 1]);
        if (i >= count)
            fail_place(FAULT_LAUNCHER, "copy_contents", "copy_file_range", 0, EXDEV);
        int code = copy_anew(where, sizeof where);
        check(faults->struck > 0, "a copy: call %d was not reached again", i);
        if (i == count) {
            instead[0] = number_of(FAULT_LAUNCHER, "copy_contents", "pread");
            instead[1] = number_of(FAULT_LAUNCHER, "copy_contents", "pwrite");
        }
        printed(list, text, sizeof text);
        check(code != 0 || strcmp(text, whole) == 0, "a copy: call %d failed, and the copy is\n%s\ninstead of\n%s", i, text, whole);
        check(code == 0 || code == FAULT_ERRNO, "a copy: call %d: errno %d at “%s”", i, code, where);
        check(i < count || (code == 0) == (i == count), "a copy: %s failed, and it says %d", i == count ? "nothing" : "a read or write", code);
    }
    no_fault();
    open_files_of(getpid(), after, sizeof after);
    check(strcmp(before, after) == 0, "open were %s, and are %s", before, after);
    printed("rm -rf copied", text, sizeof text);
    fault_become(FAULT_OTHER);
    printf("  copying a layer: %d calls made to fail\n", count + 2);
}
