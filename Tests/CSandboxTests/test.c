// Tests of CSandbox under the address and undefined-behaviour sanitizers: scripts/test-csandbox builds and runs it.
//
//   test [SEED]     everything; SEED is what the random parts start from, printed at the start
#include "tests.h"
#include "use.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <time.h>

static uint64_t random_state;
static uint32_t random_below(uint32_t bound) {  // xorshift64*
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)((random_state * 0x2545F4914F6CDD1DULL) >> 33) % bound;
}

// --- what works -----------------------------------------------------------------------------------------------------

static void every_mode_runs_a_command(void) {
    for (uint32_t mode = CSANDBOX_MAPPED; mode <= CSANDBOX_USER; mode++) {
        struct trial trial = mapped();
        trial.mode = mode;
        trial.program = "inside";
        trial.argument = "3";
        trial.passed = 3;
        if (mode == CSANDBOX_PLAIN)
            trial.flags |= CSANDBOX_NO_NEW_PRIVS;
        if (mode == CSANDBOX_USER) {
            trial.flags = (trial.flags & ~(uint32_t)CSANDBOX_CGROUP_VIEW) | CSANDBOX_NO_NEW_PRIVS;
            trial.only_root = 1;
            trial.cgroups = 0;
        }
        run_fresh(&trial);
        check(trial.ready && trial.command_started, "mode %u: %s (%s), errno %d", mode, csandbox_step_name(trial.step),
              trial.detail, trial.code);
        check(trial.exit_code == EPERM, "mode %u: the denied call was answered %d", mode, trial.exit_code);
        check(trial.denied == 3, "mode %u: %llu denied calls were counted", mode, (unsigned long long)trial.denied);
    }
}

static void a_socket_is_given_and_a_foreign_family_refused(void) {
    struct trial trial = mapped();
    trial.ask_socket = AF_INET6;
    run_fresh(&trial);
    check(trial.ready && trial.socket_code == 0, "no socket: %d", trial.socket_code);
    trial = mapped();
    trial.ask_socket = AF_UNIX;
    run_fresh(&trial);
    check(trial.ready && trial.socket_code == EINVAL, "a UNIX socket was answered %d", trial.socket_code);
}

static void process_one_is_born_into_its_control_group(void) {
    struct trial trial = mapped();
    trial.flags |= CSANDBOX_SEATED;
    trial.seat = "/";
    run_fresh(&trial);
    check(trial.step == CSANDBOX_STEP_CLONE && trial.code == EBADF, "a directory that is no group: %s, errno %d",
          csandbox_step_name(trial.step), trial.code);
    const char *tree = access("/sys/fs/cgroup/cgroup.procs", F_OK) == 0 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/unified";
    char path[128], threaded[160], invalid[160];
    snprintf(path, sizeof path, "%s/grace-csandbox-test-%d", tree, (int)getpid());
    snprintf(threaded, sizeof threaded, "%s/cgroup.type", path);
    if (mkdir(path, 0755) < 0) {
        check(errno == ENOENT, "%s: errno %d", path, errno);  // version 1 alone
        return;
    }
    trial = mapped();
    trial.flags |= CSANDBOX_SEATED;
    trial.seat = path;
    trial.program = "inside";
    trial.argument = "3";
    trial.passed = 3;
    run_fresh(&trial);
    check(trial.ready && trial.command_started, "%s (%s), errno %d", csandbox_step_name(trial.step), trial.detail, trial.code);
    int file = open(threaded, O_WRONLY | O_CLOEXEC);
    check(file >= 0 && write(file, "threaded", 8) == 8, "the group did not become a threaded one: errno %d", errno);
    close(file);
    snprintf(invalid, sizeof invalid, "%s/below", path);  // of a threaded group: a domain that is none, until it is threaded, too
    check(mkdir(invalid, 0755) == 0, "%s: errno %d", invalid, errno);
    trial = mapped();
    trial.flags |= CSANDBOX_SEATED;
    trial.seat = invalid;
    run_fresh(&trial);
    check(trial.step == CSANDBOX_STEP_CGROUP_JOIN && trial.code == EOPNOTSUPP, "an invalid group: %s, errno %d",
          csandbox_step_name(trial.step), trial.code);
    check(rmdir(invalid) == 0, "%s: errno %d", invalid, errno);
    int gone = -1;
    for (int i = 0; i < 200 && (gone = rmdir(path)) < 0; i++)
        usleep(10000);
    check(gone == 0, "the group is still in use: errno %d", errno);
}

