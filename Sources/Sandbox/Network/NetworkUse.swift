/// What a sandbox with `network: egress` did with its network, for evidence.
public struct NetworkUse: Codable, Equatable, Sendable {
    /// Connections, or datagrams' flows, to one place.
    public struct Connection: Codable, Equatable, Sendable {
        public var transport: EgressRule.Transport
        public var address: String
        public var port: UInt16
        /// The name whose look-up opened the address, where one did.
        public var name: String?
        public var count: UInt64
        /// Bytes from the sandbox, and to it.
        public var sent: UInt64
        public var received: UInt64
        /// How many of them failed: nobody answered, or one side broke off.
        public var failed: UInt64
    }

    /// Attempts to reach a place that no rule allows.
    public struct Refusal: Codable, Equatable, Sendable {
        public var transport: EgressRule.Transport
        public var address: String
        public var port: UInt16
        public var count: UInt64
        /// Why, when an allowing rule was not enough.
        public var why: String?
    }

    public struct LookUp: Codable, Equatable, Sendable {
        public var name: String
        public var count: UInt64
        /// Addresses it was answered with, over all look-ups.
        public var addresses: [String]
    }

    public var connections: [Connection] = []
    public var refused: [Refusal] = []
    public var lookups: [LookUp] = []
    /// Names that no rule allows, and how often each was asked for.
    public var refusedLookups: [LookUp] = []
    /// Packets of other protocols (ICMP…) that were refused.
    public var otherRefused: UInt64 = 0
    /// What is not listed above, because it was too much: attempts, connections and look-ups together.
    public var unlisted: UInt64 = 0
    /// Why figures are missing, when the gateway could not be asked at the end.
    public var incomplete: String?

    public init() {}

    /// At most this many entries of each kind are listed; the rest is counted in ``unlisted``.
    static let most = 1024
}

extension NetworkUse {
    /// Adds another sandbox's.
    public mutating func add(_ other: NetworkUse) {
        for connection in other.connections { connected(connection) }
        for refusal in other.refused { refused(refusal) }
        for lookup in other.lookups { lookedUp(lookup.name, count: lookup.count, addresses: lookup.addresses) }
        for lookup in other.refusedLookups { refusedLookUp(lookup.name, count: lookup.count) }
        otherRefused += other.otherRefused
        unlisted += other.unlisted
        incomplete = incomplete ?? other.incomplete
    }

    mutating func connected(_ added: Connection) {
        let index = connections.firstIndex {
            $0.transport == added.transport && $0.address == added.address && $0.port == added.port
        }
        if let index {
            connections[index].count += added.count
            connections[index].sent += added.sent
            connections[index].received += added.received
            connections[index].failed += added.failed
            connections[index].name = connections[index].name ?? added.name
        } else if connections.count < Self.most {
            connections.append(added)
        } else {
            unlisted += added.count
        }
    }

    mutating func refused(_ added: Refusal) {
        let index = refused.firstIndex {
            $0.transport == added.transport && $0.address == added.address && $0.port == added.port
                && $0.why == added.why
        }
        if let index {
            refused[index].count += added.count
        } else if refused.count < Self.most {
            refused.append(added)
        } else {
            unlisted += added.count
        }
    }

    mutating func lookedUp(_ name: String, count: UInt64 = 1, addresses: [String]) {
        if let index = lookups.firstIndex(where: { $0.name == name }) {
            lookups[index].count += count
            for address in addresses where !lookups[index].addresses.contains(address) {
                if lookups[index].addresses.count < 64 { lookups[index].addresses.append(address) }
            }
        } else if lookups.count < Self.most {
            lookups.append(LookUp(name: name, count: count, addresses: addresses))
        } else {
            unlisted += count
        }
    }

    mutating func refusedLookUp(_ name: String, count: UInt64 = 1) {
        if let index = refusedLookups.firstIndex(where: { $0.name == name }) {
            refusedLookups[index].count += count
        } else if refusedLookups.count < Self.most {
            refusedLookups.append(LookUp(name: name, count: count, addresses: []))
        } else {
            unlisted += count
        }
    }
}
