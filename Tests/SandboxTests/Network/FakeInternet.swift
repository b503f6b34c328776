import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// Two network namespaces of a test's own: a “host” with a service of its own, and an “internet” behind it in which every address
/// answers. The machine's interfaces are left alone.
final class FakeInternet: Sendable {
    static let host = "192.168.77.1"
    static let mirror = "198.51.100.10"
    static let nameServer = "198.51.100.53"

    /// Where Grace's outbound sockets are made.
    let host: Descriptor
    private let internet: Descriptor
    private let stop: StopFlag

    /// What names resolve to; others do not exist. The first may be an alias.
    static let zone: [String: (alias: String?, addresses: [String])] = [
        "deb.debian.test": ("cdn.example.test", ["198.51.100.10", "2001:db8::10"]),
        "sec.debian.test": (nil, ["198.51.100.11"]),
        "evil.debian.test": (nil, ["169.254.169.254", "127.0.0.1", host, "10.9.9.9"]),
        "other.test": (nil, ["198.51.100.66"]),
    ]

    init() throws {
        host = try NetworkNamespace.make()
        internet = try NetworkNamespace.make()
        stop = try StopFlag()
        let path = "/proc/\(getpid())/fd/\(internet.raw)"
        try Self.ip(
            host,
            """
            link set lo up
            link add h0 type veth peer name i0 netns \(path)
            addr add \(Self.host)/24 dev h0
            addr add fd99::1/64 dev h0 nodad
            link set h0 up
            route add default via 192.168.77.2
            route add ::/0 via fd99::2
            """)
        try Self.ip(
            internet,
            """
            link set lo up
            addr add 192.168.77.2/24 dev i0
            addr add fd99::2/64 dev i0 nodad
            link set i0 up
            route add local 0.0.0.0/0 dev lo table main
            route add local ::/0 dev lo table main
            """)
        try serve(internet, [80, 81, 443, 22, 8005, 53], [53, 123, 124])
        try serve(host, [80, 5432], [])
    }

    deinit { stop.raise() }

    var outside: EgressOutside {
        EgressOutside(network: host) { IPAddress(Self.nameServer).map { [Endpoint($0, 53)] } ?? [] }
    }

    static func ip(_ network: Descriptor, _ lines: String) throws {
        let output = try inside(network) {
            try Processes.runBlocking("/sbin/ip", arguments: ["-batch", "-"], input: Data((lines + "\n").utf8))
        }
        guard output.isSuccess else {
            throw SystemError(call: "ip: \(String(decoding: output.stderr, as: UTF8.self))", subject: "test", code: 5)
        }
    }

    static func inside<T: Sendable>(_ network: Descriptor, _ body: @escaping @Sendable () throws -> T) throws -> T {
        try Threads.runBlocking("test") {
            try NetworkNamespace.enter(network)
            return try body()
        }
    }

    /// What is there of a namespace that Grace could have changed.
    static func state(of network: Descriptor) throws -> String {
        try inside(network) {
            try [
                ["/sbin/ip", "-o", "address"], ["/sbin/ip", "-4", "route", "show", "table", "all"],
                ["/sbin/ip", "rule"],
                ["/usr/sbin/nft", "list", "ruleset"],
                [
                    "/sbin/sysctl", "net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding",
                    "net.ipv6.conf.all.forwarding",
                ],
            ].map { command in
                let output = try Processes.runBlocking(command[0], arguments: Array(command.dropFirst()))
                #expect(output.isSuccess)
                // The life that is left of an address is no change.
                return String(decoding: output.stdout, as: UTF8.self).split(separator: "\n").filter {
                    !$0.contains("fe80:")
                }
                .joined(separator: "\n")
            }.joined(separator: "\n")
        }
    }

