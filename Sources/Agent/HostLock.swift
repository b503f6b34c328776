/// One thing at a time on a host: a trial's block or a promotion, never both (DESIGN section 8.4: a promotion pauses that
/// host's trials). First come, first served.
public actor HostLock {
    private var isHeld = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    public init() {}

    /// Whether something runs, and how many wait for it to end.
    var isBusy: Bool { isHeld }
    var queue: Int { waiting.count }

    /// Runs `body` while nothing else does.
    public func exclusively<T: Sendable>(_ body: @Sendable () async throws -> T) async rethrows -> T {
        await acquire()
        defer { release() }
        return try await body()
    }

    private func acquire() async {
        if !isHeld {
            isHeld = true
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    private func release() {
        if waiting.isEmpty {
            isHeld = false
        } else {
            waiting.removeFirst().resume()
        }
    }
}
