internal import CLinux

/// A file used as a disk (loop(4)). The kernel lets go of it by itself when nobody uses the device any more.
public struct LoopDevice: Sendable {
    /// `/dev/loop3`.
    public let path: String
    /// Keeps the device attached until something is mounted from it.
    public let descriptor: Descriptor

    /// Attaches an open file, which needs no name, to a free loop device.
    ///
    /// - Throws: `SystemError`: ENOENT where this host, or container, has no loop devices; EPERM without CAP_SYS_ADMIN.
    public static func attach(_ file: Descriptor) throws -> LoopDevice {
        var name = [CChar](repeating: 0, count: 32)
        let raw = try file.withRaw {
            try SystemError.check(clinux_loop_attach($0, &name, name.count), "attaching a loop device", "")
        }
        let path = String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        return LoopDevice(path: path, descriptor: Descriptor(owning: raw))
    }

    /// Mounts the ext4 file system on it at a directory, without device nodes.
    public func mountExt4(at directory: String) throws {
        try withExtendedLifetime(descriptor) {
            _ = try SystemError.check(clinux_mount_ext4(path, directory), "mount", directory)
        }
    }
}

/// Mounts of this process's own mount namespace.
public enum Mounts {
    /// Takes the topmost mount at a directory away; who still has a file open on it keeps it until then.
    ///
    /// - Throws: EINVAL where nothing is mounted there.
    public static func detach(_ directory: String) throws {
        try SystemError.check(clinux_unmount(directory), "umount", directory)
    }
}
