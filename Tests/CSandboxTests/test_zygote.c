// The zygote, served over its socket as the agent serves it, with each of its calls made to fail: a sandbox that is asked for works as
// without a fault, or is told as failed with step and errno, or the zygote has ended. Nothing in between, and nothing is left in it.
#include "tests.h"

enum { MOST_REQUESTS = 4 };

// How a zygote is found between requests, and what the sandboxes were like, without a fault.
struct found {
    char sandbox[MOST_REQUESTS][INSPECTED];
    char zygote[INSPECTED];
    char open[MOST_REQUESTS + 1][1024];
};
static struct found whole;

// How often a word that begins like this is in a text of words.
static int words(const char *text, const char *begin) {
    int count = 0;
    for (const char *word = text; word != NULL; word = strchr(word, ' '), word += word != NULL)
        count += strncmp(word, begin, strlen(begin)) == 0;
    return count;
}

// What a resting zygote holds: no more than without a fault, in the host's network, with no child that has ended.
// Its OOM score is not worth a sandbox: without it the host's own memory pressure may meet live first.
static const char *const no_score[] = {"oom_score_adj", NULL};

static void check_rest(const char *what, const struct zygote_process *zygote, int request, int first, int leaves_child) {
    static const char *const kinds[] = {"net:", "user:", "anon_inode:", "socket:", "/dev/null", "/memfd:", ""};
    char text[1024];
    open_files_of(zygote->pid, text, sizeof text);
    if (first)
        memcpy(whole.open[request], text, sizeof text);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        // What a failed request did not take is still there.
        int most = words(whole.open[request], kinds[i]), earlier = request > 0 ? words(whole.open[request - 1], kinds[i]) : 0;
        check(words(text, kinds[i]) <= (most > earlier ? most : earlier), "%s: the zygote holds\n  %s\ninstead of\n  %s", what, text,
              whole.open[request]);
    }
    int children = children_of(zygote->pid, NULL);
    for (int i = 0; i < 300 && children > 0 && !leaves_child; i++, children = children_of(zygote->pid, NULL))
        usleep(10000);
    check(children == 0 || leaves_child, "%s: %d children of the zygote are left", what, children);
    inspect_process(zygote->pid);
    if (first)
        memcpy(whole.zygote, inspected, sizeof whole.zygote);
    check_same(what, whole.zygote, inspected, no_score);
}

// Whether its last request was answered as it must be; `once`: what fails, fails only once.
static void one_zygote(const char *what, const struct trial *asked, int count, int first, int once, int leaves_child,
                       const char *const *but) {
    struct zygote_process zygote = start_zygote(&asked[0]);
    int alive = zygote_rests(&zygote);
    if (alive)
        check_rest(what, &zygote, 0, first, leaves_child);
    for (int i = 0; i < count && alive; i++) {
        struct trial trial = asked[i];
        int before = faults->struck, ends = faults->role == FAULT_FIRST && faults->place > 0 && may_end(__start_fault_places[faults->place - 1].name);
        char title[160];
        snprintf(title, sizeof title, "%s, request %d", what, i + 1);
        fresh();
        *inspected = 0;
        int refused = ask_zygote(&zygote, &trial);
        check_sound(&trial);
        if (first)
            memcpy(whole.sandbox[i], inspected, sizeof whole.sandbox[i]);
        // A zygote that has ended took it along, perhaps while it was looked at.
        alive = zygote_rests(&zygote);
        if (ends || !alive)
            *inspected = 0;  // it may have been ending already
        int step = outcome(title, &trial, whole.sandbox[i], but);
        check(*inspected != 0 || !trial.command_started || ends || !alive, "%s: it works, and cannot be looked at", title);
        check(trial.command_started || !first, "%s: %s (%s), errno %d", title, csandbox_step_name(step), trial.detail, trial.code);
        check(step == 0 || !once || faults->struck > before, "%s: failed by what was over: %s", title, csandbox_step_name(step));
        check(step != 0 || trial.command_started || refused < 0 || !alive || ends, "%s: the sandbox is gone without a word", title);
        if (alive)
            check_rest(title, &zygote, i + 1, first, leaves_child);
    }
    int status = stop_zygote(&zygote);
    check(status == 0 || (faults->struck > 0 && status == 125), "%s: the zygote ended with %d", what, status);
}

