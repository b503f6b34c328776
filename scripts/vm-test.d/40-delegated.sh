# As on a host whose systemd runs the agent: in a unit with Delegate=yes, sandboxes below the unit's own control group.
. "${0%/*}/lib.bash"
unit=grace-vm-agent.service
delegated() {
    systemd-run --quiet --wait --pipe --collect --unit "$unit" -p Delegate=yes \
        -E GRACE_TEST_GROUP="system.slice/$unit" -E GRACE_VM=1 -E PATH="$PATH" -E NO_COLOR=1 \
        bash -c 'cd "$1" && exec "$2/gracePackageTests.xctest" --testing-library swift-testing --no-parallel --filter "$3"' \
        - "$GRACE_REPOSITORY" "$GRACE_BINARIES" "$1" </dev/null 2>&1 || failures=$((failures + 1))
}
delegated '^SandboxTests\.LimitTests'
check "the unit is gone with everything below it" bash -c "! systemctl is-active --quiet $unit && [ ! -e /sys/fs/cgroup/system.slice/$unit ]"
