internal import Linux

/// The gateway's nftables rules: what is refused never reaches a socket, and is counted by where it wanted to go.
///
/// The gateway's routes make every address its own, so that all that arrives passes the `input` hook. Only a connection's first
/// packet is judged: the rest matters only where there is a socket already, so that an established connection outlives the DNS
/// answer that opened its address, and no connection tracking is needed.
struct EgressRuleset {
    static let table = "grace"
    static let gateway4 = "192.0.0.1"
    static let inside4 = "192.0.0.2"
    static let gateway6 = "fd67:7261:6365::1"
    static let inside6 = "fd67:7261:6365::2"

    let rules: [EgressRule]
    /// The host's own addresses.
    let own: [IPAddress]

    /// The whole of it, for `nft -f -`. ICMPv6 goes by its number, 58: nft looks its name up in /etc/protocols, which minimal systems
    /// don't have (package netbase); it knows tcp and udp by itself.
    var text: String {
        """
        table inet grace {
          set refused4 { typeof ip daddr . meta l4proto . th dport; size 4096; flags dynamic; counter; }
          set refused6 { typeof ip6 daddr . meta l4proto . th dport; size 4096; flags dynamic; counter; }
        \(sets.map { "  " + $0 }.joined(separator: "\n"))
          counter other {}
          counter unlisted {}
          chain refuse {
            meta l4proto != { tcp, udp } counter name other reject with icmpx admin-prohibited
            meta nfproto ipv4 add @refused4 { ip daddr . meta l4proto . th dport } goto answer
            meta nfproto ipv6 add @refused6 { ip6 daddr . meta l4proto . th dport } goto answer
            counter name unlisted
            goto answer
          }
          chain answer {
            meta l4proto tcp reject with tcp reset
            reject with icmpx admin-prohibited
          }
          chain input {
            type filter hook input priority filter; policy drop;
            iif lo accept
            icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
            meta l4proto 58 icmpv6 type != echo-request drop
            tcp flags & (syn | ack) != syn accept
            ip daddr \(Self.gateway4) meta l4proto { tcp, udp } th dport 53 accept
        \(named.map { "    " + $0 }.joined(separator: "\n"))
            ip daddr { \(special(isIPv6: false).joined(separator: ", ")) } goto refuse
            ip6 daddr { \(special(isIPv6: true).joined(separator: ", ")) } goto refuse
        \(others.map { "    " + $0 }.joined(separator: "\n"))
            goto refuse
          }
          chain forward { type filter hook forward priority filter; policy drop; }
        }

        """
    }

    static func setName(_ rule: Int, isIPv6: Bool) -> String { "name\(rule)v\(isIPv6 ? 6 : 4)" }

    private var sets: [String] {
        rules.indices.filter { rules[$0].name != nil }.flatMap { index in
            [false, true].map {
                "set \(Self.setName(index, isIPv6: $0)) { type ipv\($0 ? 6 : 4)_addr; flags timeout; size 4096; }"
            }
        }
    }

    /// Rules that name a special address, before those are refused.
    private var named: [String] {
        rules.compactMap { rule in
            rule.network.flatMap { SpecialAddresses.isNamed(by: $0) ? accept($0, rule) : nil }
        }
    }

    private var others: [String] {
        rules.enumerated().flatMap { index, rule -> [String] in
            if let network = rule.network {
                return SpecialAddresses.isNamed(by: network) ? [] : [accept(network, rule)]
            }
            return [false, true].map {
                "\($0 ? "ip6" : "ip") daddr @\(Self.setName(index, isIPv6: $0)) \(ports(rule)) accept"
            }
        }
    }

    private func accept(_ network: IPNetwork, _ rule: EgressRule) -> String {
        "\(network.address.isIPv6 ? "ip6" : "ip") daddr \(network) \(ports(rule)) accept"
    }

    private func ports(_ rule: EgressRule) -> String {
        // Overlapping ranges are an error in an nft set literal.
        var merged: [ClosedRange<UInt16>] = []
        for range in rule.ports.map(\.range).sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = merged.last, range.lowerBound <= last.upperBound {
                merged[merged.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                merged.append(range)
            }
        }
        let list = merged.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
        return "\(rule.transport.rawValue) dport { \(list.joined(separator: ", ")) }"
    }

    private func special(isIPv6: Bool) -> [String] {
        let networks = SpecialAddresses.networks.map(\.network).filter { $0.address.isIPv6 == isIPv6 }
        let addresses = Set(own.filter { $0.isIPv6 == isIPv6 && SpecialAddresses.reason($0) == nil }).sorted()
        // One that lies within another is an error too.
        let outermost = networks.filter { network in !networks.contains { $0 != network && $0.contains(network) } }
        return outermost.map(\.description) + addresses.map(\.description)
    }

    /// Lets a rule's name's addresses through for some seconds, anew where they were let through before.
    static func opening(_ rules: [Int], _ addresses: [IPAddress], seconds: Int) -> String {
        rules.flatMap { rule in
            addresses.flatMap { address -> [String] in
                let set = "inet \(table) \(setName(rule, isIPv6: address.isIPv6))"
                let timed = "add element \(set) { \(address) timeout \(seconds)s }"
                // Adding what is there keeps its old time: take it out in the same transaction.
                return [timed, "delete element \(set) { \(address) }", timed]
            }
        }.joined(separator: "\n") + "\n"
    }
}
