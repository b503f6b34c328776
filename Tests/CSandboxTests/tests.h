// What the parts of the tests share.
#ifndef GRACE_CSANDBOX_ALL_TESTS_H
#define GRACE_CSANDBOX_ALL_TESTS_H
#include "support.h"

enum { SANITIZER = 99 };  // exit code of a process that a sanitizer stopped (ASAN_OPTIONS of the script)

enum { FULL = CSANDBOX_OWN_NETWORK | CSANDBOX_LOOPBACK_UP | CSANDBOX_SECCOMP | CSANDBOX_LISTENER | CSANDBOX_CGROUP_VIEW
            | CSANDBOX_QUIET_SERVICES };

struct trial mapped(void);  // one with everything
void fresh(void);           // what an overlay leaves in its layers would refuse the next one
void run_fresh(struct trial *trial);
void check_sound(const struct trial *trial);  // no sanitizer stopped it, no time ran out

// Nothing fails from now on.
void no_fault(void);
void fail_call(int role, int index);
// Every call of that name in that function, by that process; `code` 0: FAULT_ERRNO. Beside fail_call's.
void fail_place(int role, const char *function, const char *name, int nth, int code);
// Calls without which process 1 can say nothing any more, or hears nothing: the agent sees its socket's end.
int may_end(const char *name);
// Whether this trial, of which something failed, was either told with the step and that errno, or is as strong as `whole`, the text of
// one without a fault, but for lines with one of the words `but`. The step, or 0.
int outcome(const char *what, const struct trial *trial, const char *whole, const char *const *but);
const char *called(int role, int index);  // the name of a call of the last trial
int number_of(int role, const char *function, const char *name);  // of the first call from there in the last trial; -1

// Makes each call of one process fail in turn. What came of each goes into `order`, without repetitions: the step, or 0 and the call's
// name where the sandbox goes on without what failed.
struct order {
    int step;
    char name[32];
};
int sweep(const char *what, struct trial base, int role, struct order *order, int room, const char *const *but);
void expect_order(const char *what, const struct order *order, int used, const char *expected);

void every_call_that_fails_is_reported_with_its_step(void);
void every_step_was_seen(void);
// test_zygote.c
void every_call_of_the_zygote_made_to_fail(void);
void a_zygote_keeps_nothing_of_what_it_refused(void);
void what_comes_late_is_reported_too(void);
// test_others.c
void what_is_changed_after_its_check_is_not_seen(void);
void rare_paths_of_the_root_report_too(void);
void denied_calls_are_counted_whatever_fails(void);
void the_watchdog_thaws_whatever_fails(void);
void the_probe_says_failed_and_leaves_nothing(void);
void the_agents_side_answers_errors(void);
void a_copied_layer_is_whole_or_refused(void);
void a_file_system_of_its_own_reports_too(void);
#endif
