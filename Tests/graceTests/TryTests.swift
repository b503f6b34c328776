import FoundationEssentials
import Glibc
import Linux
import Testing

/// The documented behaviours of binpash's `try` (its manual and test suite), each under `grace try`. docs/try.md holds the same
/// table. Every row runs the built program; what it commits goes to a directory of the test's own below /var/tmp.
@Suite(.serialized, .enabled(if: geteuid() == 0, "forks of the live host are made by root here"))
struct TryTests {
    /// What a row looks at when its shell script has ended: the script's own assertions decide, as in a shell.
    struct Row: Sendable, CustomTestStringConvertible {
        var name: String
        /// Run by `sh -e` in the test's workspace; `$T` is `grace try`, `$D` an empty directory for -N.
        var script: String
        var testDescription: String { name }
        init(_ name: String, _ script: String) {
            self.name = name
            self.script = script
        }
    }

    static let rows = [
        Row("the command's exit code is passed on, 3", "set +e; $T -n 'exit 3' >dir; test $? = 3"),
        Row(
            "-n prints the directory, and nothing reaches live",
            "$T -n 'touch f' >dir; test ! -e f; test -d \"$(cat dir)\"; test -f \"$(cat dir)/upperdir$PWD/f\""),
        Row("a directory that -n made is named …try-MILLISECONDS", "$T -n true >dir; grep -Eq 'try-[0-9]+$' dir"),
        Row("-y commits without asking", "$T -y 'echo hi >f'; test \"$(cat f)\" = hi"),
        Row(
            "-y leaves no directory behind",
            "TMPDIR=$PWD/tmp; export TMPDIR; mkdir tmp; $T -y 'echo hi >f'; test -z \"$(ls tmp)\""),
        Row(
            "y to the question commits",
            "echo y | $T 'touch f' 2>err; test -e f; grep -qF 'Commit these changes? [y/i/N]' err"),
        Row(
            "anything else keeps the fork and prints where it is",
            "echo n | $T 'touch f' >dir 2>err; test ! -e f; grep -q 'Not committing.' err; $T commit \"$(cat dir)\"; test -e f"
        ),
        Row(
            "i lets an editor choose what is committed",
            "printf '#!/bin/sh\\ngrep -v skip \"$1\" >\"$1.new\"; mv \"$1.new\" \"$1\"\\n' >ed; chmod +x ed; echo i | EDITOR=$PWD/ed $T 'touch keep; touch skip'; test -e keep; test ! -e skip"
        ),
        Row(
            "a command that changes nothing is not asked about",
            "$T true </dev/null >out 2>err; test ! -s out; test ! -s err"),
        Row(
            "-N works in a given directory and prints nothing",
            "$T -N $D 'touch f' >out; test ! -s out; test ! -e f; test -f $D/upperdir$PWD/f"),
        Row(
            "the same directory goes on where it was",
            "$T -N $D 'echo a >f'; $T -N $D 'cat f' >out; test \"$(cat out)\" = a"),
        Row(
            "a fork changed again commits what it is in the end",
            "$T -N $D 'echo a >f'; $T summary $D >/dev/null; $T -N $D 'echo bb >f; touch g; rm g'; $T commit $D; test \"$(cat f)\" = bb; test ! -e g"
        ),
        Row(
            "a directory that does not exist is wrong input",
            "set +e; for v in summary commit explore; do $T $v nowhere 2>/dev/null; test $? = 2 || exit 1; done; $T -N nowhere true 2>/dev/null; test $? = 2"
        ),
        Row(
            "a directory of another program's is refused",
            "mkdir $D/upperdir; set +e; $T -N $D true 2>/dev/null; test $? = 1"),
        Row(
            "the summary names every kind of change",
            "echo a >m; echo b >x; touch d; $T -N $D 'touch n; echo c >m; rm x; rm d; mkdir d; mkdir -p e/f; ln -s a l'; $T summary $D >out; grep -qx 'Changes detected in the following files:' out; for l in 'n (added)' 'm (modified)' 'x (deleted)' 'd (replaced with dir)' 'e (created dir)' 'e/f (created dir)' 'l (symlink)'; do grep -qxF \"$PWD/$l\" out || exit 1; done"
        ),
        Row(
            "an empty summary exits with 1 and says nothing",
            "$T -N $D 'echo hi' >/dev/null; set +e; $T summary $D >out; test $? = 1 && test ! -s out"),
        Row(
            "-I commits only what matches",
            "$T -y -I foo1 -I foo2 'touch foo1 foo2 bar'; test -e foo1; test -e foo2; test ! -e bar"),
        Row(
            "-E leaves out what matches",
            "$T -y -E foo1 -E foo2 'touch foo1 foo2 bar'; test ! -e foo1; test ! -e foo2; test -e bar"),
        Row(
            "-i hides paths and leaves them alone on live",
            "mkdir v h; touch v/f g h/f; $T -y -i g -i h 'test ! -e g && test ! -e h && test -e v/f && touch done'; test -e done; test -e g; test -e h/f"
        ),
        Row(
            "-t writes reads and writes in order",
            "$T -y -t $PWD/trace 'echo x >traced'; test \"$(cat traced)\" = x; grep -qx '#reads' trace; grep -qx '#writes' trace; grep -qx $PWD/traced trace"
        ),
        Row(
            "-x has no network",
            "$T -x -n 'ls /sys/class/net /proc/net/dev; grep -c : /proc/net/dev' >out 2>&1 || true; grep -qx 1 out"),
        Row(
            "a pipeline and a redirection of the line happen inside",
            "$T -y 'echo a b | tr a-z A-Z >f'; test \"$(cat f)\" = 'A B'"),
        Row(
            "standard input and output are the caller's",
            "echo in | $T -n cat | head -n 1 >out; test \"$(cat out)\" = in"),
        Row("random bytes can be read", "$T -n 'head -c 4 /dev/urandom | wc -c' | head -n 1 >out; grep -qw 4 out"),
        Row(
            "variables of the tool itself are not set inside",
            "$T -n 'echo ${SANDBOX_DIR-none}' | head -n 1 >out; grep -qx none out"),
        Row(
            "the caller's variables and directory are there",
            "A=b $T -n 'echo $A $PWD' | head -n 1 >out; test \"$(cat out)\" = \"b $PWD\""),
        Row(
            "a name with a line feed is committed and shown escaped",
            "n=$(printf 'a\\nb'); $T -N $D \"touch '$n'\"; $T summary $D >out; grep -qF 'a\\x0ab (added)' out; $T commit $D; test -e \"$n\""
        ),
        Row(
            "a directory over a file, and a file over a directory",
            "touch a; mkdir b; touch b/c; $T -y 'rm a; mkdir a; touch a/x; rm -r b; echo f >b'; test -e a/x; test -f b"),
        Row(
            "a link over a file, and a file over a link",
            "touch a; ln -s a l; $T -y 'rm a l; ln -s t a; echo f >l'; test \"$(readlink a)\" = t; test ! -L l; test -f l"
        ),
        Row(
            "a tree of directories, files, links and deletions",
            "mkdir -p t/a t/b; echo 1 >t/a/f; echo 2 >t/b/g; $T -y 'rm -r t/a; mkdir -p t/c/d; echo 3 >t/c/d/h; ln -s ../b t/c/l; mkfifo t/p; echo 4 >>t/b/g'; test ! -e t/a; test \"$(cat t/c/d/h)\" = 3; test \"$(readlink t/c/l)\" = ../b; test -p t/p; test \"$(cat t/b/g)\" = \"$(printf '2\\n4')\""
        ),
        Row(
            "-U is taken as long as it can be run",
            "$T -U /bin/true -n true >/dev/null; set +e; $T -U /nonexistent -n true 2>/dev/null; test $? = 2"),
        Row("-v and -h exit with 0", "$T -v 2>out; grep -q version out; $T -h 2>out; grep -q Usage out"),
        Row(
            "explore is a shell in the fork",
            "$T -N $D 'touch f'; echo 'test -e f && echo seen' | SHELL=/bin/sh $T explore $D 2>err | grep -qx seen; test ! -e f"
        ),
        Row(
            "explore without a directory is a shell in a new fork, and asks when it ends",
            "printf 'touch f; exit\\ny\\n' | SHELL=/bin/bash $T explore 2>err || true; grep -qF 'Commit these changes? [y/i/N]' err; grep -qF \"$PWD/f (added)\" err"
        ),
        Row(
            "-L runs over what other forks changed, the first over the others",
            "mkdir ../a ../b; $T -N ../a 'echo a >f; rm -f g; mkdir d; echo a >d/a'; echo live >g; $T -N ../b 'echo b >f; echo b >h; mkdir d; echo b >d/b'; $T -N $D -L ../a:../b 'cat f h d/a d/b; echo mine >m; rm h; echo more >>f' >out; test \"$(tr '\\n' ' ' <out)\" = 'a b a b '; $T summary $D >sum; grep -qxF \"$PWD/m (added)\" sum; grep -qxF \"$PWD/f (added)\" sum; test ! -e f; $T -N $D 'cat f' >out; test \"$(tr '\\n' ' ' <out)\" = 'a more '"
        ),
        Row(
            "-L and -N without a command merge what other forks changed",
            "mkdir ../a ../b x y; touch x/1 y/1 g; $T -N ../b 'rm -r x y; mkdir y; touch y/b only; ln only link; echo b >f'; $T -N ../a 'mkdir n; touch x/2 n/a; rm g; echo a >f'; $T -L ../a:../b -N $D; $T commit $D; test \"$(find . | LC_ALL=C sort | tr '\\n' ' ')\" = '. ./f ./link ./n ./n/a ./only ./x ./x/2 ./y ./y/b ' || { find .; exit 1; }; test \"$(cat f)\" = a; test \"$(stat -c %h only)\" = 2"
        ),
        Row(
            "what live did since the first fork began is a conflict for what was laid over it",
            "echo old >f; mkdir ../a; $T -N ../a 'echo a >f'; sleep 0.1; echo live >f; $T -N $D -L ../a 'echo more >>f'; set +e; $T commit $D 2>err; test $? = 1 || exit 1; test \"$(cat f)\" = live; grep -qF \"$PWD/f\" err"
        ),
        Row(
            "what live deleted since is a conflict for a merge, too",
            "echo old >g; mkdir ../a; $T -N ../a 'echo a >g'; $T -L ../a -N $D; sleep 0.1; rm g; set +e; $T commit $D 2>err; test $? = 1 || exit 1; test ! -e g; grep -qF \"$PWD/g\" err"
        ),
        Row(
            "a commit whose directory is gone since is not taken back, and the paths are named",
            "mkdir p q; echo 1 >p/f; echo 1 >q/f; $T -y 'echo 2 >p/f; echo 2 >q/f' 2>err; id=$(sed -n 's/.*rollback //p' err); rm -r q; set +e; for i in 1 2; do $T rollback $id 2>err; test $? = 1 || exit 1; grep -qF \"$PWD/q\" err || exit 1; done; test \"$(cat p/f)\" = 2; test \"$(find . -name '.grace*')\" = ''"
        ),
        Row(
            "-L twice is wrong input, and over a directory without a fork is refused",
            "mkdir ../a; set +e; $T -L ../a -L ../a true 2>/dev/null; test $? = 2 || exit 1; $T -L ../a true 2>/dev/null; test $? = 1"
        ),
        Row(
            "the last of -n and -y counts",
            "$T -n -y 'touch f'; test -e f; $T -y -n 'touch g' >out; test ! -e g; test -d \"$(cat out)\""),
        Row(
            "TRY_SHELL runs the line",
            "printf '#!/bin/sh\\necho own $2\\n' >sh; chmod +x sh; TRY_SHELL=$PWD/sh $T -n 'some line' | head -n 1 >out; test \"$(cat out)\" = 'own some line'"
        ),
        Row(
            "summary and commit take the directory of -N too",
            "$T -N $D 'touch f'; $T -N $D summary | grep -q 'f (added)'; $T -N $D commit; test -e f"),
        Row(
            "process and command substitution happen inside",
            "SHELL=/bin/bash $T -y 'cat <(echo $(echo inside)) >f'; test \"$(cat f)\" = inside"),
        Row(
            "an archive is unpacked and committed",
            "echo text >file; gzip file; $T -y gunzip file.gz; test \"$(cat file)\" = text; test ! -e file.gz"),
        Row(
            "everything after -- is the command",
            "$T -y -- touch f; test -e f; $T -N $D -- summary 2>/dev/null || test $? = 127"),
        // What `try` has not.
        Row(
            "live that moved on is a conflict, and nothing at all is committed",
            "echo a >f; $T -N $D 'echo b >f; echo b >g'; echo c >f; set +e; $T commit $D 2>err; test $? = 1 && test \"$(cat f)\" = c && test ! -e g"
        ),
        Row(
            "a commit is taken back by its id",
            "echo a >f; $T -y 'echo b >f; touch g' 2>err; id=$(sed -n 's/.*rollback //p' err); $T rollback $id 2>/dev/null; test \"$(cat f)\" = a; test ! -e g"
        ),
        Row(
            "-y makes the fork's own files live and copies none of them",
            "echo old >old; $T -y 'mkdir d; echo x >d/x; chmod 600 d/x; stat -c %i d/x >ino; echo new >>old' 2>err; test \"$(stat -c '%i %h %a' d/x)\" = \"$(cat ino) 1 600\"; test \"$(tail -1 old)\" = new; id=$(sed -n 's/.*rollback //p' err); $T rollback $id 2>/dev/null; test ! -e d; test \"$(cat old)\" = old"
        ),
        Row(
            "a commit of -y that meets a conflict leaves its fork, which can be used and shares nothing with live",
            "set +e; mkfifo ../go; : >err; (for i in $(seq 500); do grep -q ready err && break; sleep 0.02; done; echo live >g; echo) >../go & $T -y 'echo 1 >f; echo 2 >g; echo ready >&2; read go' <../go 2>err; test $? = 1 || exit 1; test ! -e f && test \"$(cat g)\" = live || exit 1; K=$(sed -n 's/.*commit \\([^:]*\\):.*/\\1/p' err); test -d \"$K\" && test ! -e \"$K/giving\" || exit 1; rm g; $T -N $K 'echo more >>f' && $T summary $K | grep -q \"$PWD/f\" && test ! -e f"
        ),
        Row(
            "a fork whose commit was cut off shares nothing with live once it is used again",
            "$T -N $D 'echo 1 >f'; ln $D/upperdir$PWD/f f; : >$D/giving; $T -N $D 'echo 2 >>f'; test \"$(cat f)\" = 1; test ! -e $D/giving; test \"$(cat $D/upperdir$PWD/f)\" = \"$(printf '1\\n2')\""
        ),
        Row(
            "more files than may be open at once are committed and taken back",
            "ulimit -n 200; mkdir d; seq 900 | sed 's|.*|d/&|' | xargs touch; $T -y 'for i in $(seq 900); do echo $i >d/$i; mkdir n$i; done; touch n5/x' 2>err || { cat err; exit 1; }; test \"$(cat d/900)\" = 900; test -d n900; id=$(sed -n 's/.*rollback //p' err); $T rollback $id; test ! -s d/900; test ! -e n900"
        ),
        Row(
            "a commit leaves nothing beside the files, and is taken back all the same",
            "mkdir d; echo a >d/f; echo a >d/g; mkdir d/h; touch -d 2001-01-01 d; $T -y 'echo b >d/f; rm -r d/g d/h; touch d/new' 2>err; test \"$(ls -A d | tr '\\n' ' ')\" = 'f new '; test -z \"$(find . -name '.grace*')\"; id=$(sed -n 's/.*rollback //p' err); $T rollback $id 2>/dev/null; test \"$(cat d/f d/g | tr -d '\\n')\" = aa; test -d d/h; test ! -e d/new; test -z \"$(find . -name '.grace*')\"; test \"$(date -r d +%Y)\" = 2001"
        ),
        Row(
            "a commit that live moved on from is not taken back, and nothing is left beside the files",
            "echo a >f; $T -y 'echo b >f' 2>err; echo c >f; id=$(sed -n 's/.*rollback //p' err); set +e; $T rollback $id 2>/dev/null; test $? = 1 && test \"$(cat f)\" = c && test -z \"$(find . -name '.grace*')\""
        ),
        Row(
            "a host may forbid commits",
            "echo 'try: forbidden' >$GRACE_CONFIG_DIR/agent.yaml; set +e; $T -y 'touch f' 2>err; test $? = 1 && test ! -e f && grep -q forbidden err"
        ),
        Row(
            "each commit is in a signed journal",
            "$T -y 'touch f'; grep -q try.promotion.committed $GRACE_STATE_DIR/try/journal/try.jsonl"),
    ]

