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

    /// The steps whose displaced file, or a file of whose displaced tree, a process has open for writing or mapped so: the name of
    /// a step's hidden place is its number. Without root, only the caller's own processes are seen.
    static func writtenSteps(stash: String) -> Set<Int> {
        let mark = Array("\(stash)/".utf8)
        var steps: Set<Int> = []
        func note(_ target: some RandomAccessCollection<UInt8>) {
            let target = Array(target)
            guard let start = offset(of: mark, in: target) else { return }
            let digits = target[(start + mark.count)...].prefix { (48...57).contains($0) }
            if let step = Int(String(decoding: digits, as: UTF8.self)) { steps.insert(step) }
        }
        for name in (try? Files.entries("/proc")) ?? [] {
            guard let pid = Int32(String(decoding: name, as: UTF8.self)) else { continue }
            for fd in (try? Files.entries("/proc/\(pid)/fd")) ?? [] {
                let number = String(decoding: fd, as: UTF8.self)
                guard let target = try? Files.readlink("/proc/\(pid)/fd/\(number)"), contains(target.bytes, mark),
                    let info = try? Files.readString("/proc/\(pid)/fdinfo/\(number)", limit: 1 << 16),
                    let flags = info.split(separator: "\n").first(where: { $0.hasPrefix("flags:") })?.split(
                        separator: "\t"
                    ).last,
                    (Int32(flags, radix: 8) ?? 0) & O_ACCMODE != 0
                else { continue }
                note(target.bytes)
            }
            let maps = (try? Files.read("/proc/\(pid)/maps", limit: 16 << 20)) ?? Data()
            // “start-end rw-s …”: shared and writable.
            for line in maps.split(separator: UInt8(ascii: "\n")) {
                let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 2)
                guard fields.count > 1, fields[1].elementsEqual("rw-s".utf8) || fields[1].elementsEqual("-w-s".utf8)
                else {
                    continue
                }
                note(line)
            }
        }
        return steps
    }

    private static func offset(of mark: [UInt8], in bytes: [UInt8]) -> Int? {
        guard bytes.count >= mark.count else { return nil }
        return (0...(bytes.count - mark.count)).first { bytes[$0..<($0 + mark.count)].elementsEqual(mark) }
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