static void an_agent_that_leaves_ends_everything(void) {
    struct trial trial = mapped();
    trial.leave_at_once = 1;
    run_fresh(&trial);
    check(trial.status != 0 || !trial.ready, "nothing was waited for");
}

static void one_command_too_many_is_refused_and_the_rest_goes_on(void) {
    struct trial trial = mapped();
    trial.program = "inside";
    trial.argument = "w";
    trial.repeat = CSANDBOX_MAX_COMMANDS;
    run_fresh(&trial);
    check(trial.command_started, "none of them started");
    check(trial.command_step == CSANDBOX_STEP_TOO_MANY && trial.command_code == EAGAIN, "%s, errno %d",
          csandbox_step_name(trial.command_step), trial.command_code);
}

// --- real causes ----------------------------------------------------------------------------------------------------------

static void what_a_person_can_cause_is_reported_with_the_kernels_errno(void) {
    struct trial trial = mapped();
    trial.program = "no-such-program";
    run_fresh(&trial);
    check(trial.command_step == CSANDBOX_STEP_EXECUTE && trial.command_code == ENOENT, "a missing program: %s, %d",
          csandbox_step_name(trial.command_step), trial.command_code);
    trial = mapped();
    trial.program = "/etc";
    run_fresh(&trial);
    check(trial.command_step == CSANDBOX_STEP_EXECUTE && trial.command_code == EACCES, "a directory for a program: %s, %d",
          csandbox_step_name(trial.command_step), trial.command_code);
    trial = mapped();
    trial.program = "inside";
    trial.directory = "/not/there";
    run_fresh(&trial);
    check(trial.command_step == CSANDBOX_STEP_DIRECTORY && trial.command_code == ENOENT, "a missing directory: %s, %d",
          csandbox_step_name(trial.command_step), trial.command_code);
    trial = mapped();
    trial.device = "/dev/not-there";
    run_fresh(&trial);
    check(trial.step == CSANDBOX_STEP_LAYER && trial.code == ENOENT, "a missing device: %s, %d", csandbox_step_name(trial.step),
          trial.code);
    // Filters: of an impossible size, and one that the kernel refuses.
    const struct sock_filter endless = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
    const struct {
        const void *bytes;
        size_t size;
    } filters[] = {{"", 0}, {"seven..", 7}, {&endless, sizeof endless}};
    for (size_t i = 0; i < 3; i++) {
        trial = mapped();
        trial.filter = filters[i].bytes;
        trial.filter_size = filters[i].size;
        run_fresh(&trial);
        check((trial.step == CSANDBOX_STEP_SECCOMP || trial.step == CSANDBOX_STEP_LISTENER) && trial.code == EINVAL,
              "filter %zu: %s, %d", i, csandbox_step_name(trial.step), trial.code);
    }
}

// --- plans that are wrong ---------------------------------------------------------------------------------------------------

static struct flat flat;

static struct csandbox_plan *plan_of(struct flat *made) { return (struct csandbox_plan *)(void *)made->bytes; }
static struct csandbox_overlay *overlay_of(struct flat *made, int index) {
    return (struct csandbox_overlay *)(void *)(made->bytes + plan_of(made)->overlays) + index;
}

struct wrong {
    const char *reason;
    void (*spoil)(struct flat *made);
};
#define SPOIL(name, action) \
    static void name(struct flat *made) { action; }
