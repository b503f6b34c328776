import Documents
import FoundationEssentials
import Linux
import Testing

@testable import Sandbox

/// Rules as people write them, and what is made of them.
@Suite struct EgressRuleTests {
    private static func profile(_ text: String, base: Profile? = nil) throws -> Profile {
        try Profile.parse(file: "p.yaml", text: text, base: base)
    }

    @Test func rulesAreReadAddedToWhatAProfileStandsOnAndPartOfItsDigest() throws {
        let base = try Self.profile(
            "network: egress\negress: {allow: [{name: Deb.Debian.ORG., ports: [80, 443]}]}\n")
        #expect(base.network == .egress && base.egress.map(\.text) == ["deb.debian.org:80,443/tcp"])
        var named = base
        named.name = "base"
        let more = try Self.profile(
            """
            extends: base
            egress:
              allow:
                - {address: 10.0.0.0/8, ports: [5432], protocol: tcp}
                - {address: "2001:db8::/32", ports: [8000-8010], protocol: udp}
                - {name: "*.debian.org", ports: [443]}
            """, base: named)
        #expect(
            more.egress.map(\.text) == [
                "deb.debian.org:80,443/tcp", "10.0.0.0/8:5432/tcp", "2001:db8::/32:8000-8010/udp",
                "*.debian.org:443/tcp",
            ])
        #expect(more.digest != base.digest)
        // Without egress the rules have no effect, and so none on the digest.
        var closed = more
        closed.network = .loopback
        var plain = closed
        plain.egress = []
        #expect(closed.digest == plain.digest)
    }

    @Test(arguments: [
        ("{name: deb.debian.org}", "egress.allow[0]", "ports"),
        ("{ports: [80]}", "egress.allow[0]", "neither"),
        ("{name: a.b, address: 10.0.0.1, ports: [80]}", "egress.allow[0]", "both"),
        ("{name: \"*\", ports: [80]}", "egress.allow[0].name", "DNS name"),
        ("{name: \"*.org\", ports: [80]}", "egress.allow[0].name", "two labels"),
        ("{name: \"a*.debian.org\", ports: [80]}", "egress.allow[0].name", "DNS name"),
        ("{name: 10.0.0.1, ports: [80]}", "egress.allow[0].name", "DNS name"),
        ("{address: 10.0.0.1/8, ports: [80]}", "egress.allow[0].address", "behind the prefix"),
        ("{address: nowhere, ports: [80]}", "egress.allow[0].address", "address"),
        ("{address: 127.0.0.1, ports: [80]}", "egress.allow[0].address", "loopback"),
        ("{address: \"::1\", ports: [80]}", "egress.allow[0].address", "loopback"),
        ("{address: 10.0.0.1, ports: []}", "egress.allow[0].ports", "at least one"),
        ("{address: 10.0.0.1, ports: [0]}", "egress.allow[0].ports[0]", "1 to 65535"),
        ("{address: 10.0.0.1, ports: [90-80]}", "egress.allow[0].ports[0]", "range"),
        ("{address: 10.0.0.1, ports: [1-65535]}", "egress.allow[0].ports", "at most 256"),
        ("{address: 10.0.0.1, ports: [80], protocol: icmp}", "egress.allow[0].protocol", "tcp, udp"),
        ("{adress: 10.0.0.1, ports: [80]}", "egress.allow[0].adress", "Did you mean"),
    ])
    func aMistakeIsASentenceWithItsPlace(_ rule: String, _ path: String, _ says: String) {
        let text = "network: egress\negress:\n  allow:\n    - \(rule)\n"
        let problems = #expect(throws: Problems.self) { try Self.profile(text) }
        let found = problems?.all.first { $0.path == path }
        #expect(found?.line == 4 && found?.message.contains(says) == true, "\(problems?.all ?? [])")
    }

    @Test func rulesWithoutTheNetworkAndTheNetworkWithoutRulesAreProblems() {
        let rule = "egress: {allow: [{name: a.test, ports: [80]}]}\n"
        let unused = #expect(throws: Problems.self) { try Self.profile("network: loopback\n" + rule) }
        #expect(unused?.all.map(\.path) == ["egress"])
        let empty = #expect(throws: Problems.self) { try Self.profile("network: egress\n") }
        #expect(empty?.all.map(\.path) == ["network"])
    }

    @Test func aProfileIsWiderWhenItReachesMore() throws {
        func with(_ rules: EgressRule...) -> Profile { Profile(name: "x", network: .egress, egress: rules) }
        let names = with(try Host.rule(name: "*.debian.org", "80", "443"), try Host.rule("10.0.0.0/8", "5000-5010"))
        #expect(with(try Host.rule(name: "deb.debian.org", "80")).widenings(over: names).isEmpty)
        #expect(with(try Host.rule("10.1.0.0/16", "5001")).widenings(over: names).isEmpty)
        for wider in [
            try Host.rule(name: "debian.org", "80"), try Host.rule(name: "deb.debian.org", "81"),
            try Host.rule("11.0.0.1", "5000"), try Host.rule("0.0.0.0/0", "5000"),
            try Host.rule("10.0.0.1", "5000", transport: .udp),
            try Host.rule(name: "x.debian.org.evil.test", "80"),
        ] {
            #expect(with(wider).widenings(over: names) == ["egress.allow: \(wider.text)"])
        }
        #expect(names.widenings(over: Profile(name: "y", network: .loopback)) == ["network: egress"])
        #expect(names.widenings(over: Profile(name: "y", network: .host)).isEmpty)
    }

    @Test func addressesAndBlocksAreReadAsTheyAreWritten() {
        for text in ["10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "::/0", "0.0.0.0/0", "fe80::1"] {
            #expect(IPNetwork(text)?.description == text)
        }
        for text in [
            "10.0.0.1/8", "10.0.0.0/33", "10.0.0/8", "", "/8", "10.0.0.0/08", "10.0.0.0/-1", "2001:db8::1/32",
            "1.2.3.4/", "01.2.3.4",
        ] {
            #expect(IPNetwork(text) == nil, "\(text)")
        }
        #expect(IPAddress("::ffff:10.0.0.1") == IPAddress("10.0.0.1"))
    }

    @Test(
        arguments: [("\"tcp\"", .tcp), ("6", .tcp), ("\"udp\"", .udp), ("17", .udp), ("58", nil), ("\"sctp\"", nil)]
            as [(String, EgressRule.Transport?)])
    func aProtocolIsKnownByNameAndWhereTheHostHasNoNamesByNumber(_ printed: String, _ transport: EgressRule.Transport?)
        throws
    {
        #expect(EgressGateway.transport(try JSON(parsing: Data(printed.utf8))) == transport)
    }
}

