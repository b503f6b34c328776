public import Linux

/// Whom a sandbox with `network: egress` may talk to. Everybody else is refused.
public struct EgressRule: Codable, Equatable, Hashable, Sendable {
    public enum Transport: String, Codable, CaseIterable, Sendable {
        case tcp
        case udp
    }

    /// One port or a range of them: `443`, `8000-8010`.
    public struct Ports: Codable, Equatable, Hashable, Sendable, CustomStringConvertible {
        public let first: UInt16
        public let last: UInt16

        public init?(_ text: String) {
            let parts = text.split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
            guard parts.count <= 2, let first = parts.first ?? nil, let last = parts.last ?? nil, first > 0,
                first <= last
            else { return nil }
            self.first = first
            self.last = last
        }

        public var description: String { first == last ? "\(first)" : "\(first)-\(last)" }
        var range: ClosedRange<UInt16> { first...last }

        public init(from decoder: any Decoder) throws {
            let text = try decoder.singleValueContainer().decode(String.self)
            guard let value = Ports(text) else {
                throw DecodingError.dataCorrupted(
                    .init(codingPath: decoder.codingPath, debugDescription: "“\(text)” is no port or range of ports"))
            }
            self = value
        }

        public func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            try container.encode(description)
        }
    }

    /// A DNS name in lower case, or `*.` and the name that others end in; or, without one, ``address``.
    public let name: String?
    /// An address or a block of them, as ``IPNetwork`` writes it.
    public let address: String?
    public let ports: [Ports]
    public let transport: Transport

    /// A rule for a name. `nil` when it is no name that a rule may have.
    public init?(name: String, ports: [Ports], transport: Transport = .tcp) {
        guard let name = Self.pattern(name), !ports.isEmpty else { return nil }
        self.name = name
        address = nil
        self.ports = ports
        self.transport = transport
    }

    /// A rule for an address or a block.
    public init?(network: IPNetwork, ports: [Ports], transport: Transport = .tcp) {
        guard !ports.isEmpty else { return nil }
        name = nil
        address = network.description
        self.ports = ports
        self.transport = transport
    }

    var network: IPNetwork? { address.flatMap { IPNetwork($0) } }

    /// `deb.debian.org:80,443/tcp`.
    public var text: String {
        "\(name ?? address ?? "?"):\(ports.map(\.description).joined(separator: ","))/\(transport.rawValue)"
    }

    /// A name or pattern in its one form, or `nil`: a pattern needs two labels behind its star.
    static func pattern(_ text: String) -> String? {
        guard text.hasPrefix("*.") else { return DomainName.normal(text) }
        guard let suffix = DomainName.normal(String(text.dropFirst(2))), suffix.contains(".") else { return nil }
        return "*." + suffix
    }

    func matches(name other: String) -> Bool {
        guard let name else { return false }
        return name.hasPrefix("*.") ? other.hasSuffix(name.dropFirst()) && other != name.dropFirst(2) : other == name
    }

    func matches(port: UInt16, _ transport: Transport) -> Bool {
        self.transport == transport && ports.contains { $0.range.contains(port) }
    }

    /// Whether whoever this rule lets through, `other` lets through as well.
    func isWithin(_ other: EgressRule) -> Bool {
        guard transport == other.transport,
            ports.allSatisfy({ mine in
                other.ports.contains { $0.range.lowerBound <= mine.first && mine.last <= $0.range.upperBound }
            })
        else { return false }
        if let network { return other.network?.contains(network) ?? false }
        guard let name, let wider = other.name else { return false }
        if name == wider { return true }
        return wider.hasPrefix("*.") && name.hasSuffix(wider.dropFirst())
    }
}

/// DNS names as they are compared: lower case, without the root's dot.
enum DomainName {
    /// `nil` for what is no name of letters, digits, `-` and `_`, or looks like an address.
    static func normal(_ text: String) -> String? {
        var name = Substring(text.lowercased())
        if name.hasSuffix(".") { name = name.dropLast() }
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        guard !name.isEmpty, name.utf8.count <= 253,
            labels.allSatisfy({ label in
                (1...63).contains(label.utf8.count)
                    && label.utf8.allSatisfy {
                        (97...122).contains($0) || (48...57).contains($0) || $0 == 45 || $0 == 95
                    }
            }), labels.last?.utf8.allSatisfy({ (48...57).contains($0) }) == false
        else { return nil }
        return String(name)
    }
}

/// Addresses that are no ordinary destination: a rule opens one only by naming it, never by a wider block or a DNS answer.
enum SpecialAddresses {
    static let loopback = ["127.0.0.0/8", "::1"].compactMap { IPNetwork($0) }

    static let networks: [(network: IPNetwork, why: String)] = [
        ("127.0.0.0/8", "loopback"), ("::1", "loopback"), ("0.0.0.0/8", "this network"), ("::", "unspecified"),
        ("169.254.0.0/16", "link-local, where clouds keep a machine's metadata"), ("fe80::/10", "link-local"),
        ("224.0.0.0/4", "multicast"), ("ff00::/8", "multicast"), ("240.0.0.0/4", "reserved and broadcast"),
        ("192.0.0.0/24", "reserved, and the sandbox's own gateway"),
        ("fd67:7261:6365::/64", "the sandbox's own gateway"),
        ("64:ff9b::/96", "IPv4 in disguise"), ("::/96", "IPv4 in disguise"),
        ("168.63.129.16", "a cloud's metadata"), ("100.100.100.200", "a cloud's metadata"),
        ("fd00:ec2::/32", "a cloud's metadata"),
    ].compactMap { text, why in IPNetwork(text).map { ($0, why) } }

    static func reason(_ address: IPAddress) -> String? { networks.first { $0.network.contains(address) }?.why }

    /// Whether a rule's block names a special address: it lies within a special block, or is a single address.
    static func isNamed(by network: IPNetwork) -> Bool {
        network.isSingle || networks.contains { $0.network.contains(network) }
    }
}
