internal import CLinux
public import FoundationEssentials
internal import Glibc

/// Thin, typed calls on files. Every one takes a `String` or a ``BytePath`` and throws a ``SystemError``.
///
/// None follows a symbolic link in the last place, except ``open(_:flags:mode:at:resolve:)`` without `O_NOFOLLOW`, and what
/// says so.
public enum Files {
    /// Flags that Glibc's Swift module hides.
    public enum Flag {
        /// `O_PATH`: a reference to the place alone.
        public static let path: Int32 = 0o10000000
        /// `O_TMPFILE`: a file without a name in the given directory.
        public static let temporary: Int32 = 0o20000000 | O_DIRECTORY
        /// `O_NOATIME`: leave the time of access alone (owner or root only).
        public static let noAccessTime: Int32 = 0o1000000
    }

    /// What `openat2(2)` may pass through on its way.
    public enum Resolve {
        /// Don't cross into another mount, bind mounts included.
        public static let noMounts: UInt64 = 0x01
        /// Don't follow links such as `/proc/self/fd/3`.
        public static let noMagicLinks: UInt64 = 0x02
        /// Don't follow any link.
        public static let noSymlinks: UInt64 = 0x04
        /// Never leave the directory it starts at.
        public static let beneath: UInt64 = 0x08
        /// Take the directory it starts at for the root.
        public static let inRoot: UInt64 = 0x10
    }

    /// Opens a file, close-on-exec.
    ///
    /// - Parameters:
    ///   - path: The file; relative to `at` where that is given.
    ///   - flags: `O_RDONLY` and its kin.
    ///   - mode: For a file that is made.
    ///   - at: The directory a relative path starts at.
    ///   - resolve: Bits of ``Resolve``; where not 0, `openat2(2)` opens it (Linux 5.6). Beneath a directory a path may be longer than
    ///     PATH_MAX (4096 bytes): it is walked in pieces then.
    /// - Returns: The open file.
    /// - Throws: `SystemError`.
    public static func open(
        _ path: some FilePath, flags: Int32, mode: UInt32 = 0, at: Descriptor? = nil, resolve: UInt64 = 0
    ) throws -> Descriptor {
        let bytes = path.bytePath
        if let at, resolve & Resolve.beneath != 0, bytes.bytes.count > longest {
            return try openInPieces(bytes, flags: flags, mode: mode, at: at, resolve: resolve)
        }
        let directory = at?.raw ?? currentDirectory
        let raw = try withExtendedLifetime(at) {
            try bytes.withCString { name in
                resolve == 0
                    ? clinux_openat(directory, name, flags, mode)
                    : clinux_openat2(directory, name, flags, mode, resolve)
            }
        }
        return Descriptor(owning: try SystemError.check(raw, resolve == 0 ? "open" : "openat2", bytes.display))
    }

    /// Bytes of a path that the kernel takes at once (PATH_MAX of limits.h, with the closing NUL).
    private static let longest = 4095

    private static func openInPieces(
        _ path: BytePath, flags: Int32, mode: UInt32, at: Descriptor, resolve: UInt64
    ) throws -> Descriptor {
        var directory = at
        var piece: [UInt8] = []
        for name in path.components {
            if !piece.isEmpty && piece.count + 1 + name.count > longest {
                directory = try open(
                    BytePath(bytes: piece), flags: Flag.path | O_DIRECTORY | O_NOFOLLOW, at: directory, resolve: resolve
                )
                piece = []
            }
            piece += (piece.isEmpty ? [] : [UInt8(ascii: "/")]) + name
        }
        guard piece.count <= longest else {
            throw SystemError(call: "openat2", subject: path.display, code: ENAMETOOLONG)
        }
        return try open(BytePath(bytes: piece), flags: flags, mode: mode, at: directory, resolve: resolve)
    }