SPOIL(no_magic, plan_of(made)->magic = 7)
SPOIL(other_version, plan_of(made)->version++)
SPOIL(other_size, plan_of(made)->size++)
SPOIL(too_short, made->size = 40)
SPOIL(no_mode, plan_of(made)->mode = 0)
SPOIL(high_mode, plan_of(made)->mode = 4)
SPOIL(mapped_to_root, plan_of(made)->mapped_first = 0)
SPOIL(few_ids, plan_of(made)->mapped_count = 65535)
SPOIL(ids_wrap, plan_of(made)->mapped_count = UINT32_MAX)
SPOIL(many_groups, plan_of(made)->cgroup_count = CSANDBOX_MAX_CGROUPS + 1)
SPOIL(no_name, plan_of(made)->hostname = 4)
SPOIL(name_behind, plan_of(made)->hostname = made->size)
SPOIL(long_name, plan_of(made)->hostname = flat_string(made, "0123456789012345678901234567890123456789012345678901234567890123456789");
      plan_of(made)->size = made->size)
SPOIL(relative_stage, made->bytes[plan_of(made)->stage] = 'x')
SPOIL(relative_device, plan_of(made)->scratch_device = plan_of(made)->hostname)
SPOIL(no_overlay, plan_of(made)->overlay_count = 0)
SPOIL(many_overlays, plan_of(made)->overlay_count = CSANDBOX_MAX_OVERLAYS + 1)
SPOIL(overlays_off, plan_of(made)->overlays += 4)
SPOIL(overlays_behind, plan_of(made)->overlays = made->size & ~7U)
SPOIL(overlays_in_head, plan_of(made)->overlays = 8)
SPOIL(first_elsewhere, overlay_of(made, 0)->mount_point = overlay_of(made, 1)->mount_point)
SPOIL(relative_point, made->bytes[overlay_of(made, 1)->mount_point] = 'x')
SPOIL(relative_live, made->bytes[overlay_of(made, 1)->live] = 'x')
SPOIL(many_lowers, overlay_of(made, 2)->lower_count = CSANDBOX_MAX_LOWERS + 1)
SPOIL(relative_lower, made->bytes[overlay_of(made, 2)->lowers[0]] = 'x')
SPOIL(relative_base, made->bytes[overlay_of(made, 1)->base] = 'x')
SPOIL(empty_upper, made->bytes[overlay_of(made, 1)->upper] = 0)
SPOIL(rooted_upper, made->bytes[overlay_of(made, 1)->upper] = '/')
SPOIL(comma_work, made->bytes[overlay_of(made, 1)->work] = ',')
SPOIL(dots_work, overlay_of(made, 1)->work = flat_string(made, "../w"); plan_of(made)->size = made->size)
SPOIL(no_under, overlay_of(made, 3)->under_base = CSANDBOX_NONE)
SPOIL(two_under, overlay_of(made, 3)->lower_count = 2; overlay_of(made, 3)->lowers[1] = overlay_of(made, 3)->lowers[0])
SPOIL(comma_under, made->bytes[overlay_of(made, 3)->under_work] = ':')
SPOIL(many_masks, plan_of(made)->mask_count = CSANDBOX_MAX_MASKS + 1)
SPOIL(masks_behind, plan_of(made)->mask_count = 1024; plan_of(made)->masks = (made->size - 8) & ~7U)
SPOIL(relative_mask, made->bytes[((uint32_t *)(void *)(made->bytes + plan_of(made)->masks))[0]] = 'x')
SPOIL(no_resolver, plan_of(made)->resolver = made->size)
SPOIL(long_resolver, char text[1100]; memset(text, 'x', 1099); text[1099] = 0; plan_of(made)->resolver = flat_string(made, text);
      plan_of(made)->size = made->size)
SPOIL(no_end, memset(made->bytes + plan_of(made)->hostname, 'x', made->size - plan_of(made)->hostname))