// Each call in turn, once; then each place in the source, always.
static void sweep_zygote(const char *what, const struct trial *asked, int count, int role, int singly,
                         const char *const *but) {
    char title[128];
    static struct faults plain;
    no_fault();
    one_zygote(what, asked, count, 1, 0, 0, NULL);
    memcpy(&plain, faults, sizeof plain);
    int total = plain.count[role], places = 0, before = failures;
    for (int index = 0; index < total && singly && failures < before + 20; index++) {
        fail_call(role, index);
        const char *name = __start_fault_places[plain.places[role][index]].name;
        snprintf(title, sizeof title, "%s: call %d, %s", what, index, name);
        one_zygote(title, asked, count, 0, 1, strcmp(name, "waitpid") == 0, but);
        check(faults->struck == 1, "%s: was not reached again", title);
    }
    static char done[FAULT_PLACES];
    memset(done, 0, sizeof done);
    for (int index = 0; index < total && failures < before + 20; index++) {
        int number = plain.places[role][index];
        if (done[number]++)
            continue;
        const struct fault_place *at = &__start_fault_places[number];
        snprintf(title, sizeof title, "%s: always %s in %s", what, at->name, at->function);
        no_fault();
        faults->role = role;
        faults->place = number + 1;
        one_zygote(title, asked, count, 0, 0, strcmp(at->name, "waitpid") == 0, but);
        check(faults->struck > 0, "%s: was not reached again", title);
        places++;
    }
    no_fault();
    printf("  %s: %d calls made to fail once, %d places always\n", what, singly ? total : 0, places);
}

static struct trial watched(void) {
    struct trial trial = mapped();
    trial.program = "inside";
    trial.argument = "w";
    trial.inspect = 1;
    return trial;
}

static struct trial in_the_hosts_network(void) {
    struct trial trial = watched();
    trial.mode = CSANDBOX_PLAIN;
    trial.flags = CSANDBOX_SECCOMP | CSANDBOX_NO_NEW_PRIVS | CSANDBOX_CGROUP_VIEW;
    trial.only_root = 1;
    return trial;
}

static void expect_in(const char *what, const char *text, const char *line) {
    check(strstr(text, line) != NULL, "%s: no line “%.60s” in\n%s", what, line, text);
}

void every_call_of_the_zygote_made_to_fail(void) {
    // The first takes what was made ahead; the next must be in the host's network, whatever was made; the third has other ids, so
    // that the stock of user namespaces is of no use; the last takes from a full stock.
    struct trial asked[MOST_REQUESTS] = {watched(), in_the_hosts_network(), watched(), watched()};
    asked[2].other_ids = asked[3].other_ids = 1;
    sweep_zygote("the zygote", asked, MOST_REQUESTS, FAULT_LAUNCHER, 1, no_score);
    for (int i = 0; i < MOST_REQUESTS; i++) {
        const char *text = whole.sandbox[i];
        expect_in("the zygote", text, i == 1 ? "process 1 ns/net the host's\n" : "process 1 ns/net its own\n");
        expect_in("the zygote", text, i == 1 ? "the command ns/user the host's\n" : "the command ns/user its own\n");
        expect_in("the zygote", text, "the command status: SigBlk:\t0000000000000000\n");
        expect_in("the zygote", text, "the command status: SigIgn:\t0000000000000000\n");
        expect_in("the zygote", text, "process 1 status: Seccomp:\t2\n");
        expect_in("the zygote", text, "mount /secret ");
        expect_in("the zygote", text, "process 1 oom_score_adj: 500\n");
        expect_in("the zygote", text, "group 1: “0”\n");
        expect_in("the zygote", text, "process 1 open: /dev/null /dev/null /dev/null anon_inode: socket:\n");
    }
    expect_in("the zygote", whole.sandbox[0], "the command uid_map:          0 2147483648 2147483647\n");
    expect_in("the zygote", whole.sandbox[2], "the command uid_map:          0 1879048192      65536\n");
    expect_in("the zygote", whole.zygote, "the zygote ns/net the host's\n");
    expect_in("the zygote", whole.zygote, "the zygote ns/user the host's\n");
    for (int i = 0; i <= MOST_REQUESTS; i++) {
        static const int stocks[MOST_REQUESTS + 1] = {1, 0, 4, 4, 4};
        int networks = words(whole.open[i], "net:") - 1, users = words(whole.open[i], "user:");
        check(i == 1 || (networks == stocks[i] && users == stocks[i]), "after %d requests the stock is %d and %d", i, networks, users);
    }
    // Not as root: no stock, and a user namespace of the caller's for each.
    struct trial own[2] = {in_the_hosts_network(), in_the_hosts_network()};
    for (int i = 0; i < 2; i++) {
        own[i].mode = CSANDBOX_USER;
        own[i].flags = CSANDBOX_SECCOMP | CSANDBOX_NO_NEW_PRIVS | CSANDBOX_OWN_NETWORK | CSANDBOX_LOOPBACK_UP;
        own[i].cgroups = 0;
    }
    sweep_zygote("the zygote, unprivileged", own, 2, FAULT_LAUNCHER, 1, no_score);
    expect_in("the zygote, unprivileged", whole.sandbox[0], "process 1 ns/user its own\n");
}

