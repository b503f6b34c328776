internal import Documents
internal import FoundationEssentials
internal import Ledger
internal import Linux
internal import Logging

/// Moves ledger rows from the store into the Merkle log, each exactly once.
///
/// A row's index is its place in the log and is handed out in the transaction that makes the row. So after a kill anywhere
/// the log's own size says which rows are in it: the rest are appended, in order. The store is durable before the log
/// (``SQLiteStore``), so the log can never be ahead unless the store was replaced by an older one, which is refused.
actor LedgerService {
    /// How the ledger is.
    struct State: Sendable {
        var size: UInt64
        var backlog: Int64
        /// Why the log takes no entries; `nil` when it does.
        var trouble: String?
    }

    let directory: String
    private let key: SigningKey
    private let store: any Store
    private let logger: Logger
    /// `nil` after a failed write, until it is opened anew: a log that failed takes nothing, and only one may be open.
    private var log: MerkleLog?
    private var last: Checkpoint
    private var closed = false
    private var trouble: String?
    /// For tests: called between the store's transaction and the log's append.
    private let interrupt: @Sendable () throws -> Void

    init(
        directory: String, key: SigningKey, store: any Store, logger: Logger,
        interrupt: @escaping @Sendable () throws -> Void = {}
    ) throws {
        self.directory = directory
        self.key = key
        self.store = store
        self.logger = logger
        self.interrupt = interrupt
        let log = try MerkleLog(directory: directory, key: key)
        last = log.checkpoint
        self.log = log
    }

    nonisolated var publicKey: VerifyingKey { key.publicKey }
    /// The tree head over everything that is surely in the log.
    var checkpoint: Checkpoint { last }

    /// Checks cheaply that log and store belong together (sizes, and the log's last entries), then catches up.
    func recover() async throws {
        let size = Int64(last.size)
        let first = max(0, size - 64)
        let (count, rows) = try await store.read { (try $0.ledgerCount(), try $0.ledgerRows(from: first, limit: 64)) }
        guard size <= count else {
            throw StoreError.unusable(
                path: directory,
                why:
                    "the ledger has \(size) entries, the store knows \(count): the store is older than its ledger. Restore the "
                    + "store that belongs to it; the ledger is never cut")
        }
        let stored = try entries(UInt64(first)..<UInt64(size))
        for (offset, leaf) in stored.enumerated() where rows.indices.contains(offset) && rows[offset].leaf != leaf {
            throw StoreError.unusable(
                path: directory,
                why:
                    "the ledger's entry \(first + Int64(offset)) is not what the store says: they do not belong together"
            )
        }
        if size < count { logger.notice("the ledger catches up with \(count - size) entries of the store") }
        await drain()
    }

    /// Appends what the log lacks. A failure is logged, shown in ``state()`` and tried again at the next call.
    func drain() async {
        do {
            while true {
                let size = try opened().size
                let rows = try await store.read { try $0.ledgerRows(from: Int64(size), limit: 256) }
                // Another call may have appended while this one waited for the store.
                let log = try opened()
                guard log.size == size else { continue }
                guard let first = rows.first else { break }
                guard first.index == Int64(size) else {
                    throw StoreError.damaged(table: "ledger", id: "\(size)", why: "the row is missing")
                }
                try interrupt()
                last = try log.append(rows.map(\.leaf)).checkpoint
            }
            if trouble != nil { logger.notice("the ledger takes entries again") }
            trouble = nil
        } catch {
            trouble = "\(error)"
            logger.error("the ledger took no entries; they wait in the store: \(error)")
            log = nil
        }
    }

    /// Gives the log free for another process.
    func close() {
        log = nil
        closed = true
    }

    private func opened() throws -> MerkleLog {
        if let log { return log }
        if closed { throw LedgerError.unusable(file: directory, why: "the coordinator is stopping") }
        let fresh = try MerkleLog(directory: directory, key: key)
        (log, last) = (fresh, fresh.checkpoint)
        return fresh
    }

    func state() async -> State {
        let count = (try? await store.read { try $0.ledgerCount() }) ?? Int64(last.size)
        return State(size: last.size, backlog: count - Int64(last.size), trouble: trouble)
    }

    func entries(_ range: Range<UInt64>) throws -> [Data] { try reader().entries(range) }

    /// Proofs for the tree head `checkpoint` at one moment, so that they fit each other.
    func proofs(
        indexes: [UInt64], from sizes: [UInt64]
    ) throws -> (checkpoint: Checkpoint, inclusion: [[Digest]], consistency: [UInt64: [Digest]]) {
        let reader = try reader()
        let size = reader.checkpoint.size
        var consistency: [UInt64: [Digest]] = [:]
        for old in sizes where old <= size { consistency[old] = try reader.consistencyProof(from: old, to: size) }
        return (reader.checkpoint, try indexes.map { try reader.inclusionProof(index: $0, size: size) }, consistency)
    }

    private func reader() throws -> LogReader { try LogReader(directory: directory, key: key.publicKey) }

    /// Recomputes the whole log from its files, off this actor.
    nonisolated func verify() throws -> VerificationReport {
        try LogReader.verify(directory: directory, key: key.publicKey)
    }
}