static void a_wrong_plan_is_refused_with_the_reason(void) {
    static const struct wrong wrongs[] = {
        {"another version", no_magic}, {"another version", other_version}, {"another version", other_size},
        {"impossible size", too_short}, {"mode is unknown", no_mode}, {"mode is unknown", high_mode},
        {"id map is out of range", mapped_to_root}, {"id map is out of range", few_ids}, {"id map is out of range", ids_wrap},
        {"too many control groups", many_groups}, {"host name is missing", no_name}, {"host name is missing", name_behind},
        {"host name is missing or longer", long_name}, {"stage is no absolute", relative_stage},
        {"device of the private layers", relative_device}, {"overlays do not fit", no_overlay}, {"overlays do not fit", many_overlays}, {"overlays do not fit", overlays_off},
        {"overlays do not fit", overlays_behind}, {"overlays do not fit", overlays_in_head}, {"not that of /", first_elsewhere},
        {"mount point is no absolute", relative_point}, {"lowest layer is no absolute", relative_live},
        {"too many lower layers", many_lowers}, {"lower layer is no absolute", relative_lower},
        {"upper layer is no absolute", relative_base}, {"upper layer's name", empty_upper}, {"upper layer's name", rooted_upper},
        {"upper layer's name", comma_work}, {"upper layer's name", dots_work}, {"stacked overlay needs", no_under},
        {"stacked overlay needs", two_under}, {"lower layer's name", comma_under}, {"masks do not fit", many_masks},
        {"masks do not fit", masks_behind}, {"mask is no absolute", relative_mask}, {"host name is missing", no_end},
        {"resolver's configuration", no_resolver}, {"resolver's configuration", long_resolver},
    };
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        struct trial trial = mapped();
        make_plan(&flat, &trial);
        wrongs[i].spoil(&flat);
        trial.plan = flat.bytes;
        trial.plan_size = flat.size;
        run_fresh(&trial);
        check(trial.step == CSANDBOX_STEP_PLAN && trial.code == EINVAL && strstr(trial.detail, wrongs[i].reason) != NULL,
              "plan %zu: %s, errno %d: “%s” instead of “%s”", i, csandbox_step_name(trial.step), trial.code, trial.detail,
              wrongs[i].reason);
        check(trial.status == 125, "plan %zu: the launcher ended with %d", i, trial.status);
    }
}

// Some bytes, words or the length become something else.
static void mutate(struct flat *made, uint32_t head) {
    for (uint32_t times = 1 + random_below(4); times > 0; times--) {
        uint32_t where = random_below(2) ? random_below(head) : random_below(made->size);
        switch (random_below(5)) {
        case 0: made->bytes[where] ^= (char)(1 << random_below(8)); break;
        case 1: made->bytes[where] = (char)random_below(256); break;
        case 2: {
            static const uint32_t interesting[] = {0, 1, 7, 8, 64, 65, 4095, 65535, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff};
            uint32_t value = random_below(3) ? interesting[random_below(12)] : random_below(made->size + 16);
            memcpy(made->bytes + (where & ~3U), &value, 4);
            break;
        }
        case 3: made->size = head + random_below(made->size - head + 1); break;
        default: memset(made->bytes + where, random_below(2) ? 'x' : 0, 1 + random_below(made->size - where)); break;
        }
        if (made->size <= head)
            return;
    }
}

static void no_bytes_of_a_plan_lead_past_its_end(void) {
    struct trial trial = mapped();
    size_t accepted = 0, sum = 0;
    enum { rounds = 100000 };
    for (int i = 0; i < rounds; i++) {
        make_plan(&flat, &trial);
        mutate(&flat, sizeof(struct csandbox_plan));
        if (random_below(2) && flat.size >= sizeof(struct csandbox_plan))
            plan_of(&flat)->size = flat.size;
        int file = flat_file(flat.bytes, flat.size);
        const char *reason = NULL;
        const struct csandbox_plan *plan = csandbox_read_plan(file, &reason);
        close(file);
        check((plan != NULL) == (reason == NULL), "a plan was refused without a reason");
        if (plan != NULL) {
            accepted++;
            sum += use(plan);
        }
        fault_unmap();
    }
    printf("  %d mutated plans, %zu accepted (%zu bytes of text in them)\n", rounds, accepted, sum);
    check(accepted > rounds / 100 && accepted < rounds, "the mutations are too wild or too tame");
}

static void no_bytes_of_a_command_hurt_process_one(void) {
    int answered = 0, started = 0;
    for (int i = 0; i < 250; i++) {
        struct trial trial = mapped();
        trial.only_root = 1;
        trial.program = "inside";
        trial.passed = (int)random_below(4);
        make_command(&flat, &trial);
        mutate(&flat, sizeof(struct csandbox_command));
        trial.command = flat.bytes;
        trial.command_size = flat.size;
        run_fresh(&trial);
        check(trial.ready, "the sandbox itself did not come up: %s", csandbox_step_name(trial.step));
        answered += trial.command_step != 0;
        started += trial.command_started;
    }
    printf("  250 mutated commands: %d refused, %d started\n", answered, started);
    check(answered > 0, "not one of them was refused");
}

