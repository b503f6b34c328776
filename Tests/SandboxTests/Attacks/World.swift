import FoundationEssentials
import Linux

@testable import Sandbox

/// What no attack may change outside, looked at before and after each.
struct World: Equatable {
    /// Every mount of this mount namespace.
    var mounts: [String]
    /// What the kernel does for everybody.
    var settings: [String: String]
    /// The files of the scene, by path: what they are and hold. Not the sandboxes' own, and not ``Scene/made``.
    var files: [String: String]
    /// Keys that an attack would have left with any user.
    var keys: [String]

    private static let settingPaths = [
        "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/kernel/hostname",
        "/proc/sys/kernel/panic",
        "/proc/sys/kernel/domainname", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv4/ip_unprivileged_port_start",
        "/proc/sys/kernel/sysrq", "/proc/sys/vm/overcommit_memory", "/proc/swaps", "/proc/sys/kernel/ctrl-alt-del",
    ]

    init(_ scene: Scene) throws {
        mounts = try MountInfo.read().map { $0.mountPoint.string ?? "?" }.sorted()
        settings = [:]
        for path in Self.settingPaths { settings[path] = try? Files.readString(path) }
        files = [:]
        keys = ((try? Files.readString("/proc/keys")) ?? "").split(separator: "\n").filter {
            $0.contains("grace-attack")
        }
        .map(String.init)
        try visit(scene.directory, except: ["\(scene.directory)/scratch", scene.made])
    }

    private mutating func visit(_ path: String, except: Set<String>) throws {
        guard !except.contains(path), let status = try Files.status(path) else { return }
        var text = "\(status.mode) \(status.uid) \(status.gid) \(status.size)"
        for (name, value) in try Files.xattrs(path).sorted(by: { $0.key < $1.key }) {
            text += " \(name)=\(value.count)"
        }
        if status.isSymlink { text += " \(try Files.readlink(path).string ?? "")" }
        if status.isFile, status.size < 1 << 16 { text += " \(String(decoding: try Files.read(path), as: UTF8.self))" }
        files[path] = status.isDirectory ? "directory \(status.mode) \(status.uid)" : text
        guard status.isDirectory else { return }
        for name in try Files.entries(path) {
            try visit("\(path)/\(String(decoding: name, as: UTF8.self))", except: except)
        }
    }
}
