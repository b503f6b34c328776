internal import Documents
internal import FoundationEssentials
internal import Ledger
internal import Linux
internal import Logging

/// What every part of the coordinator shares.
struct Hub: Sendable {
    let configuration: CoordinatorConfiguration
    let store: any Store
    let ledger: LedgerService
    let mesh: Mesh
    let blobs: BlobFiles
    let notifier: Notifier
    let logger: Logger
    let counters: Counters
    let startedAt: Date
    /// The wall clock, to the millisecond.
    let clock: @Sendable () -> Date

    var now: Date { Timestamp.rounded(clock()) }

    /// The one way to change anything: `body` runs as one transaction of the store; what it recorded then goes into the log,
    /// to whoever listens, and to the hooks, in this order. A kill between these steps loses nothing: each begins at what the
    /// store says it has not done yet.
    func change<T: Sendable>(_ body: @Sendable (MissionTransaction) throws -> T) async throws -> T {
        let now = now
        let result = try await store.write { writer in
            try body(MissionTransaction(writer: writer, now: now, configuration: configuration))
        }
        await ledger.drain()
        await mesh.pump()
        await notifier.wake()
        return result
    }
}

/// Short random names: 48 bits, in hexadecimal.
func freshID(_ prefix: String) -> String {
    var random = SystemRandomNumberGenerator()
    let bits = random.next() as UInt64
    let digits = String(bits >> 16, radix: 16)
    return prefix + "-" + String(repeating: "0", count: 12 - digits.count) + digits
}
