internal import CLinux
internal import Glibc

extension Files {
    /// Makes a directory.
    ///
    /// - Parameters:
    ///   - path: The directory.
    ///   - mode: Its mode, whatever the umask.
    ///   - intermediate: Whether to make missing ones above it, too, and to accept one that is there already.
    /// - Throws: `SystemError`; EEXIST where something is there, ENOTDIR where that is no directory.
    public static func makeDirectory(_ path: some FilePath, mode: UInt32 = 0o755, intermediate: Bool = false) throws {
        let target = path.bytePath
        var result = try target.withCString { clinux_mkdir($0, mode) }
        if result == -2 && intermediate && target.parent != target {
            try makeDirectory(target.parent, mode: mode, intermediate: true)
            result = try target.withCString { clinux_mkdir($0, mode) }
        }
        if result == -17 && intermediate {
            // A link to a directory will do, as for mkdir -p.
            _ = try open(target, flags: O_DIRECTORY | Flag.path)
            return
        }
        try SystemError.check(result, "mkdir", target.display)
        try chmod(target, mode)
    }

    /// Removes a file, link or other name that is no directory.
    public static func unlink(_ path: some FilePath) throws {
        let target = path.bytePath
        try SystemError.check(
            try target.withCString { clinux_unlinkat(currentDirectory, $0, 0) }, "unlink", target.display)
    }

    /// Removes an empty directory.
    public static func removeDirectory(_ path: some FilePath) throws {
        let target = path.bytePath
        try SystemError.check(
            try target.withCString { clinux_unlinkat(currentDirectory, $0, 1) }, "rmdir", target.display)
    }

    /// Renames, replacing what is at `to`.
    public static func rename(_ from: some FilePath, _ to: some FilePath) throws { try rename(from, to, flags: 0) }

    /// Renames; EEXIST where something is at `to`.
    public static func renameNoReplace(_ from: some FilePath, _ to: some FilePath) throws {
        try rename(from, to, flags: 1)
    }

    /// Exchanges two names in one step; both must be there.
    public static func exchange(_ a: some FilePath, _ b: some FilePath) throws { try rename(a, b, flags: 2) }

    private static func rename(_ from: some FilePath, _ to: some FilePath, flags: UInt32) throws {
        let (source, target) = (from.bytePath, to.bytePath)
        let result = try source.withCString { first in
            try target.withCString { second in
                clinux_renameat2(currentDirectory, first, currentDirectory, second, flags)
            }
        }
        try SystemError.check(result, "renameat2", "\(source.display) to \(target.display)")
    }

    /// Gives the file `from` (a link itself, not its target) the second name `to`.
    public static func link(_ from: some FilePath, _ to: some FilePath) throws {
        let (source, target) = (from.bytePath, to.bytePath)
        let result = try source.withCString { first in try target.withCString { clinux_link(first, $0) } }
        try SystemError.check(result, "link", "\(source.display) to \(target.display)")
    }

    /// Gives an open file the further name `to`; root alone may (CAP_DAC_READ_SEARCH, linkat(2) with AT_EMPTY_PATH).
    public static func link(of file: Descriptor, _ to: some FilePath) throws {
        let target = to.bytePath
        let result = try file.withRaw { raw in try target.withCString { clinux_link_of(raw, $0) } }
        try SystemError.check(result, "linkat", "\(file) to \(target.display)")
    }

    /// Makes a symbolic link at `path` that reads `target`.
    public static func symlink(_ target: some FilePath, at path: some FilePath) throws {
        let place = path.bytePath
        let result = try target.bytePath.withCString { text in try place.withCString { clinux_symlink(text, $0) } }
        try SystemError.check(result, "symlink", place.display)
    }

    /// What a symbolic link reads.
    public static func readlink(_ path: some FilePath) throws -> BytePath {
        let place = path.bytePath
        var buffer = [CChar](repeating: 0, count: 4097)  // a link is at most 4095 bytes
        let count = try place.withCString { clinux_readlink($0, &buffer, buffer.count) }
        try SystemError.check(count, "readlink", place.display)
        return BytePath(bytes: buffer[..<Int(count)].map { UInt8(bitPattern: $0) })
    }

    /// Makes a device node, fifo, socket or empty file.
    ///
    /// - Parameters:
    ///   - path: Where.
    ///   - kind: Anything but a directory or a link.
    ///   - mode: Permission bits, whatever the umask.
    ///   - device: For device nodes.
    /// - Throws: `SystemError`; EPERM without CAP_MKNOD, or for a directory or link.
    public static func mknod(
        _ path: some FilePath, kind: Status.Kind, mode: UInt32, device: DeviceNumber = DeviceNumber(major: 0, minor: 0)
    ) throws {
        let place = path.bytePath
        let type: UInt32 =
            switch kind {
            case .file: 0o100000
            case .fifo: 0o010000
            case .socket: 0o140000
            case .characterDevice: 0o020000
            case .blockDevice: 0o060000
            case .directory: 0o040000  // mknod(2) refuses these two
            case .symlink: 0o120000
            }
        let result = try place.withCString { clinux_mknod($0, type | mode & 0o7777, device.major, device.minor) }
        try SystemError.check(result, "mknod", place.display)
        // Linux ignores (or, of a whiteout, refuses) a later chmod where nothing would change.
        if let made = try status(place), made.mode != mode & 0o7777 { try chmod(place, mode) }
    }
}
