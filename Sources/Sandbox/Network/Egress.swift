internal import Linux
internal import Synchronization

/// The way out of one sandbox with `network: egress`: its gateway, and the relay that carries what the rules allow.
///
/// A connection from the sandbox ends at a socket in the gateway and goes on over a second one, made in the agent's own network:
/// nothing is forwarded or translated by the host. A thread of its own takes what arrives; each connection and look-up has one more.
final class Egress: Sendable {
    /// At most this many connections, flows of datagrams and look-ups at once; more are refused.
    static let mostConnections = 512
    static let mostFlows = 256
    static let mostLookUps = 64

    let gateway: EgressGateway
    let permissions: EgressPermissions
    let outside: EgressOutside
    let stop: StopFlag
    private struct State {
        var use = NetworkUse()
        var threads = 0
        var connections = 0
        var lookups = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
    }
    private let state = Mutex(State())

    /// Makes the gateway and starts the relay. `sandbox` is the sandbox's network namespace, with nothing running in it yet.
    ///
    /// - Throws: ``SandboxError/missing(_:)`` when this host can't do it; nothing is left then.
    static func open(_ rules: [EgressRule], sandbox: Descriptor, outside: EgressOutside) async throws -> Egress {
        let network = try outside.network ?? NetworkNamespace.own()
        let (gateway, listeners) = try await Threads.run("egress") {
            try NetworkNamespace.enter(network)
            let own = try NetworkNamespace.addresses()
            let gateway = try EgressGateway.make(EgressRuleset(rules: rules, own: own), sandbox: sandbox)
            let listeners = try gateway.inside(gateway.network) {
                try EgressListener.all(rules, isIPv6: gateway.hasIPv6)
            }
            return (gateway, listeners)
        }
        let egress = try Egress(gateway: gateway, rules: rules, outside: outside)
        try egress.start("egress") { egress in
            // Threads that this one starts are in its namespace.
            guard (try? NetworkNamespace.enter(network)) != nil else { return }
            try? EgressRelay(egress: egress, listeners: listeners).run()
        }
        return egress
    }

    private init(gateway: EgressGateway, rules: [EgressRule], outside: EgressOutside) throws {
        self.gateway = gateway
        self.outside = outside
        permissions = EgressPermissions(rules: rules)
        stop = try StopFlag()
    }

    deinit { stop.raise() }

    /// What was used so far, refusals included.
    func use() async -> NetworkUse {
        let (gateway, use) = (gateway, state.withLock { $0.use })
        do {
            return try await Threads.run("egress") {
                var use = use
                try gateway.refusals(into: &use)
                return use
            }
        } catch {
            var use = use
            use.incomplete = "the gateway's counters could not be read: \(error)"
            return use
        }
    }

    /// Ends every connection; the namespace goes with its last descriptor. Called once the sandbox's processes are gone.
    func close() async -> NetworkUse {
        stop.raise()
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if state.threads > 0 { state.waiting.append(continuation) }
                return state.threads == 0
            }
            if isOver { continuation.resume() }
        }
        return await use()
    }

    // MARK: For the relay

    func record(_ change: (inout NetworkUse) -> Void) { state.withLock { change(&$0.use) } }

    /// Starts a thread that ``close()`` waits for.
    func start(_ name: String, _ body: @escaping @Sendable (Egress) -> Void) throws {
        state.withLock { $0.threads += 1 }
        do {
            try Threads.start(name) { [self] in
                body(self)
                ended()
            }
        } catch {
            ended()
            throw error
        }
    }

    private func ended() {
        let waiting = state.withLock { state in
            state.threads -= 1
            defer { if state.threads == 0 { state.waiting = [] } }
            return state.threads == 0 ? state.waiting : []
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Runs `body` on a thread of its own if fewer than `most` of its kind run; whether it does.
    func startConnection(_ body: @escaping @Sendable (Egress) -> Void) -> Bool {
        start("egress-tcp", most: Self.mostConnections, \.connections, body)
    }

    func startLookUp(_ body: @escaping @Sendable (Egress) -> Void) -> Bool {
        start("egress-dns", most: Self.mostLookUps, \.lookups, body)
    }

    private func start(
        _ name: String, most: Int, _ counter: any WritableKeyPath<State, Int> & Sendable,
        _ body: @escaping @Sendable (Egress) -> Void
    ) -> Bool {
        let isFree = state.withLock { state in
            guard state[keyPath: counter] < most else { return false }
            state[keyPath: counter] += 1
            return true
        }
        guard isFree else { return false }
        do {
            try start(name) { egress in
                body(egress)
                egress.state.withLock { $0[keyPath: counter] -= 1 }
            }
            return true
        } catch {
            state.withLock { $0[keyPath: counter] -= 1 }
            return false
        }
    }
}

/// A socket of the gateway's.
struct EgressListener: Sendable {
    let socket: TransparentListener
    let transport: EgressRule.Transport
    let port: UInt16

    /// One for every port that a rule allows, and for DNS; in the calling thread's namespace.
    static func all(_ rules: [EgressRule], isIPv6: Bool) throws -> [EgressListener] {
        var result: [EgressListener] = []
        for transport in EgressRule.Transport.allCases {
            let ports = Set(
                rules.filter { $0.transport == transport }.flatMap(\.ports).flatMap { Array($0.range) } + [53])
            for port in ports.sorted() {
                for version in isIPv6 ? [false, true] : [false] {
                    result.append(
                        EgressListener(
                            socket: try TransparentListener(
                                isIPv6: version, isStream: transport == .tcp, port: port),
                            transport: transport, port: port))
                }
            }
        }
        return result
    }
}