// --- denied calls -----------------------------------------------------------------------------------------------------------

static void a_lost_listener_is_an_error_and_not_silence(void) {
    int ends[2];
    if (pipe(ends) < 0)
        abort();
    // A descriptor that is no listener, with something to read.
    if ((write)(ends[1], "x", 1) != 1)
        abort();
    struct csandbox_denied *denied = csandbox_denied_make(ends[0], 4, 4);
    int silent[2];
    if (csandbox_control_pair(silent) < 0)
        abort();
    check(csandbox_attend(silent[0], denied) == -ENOTTY, "a pipe for a listener");
    csandbox_denied_free(denied);
    // One that is at its end is no error: everything inside is gone.
    int closed[2];
    if (pipe(closed) < 0)
        abort();
    close(closed[1]);
    denied = csandbox_denied_make(closed[0], 4, 4);
    int pause;
    check(csandbox_denied_poll(denied, &pause) == closed[0] && pause == -1, "it is not waited for");
    check(csandbox_denied_serve(denied, POLLHUP) == 0 && csandbox_denied_poll(denied, &pause) == -1, "its end");
    csandbox_denied_free(denied);
    csandbox_denied_free(NULL);
    // Without an allowance it is left alone for a while.
    denied = csandbox_denied_make(dup(silent[1]), 0, 0);
    check(csandbox_denied_poll(denied, &pause) == -1 && pause > 0, "a flood is not slowed");
    csandbox_denied_free(denied);
    close(silent[1]);
    check(csandbox_attend(silent[0], NULL) == 0, "a socket at its end can be read");
    close(silent[0]);
    close(ends[1]);
    check(csandbox_can_report() == 0, "this kernel cannot report calls");
}

// --- the other verbs ----------------------------------------------------------------------------------------------------------

static int verb(const char *input, ...) {
    char *arguments[8] = {"grace-sandbox"};
    int count = 1;
    va_list list;
    va_start(list, input);
    for (char *argument; count < 7 && (argument = va_arg(list, char *)) != NULL;)
        arguments[count++] = argument;
    va_end(list);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR), text[2];
        if (pipe(text) < 0 || write(text[1], input, strlen(input)) < 0)
            _exit(98);
        close(text[1]);
        dup2(text[0], 0);
        dup2(null, 1);
        dup2(null, 2);
        _exit(csandbox_main(count, arguments));
    }
    int status;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void other_verbs_say_what_is_wrong(void) {
    char path[128], text[16] = "";
    check(verb("", NULL) == 2 && verb("", "jump", NULL) == 2 && verb("", "run", "now", NULL) == 2, "a verb that is none");
    check(verb("", "thaw", "/dev/null", "1", NULL) == 2, "thaw without seconds");
    check(verb("", "thaw", "/dev/null", "1", "soon", NULL) == 2, "thaw with words for seconds");
    check(verb("", "thaw", "/dev/null", "1", "0", NULL) == 2, "thaw with no time");
    check(verb("", "thaw", "/not/there", "1", "5", NULL) == 1, "thaw of a path that is not there");
    check(verb("", "thaw", "/dev/full", "1", "5", NULL) == 1, "thaw of what cannot be written");
    snprintf(path, sizeof path, "%s/frozen", place);
    close(open(path, O_WRONLY | O_CREAT, 0600));
    check(verb("noise", "thaw", path, "THAWED", "5", NULL) == 0, "thaw at the end of its input");
    int file = open(path, O_RDONLY);
    check(read(file, text, sizeof text) == 6 && strcmp(text, "THAWED") == 0, "thaw wrote “%s”", text);
    close(file);
    check(verb("", "probe", NULL) == 2, "probe without a place");
    check(verb("", "probe", "/not/there", NULL) == 1, "probe of a place that is not there");
    check(verb("", "probe", place, NULL) == 0, "probe");
    check(strcmp(csandbox_step_name(-1), csandbox_step_name(CSANDBOX_STEP_COUNT)) == 0, "steps that are none");
    for (int step = 1; step < CSANDBOX_STEP_COUNT; step++)
        check(strcmp(csandbox_step_name(step), "an unknown step") != 0, "the step %d has no name", step);
}

