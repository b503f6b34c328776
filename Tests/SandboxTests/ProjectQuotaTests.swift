import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// Lasting layers on a file system that enforces project quotas. Not every kernel has them (CONFIG_QFMT_V2): the virtual machine's has.
@Suite(.enabled(if: Host.isRoot && QuotaDisk.kernelCan)) struct ProjectQuotaTests {
    @Test(arguments: [true, false]) func aChangeIsStoppedAtItsBytesOrInodesAndTheQuotaGoesWithThePlace(
        _ byBytes: Bool
    ) async throws {
        try await Host.withDirectory { directory in
            let disk = try QuotaDisk.mount(directory)
            defer { try? Mounts.detach(disk) }
            let limit = DiskLimit(bytes: 32 << 20, inodes: 400)
            let place = try BoundedPlace.make("\(disk)/bounded", image: "\(directory)/disk.img", limit: limit)
            #expect(place.means == .projectQuota)
            #expect(BoundedPlace.isBounded(place.directory, by: limit))
            try Files.makeDirectory("\(place.directory)/upper")
            try Files.makeDirectory("\(place.directory)/work")
            let overlay = OverlayMount(
                mountPoint: "/", upper: "\(place.directory)/upper", work: "\(place.directory)/work")
            let sandbox = try await Host.engine(directory).start(
                SandboxSpecification(
                    profile: Host.profile {
                        $0.limits.disk = limit.bytes; $0.limits.inodes = limit.inodes
                    }, overlays: [overlay]))
            #expect(sandbox.fallbacks.isEmpty)
            let result = try await sandbox.shell(
                byBytes
                    ? "dd if=/dev/zero of=/var/tmp/big bs=1M count=64"
                    : "cd /var/tmp; mkdir many; i=0; while true > many/$i; do i=$((i+1)); done; echo $i")
            #expect(result.err.contains("quota exceeded") || result.err.contains("No space left"), "\(result.err)")
            #expect(try await sandbox.end().breach == .disk)
            // What is beside it is not bounded.
            try Files.writeAtomically("\(disk)/other", Data(count: 40 << 20), mode: 0o600)

            let opened = try Files.open(place.directory, flags: O_RDONLY | O_DIRECTORY)
            let project = try #require(ProjectQuota.project(of: opened))
            opened.close()
            try place.remove()
            let parent = try Files.open(disk, flags: O_RDONLY | O_DIRECTORY)
            let now = try? ProjectQuota.read(project, on: parent)
            #expect((now?.bytes ?? 0) == 0 && (now?.inodes ?? 0) == 0)
        }
    }
}

enum QuotaDisk {
    /// An ext4 with project quotas, mounted at `DIRECTORY/disk`; the caller unmounts it.
    static func mount(_ directory: String) throws -> String {
        let script = """
            set -e
            mkdir -p $1/disk; truncate -s 256M $1/quota.img
            mkfs.ext4 -q -F -O quota,project -E quotatype=prjquota $1/quota.img
            mount -o loop,prjquota $1/quota.img $1/disk
            """
        let pid = try Processes.spawn("/bin/sh", arguments: ["-c", script, "mount", directory])
        guard try Processes.waitBlocking(pid).isSuccess else {
            throw SystemError(call: "mount", subject: "\(directory)/disk", code: EINVAL)
        }
        return "\(directory)/disk"
    }

    static let kernelCan: Bool = {
        let directory = "/var/tmp/grace-quota-probe-\(getpid())"
        defer { try? Files.removeTree(directory) }
        guard let disk = try? mount(directory) else { return false }
        defer { try? Mounts.detach(disk) }
        guard let opened = try? Files.open(disk, flags: O_RDONLY | O_DIRECTORY) else { return false }
        return ProjectQuota.isEnforced(on: opened)
    }()
}
