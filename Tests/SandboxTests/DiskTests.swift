import Cgroups
import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// Layers on disk and in memory can't grow past their limit, and a full one has a name.
@Suite(.enabled(if: Host.isRoot)) struct DiskTests {
    /// Half of 16 MiB is less than 24: an image; half of 64 MiB is more: memory.
    @Test(arguments: [(16 << 20, "ext"), (64 << 20, "tmpfs")] as [(Int64, String)])
    func throwAwayLayersLieOnAnImageWhereMemoryWouldNotHoldThem(_ memory: Int64, _ type: String) async throws {
        let profile = Host.profile {
            $0.limits.memory = memory; $0.limits.disk = 24 << 20
        }
        let (result, outcome) = try await Host.withSandbox(profile: profile) { sandbox, _ in
            try await sandbox.shell(
                "stat -f -c %b:%S /; dd if=/dev/zero of=/var/tmp/big bs=64K count=1000; stat -c %s /var/tmp/big")
        }
        #expect(result.err.contains("No space left"), "\(result.err)")
        #expect(outcome.breach == .disk, "\(outcome) \(result)")
        let lines = result.out.split(separator: "\n")
        let total = lines.first.map { $0.split(separator: ":").compactMap { Int64($0) } } ?? []
        #expect(total.count == 2 && total[0] * total[1] <= 24 << 20)
        // Nearly all of it can be used; an image keeps some for itself.
        let written = Int64(lines.last ?? "") ?? 0
        #expect(written <= 24 << 20 && written > (type == "tmpfs" ? 23 << 20 : 20 << 20), "\(result.out)")
    }

    @Test(arguments: [16 << 20, 64 << 20] as [Int64])
    func inodesAreBoundedAndTheirEndIsADiskBreach(_ memory: Int64) async throws {
        let profile = Host.profile {
            $0.limits.memory = memory; $0.limits.disk = 24 << 20; $0.limits.inodes = 300
        }
        let (result, outcome) = try await Host.withSandbox(profile: profile) { sandbox, _ in
            try await sandbox.shell("cd /var/tmp; mkdir many; i=0; while true > many/$i; do i=$((i+1)); done; echo $i")
        }
        #expect(result.err.contains("No space left"), "\(result.err)")
        #expect(outcome.breach == .disk)
        let made = Int(result.out.split(separator: "\n").last ?? "") ?? 0
        #expect(made >= 250 && made < 700, "\(result)")
    }

    @Test func aProgramThatCleansUpAfterAFullLayerIsABreachWhenItDidNotSucceed() async throws {
        let (_, outcome) = try await Host.withSandbox(profile: Host.profile { $0.limits.disk = 4 << 20 }) {
            sandbox, _ in
            _ = try await sandbox.shell("dd if=/dev/zero of=/var/tmp/big bs=1M count=16")
            return try await sandbox.shell("rm /var/tmp/big")
        }
        #expect(outcome.breach == .disk)
    }

    @Test func nothingOfAnImageIsLeftAndNoLoopDeviceStaysTaken() async throws {
        let before = Self.loops()
        let profile = Host.profile {
            $0.limits.memory = 16 << 20; $0.limits.disk = 24 << 20
        }
        _ = try await Host.withSandbox(profile: profile) { sandbox, directory in
            #expect(Self.loops().subtracting(before).count == 1)
            let made = try await sandbox.shell("echo x > /etc/grace-test-image; chown 33:33 /etc/grace-test-image")
            #expect(made.exit == .exited(0))
        }
        for _ in 0..<100 where Self.loops() != before { try await Task.sleep(for: .milliseconds(20)) }
        #expect(Self.loops() == before)
    }

    /// Loop devices with a file behind them.
    static func loops() -> Set<String> {
        let names = ((try? Files.entries("/sys/block")) ?? []).map { String(decoding: $0, as: UTF8.self) }
        return Set(names.filter { (try? Files.status("/sys/block/\($0)/loop/backing_file")) ?? nil != nil })
    }

    @Test func aLastingLayerMustBeBoundedByWhoMadeIt() async throws {
        try await Host.withDirectory { directory in
            try Files.makeDirectory("\(directory)/upper")
            try Files.makeDirectory("\(directory)/work")
            let overlay = OverlayMount(mountPoint: "/", upper: "\(directory)/upper", work: "\(directory)/work")
            var profile = Host.profile { $0.limits.disk = 64 << 20 }
            let engine = try Host.engine(directory)
            await #expect {
                _ = try await engine.start(SandboxSpecification(profile: profile, overlays: [overlay]))
            } throws: { "\($0)".contains("disk_limit") && "\($0)".contains("prjquota") }
            profile.optional = [.diskLimit]
            let sandbox = try await engine.start(SandboxSpecification(profile: profile, overlays: [overlay]))
            #expect(sandbox.fallbacks.map(\.feature) == [.diskLimit])
            _ = try await sandbox.end()
        }
    }

    @Test func aBoundedPlaceHoldsALastingLayerThatIsFullAtItsLimitAndCanBeReadAfterwards() async throws {
        try await Host.withDirectory { directory in
            let limit = DiskLimit(bytes: 32 << 20, inodes: 2000)
            let place = try BoundedPlace.make("\(directory)/bounded", image: "\(directory)/disk.img", limit: limit)
            defer { try? place.remove() }
            let before = Self.loops()
            #expect(BoundedPlace.isBounded(place.directory, by: limit))
            try Files.makeDirectory("\(place.directory)/upper")
            try Files.makeDirectory("\(place.directory)/work")
            let overlay = OverlayMount(
                mountPoint: "/", upper: "\(place.directory)/upper", work: "\(place.directory)/work")
            let profile = Host.profile {
                $0.limits.disk = 32 << 20; $0.limits.inodes = 2000
            }
            let sandbox = try await Host.engine(directory).start(
                SandboxSpecification(profile: profile, overlays: [overlay]))
            #expect(sandbox.fallbacks.isEmpty)
            let result = try await sandbox.shell(
                "echo kept > /etc/grace-test-kept; chown 33:34 /etc/grace-test-kept; dd if=/dev/zero of=/var/tmp/big bs=1M count=64"
            )
            #expect(result.err.contains("No space left") || result.err.contains("quota"), "\(result.err)")
            #expect(try await sandbox.end().breach == .disk)
            let status = try Files.status("\(place.directory)/upper/etc/grace-test-kept")
            #expect(status?.uid == 33 && status?.gid == 34)

            // As after a start of the host: the image is no longer mounted.
            if place.means == .image {
                try Mounts.detach(place.directory)
                #expect(try Files.entries(place.directory).isEmpty)
                try place.reopen()
                try place.reopen()
                #expect(try Files.readString("\(place.directory)/upper/etc/grace-test-kept") == "kept\n")
            }
            try place.remove()
            #expect(try Files.status(place.directory) == nil)
            #expect(try Files.status("\(directory)/disk.img") == nil)
            for _ in 0..<100 where Self.loops().isSuperset(of: before) && !before.isEmpty {
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(try !MountInfo.read().contains { ($0.mountPoint.string ?? "").hasPrefix(directory) })
        }
    }
}
