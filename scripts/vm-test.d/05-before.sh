# What is here before Grace is: 90-peace.sh compares.
. "${0%/*}/lib.bash"
check "systemd is up and no unit has failed" bash -c 'state=$(systemctl list-units --failed --no-legend --plain); [ -z "$state" ] || { echo "$state"; exit 1; }'
check "every controller is on version 2 and none on version 1" \
    bash -c '[ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] && for c in cpu io memory pids; do grep -qw $c /sys/fs/cgroup/cgroup.controllers || { echo "no $c"; exit 1; }; done && ! grep -q "^cgroup " /proc/mounts'
check "nginx serves" nginx_serves
units >/run/grace-vm.units
check "the units that are watched were listed" grep -q "^nginx.service active" /run/grace-vm.units
