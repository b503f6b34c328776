// Making each call of one process fail in turn.
#include "tests.h"

struct trial mapped(void) {
    return (struct trial){.mode = CSANDBOX_MAPPED, .flags = FULL, .cgroups = 2};
}

void fresh(void) {
    char command[512];
    snprintf(command, sizeof command,
             "cd %s && rm -rf upper stack durable cgroups && mkdir -p upper/u upper/w stack/u stack/w durable/u durable/w cgroups && "
             "echo layer > stack/u/stacked",
             place);
    if (system(command) != 0)
        exit(2);
}

void check_sound(const struct trial *trial) {
    check(trial->status != SANITIZER && trial->exit_code != SANITIZER, "a sanitizer stopped a process (see above)");
    check(!trial->timed_out, "the sandbox neither answered nor ended");
}

void run_fresh(struct trial *trial) {
    fresh();
    run_trial(trial);
    check_sound(trial);
}

void no_fault(void) {
    int waits = __atomic_load_n(&faults->waits, __ATOMIC_SEQ_CST);  // a zygote may be running
    memset(faults, 0, sizeof *faults);
    faults->index = -1;
    faults->waits = waits;
}

void fail_call(int role, int index) {
    no_fault();
    faults->role = role;
    faults->index = index;
}

void fail_place(int role, const char *function, const char *name, int nth, int code) {
    int found = fault_place_of(function, name, nth);
    check(found >= 0, "%s does not call %s (%d) any more", function, name, nth);
    faults->role = role;
    faults->place = found + 1;
    faults->code = code;
}

const char *called(int role, int index) { return __start_fault_places[faults->places[role][index]].name; }

int number_of(int role, const char *function, const char *name) {
    for (int i = 0; i < faults->count[role] && i < FAULT_MOST; i++) {
        const struct fault_place *at = &__start_fault_places[faults->places[role][i]];
        if (strcmp(at->function, function) == 0 && strcmp(at->name, name) == 0)
            return i;
    }
    check(0, "%s did not call %s", function, name);
    return -1;
}

static int seen[CSANDBOX_STEP_COUNT];

int outcome(const char *what, const struct trial *trial, const char *whole, const char *const *but) {
    int step = trial->step != 0 ? trial->step : trial->command_step, code = trial->step != 0 ? trial->code : trial->command_code;
    if (step != 0) {
        check(code == FAULT_ERRNO, "%s: %s (%s), with errno %d instead of the one that it got", what, csandbox_step_name(step),
              trial->detail, code);
        seen[step]++;
    }
    if (*inspected != 0)
        check_same(what, whole, inspected, but);
    return step;
}

int may_end(const char *name) { return strcmp(name, "sendmsg") == 0 || strcmp(name, "poll") == 0 || strcmp(name, "waitid") == 0; }

int sweep(const char *what, struct trial base, int role, struct order *order, int room, const char *const *but) {
    static char whole[INSPECTED];
    int used = 0;
    struct trial trial = base;
    no_fault();
    run_fresh(&trial);
    memcpy(whole, inspected, sizeof whole);
    check(!base.inspect || strstr(whole, "process 1 ns/net its own\n") != NULL, "%s: it is not in a network of its own:\n%s", what, whole);
    check(!base.inspect || strstr(whole, "process 1 status: Seccomp:\t2\n") != NULL, "%s: it has no filter:\n%s", what, whole);
    int total = faults->count[role];
    check(trial.step == 0 && trial.command_step == 0, "%s: without a fault: %s (%s), errno %d", what,
          csandbox_step_name(trial.step != 0 ? trial.step : trial.command_step), trial.detail, trial.code);
    for (int index = 0; index < total; index++) {
        fail_call(role, index);
        trial = base;
        run_fresh(&trial);
        char name[32], title[128];
        snprintf(name, sizeof name, "%s%s", called(role, index), trial.inspect && !trial.command_started ? " (the end)" : "");
        snprintf(title, sizeof title, "%s: call %d, %s", what, index, name);
        check(faults->struck, "%s: was not reached again", title);
        int last = role == FAULT_FIRST && may_end(called(role, index));
        if (last)
            *inspected = 0;  // it may have been ending already
        int step = outcome(title, &trial, whole, but);
        check(!trial.inspect || *inspected != 0 || !trial.command_started || last, "%s: it works, and cannot be looked at", title);
        int same = 0;  // as one of the last two: layers and devices are many of one kind
        for (int i = used - 1; i >= 0 && i >= used - 2; i--)
            same |= order[i].step == step && (step != 0 || strcmp(order[i].name, name) == 0);
        if (!same && used < room) {
            order[used].step = step;
            memcpy(order[used++].name, step == 0 ? name : "", step == 0 ? sizeof name : 1);
        }
    }
    no_fault();
    printf("  %s: %d calls made to fail\n", what, total);
    return used;
}

void expect_order(const char *what, const struct order *order, int used, const char *expected) {
    char found[4096];
    int length = 0;
    for (int i = 0; i < used; i++)
        length += snprintf(found + length, sizeof found - (size_t)length, "%s%s", i > 0 ? "; " : "",
                           order[i].step != 0 ? csandbox_step_name(order[i].step) : order[i].name);
    check(strcmp(found, expected) == 0, "%s: the steps that failed were\n  %s\ninstead of\n  %s", what, found, expected);
}

void every_step_was_seen(void) {
    for (int step = 1; step < CSANDBOX_STEP_COUNT; step++)
        check(seen[step] > 0 || step == CSANDBOX_STEP_TOO_MANY, "no fault led to the step “%s”", csandbox_step_name(step));
}
