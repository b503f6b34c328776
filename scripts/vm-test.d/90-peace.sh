# Everything else on the machine is as it was: no unit failed, restarted or moved, nginx still serves, and nothing of ours is left.
. "${0%/*}/lib.bash"
units >/run/grace-vm.units.now
check "every unit is as it was before: state, restarts, first process and its control group" \
    diff /run/grace-vm.units /run/grace-vm.units.now
check "no unit has failed" bash -c 'failed=$(systemctl list-units --failed --no-legend --plain); [ -z "$failed" ] || { echo "$failed"; exit 1; }'
check "nginx serves" nginx_serves
check "systemd still starts, limits and stops a unit" bash -c '
    systemd-run --quiet --unit grace-vm-after -p MemoryMax=64M -p TasksMax=20 sleep 1000 &&
    [ "$(cat /sys/fs/cgroup/system.slice/grace-vm-after.service/memory.max)" = 67108864 ] && systemctl stop grace-vm-after'
check "no control group of ours is left" bash -c '
    left=$(find /sys/fs/cgroup -mindepth 1 -type d -name "*grace*" ! -path "*/grace-vm-test.service*" ! -path /sys/fs/cgroup/grace)
    [ -z "$left" ] || { echo "$left"; exit 1; }'
check "no mount of ours is left" bash -c '! grep -E " overlay |grace-.*test|/var/lib/grace" /proc/self/mountinfo'
check "no loop device is left" bash -c 'left=$(losetup -ln); [ -z "$left" ] || { echo "$left"; exit 1; }'
check "no network namespace of ours is left" bash -c 'left=$(ip -o link show type veth; ip netns list); [ -z "$left" ] || { echo "$left"; exit 1; }'
check "no process of ours is left" bash -c '! pgrep -ax "grace|grace-main|grace-sandbox|grace-attacks"'
check "no file of ours is left" bash -c 'left=$(find /var/tmp /tmp /run -maxdepth 1 -name "grace*" ! -name "grace-vm.*"); [ -z "$left" ] || { echo "$left"; exit 1; }'