    @Test("as try does it:", arguments: rows)
    func behaves(_ row: Row) throws { try row.run() }
}

extension TryTests.Row {
    /// Runs the script in a workspace of its own and expects it to end with 0.
    func run() throws {
        let place = "/var/tmp/grace-try-test-\(getpid())-\(UInt32.random(in: .min ... .max))"
        try Files.makeDirectory(place, mode: 0o755)
        defer { try? Files.removeTree(place) }
        for name in ["work", "state", "config", "fork", "tmp"] {
            try Files.makeDirectory("\(place)/\(name)", mode: 0o755)
        }
        let program = try SandboxPrograms.grace()
        var environment = Processes.currentEnvironment()
        environment["G"] = program
        environment["T"] = "\(program) try"
        environment["D"] = place + "/fork"
        environment["TMPDIR"] = place + "/tmp"
        environment["GRACE_STATE_DIR"] = place + "/state"
        environment["GRACE_CONFIG_DIR"] = place + "/config"
        environment["GRACE_RUNTIME_DIR"] = place + "/run"
        environment["SHELL"] = "/bin/sh"
        let log = try Files.open(place + "/log", flags: O_RDWR | O_CREAT, mode: 0o600)
        let child = try Processes.spawn(
            "/bin/sh", arguments: ["-e", "-c", script], environment: environment,
            descriptors: [(1, log.raw), (2, log.raw)], directory: place + "/work")
        let exit = try Processes.waitBlocking(child)
        let said = try Files.readString(place + "/log")
        #expect(exit.shellCode == 0, "\(said)")
    }
}

/// The programs of this build.
enum SandboxPrograms {
    /// The test bundle, mapped into this process, lies among the products.
    static func grace() throws -> String {
        for line in try Files.readString("/proc/self/maps").split(separator: "\n") where line.hasSuffix(".xctest") {
            guard let start = line.firstIndex(of: "/"), let end = line.lastIndex(of: "/"), start < end else { continue }
            return "\(line[start..<end])/grace"
        }
        throw SystemError(call: "find", subject: "grace among the products of the build", code: ENOENT)
    }
}
