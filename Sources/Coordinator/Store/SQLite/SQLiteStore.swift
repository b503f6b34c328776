internal import FoundationEssentials
internal import GRDB
internal import Linux

/// The store in one SQLite file, in WAL mode: any number of readers beside one writer.
public final class SQLiteStore: Store {
    private let pool: DatabasePool
    public let kind = "sqlite"

    /// Opens the database at `path`, or makes it, readable by its owner alone, and brings its tables up to date.
    ///
    /// `synchronous=FULL`: a transaction is on disk when it returns. The ledger relies on it: an entry must never be in the
    /// Merkle log while the transaction that made it is lost.
    public init(path: String) throws {
        var configuration = Configuration()
        configuration.busyMode = .timeout(10)
        configuration.maximumReaderCount = 8
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA synchronous = FULL")
            try database.execute(sql: "PRAGMA foreign_keys = ON")
        }
        do {
            if try Files.status(path) == nil {
                _ = try Files.open(path, flags: 0o102 /* O_RDWR | O_CREAT */, mode: 0o600)
            }
            pool = try DatabasePool(path: path, configuration: configuration)
            try Schema.migrator.migrate(pool)
            let applied = try pool.read { try Schema.migrator.hasBeenSuperseded($0) }
            guard !applied else {
                throw StoreError.unusable(
                    path: path, why: "a newer Grace wrote it; install that version, or give another --state")
            }
        } catch let error as StoreError {
            throw error
        } catch {
            throw StoreError.unusable(path: path, why: "\(error)")
        }
    }

    public func read<T: Sendable>(_ body: @Sendable (any StoreReader) throws -> T) async throws -> T {
        try await pool.read { try body(SQLiteTransaction(database: $0)) }
    }

    public func write<T: Sendable>(_ body: @Sendable (any StoreWriter) throws -> T) async throws -> T {
        try await pool.write { try body(SQLiteTransaction(database: $0)) }
    }

    public func close() throws {
        try pool.close()
    }
}

/// One transaction's view; valid only inside the closure it was handed to.
struct SQLiteTransaction {
    let database: Database

    static func milliseconds(_ date: Date) -> Int64 { Int64((date.timeIntervalSince1970 * 1000).rounded()) }
    static func date(_ milliseconds: Int64) -> Date { Date(timeIntervalSince1970: Double(milliseconds) / 1000) }
}
