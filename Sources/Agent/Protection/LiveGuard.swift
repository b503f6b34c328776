internal import Documents
internal import Synchronization

/// Keeps a trial from hurting live: no sandbox starts that could take live's reserve of memory, and what runs is stopped when
/// live suffers (DESIGN section 8.9). Figures, clock and waiting are passed in.
public struct LiveGuard: Sendable {
    public var limits: LiveLimits
    /// Bytes of memory on this host in all.
    public var memoryTotal: Int64
    public var sample: @Sendable () -> LiveSample
    /// What ``sample`` can't tell on this host, as sentences for the evidence.
    public var absences: @Sendable () -> [String] = { [] }
    /// Seconds of a clock that is never set.
    public var now: @Sendable () -> Double
    /// Waits for so many seconds.
    public var sleep: @Sendable (Double) async throws -> Void

    /// Seconds between two samples.
    static let interval = 1.0

    public init(
        limits: LiveLimits, memoryTotal: Int64, sample: @escaping @Sendable () -> LiveSample,
        now: @escaping @Sendable () -> Double, sleep: @escaping @Sendable (Double) async throws -> Void
    ) {
        self.limits = limits
        self.memoryTotal = memoryTotal
        self.sample = sample
        self.now = now
        self.sleep = sleep
    }

    /// Refuses a sandbox that could leave live less memory than its reserve.
    ///
    /// - Parameter limit: The sandbox's memory limit in bytes.
    /// - Throws: ``LiveSuffers`` when it is only now that memory is short; ``AgentError`` when this host can never hold it.
    func admit(memory limit: Int64?) throws {
        let reserve = limits.memoryReserve.bytes(of: memoryTotal)
        guard let limit else {
            throw AgentError(
                "The mission's sandbox has no memory limit, so nothing would keep it from live's memory. Set one in the mission "
                    + "(sandbox: {limits: {memory: 512Mi}}) or in its profile.")
        }
        let most = memoryTotal - reserve
        guard limit <= most else {
            throw AgentError(
                "The mission's sandbox may take \(Self.mebibytes(limit)) of memory, and this host has \(Self.mebibytes(memoryTotal)), of which "
                    + "\(Self.mebibytes(reserve)) are kept for live (memory_reserve in agent.yaml). Lower the sandbox's limit to "
                    + "\(Self.mebibytes(max(0, most))) at most.")
        }
        guard let available = sample().memoryAvailable else {
            throw AgentError("This host does not say how much memory is free (/proc/meminfo), so no trial is begun.")
        }
        guard limit <= available - reserve else {
            throw LiveSuffers(
                "the sandbox may take \(Self.mebibytes(limit)) of memory, and only \(Self.mebibytes(max(0, available - reserve))) are free beside "
                    + "live's reserve of \(Self.mebibytes(reserve)) (memory_reserve in agent.yaml)")
        }
    }

    private static func mebibytes(_ bytes: Int64) -> String { "\(bytes >> 20) MiB" }

    /// Runs `body` while live is well.
    ///
    /// - Throws: ``LiveSuffers`` when it is not; `body` is cancelled then, and has ended when this throws.
    func protecting<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) async throws -> T {
        try await withThrowingTaskGroup(of: T.self) { group in
            group.addTask { try await body() }
            group.addTask { try await self.watch() }
            defer { group.cancelAll() }
            guard let result = try await group.next() else { throw CancellationError() }
            return result
        }
    }

    /// Looks at live again and again; only ever throws.
    private func watch<T>() async throws -> T {
        var pressure = LivePressure(limits: limits, memoryTotal: memoryTotal)
        while true {
            if let reason = pressure.take(sample(), at: now()) { throw LiveSuffers(reason) }
            try await sleep(Self.interval)
        }
    }
}

/// A trial stops, or does not begin, for live's sake; it goes on later.
public struct LiveSuffers: Error, CustomStringConvertible, Sendable, Equatable {
    public let description: String

    public init(_ description: String) { self.description = description }
}

/// The number of the block that runs; `nil` between two blocks and outside of the trial.
final class BlockInHand: Sendable {
    private let value = Mutex<Int?>(nil)

    var number: Int? {
        get { value.withLock { $0 } }
        set { value.withLock { $0 = newValue } }
    }
}
