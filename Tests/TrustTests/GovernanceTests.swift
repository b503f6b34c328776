import Documents
import Fork
import FoundationEssentials
import Linux
import Measurement
import Missions
import Testing
import Trust

@Suite("Governance")
struct GovernanceTests {
    private func governance(_ rule: String) throws -> Governance {
        try Governance.parse(file: "g.yaml", text: "rules:\n  - {id: r, level: hard_mandatory, \(rule)}\n")
    }

    private func judge(_ rule: String, _ context: GovernanceContext = Fixture.context()) throws -> RuleResult {
        try #require(try governance(rule).evaluate(context).first)
    }

    private func problems(_ text: String) -> [String] {
        do {
            _ = try Governance.parse(file: "g.yaml", text: text)
            return []
        } catch let error as Problems {
            return error.all.map(\.description)
        } catch {
            return ["other: \(error)"]
        }
    }

    @Test("the default file is read, and the ordinary mission passes every rule of it")
    func defaults() throws {
        let governance = try Governance.parse(file: "governance.yaml", text: Governance.defaultText)
        #expect(governance.digest == Digest(of: Data(Governance.defaultText.utf8)))
        let results = governance.evaluate(Fixture.context())
        #expect(results.count >= 8)
        for result in results { #expect(result.passed, "\(result.rule): \(result.message)") }
        #expect(governance.requiredKPIs(Fixture.context()) == [.error_rate])
        #expect(governance.requiredScanners == ["native"])
        let trust = TrustScore.compute(
            result: Fixture.result(), requiredKPIs: [.error_rate], governance: results,
            constitution: [Fixture.principle()], hunter: Fixture.clean)
        #expect(trust.total == 1 && trust.reasons.isEmpty)
    }

    @Test(
        "the default file stops what it says it stops",
        arguments: [
            ("/etc/sudoers.d/x", "logins"), ("/root/.ssh/authorized_keys", "logins"), ("/home/me/.ssh/id", "logins"),
            ("/etc/pam.d/login", "logins"),
            ("/etc/passwd", "accounts"), ("/boot/vmlinuz", "boot"),
        ])
    func defaultPaths(path: String, rule: String) throws {
        let governance = try Governance.parse(file: "governance.yaml", text: Governance.defaultText)
        let failed = governance.evaluate(Fixture.context(changes: [Fixture.change(path)])).filter { !$0.passed }
        #expect(failed.map(\.rule) == [rule])
        #expect(failed.first?.message.contains(path) == true)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var rule: String
        var passes: Bool
        var context: GovernanceContext = Fixture.context()
        var testDescription: String { "\(rule) \(passes ? "passes" : "fails")" }
    }

    static let cases: [Case] = [
        Case(rule: "kind: path, allow: [/srv/**]", passes: true),
        Case(rule: "kind: path, allow: [/srv/other/**]", passes: false),
        Case(rule: "kind: path, allow: [/srv/app/*.db]", passes: true),
        Case(rule: "kind: path, allow: [/srv/*.db]", passes: false),
        Case(rule: "kind: path, deny: [/srv/app/**]", passes: false),
        Case(rule: "kind: path, deny: ['**/app.db']", passes: false),
        Case(rule: "kind: path, allow: [/srv/**], deny: [/srv/app/secret]", passes: true),
        Case(rule: "kind: kind, changes: [run]", passes: true),
        Case(rule: "kind: kind, changes: [files, git]", passes: false),
        Case(rule: "kind: kind, promote: [files]", passes: false),
        Case(rule: "kind: kind, promote: rerun", passes: true),
        Case(rule: "kind: kind, entries: [modify]", passes: true),
        Case(rule: "kind: kind, entries: [create, metadata]", passes: false),
        Case(rule: "kind: severity, max: medium", passes: true),
        Case(rule: "kind: severity, max: low", passes: false),
        Case(rule: "kind: max_margin, margins: {error_rate: 0.5pp}", passes: true),
        Case(rule: "kind: max_margin, margins: {error_rate: 0.4pp}", passes: false),
        Case(rule: "kind: max_margin, margins: {cpu_time: 10%, memory_peak: 4.9%}", passes: false),
        Case(rule: "kind: max_margin, min_confidence: 95%", passes: true),
        Case(rule: "kind: max_margin, min_confidence: 99%", passes: false),
        Case(
            rule: "kind: max_margin, margins: {cpu_time: 10%}", passes: false,
            context: Fixture.context(
                Fixture.mission { $0.trial.boundaries = [Boundary(kpi: .cpu_time, role: .guardrail, amount: .nan)] })),
        Case(rule: "kind: required_kpis, kpis: [error_rate, cpu_time]", passes: true),
        Case(rule: "kind: required_kpis, kpis: [throughput]", passes: false),
        Case(
            rule: "kind: required_kpis, kpis: [error_rate]", passes: false,
            context: Fixture.context(
                result: Fixture.result(.PASS, [Fixture.line(.error_rate, .guardrail, measured: false)]))),
        Case(
            rule: "kind: required_kpis, kpis: [error_rate]", passes: false,
            context: Fixture.context(result: Fixture.result(.PASS, [Fixture.line(.error_rate, .shown)]))),
        Case(rule: "kind: required_scanners, scanners: [native]", passes: true),
        Case(rule: "kind: required_scanners, scanners: [native, trivy]", passes: false),
        Case(rule: "kind: required_scanners, scanners: [native]", passes: false, context: Fixture.context(hunter: nil)),
        Case(
            rule: "kind: required_scanners, scanners: [native]", passes: false,
            context: Fixture.context(hunter: HunterReport(findings: [], scanners: ["native": "NOT_RUN: x"], score: 1))),
        Case(rule: "kind: time_window, freeze: []", passes: true),
    ]

    @Test("each kind of rule passes and fails as it says", arguments: cases)
    func kinds(_ given: Case) throws {
        let result = try judge(given.rule, given.context)
        #expect(result.applicable)
        #expect(result.passed == given.passes, "\(result.message)")
        #expect(result.level == .hardMandatory)
    }

    @Test(
        "a rule with a condition has nothing to say about other missions",
        arguments: [
            ("when: {severity: [high, critical]}", false), ("when: {severity: medium}", true),
            ("when: {promote: [files]}", false),
            ("when: {changes: [run], workload: [http]}", true), ("when: {workload: run}", false),
            ("when: {paths: [/etc/**]}", false),
            ("when: {paths: [/srv/**]}", true),
        ])
    func conditions(when: String, applies: Bool) throws {
        let result = try judge("kind: severity, max: low, \(when)")
        #expect(result.applicable == applies)
        #expect(result.passed == !applies)
        let governance = try governance("kind: required_kpis, kpis: [throughput], \(when)")
        #expect(governance.requiredKPIs(Fixture.context()) == (applies ? [.throughput] : []))
    }

    @Test("path and margin rules don't count where there is nothing to look at")
    func notApplicable() throws {
        #expect(try judge("kind: path, deny: [/x]", Fixture.context(changes: [])).applicable == false)
        #expect(try judge("kind: max_margin, margins: {throughput: 5%}").applicable == false)
    }

    @Test("a deleted directory counts for what lay in it")
    func deletedDirectory() throws {
        let rule = "kind: path, deny: [/etc/sudoers.d/**]"
        let gone = [Fixture.change("/etc", .delete, type: .directory)]
        #expect(try judge(rule, Fixture.context(changes: gone)).passed == false)
        let sudoers = FileState(type: .file, mode: 0o440, uid: 0, gid: 0, content: Digest(of: Data()))
        let directory = FileState(type: .directory, mode: 0o755, uid: 0, gid: 0, listing: [Data("x".utf8)])
        let with = try Base([
            BaseEntry(path: "/etc", state: .present(directory)),
            BaseEntry(path: "/etc/sudoers.d/x", state: .present(sudoers)),
        ])
        #expect(try judge(rule, Fixture.context(changes: gone, base: with)).passed == false)
        let without = try Base([
            BaseEntry(path: "/etc", state: .present(directory)),
            BaseEntry(path: "/etc/hosts", state: .present(sudoers)),
        ])
        #expect(try judge(rule, Fixture.context(changes: gone, base: without)).passed)
        #expect(
            try judge(rule, Fixture.context(changes: [Fixture.change("/etc", .replace, type: .file)])).passed == false)
    }

