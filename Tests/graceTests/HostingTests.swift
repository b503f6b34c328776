import Glibc
import Testing

/// `grace run` by an agent's sandboxes that wait ready-made, with the real programs.
@Suite(.serialized, .enabled(if: geteuid() == 0, "an agent runs as root"))
struct HostingTests {
    typealias Row = TryTests.Row

    /// An agent with two sandboxes ready, and `hosted run …`, which has no way to make one itself.
    private static func row(_ name: String, _ script: String) -> Row {
        Row(
            name,
            """
            export GRACE_RUNTIME_DIR=$D/run group=grace-test-$$
            mkdir -p $GRACE_STATE_DIR/agent $D/broken; echo nobody >$GRACE_STATE_DIR/agent/token
            printf '#!/bin/sh\\nexit 1\\n' >$D/broken/grace-sandbox; chmod +x $D/broken/grace-sandbox
            printf 'ready_sandboxes: 2\\ncgroup: %s\\n' $group >$GRACE_CONFIG_DIR/agent.yaml
            $G agent 2>agent.log & agent=$!
            trap 'code=$?; set +e; test $code = 0 || cat agent.log; { kill -CONT $agent; kill $agent; wait $agent; sleep 0.2; find /sys/fs/cgroup -depth -type d -path "*/$group*" -exec rmdir {} +; } 2>/dev/null; exit $code' EXIT
            until_true() { i=0; until eval "$1"; do sleep 0.05; i=$((i + 1)); test $i -lt 200; done; }
            until_true 'test -S $D/run/sandboxes'
            hosted() { sleep 0.2; GRACE_LIBEXEC_DIR=$D/broken $G "$@"; }
            exec </dev/null
            until_true 'hosted run -- true 2>/dev/null'
            \(script)
            """)
    }

