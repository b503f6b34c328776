internal import FoundationEssentials
internal import Glibc
internal import Linux

/// Which processes still use files that a promotion moved into its hidden directories.
enum Holders {
    /// Looks through /proc; what can't be read (a process that ended meanwhile) is passed over. Of a file opened before the move
    /// the kernel shows the name it has now, in the hidden directory (proc(5), /proc/PID/fd and maps).
    static func find(stash: String) -> [Holder] {
        let mark = Array("\(stash)/".utf8)
        guard let entries = try? Files.entries("/proc") else { return [] }
        return entries.compactMap { name in
            guard let pid = Int32(String(decoding: name, as: UTF8.self)), uses(pid, mark) else { return nil }
            let comm = (try? Files.readString("/proc/\(pid)/comm", limit: 256)) ?? "?"
            return Holder(pid: pid, name: String(comm.prefix { $0 != "\n" }))
        }
    }

    private static func uses(_ pid: Int32, _ mark: [UInt8]) -> Bool {
        let directory = "/proc/\(pid)/fd"
        for name in (try? Files.entries(directory)) ?? [] {
            if let target = try? Files.readlink(BytePath(directory).appending(name)), contains(target.bytes, mark) {
                return true
            }
        }
        guard let maps = try? Files.read("/proc/\(pid)/maps", limit: 16 << 20) else { return false }
        return maps.withUnsafeBytes { contains($0, mark) }
    }

    private static func contains(_ bytes: [UInt8], _ mark: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { contains($0, mark) }
    }

    /// By memchr(3) and memcmp(3): a large process's maps are megabytes.
    private static func contains(_ bytes: UnsafeRawBufferPointer, _ mark: [UInt8]) -> Bool {
        guard let start = bytes.baseAddress, let first = mark.first else { return false }
        var offset = 0
        while bytes.count - offset >= mark.count,
            let hit = memchr(start + offset, Int32(first), bytes.count - offset - mark.count + 1)
        {
            if memcmp(hit, mark, mark.count) == 0 { return true }
            offset = UnsafeRawPointer(hit) - start + 1
        }
        return false
    }
}