@Suite struct NetworkUseTests {
    private static func use(_ port: UInt16, _ name: String) -> NetworkUse {
        var use = NetworkUse()
        use.connected(
            NetworkUse.Connection(
                transport: .tcp, address: "1.2.3.4", port: port, name: name, count: 1, sent: 10, received: 20, failed: 0
            ))
        use.refused(NetworkUse.Refusal(transport: .udp, address: "1.2.3.4", port: port, count: 2))
        use.lookedUp(name, addresses: ["1.2.3.4"])
        use.refusedLookUp("x." + name)
        return use
    }

    @Test func sandboxesOfOnePartAreOneRecord() {
        var sum = NetworkUse()
        for port: UInt16 in [80, 80, 443] { sum.add(Self.use(port, "a.test")) }
        #expect(sum.connections.map(\.count) == [2, 1] && sum.connections.map(\.sent) == [20, 10])
        #expect(sum.refused.map(\.count) == [4, 2])
        #expect(sum.lookups.map(\.count) == [3] && sum.refusedLookups.map(\.count) == [3])
        #expect(sum.lookups[0].addresses == ["1.2.3.4"] && sum.unlisted == 0)
    }

    @Test func whatIsTooMuchToListIsCounted() {
        var use = NetworkUse()
        for number in 0..<NetworkUse.most + 7 { use.refusedLookUp("n\(number).test", count: 2) }
        #expect(use.refusedLookups.count == NetworkUse.most && use.unlisted == 14)
    }
}

/// DNS as it goes over the wire (RFC 1035), by bytes written out here.
@Suite struct DNSMessageTests {
    private static let head: [UInt8] = [0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0]
    private static let name: [UInt8] =
        [3] + Array("deb".utf8) + [6] + Array("debian".utf8) + [3] + Array("org".utf8) + [0]