    private func serve(_ network: Descriptor, _ tcp: [UInt16], _ udp: [UInt16]) throws {
        let listeners = try Self.inside(network) {
            try (tcp.map { ($0, true) } + udp.map { ($0, false) }).flatMap { port, isStream in
                try [false, true].map {
                    (try TransparentListener(isIPv6: $0, isStream: isStream, port: port), isStream, port)
                }
            }
        }
        let stop = stop
        try Threads.start("internet") {
            guard let poller = try? Poller() else { return }
            try? poller.add(stop.descriptor, tag: .max)
            for (index, listener) in listeners.enumerated() {
                try? poller.add(listener.0.descriptor, tag: UInt64(index))
            }
            var buffer = [UInt8](repeating: 0, count: 65536)
            while let tags = try? poller.wait(milliseconds: -1), !tags.contains(.max) {
                for tag in tags {
                    let (listener, isStream, port) = listeners[Int(tag)]
                    if isStream, let (socket, place) = listener.accept() {
                        try? Threads.start("served") { Self.talk(socket, place, stop) }
                    } else if !isStream, let (length, address, client) = listener.receive(&buffer) {
                        let place = Endpoint(address, port)
                        let text = Array(buffer.prefix(length))
                        listener.reply(
                            port == 53 ? Self.resolve(text) : Array("udp \(place) ".utf8) + text, from: place,
                            to: client)
                    }
                }
            }
        }
    }

    /// Reads a line and says where it arrived; “big” gets eight MiB.
    private static func talk(_ socket: Descriptor, _ place: Endpoint, _ stop: StopFlag) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let length = Relaying.read(socket, &buffer, timeout: .seconds(20), stop: stop.descriptor)
        let line = String(decoding: buffer.prefix(length), as: UTF8.self).filter { !$0.isNewline }
        if line == "big" {
            _ = fcntl(socket.raw, F_SETFL, 0)  // blocking: eight MiB fit into no buffer
            try? Files.write(socket, Data(repeating: 120, count: 8 << 20))
        } else {
            try? Files.write(socket, Data("tcp \(place) \(line)\n".utf8))
        }
    }

    private static func resolve(_ query: [UInt8]) -> [UInt8] {
        guard let question = DNSMessage.question(query), let asked = question.name, let entry = zone[asked] else {
            return DNSMessage.question(query).map { DNSMessage.reply($0, code: DNSMessage.Code.noName) } ?? []
        }
        var records: [[UInt8]] = []
        func name(_ text: String) -> [UInt8] {
            text.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
        }
        func record(_ owner: [UInt8], _ kind: UInt8, _ data: [UInt8]) -> [UInt8] {
            owner + [0, kind, 0, 1, 0, 0, 0, 30, 0, UInt8(data.count)] + data
        }
        let owner: [UInt8]
        if let alias = entry.alias {
            records.append(record([0xc0, 12], 5, name(alias)))
            owner = name(alias)
        } else {
            owner = [0xc0, 12]
        }
        for address in entry.addresses.compactMap({ IPAddress($0) }) where address.isIPv6 == (question.kind == 28) {
            records.append(record(owner, UInt8(question.kind), address.bytes))
        }
        let id = [UInt8(question.id >> 8), UInt8(question.id & 255)]
        return id + [0x81, 0x80, 0, 1, 0, UInt8(records.count), 0, 0, 0, 0] + question.section + records.flatMap { $0 }
    }
}

extension Host {
    /// A sandbox with a way out into a made-up internet.
    static func withEgress<Result>(
        _ rules: [EgressRule], _ body: (Sandbox, FakeInternet) async throws -> Result
    ) async throws -> (result: Result, network: NetworkUse) {
        try await withDirectory { directory in
            let internet = try FakeInternet()
            let engine = SandboxEngine(
                cgroups: nil, helper: try SandboxEngine.locateHelper(), scratch: "\(directory)/scratch",
                outside: internet.outside)
            let sandbox = try await engine.start(
                SandboxSpecification(
                    profile: Host.profile {
                        $0.network = .egress
                        $0.egress = rules
                    }, label: "test"))
            let result: Result
            do {
                result = try await body(sandbox, internet)
            } catch {
                _ = try? await sandbox.end()
                throw error
            }
            return (result, try #require(try await sandbox.end().network))
        }
    }

    static func rule(name: String, _ ports: String..., transport: EgressRule.Transport = .tcp) throws -> EgressRule {
        try #require(EgressRule(name: name, ports: ports.compactMap { EgressRule.Ports($0) }, transport: transport))
    }

    static func rule(_ address: String, _ ports: String..., transport: EgressRule.Transport = .tcp) throws
        -> EgressRule
    {
        let network = try #require(IPNetwork(address))
        return try #require(
            EgressRule(
                network: network, ports: ports.compactMap { EgressRule.Ports($0) },
                transport: transport))
    }
}