    @Test(
        "freeze windows hold by the wall clock of their zone, at execution as at the test",
        arguments: [
            // 2025-11-21 is a Friday; Berlin is at +01:00 in winter and +02:00 in summer.
            (
                "{days: [fri, sat, sun], from: \"18:00\", to: \"06:00\", zone: Europe/Berlin}", "2025-11-21T16:59:59Z",
                false
            ),
            (
                "{days: [fri, sat, sun], from: \"18:00\", to: \"06:00\", zone: Europe/Berlin}", "2025-11-21T17:00:00Z",
                true
            ),
            (
                "{days: [fri, sat, sun], from: \"18:00\", to: \"06:00\", zone: Europe/Berlin}", "2025-11-24T04:59:59Z",
                true
            ),
            (
                "{days: [fri, sat, sun], from: \"18:00\", to: \"06:00\", zone: Europe/Berlin}", "2025-11-24T05:00:00Z",
                false
            ),
            ("{days: [fri], from: \"18:00\", zone: Europe/Berlin}", "2026-07-03T16:00:00Z", true),
            ("{days: [fri], from: \"18:00\", zone: Europe/Berlin}", "2026-07-03T15:59:59Z", false),
            ("{days: [fri], from: \"18:00\", zone: Europe/Berlin}", "2026-07-03T22:00:00Z", false),
            ("{days: friday}", "2025-11-21T00:00:00Z", true), ("{days: friday}", "2025-11-22T00:00:00Z", false),
            ("{days: [mon], from: \"09:00\", to: \"17:00\", zone: \"-05:00\"}", "2025-11-24T14:00:00Z", true),
            ("{days: [mon], from: \"09:00\", to: \"17:00\", zone: \"-05:00\"}", "2025-11-24T22:00:00Z", false),
            ("{from: 2026-12-23, until: 2027-01-02, zone: Europe/Berlin}", "2026-12-22T23:00:00Z", true),
            ("{from: 2026-12-23, until: 2027-01-02, zone: Europe/Berlin}", "2026-12-22T22:59:59Z", false),
            ("{from: 2026-12-23, until: 2027-01-02, zone: Europe/Berlin}", "2027-01-02T22:59:59Z", true),
            ("{from: 2026-12-23, until: 2027-01-02, zone: Europe/Berlin}", "2027-01-02T23:00:00Z", false),
            ("{from: 2026-12-23 12:00, until: 2026-12-23 13:00}", "2026-12-23T12:59:59Z", true),
            ("{from: 2026-12-23 12:00, until: 2026-12-23 13:00}", "2026-12-23T13:00:00Z", false),
        ])
    func freeze(window: String, now: String, frozen: Bool) throws {
        let result = try judge("kind: time_window, freeze: [\(window)]", Fixture.context(now: Fixture.date(now)))
        #expect(result.passed == !frozen, "\(result.message)")
    }

