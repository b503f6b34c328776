import FoundationEssentials
import Glibc
import Linux

/// What the kernel's dm-log-writes kept of a disk: every write that a flush made durable, in an order in which a disk that lost power
/// may have it, every flush, and marks.
///
/// The format: Documentation/admin-guide/device-mapper/log-writes.rst and drivers/md/dm-log-writes.c (Linux 6.1). A superblock in
/// the first sector; then for each entry one sector that describes it, followed by the sectors it wrote. A write stands in the log
/// when a flush has it on disk, before that flush: so the entries up to a flush are exactly what a disk with a volatile cache must have
/// kept at that moment, and the ones after it, up to the next flush, what it may have kept.
struct WriteLog {
    struct Entry {
        /// Where on the disk, in bytes.
        var offset: Int64
        var count: Int
        /// Where its bytes lie in the log.
        var place: Int64
        var flags: UInt64
        /// What the mark says; `nil` for writes and flushes.
        var mark: String?

        /// Everything before it in the log is on disk when it is done, or it is itself.
        var isDurable: Bool { flags & (Flags.flush | Flags.fua) != 0 }
        var hasData: Bool { mark == nil && flags & Flags.discard == 0 && count > 0 }
    }

    /// A moment at which the power may fail.
    struct Moment {
        /// So many entries are on disk for certain.
        var certain: Int
        /// Those after them, up to this one, the disk may have written or not.
        var possible: Int
        /// The last mark before it.
        var mark: String
        /// It is the very moment of a mark.
        var isMark: Bool
    }

    enum Flags {
        static let flush: UInt64 = 1
        static let fua: UInt64 = 2
        static let discard: UInt64 = 4
        static let mark: UInt64 = 8
    }

    struct Damaged: Error, CustomStringConvertible {
        var description: String
    }

    let entries: [Entry]
    private let file: Descriptor

    init(path: String) throws {
        file = try Files.open(path, flags: O_RDONLY)
        let head = try Files.pread(file, count: 32, offset: 0)
        guard Self.number(head, 0) == 0x6a_7366_7773_6872, Self.number(head, 8) == 1 else {
            throw Damaged(description: "\(path) is no log of dm-log-writes, version 1: \(Array(head))")
        }
        let total = Int(Self.number(head, 16))
        let sector = Int64(Self.number(head, 24) & 0xffff_ffff)
        guard sector >= 512, sector <= 4096 else { throw Damaged(description: "\(path): sectors of \(sector) bytes") }
        var entries: [Entry] = []
        var position = sector
        for _ in 0..<total {
            let block = try Files.pread(file, count: Int(sector), offset: position)
            guard block.count == Int(sector) else { throw Damaged(description: "\(path) ends within its entries") }
            position += sector
            let (sectors, flags, length) = (
                Int64(Self.number(block, 8)), Self.number(block, 16), Int(Self.number(block, 24))
            )
            var entry = Entry(
                offset: Int64(Self.number(block, 0)) * sector, count: Int(sectors * sector), place: position,
                flags: flags)
            if flags & Flags.mark != 0 {
                entry.mark = String(decoding: block.dropFirst(32).prefix(length), as: UTF8.self)
            }
            if entry.hasData { position += sectors * sector }
            entries.append(entry)
        }
        self.entries = entries
    }

    private static func number(_ data: Data, _ offset: Int) -> UInt64 {
        data.dropFirst(offset).prefix(8).enumerated().reduce(0) { $0 | UInt64($1.element) << (8 * UInt64($1.offset)) }
    }

    /// Every flush and every mark from the mark `first` to the mark `last`, these two included.
    ///
    /// - Throws: Where a mark is missing: the log was too small, or the kernel gave up writing it.
    func moments(from first: String, to last: String) throws -> [Moment] {
        guard let start = entries.firstIndex(where: { $0.mark == first }),
            let end = entries.firstIndex(where: { $0.mark == last }), start < end
        else { throw Damaged(description: "the marks are missing from the log of \(entries.count) entries") }
        var moments: [Moment] = []
        var mark = first
        for number in start...end {
            let entry = entries[number]
            mark = entry.mark ?? mark
            guard entry.isDurable || entry.mark != nil else { continue }
            let next = entries[(number + 1)...].firstIndex { $0.isDurable || $0.mark != nil } ?? entries.count
            moments.append(Moment(certain: number + 1, possible: next, mark: mark, isMark: entry.mark != nil))
        }
        return moments
    }

    /// Writes an entry's bytes to a disk.
    func apply(_ entry: Entry, to disk: Descriptor) throws {
        // A discard promises nothing about what is read afterwards: what was there is allowed.
        guard entry.hasData else { return }
        let data = try Files.pread(file, count: entry.count, offset: entry.place)
        guard data.count == entry.count else { throw Damaged(description: "the log ends within an entry's bytes") }
        try disk.withRaw { raw in
            guard lseek(raw, off_t(entry.offset), SEEK_SET) == off_t(entry.offset) else {
                throw SystemError(call: "lseek", subject: "\(entry.offset)", code: errno)
            }
        }
        try Files.write(disk, data)
    }
}
