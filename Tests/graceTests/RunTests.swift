import Glibc
import Testing

/// `grace run` as it is called: the small program does it, and the whole one explains what is wrong.
@Suite(.serialized, .enabled(if: geteuid() == 0, "sandboxes of the live host are made by root here"))
struct RunTests {
    typealias Row = TryTests.Row

    /// What ends with which code.
    static let codes: [(String, Int32)] = [
        ("$G run -- /bin/true", 0), ("$G run -- sh -c 'exit 7'", 7), ("$G run -- sh -c 'kill -9 $$'", 137),
        ("$G run -- /etc/passwd", 126), ("$G run -- no-such-program", 127), ("$G run", 2), ("$G run true", 2),
        ("$G run --profile none-such -- true", 125), ("$G run --without nothing -- true", 2), ("$G nonsense", 2),
        ("$G run --help", 0), ("$G --version", 0), ("$G try -v", 0),
    ]

    /// A sandboxed command that says `ready`, and `$pid` of the program over it.
    private static func started(_ command: String, before: String = "", by: String = "") -> String {
        """
        \(before)
        \(by) $G run -- sh -c '\(command)' >out &
        pid=$!
        i=0; until grep -q ready out; do sleep 0.05; i=$((i + 1)); test $i -lt 400; done

        """
    }

    static let rows =
        codes.map { Row("\($0.0) ends with \($0.1)", "set +e; \($0.0); test $? = \($0.1)") } + [
            Row("--help is the whole program's", "$G run --help | grep -q -- --without"),
            Row("wrong input is explained with the usage", "! $G run true 2>err; grep -q 'Usage: grace run' err"),
            Row("--json prints the run's figures", "$G run --json -- true 2>err; grep -qF '\"exit_code\":0' err"),
            Row(
                "a report may go to a pipe or a device, which stays one; a file is replaced, through links",
                "mkfifo p; cat p >out & $G run --kpi $PWD/p -- true; wait; test -p p; grep -qF exit_code out; cp -a /dev/null n; $G run --kpi $PWD/n -- true; test -c n; echo old >f; ln -s f l; $G run --kpi $PWD/l -- true; test -h l; grep -qF exit_code f; $G run --kpi $PWD/new -- true; grep -qF exit_code new"
            ),
            Row(
                "without grace-main it says what is missing",
                "cp $G $D/grace; set +e; $D/grace doctor 2>err; test $? = 4 && grep -q 'grace-main.*GRACE_LIBEXEC_DIR' err"
            ),
            Row(
                "a grace-main that is grace itself is no loop",
                "cp $G $D/grace; ln -s grace $D/grace-main; set +e; $D/grace doctor 2>err; test $? = 4 && grep -q 'not grace-main' err"
            ),
            Row(
                "a copy is none either",
                "cp $G $D/grace; cp $G $D/grace-main; set +e; $D/grace doctor 2>err; test $? = 4 && grep -q 'not grace-main' err"
            ),
            Row(
                "a start that hangs can be ended, and leaves nothing",
                """
                printf '#!/bin/sh\\nexec sleep 100\\n' >$D/grace-sandbox; chmod +x $D/grace-sandbox
                export GRACE_LIBEXEC_DIR=$D
                $G run -- true & pid=$!
                i=0; until ls -d /var/tmp/grace-run.$pid-* >/dev/null 2>&1; do sleep 0.05; i=$((i + 1)); test $i -lt 400; done
                sleep 0.3; kill -TERM $pid; set +e; wait $pid; test $? = 143 || exit 1
                ! ls -d /var/tmp/grace-run.$pid-* 2>/dev/null
                """),
            Row(
                "a signal before the command begins leaves no fork",
                """
                printf '#!/bin/sh\\nexec sleep 100\\n' >$D/grace-sandbox; chmod +x $D/grace-sandbox
                export GRACE_LIBEXEC_DIR=$D
                $G try -n true & pid=$!
                i=0; until ls -d $TMPDIR/tmp.*try* >/dev/null 2>&1; do sleep 0.05; i=$((i + 1)); test $i -lt 400; done
                sleep 0.3; kill -TERM $pid; set +e; wait $pid; test $? = 143 || exit 1
                test -z "$(ls $TMPDIR)"
                """),
            Row(
                "what the caller ignores ends nobody",
                started("echo ready; sleep 1; echo done", before: "trap '' HUP")
                    + "kill -HUP $pid; wait $pid; grep -q done out"),
            Row(
                "the compiled filter is kept for the next run",
                "export GRACE_RUNTIME_DIR=$D/run; $G run -- true; test $(ls $D/run/filters | wc -l) = 1; $G run -- true; test $(ls $D/run/filters | wc -l) = 1"
            ),
        ]
        + ["TERM", "INT", "HUP", "QUIT"].map { name in
            // A shell without job control lets its background commands ignore INT and QUIT.
            Row(
                "\(name) reaches the command",
                started(
                    "trap \"echo got it; exit 5\" \(name); echo ready; while :; do sleep 0.05; done",
                    by: "env --default-signal")
                    + "kill -\(name) $pid; set +e; wait $pid; test $? = 5; grep -q 'got it' out")
        }

    @Test("as it is called:", arguments: rows)
    func behaves(_ row: Row) throws { try row.run() }
}
