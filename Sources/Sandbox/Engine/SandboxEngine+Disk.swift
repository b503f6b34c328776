internal import Glibc
internal import Linux

extension SandboxEngine {
    /// Whether lasting layers in the scratch directory's file system can be bounded, tried just now.
    func diskLimit() -> FeatureStatus {
        func status(_ available: Bool, _ detail: String, _ mend: String? = nil) -> FeatureStatus {
            FeatureStatus(feature: .diskLimit, available: available, detail: detail, mend: mend)
        }
        if let place = try? Files.open(scratch, flags: O_RDONLY | O_DIRECTORY), ProjectQuota.isEnforced(on: place) {
            return status(true, "The file system of \(scratch) enforces project quotas.")
        }
        let reason: String
        do {
            guard geteuid() == 0 else { throw SandboxError.invalid("only root can mount an image.") }
            _ = try LoopDevice.attach(try DiskImage.nameless(in: scratch, DiskLimit(bytes: 16 << 20)))
            return status(
                true,
                "An ext4 image was made and attached just now; the file system of \(scratch) enforces no project quotas."
            )
        } catch {
            reason = "\(error)"
        }
        return status(
            false,
            "Throw-away layers are bounded in memory alone, and lasting ones not at all: the file system enforces no project quotas, and "
                + reason,
            geteuid() == 0
                ? "Mount Grace's state directory with prjquota (ext4: tune2fs -O project,quota), or install e2fsprogs and give Grace "
                    + "/dev/loop-control (in a container: --device, with CAP_SYS_ADMIN)."
                : "Run Grace as root.")
    }
}

extension FeatureStatus {
    /// Whether no sandbox of this caller starts without it, whatever its profile says. Everything else is done without visibly
    /// where the profile allows that.
    public var isRequired: Bool {
        switch feature {
        case .mountNamespace, .pidNamespace, .networkNamespace, .ipcNamespace, .cgroupNamespace, .overlay, .seccomp:
            true
        case .userNamespace: geteuid() != 0
        default: false
        }
    }
}
