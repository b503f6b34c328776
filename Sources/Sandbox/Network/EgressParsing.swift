internal import Documents
internal import Linux

extension EgressRule {
    static let keys = ["name", "address", "ports", "protocol"]
    /// Each port is a socket in the gateway; more than this, over all rules of a protocol, is no allow-list any more.
    static let mostPorts = 256

    /// Reads one item of `egress.allow`; problems go to the field's reader.
    static func parse(_ item: Field) -> EgressRule? {
        guard let members = item.mapping(keys: keys) else { return nil }
        var transport = Transport.tcp
        if let field = members["protocol"] {
            guard let text = field.choice(Transport.allCases.map(\.rawValue)), let value = Transport(rawValue: text)
            else { return nil }
            transport = value
        }
        var ports: [Ports] = []
        if let field = members["ports"] {
            guard let items = field.list() else { return nil }
            for port in items {
                guard let text = port.text() else { continue }
                if let value = Ports(text) {
                    ports.append(value)
                } else {
                    port.problem("expected a port from 1 to 65535, or a range such as 8000-8010, found “\(text)”.")
                }
            }
            if items.isEmpty { field.problem("expected at least one port, such as [443].") }
            guard !items.isEmpty, ports.count == items.count else { return nil }
            let count = ports.reduce(0) { $0 + $1.range.count }
            guard count <= mostPorts else {
                field.problem("expected at most \(mostPorts) ports, found \(count); name the ones that are needed.")
                return nil
            }
        } else {
            item.problem("the key “ports” is missing: name the ports, such as ports: [80, 443].")
        }
        switch (members["name"], members["address"]) {
        case (let field?, nil):
            guard let text = field.text() else { return nil }
            guard pattern(text) != nil else {
                field.problem(
                    "expected a DNS name such as deb.debian.org, or a pattern such as *.debian.org with at least two labels behind the "
                        + "star, found “\(text)”.")
                return nil
            }
            return EgressRule(name: text, ports: ports, transport: transport)
        case (nil, let field?):
            guard let text = field.text() else { return nil }
            guard let network = IPNetwork(text) else {
                field.problem(
                    "expected an address or a block such as 10.0.0.0/8 or 2001:db8::/32, with no bits set behind the prefix, found "
                        + "“\(text)”.")
                return nil
            }
            guard !SpecialAddresses.loopback.contains(where: { $0.contains(network) }) else {
                field.problem(
                    "\(text) is the sandbox's own loopback, which it always has; the host's is never reached.")
                return nil
            }
            return EgressRule(network: network, ports: ports, transport: transport)
        case (nil, nil):
            item.problem("expected one of the keys “name” and “address”, found neither.")
        default:
            item.problem("expected one of the keys “name” and “address”, found both; write two rules.")
        }
        return nil
    }

    /// Reads a profile's `egress:`.
    static func parseAll(_ field: Field) -> [EgressRule] {
        guard let members = field.mapping(keys: ["allow"]) else { return [] }
        guard let allow = members["allow"] else {
            field.problem(
                "the key “allow” is missing: a list of rules such as {name: deb.debian.org, ports: [80, 443]}.")
            return []
        }
        return (allow.list() ?? []).compactMap(parse)
    }
}
