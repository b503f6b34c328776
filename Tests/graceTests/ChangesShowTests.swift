import Glibc
import Testing

/// What people are shown of a change set, and how a fork's change becomes a mission: the built program, run by shell scripts as in
/// `TryTests`. `$G` is `grace`.
@Suite(.serialized, .enabled(if: geteuid() == 0, "forks of the live host are made by root here"))
struct ChangesShowTests {
    typealias Row = TryTests.Row

    static let shows = [
        Row(
            "text is shown as a difference, metadata and links in words",
            "echo one >f; echo m >m; $T -N $D 'echo two >f; chmod 700 m; ln -s f l; mkdir d'; $G changes show $D >out; grep -q '^# change set [0-9a-f]\\{64\\}$' out; grep -qx -- -one out; grep -qx +two out; for n in m l d; do grep -q \"$PWD/$n\" out || exit 1; done"
        ),
        Row(
            "neither FIFO nor device nor socket nor link is opened, on either side of a change",
            "echo hidden-words >../secret; mkfifo fifo; mknod zero c 1 5; ln -s ../secret link; echo t >to-fifo; echo t >to-link; perl -MSocket -e 'socket(S,PF_UNIX,SOCK_STREAM,0);bind(S,sockaddr_un(\"sock\"))'; $T -N $D 'for n in fifo zero link sock; do rm $n; echo new >$n; done; rm to-fifo to-link; mkfifo to-fifo; ln -s ../secret to-link'; timeout 30 $G changes show $D >out; for n in fifo zero link sock to-fifo to-link; do grep -q \"$PWD/$n\" out || exit 1; done; ! grep -q hidden-words out; test $(wc -c <out) -lt 100000"
        ),
        Row(
            "what live has become since is not opened either",
            "echo hidden-words >../secret; for n in a b c; do echo old >$n; done; $T -N $D 'for n in a b c; do echo new >$n; done'; rm a b c; mkfifo a; ln -s ../secret b; mknod c c 1 5; timeout 30 $G changes show $D >out; for n in a b c; do grep -q \"$PWD/$n\" out || exit 1; done; ! grep -q hidden-words out"
        ),
        Row(
            "no byte that a terminal acts upon gets through, from names or contents",
            "printf 'old\\n' >f; $T -N $D 'printf \"\\033]0;title\\007\\033[2J\\n\" >f; touch \"$(printf \"n\\033[31m\")\"'; $G changes show $D >out; ! grep -q \"$(printf '\\033')\" out; ! grep -q \"$(printf '\\007')\" out; grep -q '\\\\x1b\\[31m' out"
        ),
        Row(
            "a change set that was tested here is shown by the beginning of its digest",
            "echo one >f; $T -N $D 'echo two >f'; $G changes show $D >/dev/null; mkdir -p $GRACE_STATE_DIR/blobs; cp -r $D/blobs/. $GRACE_STATE_DIR/blobs; $T commit $D 2>err; id=$(sed -n 's/.*rollback //p' err); $T rollback $id 2>/dev/null; m=$GRACE_STATE_DIR/agent/missions/m1; mkdir -p $m; cp $GRACE_STATE_DIR/promotions/$id/changes.json $m/manifest.json; cp $GRACE_STATE_DIR/promotions/$id/base.json $m/base.json; digest=$(sha256sum <$m/manifest.json | cut -c1-10); $G changes show $digest >out; grep -q \"^# change set $digest\" out; grep -qx -- -one out; grep -qx +two out"
        ),
        Row(
            "a digest that nobody knows, and what is neither digest nor directory, is wrong input",
            "set +e; $G changes show 0123456789 2>err; test $? = 2 || exit 1; grep -q 'No change set tested on this host' err || exit 1; $G changes show 0123 2>err; test $? = 2 || exit 1; $G changes show ./nowhere 2>err; test $? = 2"
        ),
    ]

    /// A coordinator that takes one mission: what was sent to it is in `../sent`.
    private static let coordinator =
        "cat >../mission.yaml <<'END'\ntitle: Another port\ndescription: The port changes\nrationale: The old one is taken\nseverity: low\nworkload: {run: 'true'}\nEND\nperl -MSocket -e 'socket(S,PF_INET,SOCK_STREAM,0);bind(S,sockaddr_in(0,INADDR_LOOPBACK));listen(S,1);my($p)=sockaddr_in(getsockname S);open P,\">../port\";print P $p;close P;accept(C,S);my($b,$n)=(\"\",1e9);while(length($b)<$n&&sysread(C,$b,65536,length $b)){if($n==1e9&&$b=~/\\r\\n\\r\\n/){$b=~/content-length: (\\d+)/i;$n=$+[0]>0?index($b,\"\\r\\n\\r\\n\")+4+$1:0}}open O,\">../sent\";print O $b;close O;my$a=q({\"mission_id\":\"m-7\"});print C \"HTTP/1.1 201 Created\\r\\ncontent-type: application/json\\r\\ncontent-length: \".length($a).\"\\r\\nconnection: close\\r\\n\\r\\n$a\";select((select(C),$|=1)[0]);close C' & server=$!; while ! test -s ../port; do sleep 0.05; done; export GRACE_URL=http://127.0.0.1:$(cat ../port) GRACE_TOKEN=t; "

    static let proposals = [
        Row(
            "propose makes the fork's files the change of a mission, with mode and owner",
            coordinator
                + "echo old >f; $T -N $D 'echo content-of-f >f; chmod 640 f; chown 33:34 f; mkdir d; echo g >d/g'; $T propose $D ../mission.yaml >out; wait $server; grep -q m-7 out; grep -q \"$PWD/f\" ../sent; grep -q \"$PWD/d/g\" ../sent; grep -q 0640 ../sent; grep -q 33:34 ../sent; grep -q \"$(printf 'content-of-f\\n' | base64)\" ../sent || grep -q content-of-f ../sent; test \"$(cat f)\" = old"
        ),
        Row(
            "propose refuses what a mission's files can't say, and names it",
            "echo a >gone; printf 'title: t\\n' >../mission.yaml; $T -N $D 'rm gone; echo f >f'; set +e; GRACE_URL=http://127.0.0.1:9 $T propose $D ../mission.yaml 2>err; test $? = 2 && grep -q \"$PWD/gone\" err && grep -q 'change: {run' err"
        ),
        Row(
            "propose refuses a mission file that is none, before anything is sent",
            "printf 'nonsense: 1\\n' >../mission.yaml; $T -N $D 'echo f >f'; set +e; GRACE_URL=http://127.0.0.1:9 $T propose $D ../mission.yaml 2>err; test $? = 2 && grep -q nonsense err"
        ),
        Row(
            "propose without a mission file, or without a fork, is wrong input",
            "set +e; $T propose $D 2>err; test $? = 2 && grep -q 'Name the mission file' err || exit 1; $T propose ../nowhere m.yaml 2>err; test $? = 2"
        ),
    ]

    @Test("grace changes show:", arguments: shows)
    func show(_ row: Row) throws { try row.run() }

    @Test("grace try propose:", arguments: proposals)
    func propose(_ row: Row) throws { try row.run() }
}
