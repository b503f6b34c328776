# For the scripts inside the machine. A script ends with 1 where a check or test of it failed.
failures=0
trap '((failures == 0)) || exit 1' EXIT

# tests FILTER [SKIP REASON]…: the tests of the build that match, one after another, but for those that match a SKIP: they concern what
# this machine is not (another version of control groups), and scripts/test runs them elsewhere; the totals name them. A test that skips
# itself counts as failed.
tests() {
    local arguments=(--filter "${GRACE_VM_FILTER:-$1}")
    shift
    while (($#)); do
        arguments+=(--skip "$1")
        echo "-- left out $1: $2"
        shift 2
    done
    set -o pipefail
    (cd "$GRACE_REPOSITORY" &&
        "$GRACE_BINARIES/gracePackageTests.xctest" --testing-library swift-testing --no-parallel "${arguments[@]}" </dev/null 2>&1) |
        tee /run/grace-vm.tests || failures=$((failures + 1))
    set +o pipefail
    # A filter that fits nothing must not pass for success.
    grep -qE '^. Test run with [1-9]' /run/grace-vm.tests || { [ -n "$GRACE_VM_FILTER" ] || failures=$((failures + 1)); }
}

# check NAME COMMAND…: one line, ok or not.
check() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        echo "ok $name"
    else
        echo "not ok $name: $(tail -n 20 <<<"$output" | tr '\n' ' ')"
        failures=$((failures + 1))
    fi
}

nginx_serves() {
    local line
    exec 3<>/dev/tcp/127.0.0.1/80 && printf 'GET / HTTP/1.0\r\n\r\n' >&3 && read -r line <&3 && [[ $line == *"200 OK"* ]]
}

# The units that systemd keeps running: name, state, how often restarted, first process, and the control group that process is in.
units() {
    systemctl show -p Id -p ActiveState -p NRestarts -p MainPID \
        $(systemctl list-units --type=service,socket,mount,slice --state=active --no-legend --plain | awk '$1 !~ /^(grace-vm-|run-|-)/ { print $1 }') |
        awk -F= '{ field[$1] = $2 }
            function line() {
                group = ""
                if (field["MainPID"] > 0) getline group <("/proc/" field["MainPID"] "/cgroup")
                if (field["Id"] != "") print field["Id"], field["ActiveState"], field["NRestarts"], field["MainPID"], group
                delete field
            }
            $0 == "" { line() } END { line() }' | sort
}
