# The built programs, as a person calls them; with --release those of the release, which every other script uses then, too.
. "${0%/*}/lib.bash"
grace=$GRACE_BINARIES/grace
echo "== programs: $GRACE_VM_PROGRAMS, grace $("$grace" --version), in $GRACE_BINARIES"
place=$(mktemp -d /var/tmp/grace-vm-programs.XXXXXX)
export GRACE_STATE_DIR=$place/state GRACE_CONFIG_DIR=$place/config GRACE_RUNTIME_DIR=$place/run
mkdir "$GRACE_STATE_DIR" "$GRACE_CONFIG_DIR"
cp "$GRACE_BINARIES/grace-attacks" "$place/attacks"

# A release brings Swift's own libraries along; of a debug build that is true of the small program alone.
linked() { ldd "$GRACE_BINARIES/$1" | grep -c libswift; }
if [ "$GRACE_VM_PROGRAMS" = release ]; then
    for program in grace grace-main grace-deadman; do
        check "$program is the release's: no library of Swift's is loaded" [ "$(linked "$program")" = 0 ]
    done
else
    check "grace-main is the debug build's: it loads Swift's libraries" [ "$(linked grace-main)" -gt 0 ]
fi

check "grace run: root inside writes, and nothing of it is on the host" bash -c '
    said=$("$0" run --profile service -- sh -c "id -u; echo x >/etc/grace-vm; cat /etc/grace-vm") &&
    [ "$said" = "0
x" ] && [ ! -e /etc/grace-vm ]' "$grace"
check "grace run ends with the code of its command" bash -c '"$0" run -- sh -c "exit 7"; [ $? = 7 ]' "$grace"
check "grace run measures on version 2" bash -c '
    "$0" run --json --profile service -- sh -c "i=0; while [ \$i -lt 20000 ]; do i=\$((i + 1)); done" 2>"$1/json" &&
    grep -qE "\"memoryPeak\":[1-9]" "$1/json" && grep -qE "\"cpuSeconds\":0\.[0-9]*[1-9]" "$1/json" && grep -qF "\"fallbacks\":[]" "$1/json" ||
    { cat "$1/json"; exit 1; }' "$grace" "$place"

# attack ARGUMENTS…: comes through outside, and is refused in a sandbox of the program's.
attack() {
    check "outside, $* comes through" bash -c 'said=$("$@") && [[ $said == "succeeded "* ]] || { echo "$said"; exit 1; }' - "$place/attacks" "$@"
    check "grace run withstands $*" bash -c '
        said=$("$@" 2>&1); code=$?; [ $code = 1 ] && [[ $said == *"refused "* ]] || { echo "$code: $said"; exit 1; }' \
        - "$grace" run --profile service -- "$place/attacks" "$@"
}
attack unshare-user
attack kernel-log
attack bpf
victim=""
for _ in 1 2; do
    sleep 1000 &
    victim="$victim $!"
done
read -r first second <<<"$victim"
attack signal "$first"
check "the process that was attacked from inside alone lives" bash -c '
    "$0" run --profile service -- "$1" signal "$2" >/dev/null; [ $? = 1 ] && kill -0 "$2"' "$grace" "$place/attacks" "$second"
kill -KILL "$first" "$second" 2>/dev/null
check "a fork bomb in grace run meets the profile's limit" bash -c '
    "$0" run --json --profile strict -- "$1" fork-bomb 1000 2>"$2/json"; code=$?
    [ $code != 0 ] && grep -q "\"breach\":\"pids\"" "$2/json" || { echo "$code"; cat "$2/json"; exit 1; }' "$grace" "$place/attacks" "$place"

check "grace try keeps what a command changed until it is committed" bash -c '
    mkdir "$1/work" && cd "$1/work" && echo old >file && export TMPDIR=$1/work &&
    fork=$("$0" try -n "echo new >file; touch made") && [ "$(cat file)" = old ] && [ ! -e made ] &&
    "$0" try summary "$fork" | grep -q made && "$0" try commit "$fork" && [ "$(cat file)" = new ] && [ -e made ]' "$grace" "$place"
check "grace doctor finds every feature on this kernel" bash -c '
    "$0" doctor >"$1/doctor" && ! grep -E "^(low|no )" "$1/doctor" && grep -q "^ok  mapped_root" "$1/doctor" || { cat "$1/doctor"; exit 1; }' "$grace" "$place"
check "grace doctor has nothing to clean" bash -c '"$0" doctor --clean --dry-run >"$1/left" && ! grep -q "would" "$1/left" || { cat "$1/left"; exit 1; }' "$grace" "$place"
rm -rf "$place"
# The tests have places of their own; a run's filters would be kept here again.
unset GRACE_STATE_DIR GRACE_CONFIG_DIR GRACE_RUNTIME_DIR

# All of them take five minutes under software emulation.
if ((GRACE_VM_ALL)) || [ "$GRACE_VM_PROGRAMS" = release ]; then
    tests '^graceTests\.'
else
    tests '^graceTests\.RunTests'
fi
