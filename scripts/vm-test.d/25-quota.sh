# Layers bounded by project quotas where the tests otherwise make images: with ext4 and with xfs at /var/tmp, where they work.
. "${0%/*}/lib.bash"
image=/root/grace-vm-quota.img

# The projects that the file system knows a limit or a file of, but for 0, which is everything else.
projects() { xfs_quota -f -x -c 'report -p -b -i -n -N' /var/tmp | awk 'NF > 0 && $1 != "#0" { print }'; }
none_left() {
    local left i
    for ((i = 0; i < 50; i++)); do  # xfs frees removed files in the background
        left=$(projects)
        [ -n "$left" ] || return 0
        sleep 0.2
    done
    echo "$left"
    return 1
}
all_are_known() {
    mkdir /var/tmp/known && chattr -p 4711 +P /var/tmp/known && : >/var/tmp/known/file && projects | grep -q '^#4711 ' && rm -r /var/tmp/known
}

for kind in ext4 xfs; do
    truncate -s 2G "$image"
    case $kind in
    ext4) mkfs.ext4 -q -F -O quota,project -E quotatype=prjquota "$image" ;;
    xfs) mkfs.xfs -q -f "$image" ;;
    esac
    mount -o loop,prjquota "$image" /var/tmp && chmod 1777 /var/tmp || failures=$((failures + 1))
    check "$kind lies at /var/tmp, and its projects are counted" all_are_known
    tests '^(SandboxTests\.DiskTests/(aLasting|aBounded|nothingOf)|ForkTests\.BoundedForkTests)'
    check "$kind: grace doctor says that it bounds layers by project quotas" bash -c \
        'GRACE_STATE_DIR=/var/tmp/grace-state "$0" doctor | grep "^ok  disk_limit .*enforces project quotas" && rm -rf /var/tmp/grace-state' "$GRACE_BINARIES/grace"
    check "$kind: no project is left with a limit or a file" none_left
    check "$kind: nothing is left there" bash -c 'left=$(find /var/tmp -mindepth 1 ! -name lost+found); [ -z "$left" ] || { echo "$left"; exit 1; }'
    umount /var/tmp || failures=$((failures + 1))
    rm -f "$image"
done
check "no loop device is left of it" bash -c 'left=$(losetup -ln); [ -z "$left" ] || { echo "$left"; exit 1; }'
