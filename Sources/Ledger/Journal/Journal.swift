public import Documents
public import FoundationEssentials
internal import Glibc
internal import Linux
internal import Synchronization

/// An agent's own record of everything it does: one file of canonical JSON lines, each signed and chained to the one before
/// by its digest, each on disk before ``append(kind:mission:body:)`` returns.
///
/// A chain alone can't show that its newest lines were taken away; that is what their inclusion in the coordinator's ledger is
/// for.
public final class Journal: Sendable {
    /// The longest line, in bytes.
    public static let lineLimit = 1 << 20

    /// The file.
    public let path: String
    /// A sentence when a half-written last line was cut off on opening: the act it would have recorded was never begun.
    public let cut: String?
    private let key: SigningKey
    private let clock: @Sendable () -> Date
    private let lock: Descriptor
    private let file: Descriptor
    private let state: Mutex<State>

    private struct State {
        /// Where each line begins.
        var offsets: [Int64] = []
        /// The length of the file.
        var end: Int64 = 0
        /// SHA-256 of the last line.
        var last = Digest(of: Data())
        var broken: String?
    }

    /// Opens `<directory>/<name>.jsonl`, or begins it. Every line is checked.
    ///
    /// A last line without its newline is what a kill in the middle of a write leaves: it is cut off and ``cut`` says so. Any
    /// other damage throws ``LedgerError/damaged(file:line:why:)`` and changes nothing. Throws
    /// ``LedgerError/locked(directory:)`` when another process has it open.
    public init(
        directory: String, key: SigningKey, name: String = "journal", clock: @escaping @Sendable () -> Date = { Date() }
    ) throws {
        self.key = key
        self.clock = clock
        path = directory + "/" + name + ".jsonl"
        if try Files.status(directory) == nil {
            try Files.makeDirectory(directory, mode: 0o700, intermediate: true)
        }
        lock = try DirectoryLock.take(directory)
        let isNew = try Files.status(path) == nil
        file = try Files.open(path, flags: O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, mode: 0o600)
        if isNew { try Files.fsyncDirectory(directory) }
        var opened = State()
        let torn = try Self.scan(file, path: path, key: key.publicKey) { _, offset, line in
            opened.offsets.append(offset)
            opened.end = offset + Int64(line.count) + 1
            opened.last = Digest(of: line)
        }
        if torn > 0 {
            try Files.truncate(file, to: opened.end)
            try Files.fsync(file, subject: path)
            cut = "\(path): the last \(torn) bytes were a line a kill or power loss had cut short; they were removed."
        } else {
            cut = nil
        }
        state = Mutex(opened)
    }

    /// How many entries there are.
    public var count: UInt64 { state.withLock { UInt64($0.offsets.count) } }

    /// SHA-256 of the last line (of nothing when there is none): what the next one will be chained to.
    public var head: Digest { state.withLock { $0.last } }

    /// The key its lines are signed with.
    public var publicKey: VerifyingKey { key.publicKey }

    /// Signs, chains and writes an entry; it is on disk when this returns.
    ///
    /// When it throws, the entry is not in the journal, or (a failed fsync) may be: then nothing more is taken until the
    /// journal is opened anew. Who can't record must not act, except to stop and to roll back (DESIGN 8.6).
    @discardableResult
    public func append(kind: String, mission: String? = nil, body: JSON) throws -> JournalEntry {
        try state.withLock { state in
            if let why = state.broken { throw LedgerError.unusable(file: path, why: why) }
            let entry = try JournalEntry.signed(
                index: UInt64(state.offsets.count), kind: kind, mission: mission, at: clock(), body: body,
                previous: state.last,
                by: key)
            let line = try entry.line()
            guard line.count <= Self.lineLimit else {
                throw LedgerError.tooLarge(what: "The journal entry \(kind)", size: line.count, limit: Self.lineLimit)
            }
            do {
                try Files.write(file, line + [0x0A], subject: path)
                try Files.fsync(file, subject: path)
            } catch {
                state.broken = "an earlier write failed (\(error))"
                // Best effort, so that the next opening finds no torn line; it would cut it anyway.
                try? Files.truncate(file, to: state.end)
                throw error
            }
            state.offsets.append(state.end)
            state.end += Int64(line.count) + 1
            state.last = Digest(of: line)
            return entry
        }
    }

