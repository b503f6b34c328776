import Cgroups
import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// The visible fallback: where root can't be mapped, root inside is the host's own with few capabilities. It is recorded, a
/// profile may forbid it, and what concerns the host's integrity holds all the same.
@Suite(.enabled(if: Host.isRoot)) struct PlainModeTests {
    private static func engine(_ directory: String) throws -> SandboxEngine {
        SandboxEngine(
            cgroups: try CgroupHost.detect(), cgroupParent: Host.group(directory),
            helper: try SandboxEngine.locateHelper(), scratch: "\(directory)/scratch", filters: .shared,
            canReport: { 0 }, mapsRoot: false)
    }

    private static func run(_ line: String, user: String? = nil) async throws -> (
        exit: ProcessExit, out: String, err: String
    ) {
        try await Host.withDirectory { directory in
            let sandbox = try await engine(directory).start(SandboxSpecification(profile: Host.profile()))
            #expect(sandbox.fallbacks.contains { $0.feature == .mappedRoot })
            let result = try await sandbox.shell(line, user: user)
            _ = try await sandbox.end()
            return result
        }
    }

    @Test func itIsRecordedAndRootInsideIsTheHostsRoot() async throws {
        let result = try await Self.run("cat /proc/self/uid_map; id -u; touch /etc/grace-test-plain && echo made")
        #expect(result.out.split(separator: "\n").map { $0.trimmingPrefix { $0 == " " } }.last == "made")
        #expect(result.out.contains("4294967295"))
        #expect(try Files.status("/etc/grace-test-plain") == nil)
    }

    /// With the project of a file its quota would be left (``ProjectQuotaTests``): the kernel lets the host's root.
    @Test(arguments: ["0x401c5820", "0x40086602"]) func filesKeepTheirProject(_ request: String) async throws {
        let result = try await Self.run(
            "perl -e 'open(F, \"<\", \"/etc\"); $v = \"\\0\" x 28; print ioctl(F, \(request), $v) ? \"set\" : $!'")
        #expect(result.out == "Operation not permitted", "\(result)")
    }

    @Test func aProfileThatRequiresAMappedRootIsRefusedWithASentenceAndNothingIsLeft() async throws {
        try await Host.withDirectory { directory in
            let engine = try Self.engine(directory)
            let profile = Host.profile { $0.require = [.mappedRoot] }
            await #expect {
                _ = try await engine.start(SandboxSpecification(profile: profile))
            } throws: { error in
                guard case SandboxError.missing(let features)? = error as? SandboxError else { return false }
                return features.map(\.feature) == [.mappedRoot] && "\(error)".contains("mapped_root")
                    && "\(error)".contains("profile demands")
            }
            #expect(try Files.entries("\(directory)/scratch").isEmpty)
        }
    }

    @Test(arguments: [
        "mount -t tmpfs none /mnt", "umount /proc", "umount /etc", "mount --bind /etc /mnt",
        "mount -o remount,rw /proc/sys",
        "mount -o remount,rw /sys", "unshare -m true", "unshare -U true", "unshare -n true", "nsenter -t 1 -m true",
        "mknod /root/node c 1 3", "mknod /root/node b 254 0", "hostname other", "chroot /proc/1/root true",
        "echo 1 > /proc/sys/kernel/panic", "echo x > /proc/sys/kernel/core_pattern", "echo b > /proc/sysrq-trigger",
        "echo 1 > /proc/sys/net/ipv4/ip_forward", "echo -1000 > /proc/self/oom_score_adj", "dmesg",
        "date -s 2030-01-01",
        "touch /sys/devices/system/cpu/x", "pivot_root / /mnt", "swapoff -a && false", "ls /proc/1/root/",
        "cat /proc/1/environ", "ls -l /proc/1/fd/", "cat /proc/1/maps", "renice -n -5 $$",
        "test -s /proc/kcore",
        "head -c 1 /dev/mem", "ls /proc/1/cwd/", "kill -0 \(getpid())",
    ])
    func whatWouldReachTheHostIsRefused(_ line: String) async throws {
        let result = try await Self.run(line)
        #expect(result.exit != .exited(0), "\(line): \(result.out)\(result.err)")
    }

    @Test func aSetUserIDProgramOfLiveStaysShutThere() async throws {
        let result = try await Self.run("grep NoNewPrivs /proc/self/status; grep CapBnd /proc/self/status")
        #expect(result.out.contains("NoNewPrivs:\t1"))
        let bound = UInt64(
            result.out.split(separator: "\n").last?.split(whereSeparator: \.isWhitespace).last ?? "", radix: 16)
        // Nothing that reaches beyond what files in the view demand.
        #expect(bound.map { $0 & ~Capabilities.mask(Capabilities.plain) } == 0, "\(result.out)")
    }

    @Test func aDeviceNodeInTheLowerLayerIsDeadForTheHostsRootToo() async throws {
        try await Host.withDirectory { directory in
            try Files.mknod(
                "\(directory)/null", kind: .characterDevice, mode: 0o666, device: DeviceNumber(major: 1, minor: 3))
            try Files.chmod("\(directory)/null", 0o666)
            let sandbox = try await Self.engine(directory).start(SandboxSpecification(profile: Host.profile()))
            let result = try await sandbox.shell("ls -l \(directory)/null; cat \(directory)/null")
            _ = try await sandbox.end()
            #expect(result.out.hasPrefix("crw-rw-rw-"))
            #expect(result.exit != .exited(0))
        }
    }

    @Test func ownersAreThoseOfLive() async throws {
        let result = try await Self.run(
            "echo x > /etc/grace-owner; chown 33:34 /etc/grace-owner; stat -c %u:%g /etc/grace-owner /etc/passwd")
        #expect(result.out == "33:34\n0:0\n", "\(result.err)")
    }
}