// As the agent asks: the filter and the groups follow while the layers are mounted.
void what_comes_late_is_reported_too(void) {
    struct trial late = watched();
    static const char *const bound_nodes[] = {"mount /dev/", NULL};
    late.flags |= CSANDBOX_LATE;
    sweep_zygote("process 1 of the zygote's", &late, 1, FAULT_FIRST, 0, bound_nodes);
    expect_in("process 1 of the zygote's", whole.sandbox[0], "group 1: “0”\n");
    expect_in("process 1 of the zygote's", whole.sandbox[0], "process 1 status: Seccomp:\t2\n");
}

static long size_of(pid_t pid) {
    char path[64];
    long pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *text = fopen(path, "r");
    if (text == NULL || fscanf(text, "%ld", &pages) != 1)
        check(0, "%s cannot be read", path);
    if (text != NULL)
        fclose(text);
    return pages * 4;
}

void a_zygote_keeps_nothing_of_what_it_refused(void) {
    static struct flat flat;
    struct trial right = watched(), wrong = watched(), few = watched();
    make_plan(&flat, &wrong);
    ((struct csandbox_plan *)(void *)flat.bytes)->mode = 7;
    wrong.plan = flat.bytes;
    wrong.plan_size = flat.size;
    few.withheld = 1;
    no_fault();
    struct zygote_process zygote = start_zygote(&right);
    long before = 0;
    char text[1024], later[1024];
    for (int i = 0; i < 60; i++) {
        struct trial trial = i == 0 ? right : i % 2 ? wrong : few;
        if (i == 3 || i == 4)
            fail_place(FAULT_LAUNCHER, "csandbox_send", "sendmsg", 0, 0);
        zygote_rests(&zygote);
        fresh();
        ask_zygote(&zygote, &trial);
        check_sound(&trial);
        zygote_rests(&zygote);
        if (i == 3 || i == 4)
            check(trial.step == 0 && !trial.ready && faults->struck == 1, "what could not be told was told");
        else if (i > 0 && i % 2)
            check(trial.step == CSANDBOX_STEP_PLAN && trial.code == EINVAL && strstr(trial.detail, "mode is unknown") != NULL,
                  "a wrong plan: %s (%s), errno %d", csandbox_step_name(trial.step), trial.detail, trial.code);
        else if (i > 0)
            check(trial.step == CSANDBOX_STEP_DESCRIPTORS && trial.code == EBADF, "a descriptor too few: %s, errno %d",
                  csandbox_step_name(trial.step), trial.code);
        no_fault();
        if (i == 4) {
            zygote_rests(&zygote);
            before = size_of(zygote.pid);
            open_files_of(zygote.pid, text, sizeof text);
        }
    }
    zygote_rests(&zygote);
    long grown = size_of(zygote.pid) - before;
    check(grown < 64, "55 refused plans cost the zygote %ld KiB", grown);
    open_files_of(zygote.pid, later, sizeof later);
    check(strcmp(text, later) == 0, "refused plans leave open\n  %s\ninstead of\n  %s", later, text);
    fresh();
    ask_zygote(&zygote, &right);
    check(right.command_started, "afterwards: %s (%s), errno %d", csandbox_step_name(right.step), right.detail, right.code);
    check(stop_zygote(&zygote) == 0, "the zygote does not end as it should");
}