    /// The entries from `index` on, at most `limit`, for sending to the coordinator; each is checked again.
    public func entries(from index: UInt64, limit: Int = .max) throws -> [JournalEntry] {
        try state.withLock { state in
            let count = UInt64(state.offsets.count)
            guard index < count, limit > 0 else { return [] }
            var previous = Digest(of: Data())
            if index > 0 { previous = Digest(of: try line(Int(index) - 1, state)) }
            var found: [JournalEntry] = []
            for place in Int(index)..<Int(min(count, index + UInt64(clamping: min(limit, 1 << 40)))) {
                let line = try line(place, state)
                do {
                    found.append(
                        try JournalEntry.checked(line, index: UInt64(place), previous: previous, key: key.publicKey))
                } catch let damage as JournalDamage {
                    throw LedgerError.damaged(file: path, line: place + 1, why: damage.why)
                }
                previous = Digest(of: line)
            }
            return found
        }
    }

    /// The entries after the one at `index`; all of them for nil.
    public func entries(after index: UInt64? = nil) throws -> [JournalEntry] {
        try entries(from: index.map { $0 + 1 } ?? 0)
    }

    /// Reads the whole file again and checks every line against the key and the one before; gives how many there are.
    public func verify() throws -> UInt64 {
        try state.withLock { state in
            var count: UInt64 = 0
            let torn = try Self.scan(file, path: path, key: key.publicKey) { _, _, _ in count += 1 }
            guard torn == 0, count == UInt64(state.offsets.count) else {
                throw LedgerError.damaged(
                    file: path, line: Int(count) + 1,
                    why: "\(state.offsets.count) entries were written, \(count) whole ones are there")
            }
            return count
        }
    }

    /// Checks a journal's file without opening it for writing; gives its entries. A torn last line is left out.
    public static func read(path: String, key: VerifyingKey) throws -> [JournalEntry] {
        let file = try Files.open(path, flags: O_RDONLY | O_NOFOLLOW)
        var entries: [JournalEntry] = []
        _ = try scan(file, path: path, key: key) { entry, _, _ in entries.append(entry) }
        return entries
    }

    private func line(_ place: Int, _ state: State) throws -> Data {
        let start = state.offsets[place]
        let end = place + 1 < state.offsets.count ? state.offsets[place + 1] : state.end
        return try Files.pread(file, count: Int(end - start) - 1, offset: start)
    }

    /// Walks the lines in pieces of bounded size; gives the count of bytes after the last newline.
    private static func scan(
        _ file: Descriptor, path: String, key: VerifyingKey, each: (JournalEntry, Int64, Data) -> Void
    ) throws -> Int {
        var previous = Digest(of: Data())
        var index: UInt64 = 0
        var start: Int64 = 0
        var rest = Data()
        while true {
            let piece = try Files.pread(file, count: 1 << 20, offset: start + Int64(rest.count))
            rest.append(piece)
            var from = rest.startIndex
            while let newline = rest[from...].firstIndex(of: 0x0A) {
                let line = Data(rest[from..<newline])
                do {
                    let entry = try JournalEntry.checked(line, index: index, previous: previous, key: key)
                    each(entry, start, line)
                } catch let damage as JournalDamage {
                    throw LedgerError.damaged(file: path, line: Int(index) + 1, why: damage.why)
                }
                previous = Digest(of: line)
                index += 1
                start += Int64(line.count) + 1
                from = newline + 1
            }
            rest = Data(rest[from...])
            if piece.isEmpty { return rest.count }
            guard rest.count <= lineLimit else {
                throw LedgerError.damaged(
                    file: path, line: Int(index) + 1, why: "the line has more than \(lineLimit) bytes")
            }
        }
    }
}
