internal import Linux
internal import Synchronization

/// Who may be reached just now: the rules, and the addresses that allowed names were answered with.
///
/// The gateway's rules say the same to the kernel. The relay asks here again, where the host's addresses of this moment count.
final class EgressPermissions: Sendable {
    enum Judgement: Equatable {
        /// With the name that opened the address.
        case allowed(name: String?)
        case refused(why: String?)
    }

    /// An address stays open this long after an answer, whatever the answer's own life, since programs keep addresses longer.
    static let leastSeconds = 300
    static let mostSeconds = 3600

    let rules: [EgressRule]
    private struct Opened {
        var name: String
        var until: ContinuousClock.Instant
    }
    private let opened = Mutex<[IPAddress: [Int: Opened]]>([:])

    init(rules: [EgressRule]) { self.rules = rules }

    /// The rules that a name may be looked up by.
    func rules(for name: String) -> [Int] { rules.indices.filter { rules[$0].matches(name: name) } }

    /// Whether a look-up of something about an allowed name, such as `_http._tcp.deb.debian.org`.
    func isService(_ name: String) -> Bool {
        let labels = name.split(separator: ".")
        let rest = labels.drop { $0.hasPrefix("_") }
        return rest.count < labels.count && !rules(for: rest.joined(separator: ".")).isEmpty
    }

    /// Which of `addresses` a name may open: no special one, and none of this host's own (in the calling thread's namespace).
    static func ordinary(_ addresses: [IPAddress]) -> [IPAddress] {
        addresses.filter { SpecialAddresses.reason($0) == nil && (try? NetworkNamespace.owns($0)) == false }
    }

    /// Opens addresses for rules, first in the kernel by `change`, then here.
    func open(
        _ rules: [Int], _ addresses: [IPAddress], name: String, life: UInt32, now: ContinuousClock.Instant = .now,
        change: (String) throws -> Void
    ) throws {
        let seconds = min(max(Int(life), Self.leastSeconds), Self.mostSeconds)
        let soon = now + .seconds(seconds / 2)
        let isFresh = opened.withLock { table in
            addresses.allSatisfy { address in
                rules.allSatisfy { (table[address]?[$0]?.until).map { $0 > soon } ?? false }
            }
        }
        guard !isFresh else { return }
        try change(EgressRuleset.opening(rules, addresses, seconds: seconds))
        opened.withLock { table in
            for address in addresses {
                for rule in rules {
                    table[address, default: [:]][rule] = Opened(name: name, until: now + .seconds(seconds + 5))
                }
            }
        }
    }

    /// Whether a connection may be made from the calling thread's namespace.
    func judge(_ place: Endpoint, _ transport: EgressRule.Transport, now: ContinuousClock.Instant = .now) -> Judgement {
        let matching = rules.indices.filter { rules[$0].matches(port: place.port, transport) }
        let networks = matching.compactMap { rules[$0].network }.filter { $0.contains(place.address) }
        if networks.contains(where: SpecialAddresses.isNamed) { return .allowed(name: nil) }
        if let why = SpecialAddresses.reason(place.address) { return .refused(why: why) }
        guard (try? NetworkNamespace.owns(place.address)) == false else {
            return .refused(why: "one of this host's own addresses")
        }
        if !networks.isEmpty { return .allowed(name: nil) }
        let found = opened.withLock { table in
            matching.compactMap { table[place.address]?[$0] }.first { $0.until > now }
        }
        return found.map { .allowed(name: $0.name) } ?? .refused(why: nil)
    }
}