    static let rows =
        [
            row(
                "codes, streams, directory and environment are the command's",
                """
                set +e; hosted run -- sh -c 'exit 7'; test $? = 7 || exit 1; hosted run -- sh -c 'kill -9 $$'; test $? = 137 || exit 1; set -e
                test "$(echo hi | hosted run -- cat)" = hi; hosted run -- sh -c 'echo no >&2' 2>err; test "$(cat err)" = no
                cd /usr/share; test "$(TZ=Europe/Vienna hosted run -- sh -c 'echo $PWD $TZ')" = "/usr/share Europe/Vienna"
                """),
            row(
                "without one the sandbox is made alone, and --alone always does so",
                "hosted run -- true; ! hosted run --alone -- true; $G run --alone -- true; kill $agent; wait $agent || true; ! hosted run -- true; $G run -- true; test ! -e $D/run/sandboxes"
            ),
            row(
                "each command has a sandbox of its own",
                "for i in 1 2 3 4; do hosted run -- sh -c 'test ! -e /root/mark; touch /root/mark; test $$ -lt 10'; done; test ! -e /root/mark"
            ),
            row(
                "what can't be started is told as it always is",
                "set +e; $G run -- no-such-program; test $? = 127 || exit 1; $G run -- /etc/passwd; test $? = 126 || exit 1; $G run --profile none-such -- true 2>err; test $? = 125 && grep -q none-such err"
            ),
            row(
                "figures and reached limits are reported",
                """
                hosted run --json --kpi $PWD/k -- true 2>err; grep -qF '"exit_code":0' err; grep -qF memoryPeak k; hosted run --json -- true 2>err; grep -q '"pidsPeak":[1-9]' err
                mkdir p; printf 'extends: strict\\nlimits: {time: 300ms}\\n' >p/short.yaml
                until_true 'hosted run --profiles $PWD/p --profile short -- true 2>/dev/null'
                set +e; hosted run --profiles $PWD/p --profile short -- sleep 20 2>err; test $? = 137 && grep -q 'timeout' err
                """),
            row(
                "an edited profile counts at once",
                """
                mkdir p; printf 'extends: strict\\nenvironment: {MARK: one}\\n' >p/own.yaml
                for word in one one two; do printf "extends: strict\\nenvironment: {MARK: $word}\\n" >p/own.yaml; until_true 'hosted run --profiles $PWD/p --profile own -- true 2>/dev/null'; test "$(hosted run --profiles $PWD/p --profile own -- sh -c 'echo $MARK')" = $word; done
                """),
            row(
                "what a profile hides is hidden also where it comes later",
                """
                mkdir p; printf 'extends: strict\\nhide: [%s/secret]\\n' $PWD >p/own.yaml
                until_true 'hosted run --profiles $PWD/p --profile own -- true 2>/dev/null'
                mkdir secret; echo x >secret/s; sleep 1
                until_true 'hosted run --profiles $PWD/p --profile own -- true 2>/dev/null'; ! hosted run --profiles $PWD/p --profile own -- cat $PWD/secret/s
                """),
            row(
                "a device that was unmounted is free again",
                "mkdir m; mount -t tmpfs none m; until_true 'hosted run -- true 2>/dev/null'; sleep 0.5; grep -q $PWD/m /proc/self/mountinfo; umount m; sleep 1; ! grep -q $PWD/m /proc/[0-9]*/mountinfo"
            ),
            row(
                "what the caller ignores ends nobody",
                "sleep 0.2; GRACE_LIBEXEC_DIR=$D/broken nohup $G run -- sh -c 'echo ready; sleep 1; echo done' >out 2>err & pid=$!; until_true 'grep -q ready out'; kill -HUP $pid; wait $pid; grep -q done out"
            ),
            row(
                "the caller's limits are the command's",
                "test $(ulimit -f 4321; hosted run -- sh -c 'ulimit -f') = 4321; test $(hosted run -- sh -c 'ulimit -f') = unlimited"
            ),
            row(
                "a caller that stands elsewhere is not hosted",
                """
                sleep 0.2; for by in 'unshare -n' 'unshare -m' 'unshare -u' 'nice -n 5' 'taskset 1' 'setpriv --bounding-set -sys_admin' 'setpriv --no-new-privs' 'ionice -c 3' 'setarch -R'; do
                  ! GRACE_LIBEXEC_DIR=$D/broken $by $G run -- true 2>err && grep -q broken/grace-sandbox err || { echo \"$by: $(cat err)\"; exit 1; }
                done
                hosted run -- true
                """),
            row(
                "an agent that is stopped is not waited for",
                "kill -STOP $agent; timeout 5 $G run -- true; ! hosted run -- true; kill -CONT $agent; hosted run -- true"
            ),
            row(
                "the end of the caller is the command's, and that of the agent the caller's",
                """
                sleep 0.2; GRACE_LIBEXEC_DIR=$D/broken $G run -- sh -c 'echo ready; exec sleep 3131.5' >out & pid=$!
                until_true 'grep -q ready out'; pgrep -fx 'sleep 3131.5' >/dev/null
                kill -KILL $pid; until_true '! pgrep -fx "sleep 3131.5"'
                sleep 0.2; GRACE_LIBEXEC_DIR=$D/broken $G run -- sh -c 'echo ready; exec sleep 3131.5' >out2 2>err & pid=$!
                until_true 'grep -q ready out2'; kill -KILL $agent; set +e; wait $pid; code=$?; test $code = 125 || { echo "$code"; cat err; exit 1; }; grep -q 'agent.*ended' err || exit 1
                until_true '! pgrep -fx "sleep 3131.5"'
                """),
            row(
                "an agent that ends in order leaves nothing",
                """
                sleep 0.2; GRACE_LIBEXEC_DIR=$D/broken $G run -- sh -c 'echo ready; exec sleep 3131.5' >out 2>err & pid=$!
                until_true 'grep -q ready out'; kill $agent; wait $agent || true
                set +e; wait $pid; test $? = 125 || exit 1
                test -z "$(ls -d /sys/fs/cgroup/$group/*/ /sys/fs/cgroup/*/$group/*/ 2>/dev/null)" && test -z "$(ls $GRACE_STATE_DIR/scratch)" && test ! -e $D/run/sandboxes
                """),
            row(
                "what a killed agent left is no obstacle, and a second agent hosts nobody",
                """
                mkdir -p second/agent; cp $GRACE_STATE_DIR/agent/token second/agent; GRACE_STATE_DIR=$PWD/second $G agent 2>second.log & second=$!; until_true 'grep -q "Another agent" second.log'; hosted run -- true; kill $second; wait $second || true
                kill -KILL $agent; wait $agent || true; test -S $D/run/sandboxes; $G run -- true; ! hosted run -- true
                $G agent 2>agent.log & agent=$!; until_true 'hosted run -- true 2>/dev/null'
                """),
        ]
        + ["TERM", "INT", "HUP", "QUIT"].map { name in
            row(
                "\(name) reaches the command",
                """
                sleep 0.2; env --default-signal GRACE_LIBEXEC_DIR=$D/broken $G run -- sh -c 'trap "echo got it; exit 5" \(name); echo ready; while :; do sleep 0.05; done' >out & pid=$!
                until_true 'grep -q ready out'; kill -\(name) $pid; set +e; wait $pid; test $? = 5; grep -q 'got it' out
                """)
        }

    @Test("hosted:", arguments: rows)
    func behaves(_ row: Row) throws { try row.run() }
}
