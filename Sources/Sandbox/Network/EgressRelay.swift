internal import FoundationEssentials
internal import Linux

/// The relay's own thread: takes connections and datagrams that passed the gateway's rules, asks ``EgressPermissions`` again, and
/// hands them on.
struct EgressRelay {
    /// Datagrams from one socket inside to one place.
    private struct FlowKey: Hashable {
        var listener: Int
        var client: Endpoint
        var destination: Endpoint
    }
    private struct Flow {
        var key: FlowKey
        var socket: Descriptor
        var name: String?
        var last: ContinuousClock.Instant
        var sent: UInt64 = 0
        var received: UInt64 = 0
    }

    let egress: Egress
    let listeners: [EgressListener]
    private let poller: Poller
    private var flows: [UInt64: Flow] = [:]
    private var tags: [FlowKey: UInt64] = [:]
    private var next: UInt64 = 1 << 32
    private var buffer = [UInt8](repeating: 0, count: 65536)

    private static let stopTag = UInt64.max
    private static let idle = Duration.seconds(60)

    init(egress: Egress, listeners: [EgressListener]) throws {
        self.egress = egress
        self.listeners = listeners
        poller = try Poller()
        try poller.add(egress.stop.descriptor, tag: Self.stopTag)
        for (index, listener) in listeners.enumerated() {
            try poller.add(listener.socket.descriptor, tag: UInt64(index))
        }
    }

    consuming func run() throws {
        var relay = self
        defer { for tag in Array(relay.flows.keys) { relay.close(tag) } }
        while true {
            for tag in try relay.poller.wait(milliseconds: relay.flows.isEmpty ? -1 : 5000) {
                if tag == Self.stopTag { return }
                if tag >= 1 << 32 { relay.answer(tag) } else { relay.take(Int(tag)) }
            }
            let now = ContinuousClock.now
            for (tag, flow) in relay.flows where flow.last + Self.idle < now { relay.close(tag) }
        }
    }

    private mutating func take(_ index: Int) {
        let listener = listeners[index]
        // A bounded number each time, so that one port does not starve the others.
        for _ in 0..<64 {
            if listener.transport == .tcp {
                guard let (socket, destination) = listener.socket.accept() else { return }
                accept(socket, destination)
            } else {
                guard let (length, address, client) = listener.socket.receive(&buffer) else { return }
                let destination = Endpoint(address, listener.port)
                if Self.isResolver(destination) {
                    let query = Array(buffer.prefix(length))
                    let socket = listener.socket
                    // Beyond the bound it stays unanswered; programs ask again.
                    _ = egress.startLookUp { egress in
                        guard let answer = EgressResolver(egress: egress).answer(query) else { return }
                        socket.reply(answer, from: destination, to: client)
                    }
                } else {
                    pass(FlowKey(listener: index, client: client, destination: destination), length)
                }
            }
        }
    }

    private static func isResolver(_ place: Endpoint) -> Bool {
        place.port == 53 && "\(place.address)" == EgressRuleset.gateway4
    }

    // MARK: Connections

    private func accept(_ socket: Descriptor, _ destination: Endpoint) {
        let isStarted = egress.startConnection { egress in
            if Self.isResolver(destination) {
                EgressResolver(egress: egress).serve(socket)
            } else {
                Self.carry(socket, destination, egress)
            }
        }
        if !isStarted {
            Relaying.reset(socket)
            egress.record { $0.refused(Self.refusal(.tcp, destination, "too many connections at once")) }
        }
    }

    private static func carry(_ socket: Descriptor, _ destination: Endpoint, _ egress: Egress) {
        let name: String?
        switch egress.permissions.judge(destination, .tcp) {
        case .refused(let why):
            Relaying.reset(socket)
            egress.record { $0.refused(refusal(.tcp, destination, why)) }
            return
        case .allowed(let opened): name = opened
        }
        var used = NetworkUse.Connection(
            transport: .tcp, address: "\(destination.address)", port: destination.port, name: name, count: 1, sent: 0,
            received: 0, failed: 0)
        if let upstream = try? Relaying.connect(
            destination, isStream: true, timeout: .seconds(30), stop: egress.stop.descriptor)
        {
            let (sent, received, isWhole) = Relaying.pump(socket, upstream, stop: egress.stop.descriptor)
            (used.sent, used.received, used.failed) = (sent, received, isWhole ? 0 : 1)
            if !isWhole {
                Relaying.reset(socket)
                Relaying.reset(upstream)
            }
        } else {
            used.failed = 1
            Relaying.reset(socket)
        }
        egress.record { [used] in $0.connected(used) }
    }

    private static func refusal(_ transport: EgressRule.Transport, _ place: Endpoint, _ why: String?)
        -> NetworkUse.Refusal
    {
        NetworkUse.Refusal(
            transport: transport, address: "\(place.address)", port: place.port, count: 1, why: why)
    }

    // MARK: Datagrams

    private mutating func pass(_ key: FlowKey, _ length: Int) {
        if tags[key] == nil { open(key) }
        guard let tag = tags[key], var flow = flows[tag] else { return }
        let data = Data(buffer.prefix(length))
        if (try? Files.write(flow.socket, data)) != nil { flow.sent += UInt64(length) }
        flow.last = .now
        flows[tag] = flow
    }

    private mutating func open(_ key: FlowKey) {
        let name: String?
        switch egress.permissions.judge(key.destination, .udp) {
        case .refused(let why):
            egress.record { $0.refused(Self.refusal(.udp, key.destination, why)) }
            return
        case .allowed(let opened): name = opened
        }
        guard flows.count < Egress.mostFlows else {
            egress.record { $0.refused(Self.refusal(.udp, key.destination, "too many flows at once")) }
            return
        }
        guard let socket = try? Relaying.connect(key.destination, isStream: false, timeout: .zero),
            (try? poller.add(socket, tag: next)) != nil
        else {
            egress.record {
                $0.connected(
                    NetworkUse.Connection(
                        transport: .udp, address: "\(key.destination.address)", port: key.destination.port, name: name,
                        count: 1, sent: 0, received: 0, failed: 1))
            }
            return
        }
        flows[next] = Flow(key: key, socket: socket, name: name, last: .now)
        tags[key] = next
        next += 1
    }

    private mutating func answer(_ tag: UInt64) {
        guard var flow = flows[tag] else { return }
        for _ in 0..<64 {
            let length = Relaying.read(flow.socket, &buffer)
            guard length >= 0 else { break }
            listeners[flow.key.listener].socket.reply(
                buffer.prefix(length), from: flow.key.destination, to: flow.key.client)
            flow.received += UInt64(length)
        }
        flow.last = .now
        flows[tag] = flow
    }

    private mutating func close(_ tag: UInt64) {
        guard let flow = flows.removeValue(forKey: tag) else { return }
        tags[flow.key] = nil
        poller.remove(flow.socket)
        egress.record {
            $0.connected(
                NetworkUse.Connection(
                    transport: .udp, address: "\(flow.key.destination.address)", port: flow.key.destination.port,
                    name: flow.name, count: 1, sent: flow.sent, received: flow.received, failed: 0))
        }
    }
}
