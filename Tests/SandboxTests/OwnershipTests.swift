import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// What lands in an upper layer is owned, on disk, as live would own it.
@Suite(.enabled(if: Host.isRoot)) struct OwnershipTests {
    /// Runs a line over a durable upper layer of the test's own and hands the layer over.
    private func change(
        _ line: String, lowers: [String] = [],
        check: (String, (exit: ProcessExit, out: String, err: String)) throws -> Void
    ) async throws {
        try await Host.withDirectory { directory in
            for name in ["root", "root/upper", "root/work", "lower"] {
                try Files.makeDirectory("\(directory)/\(name)", mode: 0o755)
            }
            let overlay = OverlayMount(
                mountPoint: "/", lowers: lowers.map { "\(directory)/\($0)" }, upper: "\(directory)/root/upper",
                work: "\(directory)/root/work")
            let sandbox = try await Host.engine(directory).start(
                SandboxSpecification(profile: Host.profile { $0.require = [.mappedRoot] }, overlays: [overlay]))
            let result = try await sandbox.shell(line)
            _ = try await sandbox.end()
            try check("\(directory)/root/upper", result)
        }
    }

    @Test func ownersModesAndSpecialBitsAreExact() async throws {
        try await change(
            "cd /etc && echo r > g-root && echo w > g-www && chown 33:33 g-www && cp /bin/true g-setuid && chmod 4755 g-setuid && chmod 600 g-root"
                + " && ln -s g-root g-link && mkfifo g-fifo && mkdir -m 2775 g-dir && chown 1000:33 g-dir"
        ) { upper, result in
            #expect(result.exit == .exited(0), "\(result.err)")
            let root = try #require(try Files.status("\(upper)/etc/g-root"))
            #expect((root.uid, root.gid, root.mode & 0o7777) == (0, 0, 0o600))
            let www = try #require(try Files.status("\(upper)/etc/g-www"))
            #expect((www.uid, www.gid) == (33, 33))
            #expect(try #require(try Files.status("\(upper)/etc/g-setuid")).mode & 0o7777 == 0o4755)
            #expect(try Files.readlink("\(upper)/etc/g-link").string == "g-root")
            #expect(try Files.status("\(upper)/etc/g-fifo")?.kind == .fifo)
            let directory = try #require(try Files.status("\(upper)/etc/g-dir"))
            #expect((directory.uid, directory.gid, directory.mode & 0o7777) == (1000, 33, 0o2775))
        }
    }

    @Test func aCopiedUpFileKeepsItsOwner() async throws {
        try await change("chmod 640 /etc/shadow && stat -c %u:%g /etc/shadow") { upper, result in
            let live = try #require(try Files.status("/etc/shadow"))
            let copied = try #require(try Files.status("\(upper)/etc/shadow"))
            #expect((copied.uid, copied.gid) == (live.uid, live.gid))
            #expect(result.out == "\(live.uid):\(live.gid)\n")
        }
    }

    @Test func aFileCapabilityIsExact() async throws {
        try await change("cp /bin/true /usr/local/bin/g-cap && setcap cap_net_bind_service+ep /usr/local/bin/g-cap") {
            upper, result in
            #expect(result.exit == .exited(0), "\(result.err)")
            let value = try #require(try Files.xattr("\(upper)/usr/local/bin/g-cap", name: "security.capability"))
            // Version 2 with effective bit, or version 3 for root id 0: capabilities(7).
            #expect([20, 24].contains(value.count))
            #expect(value[4] == 0x00 && value[5] == 0x04)
        }
    }

    @Test func deletionsAreWhiteoutsAndReplacedDirectoriesAreOpaque() async throws {
        try await change("rm /etc/hostname /etc/passwd; rm -r /etc/apt && mkdir /etc/apt && touch /etc/apt/new") {
            upper, result in
            let removed = try Files.status("\(upper)/etc/passwd")
            let opaque = try Files.xattr("\(upper)/etc/apt", name: "trusted.overlay.opaque")
            let new = try Files.status("\(upper)/etc/apt/new")
            #expect(removed?.isWhiteout == true, "\(result.err)")
            #expect(opaque == Data("y".utf8))
            #expect(new?.uid == 0)
        }
    }

    @Test func aCommandRunsAsAUserWithItsGroupsAndWithoutCapabilities() async throws {
        let (result, _) = try await Host.withSandbox { sandbox, _ in
            try await sandbox.shell(
                "id -un; id -u; id -g; grep CapEff /proc/self/status; touch /etc/x 2>&1; echo $HOME", user: "daemon")
        }
        #expect(result.out.contains("daemon\n1\n1\nCapEff:\t0000000000000000\n"), "\(result.out)")
        #expect(result.out.contains("denied"))
    }

    @Test func anUnknownUserIsRefusedWithASentence() async throws {
        _ = try await Host.withSandbox { sandbox, _ in
            await #expect(throws: SandboxError.self) { _ = try await sandbox.shell("true", user: "no-such-user") }
        }
    }

    /// The state directory lies on live's own file system, where overlayfs takes no second lower layer: a lasting overlay is stacked.
    @Test func aLastingOverlaySeesOneExtraLayerAndRecordsOnlyItsOwnChanges() async throws {
        try await Host.withDirectory { directory in
            for name in ["root", "root/upper", "root/work", "snap", "snap/layer", "snap/layer/etc"] {
                try Files.makeDirectory("\(directory)/\(name)", mode: 0o755)
            }
            try Files.writeAtomically(
                "\(directory)/snap/layer/etc/hostname", Data("from the snapshot\n".utf8), mode: 0o644)
            let overlay = OverlayMount(
                mountPoint: "/", lowers: ["\(directory)/snap/layer"], upper: "\(directory)/root/upper",
                work: "\(directory)/root/work")
            let sandbox = try await Host.engine(directory).start(
                SandboxSpecification(profile: Host.profile(), overlays: [overlay]))
            let result = try await sandbox.shell("cat /etc/hostname; echo mine > /etc/mine")
            _ = try await sandbox.end()
            #expect(result.out == "from the snapshot\n", "\(result.err)")
            #expect(try Files.status("\(directory)/root/upper/etc/hostname") == nil)
            #expect(try Files.readString("\(directory)/root/upper/etc/mine") == "mine\n")
            #expect(try Files.entries("\(directory)/snap").count == 1, "the work directory stayed")
        }
    }

    private static var memoryKeepsAttributes: Bool {
        let path = "/dev/shm/grace-test-\(getpid())"
        defer { try? Files.unlink(path) }
        return (try? Files.writeAtomically(path, Data())) != nil
            && (try? Files.setXattr(path, name: "user.grace", value: Data("y".utf8))) != nil
    }

    /// A throw-away one gets its layers copied, topmost first, deletions and opaque directories included.
    @Test(arguments: [nil, 32 << 20] as [Int64?])
    func aThrowAwayOverlaySeesItsLayersInOrder(_ disk: Int64?) async throws {
        try await Host.withDirectory { directory in
            for name in ["i", "i/upper", "i/work", "top", "top/etc", "low", "low/etc", "low/etc/apt"] {
                try Files.makeDirectory("\(directory)/\(name)", mode: 0o755)
            }
            try Files.writeAtomically("\(directory)/top/etc/hostname", Data("top\n".utf8), mode: 0o644)
            try Files.writeAtomically("\(directory)/low/etc/hostname", Data("low\n".utf8), mode: 0o644)
            try Files.writeAtomically("\(directory)/low/etc/low", Data("low\n".utf8), mode: 0o640)
            try Files.chown("\(directory)/low/etc/low", uid: 33, gid: 33)
            try Files.link("\(directory)/low/etc/low", "\(directory)/low/etc/low2")
            try Files.setXattr("\(directory)/low/etc/apt", name: "trusted.overlay.opaque", value: Data("y".utf8))
            // A program that ran in that layer may have written this one: it hides nothing. A tmpfs keeps users' attributes from Linux 6.6.
            if disk == nil || Self.memoryKeepsAttributes {
                try Files.setXattr("\(directory)/top/etc", name: "user.overlay.opaque", value: Data("y".utf8))
            }
            try Files.mknod(
                "\(directory)/top/etc/passwd", kind: .characterDevice, mode: 0, device: DeviceNumber(major: 0, minor: 0)
            )
            let overlay = OverlayMount(
                mountPoint: "/", lowers: ["\(directory)/top", "\(directory)/low"], upper: "\(directory)/i/upper",
                work: "\(directory)/i/work",
                volatile: true)
            let sandbox = try await Host.engine(directory).start(
                SandboxSpecification(profile: Host.profile { $0.limits.disk = disk }, overlays: [overlay]))
            let result = try await sandbox.shell(
                "cat /etc/hostname /etc/low; stat -c '%u %h' /etc/low; ls -A /etc/apt; ls /etc/passwd 2>&1; ls /etc/group"
            )
            _ = try await sandbox.end()
            #expect(
                result.out
                    == "top\nlow\n33 2\nls: cannot access '/etc/passwd': No such file or directory\n/etc/group\n",
                "\(result.err)")
        }
    }
}
