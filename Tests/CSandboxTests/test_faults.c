// Every call of launcher, process 1 and commands made to fail.
#include "tests.h"

// Without what the sandbox goes on, as strong as ever, by the call's name: pidfd_open, dup3, close_range and poll of the launcher
// (process 1 sees by its socket that the agent is gone), oom_score_adj (open, write), the end of who held a new user namespace
// (waitpid), reflinks (ioctl: it copies), device nodes (mknodat: it binds the host's), the lowest privileged port where root is not
// mapped (openat, write), clearing ambient capabilities (prctl: capset does it too) and process 1's name (prctl), a terminal's
// foreground (ioctl), the limit that is the caller's (getrlimit). What comes after READY is answered, or is the sandbox's end.
void every_call_that_fails_is_reported_with_its_step(void) {
    static struct order order[256];
    static const char *const no_score[] = {"oom_score_adj", NULL}, *const bound_nodes[] = {"mount /dev/", NULL};
    struct trial trial = mapped();
    trial.ask_socket = AF_INET;
    trial.program = "inside";
    trial.argument = "w";
    trial.inspect = 1;
    int used = sweep("the launcher", trial, FAULT_LAUNCHER, order, 256, no_score);
    expect_order("the launcher", order, used,
                 "supervising commands; pidfd_open; reading the plan; open; write; making the user namespace; "
                 "writing the user namespace's id map; waitpid; making the namespaces; dup3; close_range; pidfd_open; poll; "
                 "waitpid");
    used = sweep("process 1, mapped root", trial, FAULT_FIRST, order, 256, bound_nodes);
    expect_order("process 1, mapped root", order, used,
                 "supervising commands; joining the control group; making the cgroup namespace; "
                 "leaving the agent's session keyring; setting the host name; making mounts private; "
                 "preparing the place where the root is put together; opening a layer; mapping the ids of a layer; "
                 "becoming the mapped root; opening a layer; making the overlay; copying a layer; ioctl; making the overlay; "
                 "opening a layer; attaching the overlay; making the overlay; mounting /proc; filling /dev; mknodat; "
                 "filling /sys; mounting a temporary file system; hiding a path; placing /etc/resolv.conf; "
                 "changing to the new root; bringing loopback up; closing descriptors; entering the user namespace; "
                 "loading the system-call filter; having denied calls reported; dropping capabilities; prctl; "
                 "setting resource limits; dropping capabilities; prctl; closing descriptors; supervising commands; "
                 "poll (the end); waitid (the end); recvmsg (the end); socket; sendmsg (the end); poll (the end); "
                 "waitid (the end); recvmsg (the end); making the process; poll (the end); sendmsg (the end); waitid; poll; "
                 "recvmsg");
    trial.flags &= ~(uint32_t)(CSANDBOX_LISTENER | CSANDBOX_QUIET_SERVICES);
    trial.flags |= CSANDBOX_NO_NEW_PRIVS | CSANDBOX_GIVEN_NETWORK;
    trial.mode = CSANDBOX_PLAIN;
    trial.only_root = 1;
    used = sweep("process 1, plain root", trial, FAULT_FIRST, order, 256, bound_nodes);
    expect_order("process 1, plain root", order, used,
                 "supervising commands; entering the network namespace; joining the control group; "
                 "making the cgroup namespace; leaving the agent's session keyring; setting the host name; "
                 "making mounts private; preparing the place where the root is put together; opening a layer; "
                 "becoming the mapped root; making the overlay; attaching the overlay; mounting /proc; openat; write; "
                 "mounting /proc; filling /dev; mknodat; filling /sys; mounting a temporary file system; hiding a path; "
                 "changing to the new root; bringing loopback up; closing descriptors; dropping capabilities; "
                 "loading the system-call filter; prctl; dropping capabilities; setting resource limits; prctl; "
                 "closing descriptors; supervising commands; poll (the end); waitid (the end); recvmsg (the end); socket; "
                 "sendmsg (the end); poll (the end); waitid (the end); recvmsg (the end); making the process; poll (the end); "
                 "sendmsg (the end); waitid; poll; recvmsg");
    trial.mode = CSANDBOX_USER;
    trial.flags &= ~(uint32_t)(CSANDBOX_CGROUP_VIEW | CSANDBOX_GIVEN_NETWORK);
    trial.cgroups = 0;
    used = sweep("the launcher, unprivileged", trial, FAULT_LAUNCHER, order, 256, no_score);
    expect_order("the launcher, unprivileged", order, used,
                 "supervising commands; pidfd_open; reading the plan; open; write; making the namespaces; "
                 "writing the user namespace's id map; dup3; close_range; pidfd_open; poll; waitpid");
    used = sweep("process 1, unprivileged", trial, FAULT_FIRST, order, 256, bound_nodes);
    expect_order("process 1, unprivileged", order, used,
                 "supervising commands; writing the user namespace's id map; making the cgroup namespace; "
                 "leaving the agent's session keyring; setting the host name; making mounts private; "
                 "preparing the place where the root is put together; opening a layer; making the overlay; "
                 "attaching the overlay; mounting /proc; openat; write; mounting /proc; filling /dev; filling /sys; "
                 "mounting a temporary file system; hiding a path; changing to the new root; bringing loopback up; "
                 "closing descriptors; entering the user namespace; dropping capabilities; loading the system-call filter; "
                 "prctl; dropping capabilities; setting resource limits; prctl; closing descriptors; supervising commands; "
                 "poll (the end); waitid (the end); recvmsg (the end); socket; sendmsg (the end); poll (the end); "
                 "waitid (the end); recvmsg (the end); making the process; poll (the end); sendmsg (the end); waitid; poll; "
                 "recvmsg");
    trial = mapped();
    trial.program = "inside";
    trial.passed = 3;
    used = sweep("a command", trial, FAULT_COMMAND, order, 256, NULL);
    expect_order("a command", order, used,
                 "reading the command; executing the program; placing its descriptors; making its session; "
                 "setting resource limits; getrlimit; becoming its user; taking its groups; prctl; becoming its user; "
                 "entering its directory; executing the program");
    trial.command_flags = CSANDBOX_FOREGROUND;
    used = sweep("a command in the foreground", trial, FAULT_COMMAND, order, 256, NULL);
    expect_order("a command in the foreground", order, used,
                 "reading the command; executing the program; placing its descriptors; making its session; ioctl; "
                 "setting resource limits; getrlimit; becoming its user; taking its groups; prctl; becoming its user; "
                 "entering its directory; executing the program");
    // Process 1 with a command that it starts and reaps: these fail each time.
    static const struct {
        const char *function, *name;
        int step, code, starts;
    } starting[] = {
        {"run", "pipe2", CSANDBOX_STEP_FORK, FAULT_ERRNO, 0},
        {"run", "fork", CSANDBOX_STEP_FORK, FAULT_ERRNO, 0},
        {"started", "read", CSANDBOX_STEP_FORK, FAULT_ERRNO, 0},  // it is ended
        {"reap", "waitid", 0, 0, 1},                              // process 1 ends: no command's end would be told
        {"csandbox_supervise", "poll", 0, 0, 0},
        {"csandbox_receive", "recvmsg", 0, 0, 0},
    };
    trial = mapped();
    trial.program = "inside";
    for (size_t i = 0; i < sizeof starting / sizeof *starting; i++) {
        no_fault();
        fail_place(FAULT_FIRST, starting[i].function, starting[i].name, 0, 0);
        struct trial again = trial;
        again.exit_code = -1;
        run_fresh(&again);
        check(again.command_step == starting[i].step && again.command_code == starting[i].code, "%s of process 1: %s, errno %d",
              starting[i].name, csandbox_step_name(again.command_step), again.command_code);
        check(again.ready && again.exit_code == -1 && again.step == 0, "%s of process 1: the command ended with %d",
              starting[i].name, again.exit_code);
        check(again.command_started == 0 || starting[i].starts, "%s of process 1: a command was told as started", starting[i].name);
        outcome(starting[i].name, &again, "", NULL);
    }
    no_fault();
}