    @Test("every mistake in the file is reported at once")
    func mistakes() {
        let found = problems(
            """
            rules:
              - {id: a, kind: path, level: hard}
              - {id: a, kind: weird, level: advisory}
              - {kind: severity, level: advisory, max: huge}
              - {id: b c, kind: kind, level: advisory}
              - {id: c, kind: time_window, level: advisory, freeze: [{days: [someday]}, {days: mon, zone: Mars/Olympus}, {from: 2026-13-01, until: 2026-01-01}, {}]}
              - {id: d, kind: max_margin, level: advisory, margins: {error_rate: 1%, cpu_time: 1pp, nonsense: 1%}, min_confidence: 5}
              - {id: e, kind: required_kpis, level: advisory, kpis: [speed]}
              - {id: f, kind: required_scanners, level: advisory, scanners: []}
              - {id: g, kind: path, level: advisory, deny: [etc/x, /a/../b]}
              - {id: h, kind: severity, level: advisory, max: low, when: {}}
              - {id: h, kind: severity, level: advisory, max: low, deny: [/x]}
            extra: 1
            """)
        let expected = [
            "g.yaml:2: rules[0].level: expected one of advisory", "expected “allow”, “deny” or both",
            "rules[1].kind: expected one of path", "rules[2]: the key “id”",
            "rules[2].max", "rules[3].id", "rules[3]: expected “changes”", "expected a day of the week", "Mars/Olympus",
            "expected a date", "expected “days”", "error_rate is a rate",
            "cpu_time is compared with", "nonsense", "min_confidence", "rules[6].kpis[0]", "rules[7].scanners",
            "rules[8].deny[0]", "rules[8].deny[1]", "rules[9].when",
            "rules[10].deny: unknown key", "extra: unknown key",
        ]
        for text in expected {
            #expect(found.contains { $0.contains(text) }, "\(text) in \(found.joined(separator: "\n"))")
        }
        #expect(problems("rules: []") == [])
        #expect(problems("{}").contains { $0.contains("“rules” is missing") })
        #expect(
            problems(
                "rules:\n - {id: a, kind: severity, level: advisory, max: low}\n - {id: a, kind: severity, level: advisory, max: low}"
            ).contains { $0.contains("names are used once") })
    }
}

@Suite("Time zones of the host")
struct ZoneTests {
    @Test(
        "offsets are those of the C library, over 150 years",
        arguments: [
            "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo",
            "Africa/Casablanca",
        ])
    func offsets(name: String) throws {
        let zone = try Zone(name)
        // `date` reads the same database by another implementation.
        let seconds = stride(from: -1_000_000_000, to: 4_000_000_000, by: 86_400 * 97).map { $0 }
        let expected = try TimeZoneOracle.offsets(name, seconds)
        for (second, offset) in zip(seconds, expected) {
            #expect(zone.offset(at: Date(timeIntervalSince1970: Double(second))) == offset, "\(name) at \(second)")
        }
    }

    @Test(
        "what is no zone is refused with a sentence",
        arguments: ["", "../../etc/passwd", "/etc/localtime", "+25:00", "+2", "No/Where", "a b"])
    func refused(name: String) {
        let error = #expect(throws: ZoneError.self) { try Zone(name) }
        #expect(error.map { $0.description.count > 20 } == true)
    }
}
