import Glibc
import Linux

/// File systems of a test's own that enforce project quotas.
enum QuotaDisk {
    enum Kind: String, Sendable, CaseIterable {
        case ext4, xfs

        /// What a program is told when the quota is used up: xfs answers ENOSPC for projects, and EDQUOT only for users
        /// (xfs_trans_dqresv).
        var full: String { self == .ext4 ? "Disk quota exceeded" : "No space left on device" }

        /// Those that can be had here. In the virtual machine each must be.
        static let here = getenv("GRACE_VM") != nil ? allCases : allCases.filter(kernelCan)
    }

    /// One mounted at `DIRECTORY/disk`; the caller unmounts it.
    static func mount(_ kind: Kind, _ directory: String) throws -> String {
        let script = """
            set -e
            mkdir -p $1/disk; truncate -s 512M $1/quota.img
            case $2 in
            ext4) mkfs.ext4 -q -F -O quota,project -E quotatype=prjquota $1/quota.img ;;
            xfs) mkfs.xfs -q -f $1/quota.img ;;
            esac
            mount -o loop,prjquota $1/quota.img $1/disk
            """
        let pid = try Processes.spawn("/bin/sh", arguments: ["-c", script, "mount", directory, kind.rawValue])
        guard try Processes.waitBlocking(pid).isSuccess else {
            throw SystemError(call: "mount", subject: "\(directory)/disk", code: EINVAL)
        }
        return "\(directory)/disk"
    }

    private static func kernelCan(_ kind: Kind) -> Bool {
        let directory = "/var/tmp/grace-quota-probe-\(getpid())"
        defer { try? Files.removeTree(directory) }
        guard Host.isRoot, let disk = try? mount(kind, directory) else { return false }
        defer { try? Mounts.detach(disk) }
        guard let opened = try? Files.open(disk, flags: O_RDONLY | O_DIRECTORY) else { return false }
        return ProjectQuota.isEnforced(on: opened)
    }
}