    /// The whole content of a file, links followed.
    ///
    /// - Throws: EFBIG where it is longer than `limit` bytes.
    public static func read(_ path: some FilePath, limit: Int = 64 << 20) throws -> Data {
        let descriptor = try open(path, flags: O_RDONLY)
        return try read(descriptor, limit: limit, subject: path.bytePath.display)
    }

    /// The whole content of a file as UTF-8; malformed bytes become U+FFFD. For the kernel's own files and small texts.
    public static func readString(_ path: some FilePath, limit: Int = 64 << 20) throws -> String {
        String(decoding: try read(path, limit: limit), as: UTF8.self)
    }

    /// What is left to read from an open file.
    public static func read(_ descriptor: Descriptor, limit: Int = 64 << 20, subject: String? = nil) throws -> Data {
        var result = Data()
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = try descriptor.withRaw { raw in
                try SystemError.check(clinux_read(raw, &chunk, chunk.count), "read", subject ?? "\(descriptor)")
            }
            if count == 0 { return result }
            guard result.count + Int(count) <= limit else {
                throw SystemError(call: "read", subject: subject ?? "\(descriptor)", code: 27 /* EFBIG */)
            }
            result.append(contentsOf: chunk[..<Int(count)])
        }
    }

    /// Up to `count` bytes from `offset` on; fewer at the end of the file. The file position stays.
    public static func pread(_ descriptor: Descriptor, count: Int, offset: Int64) throws -> Data {
        var result = Data(count: count)
        var filled = 0
        while filled < count {
            let got = try result.withUnsafeMutableBytes { buffer in
                try descriptor.withRaw { raw in
                    try SystemError.check(
                        clinux_pread(
                            raw, buffer.baseAddress.map { $0 + filled }, count - filled, offset + Int64(filled)),
                        "pread", "\(descriptor)")
                }
            }
            if got == 0 { break }
            filled += Int(got)
        }
        return result.prefix(filled)
    }

    /// Writes all bytes at the file's position.
    public static func write(_ descriptor: Descriptor, _ data: some ContiguousBytes, subject: String? = nil) throws {
        try data.withUnsafeBytes { buffer in
            var written = 0
            while written < buffer.count {
                let count = try descriptor.withRaw { raw in
                    try SystemError.check(
                        clinux_write(raw, buffer.baseAddress.map { $0 + written }, buffer.count - written), "write",
                        subject ?? "\(descriptor)")
                }
                written += Int(count)
            }
        }
    }

    /// The status of `path`, links not followed; `nil` where nothing is there.
    public static func status(_ path: some FilePath, at: Descriptor? = nil) throws -> Status? {
        let bytes = path.bytePath
        var raw = clinux_status()
        let result = try withExtendedLifetime(at) {
            try bytes.withCString { clinux_status(at?.raw ?? currentDirectory, $0, 0, &raw) }
        }
        if result == -2 || result == -20 { return nil }  // ENOENT, ENOTDIR: there is no such place
        try SystemError.check(result, "statx", bytes.display)
        return Status(raw)
    }

    /// The status of an open file.
    public static func status(of descriptor: Descriptor) throws -> Status {
        var raw = clinux_status()
        try descriptor.withRaw { number in
            try SystemError.check(clinux_status(number, "", 1, &raw), "statx", "\(descriptor)")
        }
        return Status(raw)
    }

    /// Size and room of the file system that holds `path`.
    public static func fileSystem(_ path: some FilePath) throws -> FileSystemStatus {
        var raw = clinux_file_system()
        let result = try path.bytePath.withCString { clinux_file_system($0, &raw) }
        try SystemError.check(result, "statfs", path.bytePath.display)
        return FileSystemStatus(
            magic: raw.type, size: Int64(clamping: raw.blocks &* raw.block_size),
            available: Int64(clamping: raw.blocks_available &* raw.block_size), inodesAvailable: raw.inodes_available,
            inodes: raw.inodes)
    }

    static let currentDirectory: Int32 = -100  // AT_FDCWD
}