    @Test func aQuestionIsReadWhateverItsCase() {
        let section = [3] + Array("dEb".utf8) + Self.name.dropFirst(4) + [0, 1, 0, 1]
        let question = DNSMessage.question(Self.head + section)
        #expect(question?.name == "deb.debian.org" && question?.id == 0x1234 && question?.kind == 1)
        #expect(question?.section == section)
        #expect(DNSMessage.query(id: 0x1234, name: "deb.debian.org", kind: 1) == Self.head + Self.name + [0, 1, 0, 1])
    }

    @Test func whatIsNoSingleQuestionIsNone() {
        let whole = Self.head + Self.name + [0, 1, 0, 1]
        for length in 0..<whole.count { #expect(DNSMessage.question(Array(whole.prefix(length))) == nil) }
        var two = whole
        two[5] = 2
        var answer = whole
        answer[2] = 0x81
        var chaos = whole
        chaos[chaos.count - 1] = 3
        let pointer = Self.head + [0xc0, 12, 0, 1, 0, 1]
        for wrong in [two, answer, chaos, pointer] { #expect(DNSMessage.question(wrong) == nil) }
        let dotted = Self.head + [7] + Array("deb.evi".utf8) + [0, 0, 1, 0, 1]
        #expect(DNSMessage.question(dotted)?.name == nil)
    }

    private static func answer(_ records: [UInt8], count: UInt8, flags: UInt8 = 0x80) -> [UInt8] {
        [0x12, 0x34, 0x81, flags, 0, 1, 0, count, 0, 0, 0, 0] + name + [0, 1, 0, 1] + records
    }
    private static func read(_ bytes: [UInt8]) -> DNSMessage.Answer? {
        DNSMessage.answer(bytes, id: 0x1234, name: "deb.debian.org", kind: 1)
    }

    @Test func addressesAtTheEndOfAChainOfAliasesCountAndNoOthers() {
        let alias: [UInt8] = [0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 3, 1, 120, 0]  // deb.debian.org is an alias of x
        let address: [UInt8] = [1, 120, 0, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 198, 51, 100, 10]  // x
        let stray: [UInt8] = [1, 121, 0, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 6, 6, 6, 6]  // y, about which nobody asked
        let found = Self.read(Self.answer(alias + address + stray, count: 3))
        #expect(found?.addresses.map(\.description) == ["198.51.100.10"] && found?.life == 9)
        let loop: [UInt8] = [0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, 12]
        #expect(Self.read(Self.answer(loop, count: 1))?.addresses == [])
    }

    @Test func anAnswerToAnotherQuestionIsNone() {
        let address: [UInt8] = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 1, 2, 3, 4]
        let good = Self.answer(address, count: 1)
        #expect(Self.read(good)?.addresses.count == 1)
        #expect(DNSMessage.answer(good, id: 0x1235, name: "deb.debian.org", kind: 1) == nil)
        #expect(DNSMessage.answer(good, id: 0x1234, name: "deb.debian.com", kind: 1) == nil)
        #expect(DNSMessage.answer(good, id: 0x1234, name: "deb.debian.org", kind: 28) == nil)
        for length in 0..<good.count { #expect(Self.read(Array(good.prefix(length))) == nil) }
    }

    @Test func noBytesMakeItFail() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<20000 {
            var bytes = Self.answer([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 1, 2, 3, 4], count: 1)
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                bytes[Int.random(in: bytes.indices, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            _ = Self.read(bytes)
            _ = DNSMessage.question(bytes)
        }
    }

    @Test func theLongestAnswerFitsIntoOneDatagram() throws {
        let label = [63] + [UInt8](repeating: 97, count: 63)
        let name = label + label + label + [61] + [UInt8](repeating: 97, count: 61) + [0]
        let question = try #require(DNSMessage.question(Self.head + name + [0, 28, 0, 1]))
        let address = try #require(IPAddress("2001:db8::1"))
        let reply = DNSMessage.reply(
            question, code: 0, addresses: Array(repeating: address, count: DNSMessage.mostAddresses), life: 1)
        #expect(reply.count <= 512)
    }
}
