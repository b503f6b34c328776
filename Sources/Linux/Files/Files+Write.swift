internal import CLinux
public import FoundationEssentials
internal import Glibc

extension Files {
    /// Puts `data` at `path` so that a reader, and a host that lost power, sees the old content or the new, nothing between:
    /// a temporary file beside it, fsync, rename, fsync of the directory.
    ///
    /// A symbolic link at `path` is replaced, not followed. What is not `durable` may be gone, or empty, after a loss of power.
    public static func writeAtomically(
        _ path: some FilePath, _ data: some ContiguousBytes, mode: UInt32 = 0o600, durable: Bool = true
    ) throws {
        let target = path.bytePath
        let directory = target.parent
        let name = Array(".\(UInt64.random(in: .min ... .max)).tmp".utf8)
        let temporary = directory.appending(name)
        let descriptor = try open(temporary, flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        do {
            try write(descriptor, data, subject: temporary.display)
            // The umask must not decide the mode of a file that another process reads.
            try SystemError.check(
                descriptor.withRaw { clinux_fchmod($0, mode) }, "fchmod", temporary.display)
            if durable { try fsync(descriptor, subject: temporary.display) }
            try rename(temporary, target)
        } catch {
            try? unlink(temporary)
            throw error
        }
        if durable { try fsyncDirectory(directory) }
    }

    /// Adds `data` at the end of `path`, making the file where it is missing.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - data: The bytes.
    ///   - mode: For a file that is made.
    ///   - sync: Whether to return only once it is on disk (the directory too, where the file is new).
    /// - Throws: `SystemError`; ELOOP where `path` is a symbolic link.
    public static func append(
        _ path: some FilePath, _ data: some ContiguousBytes, mode: UInt32 = 0o600, sync: Bool = true
    ) throws {
        let isNew = sync ? try status(path) == nil : false
        let descriptor = try open(path, flags: O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, mode: mode)
        try write(descriptor, data, subject: path.bytePath.display)
        if sync { try fsync(descriptor, subject: path.bytePath.display) }
        if isNew { try fsyncDirectory(path.bytePath.parent) }
    }

    /// Waits until the file's data and status are on disk.
    public static func fsync(_ descriptor: Descriptor, subject: String? = nil) throws {
        try descriptor.withRaw { raw in
            try SystemError.check(clinux_fsync(raw), "fsync", subject ?? "\(descriptor)")
        }
    }

    /// Waits until the file's data is on disk, and what is needed to read it back.
    public static func fdatasync(_ descriptor: Descriptor, subject: String? = nil) throws {
        try descriptor.withRaw { raw in
            try SystemError.check(clinux_fdatasync(raw), "fdatasync", subject ?? "\(descriptor)")
        }
    }

    /// Waits until the directory's names are on disk.
    public static func fsyncDirectory(_ path: some FilePath) throws {
        let descriptor = try open(path, flags: O_DIRECTORY)
        try fsync(descriptor, subject: path.bytePath.display)
    }

    /// Waits until everything of the file system that holds `path` is on disk.
    public static func syncfs(_ path: some FilePath) throws {
        let descriptor = try open(path, flags: 0)
        try descriptor.withRaw { raw in
            try SystemError.check(clinux_syncfs(raw), "syncfs", path.bytePath.display)
        }
    }

    /// The same of the file system of an open file. Of a write that failed in the background it is certain to tell only who had the
    /// descriptor open when it failed: to others once, and not where another program asked before (syncfs(2)).
    public static func syncfs(_ descriptor: Descriptor, subject: String? = nil) throws {
        try descriptor.withRaw { raw in
            try SystemError.check(clinux_syncfs(raw), "syncfs", subject ?? "\(descriptor)")
        }
    }

    /// Cuts or stretches an open file.
    public static func truncate(_ descriptor: Descriptor, to length: Int64) throws {
        try descriptor.withRaw { raw in
            try SystemError.check(clinux_ftruncate(raw, length), "ftruncate", "\(descriptor)")
        }
    }

    /// Takes a whole-file lock (`flock(2)`), held until the descriptor's last duplicate closes.
    ///
    /// - Returns: `false` where another holds it and `wait` is off.
    public static func lock(_ descriptor: Descriptor, exclusive: Bool = true, wait: Bool = false) throws -> Bool {
        let result = descriptor.withRaw { clinux_flock($0, exclusive ? 1 : 0, wait ? 1 : 0) }
        if result == -11 { return false }
        try SystemError.check(result, "flock", "\(descriptor)")
        return true
    }

    /// Gives a lock back.
    public static func unlock(_ descriptor: Descriptor) throws {
        try descriptor.withRaw { raw in try SystemError.check(clinux_funlock(raw), "flock", "\(descriptor)") }
    }

    /// Takes a read lease (`F_SETLEASE`): it is refused while anybody has the file open for writing or maps it so, and nobody
    /// may from then on until ``endLease(_:)``: an open for writing waits up to `/proc/sys/fs/lease-break-time` seconds (45)
    /// and then goes ahead, so be brief. The kernel's notice of that is made SIGURG, which is ignored unless handled.
    ///
    /// - Returns: `false` where a writer has the file.
    public static func readLease(_ descriptor: Descriptor) throws -> Bool {
        let result = descriptor.withRaw { clinux_lease($0, 0) }
        if result == -11 { return false }
        try SystemError.check(result, "fcntl(F_SETLEASE)", "\(descriptor)")
        return true
    }

    /// Whether nobody else has the file open in any way, reading or writing (Linux 5.3). Whoever opens it from then on waits until the
    /// lease that this takes (F_WRLCK) has ended, with ``endLease(_:)`` or when the file is closed.
    ///
    /// - Throws: `SystemError` EINVAL where the file system knows no leases, EACCES without the right to (fcntl(2), F_SETLEASE).
    public static func isAlone(_ descriptor: Descriptor) throws -> Bool {
        let result = descriptor.withRaw { clinux_is_alone($0) }
        try SystemError.check(result, "fcntl(F_SETLEASE)", "\(descriptor)")
        return result == 1
    }

    /// Gives a lease back.
    public static func endLease(_ descriptor: Descriptor) throws {
        try descriptor.withRaw { raw in
            try SystemError.check(clinux_lease(raw, 1), "fcntl(F_SETLEASE)", "\(descriptor)")
        }
    }

    /// Copies the whole content of `from` into the empty file `to`: shared blocks where the file system can (reflink), else
    /// in the kernel, else by hand.
    public static func copyContents(from: Descriptor, to: Descriptor) throws {
        try from.withRaw { source in
            try to.withRaw { target in
                if clinux_clone_file(source, target) == 0 { return }
                var copied = false
                while true {
                    let count = clinux_copy_range(source, target, 1 << 30)
                    if count == 0 && copied { return }
                    // Zero at once: an empty file, or one of procfs that has no size: reading decides.
                    if count == 0 { break }
                    // EXDEV, EINVAL, EOPNOTSUPP, ENOSYS, EBADF: not between these two.
                    if count < 0 && !copied && [-18, -22, -95, -38, -9].contains(count) { break }
                    try SystemError.check(count, "copy_file_range", "\(from)")
                    copied = true
                }
                var chunk = [UInt8](repeating: 0, count: 256 << 10)
                while true {
                    let count = try SystemError.check(clinux_read(source, &chunk, chunk.count), "read", "\(from)")
                    if count == 0 { return }
                    try write(to, chunk[..<Int(count)])
                }
            }
        }
    }
}
