import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// `network: egress`: what the rules allow is reached, and nothing else, by real connections of a real sandbox.
@Suite(.enabled(if: Host.isRoot, "namespaces and veth need root")) struct EgressTests {
    /// A line of bash that talks to a place: what it got, or how it failed.
    private static func talk(_ place: String, _ port: Int, _ word: String = "hi") -> String {
        "timeout 10 bash -c 'exec 3<>/dev/tcp/\(place)/\(port) && echo \(word) >&3 && cat <&3' 2>&1"
    }

    private static func datagram(_ place: String, _ port: Int) -> String {
        "timeout 2 bash -c 'exec 3<>/dev/udp/\(place)/\(port) && echo hi >&3 && head -n 1 <&3' 2>&1"
    }

    private static func reaches(_ sandbox: Sandbox, _ place: String, _ port: Int) async throws -> Bool {
        try await sandbox.shell(talk(place, port)).out.contains("tcp ")
    }

    @Test func allowedPlacesAreReachedOverBothFamiliesAndBothTransports() async throws {
        let rules = [
            try Host.rule("198.51.100.0/24", "80", "8000-8010"), try Host.rule("2001:db8::/32", "80"),
            try Host.rule("203.0.113.7", "123", transport: .udp), try Host.rule("2001:db8::7", "123", transport: .udp),
        ]
        let (_, network) = try await Host.withEgress(rules) { (sandbox, _) async throws in
            #expect(try await sandbox.shell(Self.talk("198.51.100.10", 80)).out == "tcp 198.51.100.10:80 hi\n")
            #expect(try await sandbox.shell(Self.talk("198.51.100.99", 8005)).out == "tcp 198.51.100.99:8005 hi\n")
            #expect(try await sandbox.shell(Self.talk("2001:db8::10", 80)).out == "tcp [2001:db8::10]:80 hi\n")
            #expect(try await sandbox.shell(Self.datagram("203.0.113.7", 123)).out == "udp 203.0.113.7:123 hi\n")
            #expect(try await sandbox.shell(Self.datagram("2001:db8::7", 123)).out == "udp [2001:db8::7]:123 hi\n")
            let big = try await sandbox.shell(Self.talk("198.51.100.10", 80, "big") + " | wc -c")
            #expect(big.out == "\(8 << 20)\n")
            // Its own loopback stays.
            #expect(
                try await sandbox.shell("cat /sys/class/net/lo/operstate; bash -c 'exec 3<>/dev/tcp/127.0.0.1/9'").err
                    .contains("refused"))
        }
        let mirror = try #require(network.connections.first { $0.address == "198.51.100.10" })
        #expect(mirror.port == 80 && mirror.count == 2 && mirror.received > 8 << 20 && mirror.sent == 7)
        #expect(network.connections.count == 5, "\(network.connections)")
        #expect(network.incomplete == nil && network.unlisted == 0)
    }

    @Test(arguments: [
        ("198.51.100.10", 81, "another port"), ("198.51.100.10", 22, "another port"),
        ("198.51.99.10", 80, "another address"),
        ("8.8.8.8", 80, "another address"), ("8.8.8.8", 53, "another name server"),
        (FakeInternet.host, 80, "the host's own address"),
        (FakeInternet.host, 5432, "the host's own address"), ("192.0.0.1", 80, "the gateway"),
        ("169.254.169.254", 80, "metadata"),
        ("169.254.1.1", 80, "link-local"), ("2001:db8:1::1", 80, "another IPv6 address"),
        ("fd99::1", 80, "the host over IPv6"),
        ("fd67:7261:6365::1", 80, "the gateway over IPv6"), ("64:ff9b::a9fe:a9fe", 80, "metadata in disguise"),
        ("0.0.0.0", 80, "this network"), ("100.100.100.200", 80, "metadata"),
    ])
    func everythingElseIsRefused(_ address: String, _ port: Int, _ what: String) async throws {
        // The widest blocks there are do not open what is special.
        let rules = [
            try Host.rule("198.51.100.10", "80"), try Host.rule("10.0.0.0/8", "81"),
            try Host.rule("192.168.0.0/16", "443"),
        ]
        let (result, network) = try await Host.withEgress(rules) { (sandbox, _) async throws in
            #expect(try await sandbox.shell(Self.talk("198.51.100.10", 80)).out == "tcp 198.51.100.10:80 hi\n")
            return try await sandbox.shell(Self.talk(address, port))
        }
        #expect(!result.out.contains("tcp "), "\(what): \(result.out)")
        #expect(result.exit != .exited(124), "\(what): it hangs instead of failing")
        if address == "0.0.0.0" { return }  // which is the sandbox itself, and never leaves it
        #expect(
            network.refused.contains {
                $0.address == IPAddress(address)?.description && $0.port == UInt16(port) && $0.count >= 1
            }, "\(network)")
    }

    @Test(arguments: ["0.0.0.0/0", "::/0"])
    func aRuleForEverythingOpensNothingSpecial(_ everything: String) async throws {
        let (_, network) = try await Host.withEgress([try Host.rule(everything, "80", "5432")]) {
            (sandbox, _) async throws in
            for address in everything.contains(":")
                ? ["fd99::1", "64:ff9b::a9fe:a9fe", "fd00:ec2::254", "fe80::1"]
                : [FakeInternet.host, "169.254.169.254", "192.0.0.1", "224.0.0.1", "240.0.0.1", "168.63.129.16"]
            {
                #expect(try await Self.reaches(sandbox, address, 80) == false, "\(address)")
            }
            let fine = everything.contains(":") ? "2001:db8:9::9" : "203.0.113.99"
            #expect(try await sandbox.shell(Self.talk(fine, 80)).out.contains("hi"))
        }
        #expect(network.refused.contains { $0.why?.contains("metadata") == true }, "\(network.refused)")
    }

    @Test func aSpecialAddressIsOpenToARuleThatNamesIt() async throws {
        let rules = [
            try Host.rule("169.254.169.254", "80"), try Host.rule(FakeInternet.host, "5432"),
        ]
        _ = try await Host.withEgress(rules) { (sandbox, _) async throws in
            #expect(try await sandbox.shell(Self.talk("169.254.169.254", 80)).out == "tcp 169.254.169.254:80 hi\n")
            #expect(try await sandbox.shell(Self.talk(FakeInternet.host, 5432)).out == "tcp 192.168.77.1:5432 hi\n")
            #expect(try await Self.reaches(sandbox, FakeInternet.host, 80) == false)
            #expect(try await Self.reaches(sandbox, "169.254.169.253", 80) == false)
        }
    }

    @Test func aNameOpensItsAddressesOnceItWasLookedUp() async throws {
        let rules = [try Host.rule(name: "deb.debian.test", "80")]
        let (_, network) = try await Host.withEgress(rules) { (sandbox, _) async throws in
            // By its number, before anybody asked for the name.
            #expect(try await Self.reaches(sandbox, FakeInternet.mirror, 80) == false)
            #expect(try await sandbox.shell(Self.talk("deb.debian.test", 80)).out.contains(":80 hi"))
            #expect(try await sandbox.shell(Self.talk(FakeInternet.mirror, 80)).out == "tcp 198.51.100.10:80 hi\n")
            #expect(try await Self.reaches(sandbox, "deb.debian.test", 443) == false)
            let both = try await sandbox.shell("getent ahosts deb.debian.test | awk '{print $1}' | sort -u")
            #expect(both.out == "198.51.100.10\n2001:db8::10\n")
        }
        #expect(network.connections.contains { $0.name == "deb.debian.test" })
        #expect(network.lookups.map(\.name) == ["deb.debian.test"])
        #expect(Set(network.lookups[0].addresses) == ["198.51.100.10", "2001:db8::10"])
        #expect(network.refused.contains { $0.address == FakeInternet.mirror && $0.port == 80 })
    }

    @Test func aPatternAllowsWhatEndsInItAndNothingElseIsAnswered() async throws {
        let (_, network) = try await Host.withEgress([try Host.rule(name: "*.debian.test", "80")]) {
            (sandbox, _) async throws in
            #expect(try await sandbox.shell(Self.talk("sec.debian.test", 80)).out == "tcp 198.51.100.11:80 hi\n")
            for name in ["other.test", "debian.test", "evildebian.test", "secret-words.attacker.test"] {
                #expect(try await sandbox.shell("getent ahosts \(name)").out == "")
                #expect(try await Self.reaches(sandbox, name, 80) == false)
            }
            #expect(try await Self.reaches(sandbox, "198.51.100.66", 80) == false)
        }
        #expect(network.refusedLookups.contains { $0.name == "other.test" && $0.count >= 2 })
        #expect(network.refusedLookups.contains { $0.name == "secret-words.attacker.test" })
        #expect(network.lookups.map(\.name) == ["sec.debian.test"])
    }

    /// DNS rebinding: whoever rules an allowed name can't point it at the host or its metadata.
    @Test func anAnswerWithASpecialAddressOpensNothing() async throws {
        let (_, network) = try await Host.withEgress([try Host.rule(name: "*.debian.test", "80")]) {
            (sandbox, _) async throws in
            let answered = try await sandbox.shell("getent ahostsv4 evil.debian.test | awk '{print $1}' | sort -u")
            #expect(answered.out == "10.9.9.9\n")
            for address in ["169.254.169.254", FakeInternet.host] {
                #expect(try await Self.reaches(sandbox, address, 80) == false)
            }
            #expect(try await sandbox.shell(Self.talk("10.9.9.9", 80)).out.contains("tcp "))
        }
        #expect(network.lookups.flatMap(\.addresses) == ["10.9.9.9"])
    }

    @Test func rawSocketsPingAndChangesOfTheNetworkAreRefused() async throws {
        let (_, _) = try await Host.withEgress([try Host.rule("198.51.100.10", "80")]) { (sandbox, _) async throws in
            let raw = """
                perl -MSocket -e 'for my $d (AF_INET, AF_INET6, 17) { for my $t (SOCK_RAW, 10) { \
                socket(my $s, $d, $t, $d == 17 ? 3 : 1) and print "got $d $t\\n"; } } print "tried\\n"'
                """
            #expect(try await sandbox.shell(raw).out == "tried\n")
            for line in [
                "ip addr add 10.1.2.3/8 dev eth0", "ip link set eth0 down", "ip route del default",
                "ip link add x type veth",
                "nft flush ruleset", "ping -c 1 -W 1 198.51.100.10",
            ] {
                #expect(try await sandbox.shell(line).exit != .exited(0), "\(line)")
            }
        }
    }

    @Test func theResolversAddressStandsInAFileThatIsNoPartOfTheChangeSet() async throws {
        let before = try Files.readString("/etc/resolv.conf")
        _ = try await Host.withEgress([try Host.rule("198.51.100.10", "80")]) { (sandbox, _) async throws in
            let said = try await sandbox.shell(
                "grep -v '^#' /etc/resolv.conf; echo nameserver 8.8.8.8 > /etc/resolv.conf")
            #expect(said.out == "nameserver 192.0.0.1\n")
            #expect(said.exit != .exited(0))
        }
        #expect(try Files.readString("/etc/resolv.conf") == before)
    }

    @Test func theHostIsUntouchedMeanwhileAndNothingIsLeftAfterwards() async throws {
        let before = try Traces()
        let (_, _) = try await Host.withEgress([try Host.rule(name: "*.debian.test", "80")]) {
            (sandbox, internet) async throws in
            let host = try FakeInternet.state(of: internet.host)
            #expect(try await sandbox.shell(Self.talk("deb.debian.test", 80)).out.contains("hi"))
            #expect(try FakeInternet.state(of: internet.host) == host)
            #expect(try FakeInternet.state(of: try NetworkNamespace.own()) == before.own)
        }
        var after = try Traces()
        for _ in 0..<200 where after != before {
            try await Task.sleep(for: .milliseconds(20))
            after = try Traces()
        }
        #expect(after == before)
    }

    @Test func aRunningConnectionEndsWithItsSandbox() async throws {
        let (_, network) = try await Host.withEgress([try Host.rule("198.51.100.10", "80")]) {
            (sandbox, _) async throws in
            _ = try await sandbox.spawn(.shell("exec bash -c 'exec 3<>/dev/tcp/198.51.100.10/80; exec sleep 600'"))
            for _ in 0..<500 where await sandbox.networkUse()?.connections.isEmpty == true {
                // It is recorded when it ends; that it stands is seen from its sockets.
                let open = try await sandbox.shell("grep -c ' 01 ' /proc/net/tcp")
                if open.out.hasPrefix("1") { break }
                try await Task.sleep(for: .milliseconds(10))
            }
        }
        #expect(network.connections.map(\.count) == [1])
    }

    /// Not a test: the process that the next one kills, which is this test bundle once more.
    @Test func theOwnerThatIsKilled() async throws {
        guard let place = getenv("GRACE_TEST_OWNER") else { return }
        let file = String(cString: place)
        _ = try await Host.withEgress([try Host.rule("198.51.100.10", "80")]) { (sandbox, _) async throws in
            _ = try await sandbox.spawn(.shell("exec bash -c 'exec 3<>/dev/tcp/198.51.100.10/80; exec sleep 600'"))
            try Files.writeAtomically(file, Data(try Self.namespaces(of: "self").joined(separator: "\n").utf8))
            try await Task.sleep(for: .seconds(600))
        }
    }

    @Test func nothingIsLeftWhenTheOwnerIsKilled() async throws {
        try await Host.withDirectory { directory in
            let before = try FakeInternet.state(of: try NetworkNamespace.own())
            let line = try Files.readString("/proc/self/cmdline").split(separator: "\0").map(String.init)
            var arguments: [String] = []
            var isValue = false
            for word in line.dropFirst() {
                if !isValue, word != "--filter", word != "--skip" { arguments.append(word) }
                isValue = word == "--filter" || word == "--skip"
            }
            var environment = Processes.currentEnvironment()
            environment["GRACE_TEST_OWNER"] = "\(directory)/ready"
            let owner = try Processes.spawn(
                "/proc/self/exe", arguments: arguments + ["--filter", "EgressTests.theOwnerThatIsKilled"],
                environment: environment, group: .new)
            var made: Set<String> = []
            for _ in 0..<1500 where made.isEmpty {
                try await Task.sleep(for: .milliseconds(20))
                made = Set(
                    ((try? Files.readString("\(directory)/ready")) ?? "").split(separator: "\n").map(String.init))
                if try Processes.reap(owner) != nil { break }
            }
            #expect(made.subtracting(try Self.namespaces(of: "self")).count >= 4, "the owner did not start: \(made)")
            try Processes.kill(owner, SIGKILL)
            _ = try await Processes.wait(owner)
            // Its own is the machine's, which stays.
            made.subtract(try Self.namespaces(of: "self"))
            var left = try Self.held().intersection(made)
            for _ in 0..<500 where !left.isEmpty {
                try await Task.sleep(for: .milliseconds(20))
                left = try Self.held().intersection(made)
            }
            #expect(left.isEmpty)
            #expect(try FakeInternet.state(of: try NetworkNamespace.own()) == before)
            Self.removeOwners()
        }
    }

    /// What the killed process had of a test's directories; nobody else can remove it.
    private static func removeOwners() {
        for name in (try? Files.entries("/var/tmp")) ?? [] {
            let name = String(decoding: name, as: UTF8.self)
            guard name.hasPrefix("grace-sandbox-test-"), let pid = Int32(name.split(separator: "-")[3]),
                Processes.startTime(of: pid) == nil
            else { continue }
            try? Scratch.remove("/var/tmp/\(name)")
        }
    }

    /// The network namespaces that a process is in or holds open.
    private static func namespaces(of process: String) throws -> Set<String> {
        var found: Set<String> = []
        for place in ["fd", "task"] {
            for name in (try? Files.entries("/proc/\(process)/\(place)")) ?? [] {
                let path = "/proc/\(process)/\(place)/\(String(decoding: name, as: UTF8.self))"
                if let link = (try? Files.readlink(place == "fd" ? path : path + "/ns/net"))?.string,
                    link.hasPrefix("net:[")
                {
                    found.insert(link)
                }
            }
        }
        return found
    }

    /// Every network namespace that some process keeps alive.
    private static func held() throws -> Set<String> {
        try Files.entries("/proc").reduce(into: []) { found, name in
            let name = String(decoding: name, as: UTF8.self)
            if Int32(name) != nil { found.formUnion(try namespaces(of: name)) }
        }
    }

    /// What could be left: this process's descriptors of network namespaces, its threads, and the machine's own network.
    private struct Traces: Equatable {
        var namespaces: Int
        var threads: Int
        var own: String

        init() throws {
            namespaces = try Files.entries("/proc/self/fd").filter { name in
                let path = "/proc/self/fd/" + String(decoding: name, as: UTF8.self)
                return ((try? Files.readlink(path))?.string ?? "").hasPrefix("net:")
            }.count
            threads = try Files.entries("/proc/self/task").filter { id in
                let name = "/proc/self/task/\(String(decoding: id, as: UTF8.self))/comm"
                let text = (try? Files.readString(name)) ?? ""
                return text.hasPrefix("egress") || text.hasPrefix("gateway")
            }.count
            own = try FakeInternet.state(of: try NetworkNamespace.own())
        }
    }
}
