# Power lost at every flush of a promotion and of its rollback, on ext4, xfs and btrfs, by replaying what dm-log-writes kept.
. "${0%/*}/lib.bash"
if ((GRACE_VM_ALL)); then export GRACE_LOSSES=all; fi
tests '^PromotionTests\.PowerLossTests'