// Where a call can fail and none was ever made to: these alone, and why.
static void every_place_was_made_to_fail(void) {
    static const struct {
        const char *function, *name;
    } excused[] = {
        // Signals to a child of one's own, which fail only when it has ended.
        {"obey", "kill"}, {"started", "kill"}, {"wait_outside", "kill"},
        {"copy_contents", "ftruncate"},  // the first of two: a file that shrinks while it is copied
    };
    int places = 0;
    for (const struct fault_place *at = __start_fault_places; at < __stop_fault_places; at++, places++) {
        int fine = fault_ever[at - __start_fault_places];
        for (size_t i = 0; i < sizeof excused / sizeof *excused; i++)
            fine |= strcmp(at->function, excused[i].function) == 0 && strcmp(at->name, excused[i].name) == 0;
        check(fine, "%s:%d: %s of %s was never made to fail", at->file, at->line, at->name, at->function);
    }
    printf("%d places where a call can fail\n", places);
}

int main(int argc, char **argv) {
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : (uint64_t)time(NULL) * 1000003 + (uint64_t)getpid();
    random_state = seed | 1;
    printf("seed %llu\n", (unsigned long long)seed);
    make_place();
    static const struct {
        const char *name;
        void (*test)(void);
    } tests[] = {
        {"every mode runs a command", every_mode_runs_a_command},
        {"a socket is given, and a foreign family refused", a_socket_is_given_and_a_foreign_family_refused},
        {"process 1 is born into its control group", process_one_is_born_into_its_control_group},
        {"an agent that leaves ends everything", an_agent_that_leaves_ends_everything},
        {"one command too many is refused, and the rest goes on", one_command_too_many_is_refused_and_the_rest_goes_on},
        {"what a person can cause is reported with the kernel's errno", what_a_person_can_cause_is_reported_with_the_kernels_errno},
        {"a wrong plan is refused with the reason", a_wrong_plan_is_refused_with_the_reason},
        {"no bytes of a plan lead past its end", no_bytes_of_a_plan_lead_past_its_end},
        {"no bytes of a command hurt process 1", no_bytes_of_a_command_hurt_process_one},
        {"a lost listener is an error and not silence", a_lost_listener_is_an_error_and_not_silence},
        {"other verbs say what is wrong", other_verbs_say_what_is_wrong},
        {"every call that fails is reported with its step", every_call_that_fails_is_reported_with_its_step},
        {"what is changed after its check is not seen", what_is_changed_after_its_check_is_not_seen},
        {"rare paths of the root report, too", rare_paths_of_the_root_report_too},
        {"a file system of its own reports, too", a_file_system_of_its_own_reports_too},
        {"denied calls are counted whatever fails", denied_calls_are_counted_whatever_fails},
        {"the agent's side answers errors", the_agents_side_answers_errors},
        {"the watchdog thaws whatever fails", the_watchdog_thaws_whatever_fails},
        {"the probe says failed and leaves nothing", the_probe_says_failed_and_leaves_nothing},
        {"a copied layer is whole or refused", a_copied_layer_is_whole_or_refused},
        {"every call of the zygote made to fail", every_call_of_the_zygote_made_to_fail},
        {"a zygote keeps nothing of what it refused", a_zygote_keeps_nothing_of_what_it_refused},
        {"what comes late is reported, too", what_comes_late_is_reported_too},
        {"every step was seen", every_step_was_seen},
    };
    faults = (mmap)(NULL, sizeof *faults, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    faults->index = -1;
    fault_ever = (mmap)(NULL, FAULT_PLACES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const char *only = getenv("GRACE_TEST_ONLY");  // a part of a name: those tests alone
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        if (only != NULL && strstr(tests[i].name, only) == NULL)
            continue;
        printf("%s\n", tests[i].name);
        fflush(stdout);
        tests[i].test();
    }
    if (only == NULL || *only == 0)
        every_place_was_made_to_fail();
    remove_place();
    printf("%d checks, %d failed\n", checks, failures);
    return failures != 0;
}
