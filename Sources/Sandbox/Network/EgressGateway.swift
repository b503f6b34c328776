internal import Documents
internal import FoundationEssentials
internal import Glibc
internal import Linux

/// A network namespace between a sandbox and the outside, with a veth pair to the sandbox and nftables rules of its own.
///
/// It is Grace's alone: nothing of the host's interfaces, routes, rules or sysctls changes, and no packet is ever forwarded. It has no
/// name and no process; this process's descriptors are all that keeps it, so that the kernel takes it and everything in it away when
/// the process ends, however it ends.
struct EgressGateway: Sendable {
    let network: Descriptor
    /// Whether this kernel has IPv6.
    let hasIPv6: Bool
    private let nft: String

    /// Makes the namespace, joins it to the sandbox's, and puts the rules in place before either end is up.
    static func make(_ ruleset: EgressRuleset, sandbox: Descriptor) throws -> EgressGateway {
        let tools = try (ip: tool("ip", package: "iproute2"), nft: tool("nft", package: "nftables"))
        let gateway = EgressGateway(
            network: try NetworkNamespace.make(),
            hasIPv6: (try? Files.status("/proc/sys/net/ipv6")).flatMap { $0 } != nil, nft: tools.nft)
        try gateway.inside(gateway.network) {
            try run(tools.nft, ["-f", "-"], ruleset.text, what: "setting up the gateway's rules")
            _ = try withExtendedLifetime(sandbox) {
                try run(
                    tools.ip, ["-batch", "-"], gateway.ours(peer: "/proc/\(getpid())/fd/\(sandbox.raw)"),
                    what: "joining the gateway to the sandbox")
            }
        }
        _ = try gateway.inside(sandbox) {
            try run(tools.ip, ["-batch", "-"], gateway.theirs, what: "setting up the sandbox's network")
        }
        return gateway
    }

    /// Where a program lies, or the refusal that names its package.
    static func tool(_ name: String, package: String) throws -> String {
        do {
            return try Processes.locate(name)
        } catch {
            throw SandboxError.missing([
                FeatureStatus(
                    feature: .egressNetwork, available: false,
                    detail: "The program \(name), which sets up a sandbox's way out, is not installed.",
                    mend: "Install it: apt-get install \(package).")
            ])
        }
    }

    private func ours(peer: String) -> String {
        var lines = [
            "link set lo up", "link add g0 type veth peer name eth0 netns \(peer)",
            "addr add \(EgressRuleset.gateway4)/30 dev g0",
        ]
        if hasIPv6 { lines.append("addr add \(EgressRuleset.gateway6)/64 dev g0 nodad") }
        lines.append("link set g0 up")
        // Every address is local here: what the rules let through ends at a socket of the relay's. Not in the table “local”, where
        // the sandbox's own address would be taken for ours.
        lines.append("route add local 0.0.0.0/0 dev lo table main")
        if hasIPv6 { lines.append("route add local ::/0 dev lo table main") }
        return lines.joined(separator: "\n") + "\n"
    }

    private var theirs: String {
        var lines = ["addr add \(EgressRuleset.inside4)/30 dev eth0"]
        if hasIPv6 { lines.append("addr add \(EgressRuleset.inside6)/64 dev eth0 nodad") }
        lines += ["link set eth0 up", "route add default via \(EgressRuleset.gateway4)"]
        if hasIPv6 { lines.append("route add ::/0 via \(EgressRuleset.gateway6)") }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Runs `body` on a thread that is in `network`, and blocks the calling one meanwhile.
    func inside<T: Sendable>(_ network: Descriptor, _ body: @escaping @Sendable () throws -> T) throws -> T {
        try Threads.runBlocking("gateway") {
            try NetworkNamespace.enter(network)
            return try body()
        }
    }

    /// Changes the rules. Blocks the calling thread, which stays where it is.
    func change(_ script: String) throws {
        _ = try inside(network) {
            try Self.run(nft, ["-f", "-"], script, what: "opening the gateway for a name")
        }
    }

    /// What the rules have refused so far.
    func refusals(into use: inout NetworkUse) throws {
        let text = try inside(network) {
            try Self.run(nft, ["-j", "list", "table", "inet", EgressRuleset.table], "", what: "reading its counters")
        }
        for item in try JSON(parsing: Data(text.utf8))["nftables"]?.array ?? [] {
            if let counter = item["counter"], let packets = counter["packets"]?.integer {
                if counter["name"]?.string == "other" { use.otherRefused += UInt64(clamping: packets) }
                if counter["name"]?.string == "unlisted" { use.unlisted += UInt64(clamping: packets) }
            }
            guard let set = item["set"], set["name"]?.string?.hasPrefix("refused") == true else { continue }
            for entry in set["elem"]?.array ?? [] {
                guard let element = entry["elem"], let place = element["val"]?["concat"]?.array, place.count == 3,
                    let address = place[0].string, let transport = Self.transport(place[1]),
                    let port = place[2].integer,
                    let count = element["counter"]?["packets"]?.integer
                else { continue }
                use.refused(
                    NetworkUse.Refusal(
                        transport: transport, address: address, port: UInt16(clamping: port),
                        count: UInt64(clamping: count),
                        why: IPAddress(address).flatMap(SpecialAddresses.reason)))
            }
        }
    }

    /// nft prints a protocol's name where /etc/protocols (package netbase) has it, elsewhere its number.
    static func transport(_ printed: JSON) -> EgressRule.Transport? {
        switch printed.string ?? printed.integer.map({ "\($0)" }) {
        case "tcp", "6": .tcp
        case "udp", "17": .udp
        default: nil
        }
    }

    @discardableResult
    private static func run(_ program: String, _ arguments: [String], _ input: String, what: String) throws -> String {
        let output = try Processes.runBlocking(
            program, arguments: arguments, input: Data(input.utf8), timeout: .seconds(30))
        guard output.isSuccess else {
            let said = String(decoding: output.stderr.prefix(400), as: UTF8.self)
            throw SandboxError.missing([
                FeatureStatus(
                    feature: .egressNetwork, available: false,
                    detail: "The sandbox's way out failed: \(what): \(program) ended with \(output.exit): \(said)",
                    mend:
                        "Grace must run as root on a kernel with veth and nf_tables (modprobe veth nf_tables); `grace doctor` tries it."
                )
            ])
        }
        return String(decoding: output.stdout, as: UTF8.self)
    }

    /// Tries the whole way, for `grace doctor`; throws why it can't be done.
    static func probe() throws {
        let rule = IPNetwork("10.0.0.0/8").flatMap {
            EgressRule(network: $0, ports: [EgressRule.Ports("443")].compactMap { $0 })
        }
        let name = EgressRule(name: "example.org", ports: [EgressRule.Ports("443")].compactMap { $0 })
        let rules = [rule, name].compactMap { $0 }
        let other = try NetworkNamespace.make()
        let gateway = try make(EgressRuleset(rules: rules, own: []), sandbox: other)
        let hasIPv6 = gateway.hasIPv6
        try gateway.inside(gateway.network) {
            for isIPv6 in hasIPv6 ? [false, true] : [false] {
                _ = try TransparentListener(isIPv6: isIPv6, isStream: true, port: 443)
            }
        }
    }
}
