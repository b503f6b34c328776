import Documents
import Linux
import Testing

@testable import Agent

@Suite("The agent's settings")
struct ConfigurationTests {
    static func parse(_ text: String) throws -> AgentConfiguration {
        try AgentConfiguration.parse(file: "agent.yaml", text: text, hostName: "app1", defaultTokenFile: "/state/token")
    }

    @Test("an empty mapping gives the documented defaults")
    func defaults() throws {
        let settings = try Self.parse("{}")
        #expect(settings == AgentConfiguration(name: "app1", tokenFile: "/state/token"))
        #expect(settings.coordinator == "http://127.0.0.1:8420")
        #expect(settings.trustThreshold == 0.95 && settings.trialShare == 0.25 && settings.cgroup == "grace")
        #expect(settings.labels.isEmpty && settings.protected.isEmpty)
        #expect(settings.trialWeight == 10 && settings.live.memoryReserve == .share(0.1))
        #expect(settings.live.pressure == [.cpu: 1, .memory: 0.1, .io: 0.5])
        #expect(settings.live.lasting == 10 && settings.live.rest == 60)
    }

    @Test("every key is taken")
    func all() throws {
        let settings = try Self.parse(
            """
            name: db7
            labels: {role: db, zone: "7"}
            coordinator: https://grace.example/
            token_file: /etc/grace/token
            trust_threshold: 99%
            cgroup: ops/grace
            trial_share: 0.1
            trial_weight: 25
            memory_reserve: 2Gi
            pressure: {cpu: 80%, memory: 5%, io: 0.25, for: 20s, rest: 5m}
            protected: [/srv/payroll, /opt/hsm]
            """)
        #expect(settings.name == "db7" && settings.labels == ["role": "db", "zone": "7"])
        #expect(settings.coordinator == "https://grace.example", "without the slash that paths begin with")
        #expect(
            settings.tokenFile == "/etc/grace/token" && settings.trustThreshold == 0.99
                && settings.cgroup == "ops/grace")
        #expect(settings.trialWeight == 25)
        #expect(
            settings.live
                == LiveLimits(
                    memoryReserve: .bytes(2 << 30), pressure: [.cpu: 0.8, .memory: 0.05, .io: 0.25], lasting: 20,
                    rest: 300))
        #expect(settings.trialShare == 0.1 && settings.protected == ["/srv/payroll", "/opt/hsm"])
    }

    @Test(
        "a mistake is refused where it stands",
        arguments: [
            ("coordinator: grace.example", "coordinator: expected a URL"),
            ("trust_threshold: 101%", "trust_threshold: "),
            ("trust_threshold: 95pp", "trust_threshold: "), ("trust_threshold: -1%", "trust_threshold: "),
            ("trial_share: 0%", "trial_share: "), ("trial_share: 150%", "trial_share: "),
            ("trial_share: 25pp", "trial_share: "), ("trial_weight: 0", "trial_weight: "),
            ("trial_weight: 101", "trial_weight: "), ("memory_reserve: 100%", "memory_reserve: "),
            ("memory_reserve: some", "memory_reserve: expected a size such as 1Gi"),
            ("pressure: {memory: 0%}", "pressure.memory: expected a share of time"),
            ("pressure: {io: 101%}", "pressure.io: "), ("pressure: {io: 10pp}", "pressure.io: "),
            ("pressure: {for: 0s}", "pressure.for: expected a time from 1s to 10m"),
            ("pressure: {rest: 2d}", "pressure.rest: "), ("pressure: {disk: 5%}", "pressure.disk: unknown key"),
            ("cgroup: /grace", "cgroup: "), ("cgroup: a/../../b", "cgroup: "),
            ("protected: [etc]", "protected: expected absolute"),
            ("protected: [/]", "protected: expected absolute"), ("trust_treshold: 95%", "trust_treshold"),
            ("labels: [a]", "labels"),
            ("name: ''", "name"),
        ])
    func mistakes(line: String, part: String) throws {
        let said = try #require(refusal { _ = try Self.parse(line) }, "“\(line)” was taken")
        #expect(said.contains(part), "\(said)")
        #expect(said.hasPrefix("agent.yaml:1"))
    }

    @Test("every problem is said at once, with its line")
    func together() throws {
        do {
            _ = try Self.parse(
                "coordinator: x\ntrust_threshold: 2\ncgroup: /x\ntrial_share: 0\nprotected: [y]\ncolour: red\n")
            Issue.record("it was taken")
        } catch let problems as Problems {
            #expect(Set(problems.all.compactMap(\.line)) == [1, 2, 3, 4, 5, 6])
            #expect(problems.all.count == 6, "\(problems)")
        }
    }

    @Test(
        "a file of nothing but comments counts as blank",
        arguments: [("", true), ("# a\n\n  # b\n", true), ("# a\nname: x\n", false), ("\t\n", true)])
    func blank(text: String, isBlank: Bool) { #expect(AgentConfiguration.isBlank(text) == isBlank) }

    @Test("the file that a fresh installation writes is blank, and so gives the defaults")
    func written() { #expect(AgentConfiguration.isBlank(HostSetup.agent)) }
}

@Suite("Where things lie")
struct PlacesTests {
    @Test("the environment moves each of the three directories by itself")
    func environment() {
        #expect(
            Places(environment: [:])
                == Places(state: "/var/lib/grace", configuration: "/etc/grace", runtime: "/run/grace"))
        #expect(
            Places(environment: ["GRACE_STATE_DIR": "/s"])
                == Places(state: "/s", configuration: "/etc/grace", runtime: "/run/grace"))
        #expect(
            Places(environment: ["GRACE_CONFIG_DIR": "/c", "GRACE_RUNTIME_DIR": "/r"])
                == Places(state: "/var/lib/grace", configuration: "/c", runtime: "/r"))
    }

    @Test("everything lies below what no mission may touch")
    func below() {
        let places = Places(state: "/s", configuration: "/c", runtime: "/r")
        #expect(places.all == ["/s", "/c", "/r"])
        for path in [
            places.agentState, places.missions, places.journal, places.pinnedLedgerKey, places.agentKey, places.forks,
            places.promotions, places.blobs, places.coordinatorState, places.scratch, places.pauseFile,
        ] { #expect(path.hasPrefix("/s/")) }
        for path in [
            places.agentFile, places.coordinatorFile, places.governanceFile, places.constitutionFile,
            places.approversFile,
            places.allowedSignersFile, places.profiles, places.detectors, places.remedies,
        ] { #expect(path.hasPrefix("/c/")) }
    }
}
