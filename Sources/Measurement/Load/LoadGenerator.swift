public import Linux
internal import Synchronization

/// Makes an open-loop HTTP load and measures what a user would have felt.
///
/// Request i is *due* at start + i/rate, whatever became of the earlier ones, and its latency runs from then to the last
/// byte of its answer. A server that stalls for a second therefore shows up in every request that was due in that second,
/// not in one per connection ("coordinated omission"). A request waits, its clock running, while all connections are busy.
///
/// Every connection is a thread of its own that blocks: Swift's few threads stay free, a slow connect holds up nobody
/// else, and the pace is kept by absolute sleeps. The kernel's timer slack (50 µs) is part of each latency, in both arms.
///
/// A failed exchange is never repeated, not even on a connection that had lain idle: a server that drops one
/// connection in fifty is one that fails one request in fifty.
public enum LoadGenerator {
    /// Opens a TCP connection; may block. It is called on threads of the generator's own.
    public typealias Connect = @Sendable (_ host: String, _ port: UInt16) throws -> Descriptor

    /// Runs a plan.
    /// - Parameters:
    ///   - plan: what to request, how often and how long.
    ///   - connect: opens the connections, for instance inside a sandbox's network namespace
    ///     (``NetworkNamespace/connectedSocket(in:host:port:timeout:)``).
    /// - Returns: the report; failures of single requests, refused connections included, are counted in it.
    /// - Throws: ``LoadError`` for a plan with ``LoadPlan/problems``, `SystemError` when no thread can be started,
    ///   `CancellationError`.
    public static func run(_ plan: LoadPlan, connect: @escaping Connect) async throws -> LoadReport {
        let problems = plan.problems
        guard problems.isEmpty else { throw LoadError.impossiblePlan(problems) }
        let run = LoadRun(plan: plan, targets: try plan.urls.map { try LoadTarget($0) }, connect: connect)
        return try await withTaskCancellationHandler {
            try await withThrowingTaskGroup(of: Void.self) { group in
                let lanes = min(plan.connections, plan.requests)
                for lane in 0..<lanes {
                    group.addTask {
                        // A lane that can't start must not leave the others waiting for it.
                        do {
                            try await Threads.run("load-\(lane)") { run.lane(lanes: lanes) }
                        } catch {
                            run.stop()
                            throw error
                        }
                    }
                }
                try await group.waitForAll()
            }
            try Task.checkCancellation()
            return run.report()
        } onCancel: {
            run.stop()
        }
    }
}

/// The state that the lanes of one run share.
final class LoadRun: Sendable {
    private let plan: LoadPlan
    private let targets: [LoadTarget]
    private let requests: [[UInt8]]
    private let connect: LoadGenerator.Connect
    private let tally = Mutex(LoadTally())
    private let next = Atomic<Int>(0)
    private let ready = Atomic<Int>(0)
    private let start = Atomic<Int64>(0)
    private let stopped = Atomic<Bool>(false)

    init(plan: LoadPlan, targets: [LoadTarget], connect: @escaping LoadGenerator.Connect) {
        self.plan = plan
        self.targets = targets
        self.requests = targets.map { $0.request(method: plan.method, headers: plan.headers) }
        self.connect = connect
    }

    func stop() { stopped.store(true, ordering: .releasing) }

    func report() -> LoadReport {
        tally.withLock { $0.report(start: start.load(ordering: .acquiring), duration: plan.duration) }
    }

    private var isStopped: Bool { stopped.load(ordering: .acquiring) }

    /// The body of one lane's thread: takes the next due request until none is left.
    func lane(lanes: Int) {
        var connections = LaneConnections()
        // Connections stand before the clock starts; one that can't be opened is tried again by its first request.
        for endpoint in Set(targets.map(\.endpoint)) {
            if let socket = try? connect(endpoint.host, endpoint.port) {
                connections.keep(Connection(socket), endpoint)
            }
        }
        let (_, arrived) = ready.add(1, ordering: .acquiringAndReleasing)
        if arrived == lanes { start.store(Monotonic.now + 2_000_000, ordering: .releasing) }
        while start.load(ordering: .acquiring) == 0 {
            if !Monotonic.sleep(until: Monotonic.now + 500_000, unless: { isStopped }) { return }
        }
        let begin = start.load(ordering: .acquiring)
        let interval = 1e9 / plan.rate
        let timeout = Monotonic.nanoseconds(plan.timeout)
        while true {
            let (ticket, _) = next.add(1, ordering: .relaxed)
            guard ticket < plan.requests else { return }
            let due = begin + Int64((Double(ticket) * interval).rounded())
            guard Monotonic.sleep(until: due, unless: { isStopped }) else { return }
            perform(ticket, due: due, deadline: due + timeout, &connections)
            if isStopped { return }
        }
    }

    private func perform(_ ticket: Int, due: Int64, deadline: Int64, _ connections: inout LaneConnections) {
        let index = ticket % targets.count
        let target = targets[index]
        let name = "\(plan.method) \(target.url)"
        let late = "\(name): no answer within \(Wording.number(plan.timeout, 3)) s"
        guard Monotonic.now < deadline else {
            let now = Monotonic.now
            tally.withLock { $0.timedOut(latency: now - due, at: now, late) }
            return
        }
        do throws(Connection.Failure) {
            let connection = try connection(to: target.endpoint, &connections)
            let answer = try connection.exchange(
                requests[index], method: plan.method, deadline: deadline, stop: { isStopped })
            let now = Monotonic.now
            if answer.reusable { connections.keep(connection, target.endpoint) }
            tally.withLock {
                if (200..<400).contains(answer.status) {
                    $0.succeeded(latency: now - due, at: now)
                } else {
                    $0.failed(at: now, "\(name): status \(answer.status)")
                }
            }
        } catch {
            let now = Monotonic.now
            switch error {
            case .cancelled: return
            case .timeout: tally.withLock { $0.timedOut(latency: now - due, at: now, late) }
            case .broken(let why): tally.withLock { $0.failed(at: now, "\(name): \(why)") }
            }
        }
    }

    private func connection(
        to endpoint: LoadTarget.Endpoint, _ connections: inout LaneConnections
    ) throws(Connection.Failure) -> Connection {
        if let idle = connections.take(endpoint) { return idle }
        do {
            return Connection(try connect(endpoint.host, endpoint.port))
        } catch {
            throw .broken("no connection: \(error)")
        }
    }
}

/// The idle connections of one lane: one per endpoint.
struct LaneConnections: ~Copyable {
    private final class Slot {
        var connection: Connection?
        init(_ connection: consuming Connection) { self.connection = consume connection }
    }

    private var slots: [LoadTarget.Endpoint: Slot] = [:]

    mutating func keep(_ connection: consuming Connection, _ endpoint: LoadTarget.Endpoint) {
        slots[endpoint] = Slot(consume connection)
    }

    /// An idle connection that the peer hasn't closed meanwhile.
    mutating func take(_ endpoint: LoadTarget.Endpoint) -> Connection? {
        guard let slot = slots.removeValue(forKey: endpoint), let connection = slot.connection.take() else {
            return nil
        }
        if connection.isStale() { return nil }
        return consume connection
    }
}
