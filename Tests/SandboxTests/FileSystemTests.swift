import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// A nested mount of every type of file system is layered with mapped root where this kernel can, and visibly without where it can't;
/// either way live keeps its bytes and its devices.
@Suite(.enabled(if: Host.isRoot)) struct FileSystemTests {
    @Test(arguments: FileSystemKind.layered)
    func aNestedMountIsWrittenInTheSandboxAlone(_ kind: FileSystemKind) async throws {
        try await kind.withMount { mount, directory in
            let sandbox = try await Host.engine(directory).start(SandboxSpecification(profile: Host.profile()))
            // A mount that live cannot write, the sandbox cannot either.
            let line =
                "cd \(mount) && cat owned nested/deep && stat -c %u:%g owned && "
                + (kind.isReadOnly
                    ? "! touch new && rm -f removed"
                    : "chown 12:34 owned && echo more >> owned && rm removed && echo n > new && stat -c %u:%g:%s owned")
            let result: (exit: ProcessExit, out: String, err: String)
            let device: (exit: ProcessExit, out: String, err: String)
            do {
                result = try await sandbox.shell(line)
                device = try await sandbox.shell("cat \(mount)/device")
            } catch {
                _ = try? await sandbox.end()
                throw error
            }
            _ = try await sandbox.end()
            #expect(result.out == "text\ndeep\n33:44\n" + (kind.isReadOnly ? "" : "12:34:10\n"), "\(result)")
            #expect(result.err.contains("Read-only") == kind.isReadOnly, "\(result)")
            #expect(device.exit != .exited(0) && device.err.contains("denied"), "\(device)")

            #expect(try Files.readString("\(mount)/owned") == "text\n")
            #expect(try Files.status("\(mount)/owned").map { [$0.uid, $0.gid] } == [33, 44])
            #expect(try Files.status("\(mount)/removed") != nil && Files.status("\(mount)/new") == nil)

            let expected: [Feature] = try kind.canBeMapped() ? [] : [.mappedRoot]
            #expect(sandbox.fallbacks.map(\.feature) == expected, "\(sandbox.fallbacks)")
            if let fallback = sandbox.fallbacks.first {
                #expect(fallback.detail.contains(mount), "says which mount it was: \(fallback.detail)")
            }
        }
    }

    @Test func anOverlayMountBesideTheRootIsHidden() async throws {
        try await FileSystemKind.overlay.withMount { mount, directory in
            let sandbox = try await Host.engine(directory).start(SandboxSpecification(profile: Host.profile()))
            let result = try? await sandbox.shell("ls -A \(mount); cat \(mount)/owned")
            _ = try await sandbox.end()
            #expect(result?.out == "" && result?.exit != .exited(0), "\(String(describing: result))")
            #expect(sandbox.fallbacks.isEmpty, "what is hidden costs no mapping: \(sandbox.fallbacks)")
        }
    }

    @Test(arguments: try FileSystemKind.layered.filter { try !$0.canBeMapped() })
    func whereTheKernelCannotMapItAProfileMayForbidTheSandbox(_ kind: FileSystemKind) async throws {
        try await kind.withMount { _, directory in
            let engine = try Host.engine(directory)
            let profile = Host.profile { $0.require = [.mappedRoot] }
            await #expect {
                _ = try await engine.start(SandboxSpecification(profile: profile))
            } throws: { error in
                guard case SandboxError.missing(let statuses) = error else { return false }
                return statuses.map(\.feature) == [.mappedRoot]
            }
        }
    }
}

/// A type of file system that a host may have mounted somewhere, and how one is made.
enum FileSystemKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case ext4, xfs, btrfs, squashfs, tmpfs, overlay

    var testDescription: String { rawValue }

    /// In the virtual machine of scripts/vm-test all of them; elsewhere those whose tools, kernel and loop devices are there.
    static let possible: [FileSystemKind] = {
        guard geteuid() == 0 else { return [] }
        if getenv("GRACE_VM") != nil { return allCases }
        let known = (try? Files.readString("/proc/filesystems")) ?? ""
        return allCases.filter { kind in
            guard known.split(whereSeparator: \.isWhitespace).contains(Substring(kind.rawValue)) else { return false }
            guard let maker = kind.maker else { return true }
            return access("/dev/loop-control", W_OK) == 0
                && ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].contains { access("\($0)/\(maker)", X_OK) == 0 }
        }
    }()

    /// Those that are layered; overlays beside the root, which cannot be mapped, are hidden.
    static let layered = possible.filter { $0 != .overlay }

    /// The program that makes an image of it; `nil` where none is needed.
    private var maker: String? {
        switch self {
        case .ext4, .xfs, .btrfs: "mkfs.\(rawValue)"
        case .squashfs: "mksquashfs"
        case .tmpfs, .overlay: nil
        }
    }

    var isReadOnly: Bool { self == .squashfs }

    /// Whether this kernel idmaps its mounts (FS_ALLOW_IDMAP in the kernel's fs/*/super.c) *and* an overlay on top takes it.
    func canBeMapped() throws -> Bool {
        let version = try Kernel.version()
        func since(_ major: Int, _ minor: Int) -> Bool { (version.major, version.minor) >= (major, minor) }
        return switch self {
        case .ext4: since(5, 19)
        case .xfs: since(5, 19)
        case .btrfs: since(5, 19)
        case .squashfs: since(6, 2)
        case .tmpfs: since(6, 3)
        case .overlay: false
        }
    }

    /// Makes one, with a few files and a device node in it, mounted in a directory of the test's own.
    func withMount(_ body: (_ mount: String, _ directory: String) async throws -> Void) async throws {
        try await Host.withDirectory { directory in
            let mount = "\(directory)/mount"
            for name in ["mount", "content", "layer", "layer/upper", "layer/work"] {
                try Files.makeDirectory("\(directory)/\(name)", mode: 0o755)
            }
            let fill = """
                mkdir nested; echo deep > nested/deep; echo text > owned; chown 33:44 owned; touch removed; mknod -m 666 device c 1 5
                """
            let image = "\(directory)/image"
            let script =
                switch self {
                case .ext4:
                    "truncate -s 64M \(image); mkfs.ext4 -q \(image); mount -o loop \(image) \(mount); cd \(mount); \(fill)"
                case .xfs:
                    "truncate -s 320M \(image); mkfs.xfs -q \(image); mount -o loop \(image) \(mount); cd \(mount); \(fill)"
                case .btrfs:
                    "truncate -s 128M \(image); mkfs.btrfs -q \(image); mount -o loop \(image) \(mount); cd \(mount); \(fill)"
                case .squashfs:
                    "cd \(directory)/content; \(fill); mksquashfs . \(image) -quiet -no-progress >/dev/null; mount -o loop,ro \(image) \(mount)"
                case .tmpfs: "mount -t tmpfs -o mode=755 none \(mount); cd \(mount); \(fill)"
                case .overlay:
                    """
                    mount -t overlay none -o lowerdir=\(directory)/content,upperdir=\(directory)/layer/upper,workdir=\(directory)/layer/work \
                    \(mount); cd \(mount); \(fill)
                    """
                }
            let made = try await Processes.run(
                "/bin/bash", arguments: ["-ec", script], timeout: .seconds(120), directory: "/")
            defer { while (try? Mounts.detach(mount)) != nil {} }
            try #require(made.isSuccess, "\(self): \(made.errorOutput)")
            try await body(mount, directory)
        }
    }
}
