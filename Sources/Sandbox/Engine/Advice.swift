internal import CSandbox
internal import Glibc

/// What a person can do about a step that failed.
enum Advice {
    static func forStep(_ step: Int32, _ code: Int32, _ mode: csandbox_mode) -> String? {
        switch csandbox_step(rawValue: UInt32(step)) {
        case CSANDBOX_STEP_CLONE, CSANDBOX_STEP_USER_NAMESPACE, CSANDBOX_STEP_ENTER_USER_NAMESPACE:
            if code == ENOSPC || code == EUSERS {
                return "Raise user.max_user_namespaces and its kin (sysctl), or end sandboxes that still run."
            }
            return mode == CSANDBOX_USER
                ? "Allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, or AppArmor's "
                    + "kernel.apparmor_restrict_unprivileged_userns=0), or run Grace as root."
                : "Run Grace as root, outside a container that forbids namespaces."
        case CSANDBOX_STEP_ID_MAP: return "Run Grace as root, or from a process whose own ids are mapped."
        case CSANDBOX_STEP_CGROUP_JOIN:
            return "The control group cannot be joined: check that nothing else manages it, and that it is not frozen."
        case CSANDBOX_STEP_LAYER: return "Check that the directory exists, is a directory and may be read."
        case CSANDBOX_STEP_COPY_LAYER where code == EXDEV:
            return
                "A lasting overlay takes one extra layer on live's own file system; merge the layers or put them on another file system."
        case CSANDBOX_STEP_OVERLAY where code == EINVAL:
            return
                "The upper layer's file system must not be an overlay or a network file system: move Grace's state directory "
                + "(GRACE_STATE_DIR) to ext4, xfs, btrfs or tmpfs. Inside a container, to a volume."
        case CSANDBOX_STEP_OVERLAY where code == ENODEV: return "Load the kernel's overlay module: modprobe overlay."
        case CSANDBOX_STEP_OVERLAY where code == ESTALE:
            return "The upper layer is of an interrupted throw-away run; make a new one."
        case CSANDBOX_STEP_OVERLAY where mode == CSANDBOX_USER:
            return "Unprivileged overlays need Linux 5.11; or run Grace as root."
        case CSANDBOX_STEP_OVERLAY where code == EROFS:
            return "The upper layer cannot be written; is its file system read-only or full?"
        case CSANDBOX_STEP_PROC where mode == CSANDBOX_USER:
            return "In a container whose /proc is masked no other can be mounted; run Grace as root or outside of it."
        case CSANDBOX_STEP_ATTACH:
            return "The mount point is missing in the copy-on-write view; a lower layer may have removed it."
        case CSANDBOX_STEP_SECCOMP: return "The kernel needs CONFIG_SECCOMP_FILTER."
        default: return nil
        }
    }
}
