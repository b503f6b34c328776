internal import FoundationEssentials
internal import Glibc
internal import Linux

/// Sparse files with an empty ext4 file system of an exact size: where no project quota is to be had, a full one answers ENOSPC
/// just where the limit says.
enum DiskImage {
    /// A file without a name, for layers that are thrown away: whatever becomes of Grace, nothing of it is ever left.
    static func nameless(in directory: String, _ limit: DiskLimit) throws -> Descriptor {
        let file = try Files.open(directory, flags: O_RDWR | Files.Flag.temporary, mode: 0o600)
        // No journal: after a crash nobody reads it.
        try format("/proc/\(getpid())/fd/\(file.raw)", file, limit, journal: false)
        return file
    }

    /// A file for layers that outlive Grace.
    static func named(_ path: String, _ limit: DiskLimit) throws -> Descriptor {
        let file = try Files.open(path, flags: O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
        do {
            try format(path, file, limit, journal: limit.bytes >= 16 << 20)
        } catch {
            try? Files.unlink(path)
            throw error
        }
        return file
    }

    private static func format(_ path: String, _ file: Descriptor, _ limit: DiskLimit, journal: Bool) throws {
        // The journal comes on top of what may be written.
        let size = limit.bytes + (journal ? 4 << 20 : 0)
        try Files.truncate(file, to: size)
        var arguments = [
            "-q", "-F", "-t", "ext4", "-b", "4096", "-m", "0", "-O", "^resize_inode", "-E",
            "lazy_itable_init=1,lazy_journal_init=1,nodiscard",
        ]
        arguments += journal ? ["-J", "size=4"] : ["-O", "^has_journal"]
        // Eleven inodes are the file system's own; one to each 8 KiB is twice what mke2fs would make.
        arguments += limit.inodes.map { ["-N", "\($0 + 11)"] } ?? ["-i", "8192"]
        let program: String
        do {
            program = try Processes.locate("mkfs.ext4", path: "/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin")
        } catch {
            throw SandboxError.invalid("mkfs.ext4 is not installed (package e2fsprogs).")
        }
        let (read, write) = try Descriptor.pipe()
        let pid = try withExtendedLifetime(file) {
            try Processes.spawn(
                program, arguments: arguments + [path], environment: ["MKE2FS_SYNC": "0"],
                descriptors: [(1, write.raw), (2, write.raw)])
        }
        write.close()
        let said = String(decoding: (try? Files.read(read, limit: 65536)) ?? Data(), as: UTF8.self)
        let exit = try Processes.waitBlocking(pid)
        guard exit.isSuccess else {
            throw SandboxError.invalid("\(program) could not make a file system of \(size) bytes (\(exit)): \(said)")
        }
    }
}
