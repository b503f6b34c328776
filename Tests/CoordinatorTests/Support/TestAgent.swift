import Documents
import FoundationEssentials
import Ledger
import Linux
import Measurement
import Missions
import Parliament
import Testing

@testable import Coordinator

/// An agent, as far as the coordinator sees one: it enrols, reports, and signs with a key of its own.
struct TestAgent {
    let fixture: Fixture
    let token: String
    let key: SigningKey
    let host: HostIdentity

    static func enrolled(_ fixture: Fixture, token: String = "agent-token", remedies: JSON = [:]) async throws
        -> TestAgent
    {
        let key = try SigningKey(name: "agent/\(token)")
        let host = HostIdentity(
            id: Digest(of: key.publicKey.raw).hex, name: "web-\(token)", labels: ["role": "app"], kernel: "6.1")
        let agent = TestAgent(fixture: fixture, token: token, key: key, host: host)
        let answer = try await agent.enrol(remedies: remedies)
        #expect(answer.status == 200)
        return agent
    }

    func enrol(key other: SigningKey? = nil, remedies: JSON = [:]) async throws -> Answer {
        try await fixture.post(
            "/api/agent/hosts",
            [
                "identity": try JSON(encoding: host), "public_key": .string((other ?? key).publicKey.string),
                "remedies": remedies,
            ], token: token)
    }

    static func mission(_ title: String = "Optimize database queries") throws -> MissionFile {
        MissionFile(
            title: title, description: "Add index to users table", rationale: "Query latency increased 30%",
            change: ChangeSpecification(action: .run("true")), workload: .run("true"),
            trial: TrialPlan(boundaries: [Boundary(kpi: .latency_p95, role: .goal, amount: 0.1)]))
    }

    func propose(_ title: String = "Optimize database queries") async throws -> String {
        let answer = try await fixture.post(
            RouteTable.missionsPath, try Self.mission(title).document, token: "op-token")
        #expect(answer.status == 201)
        return try #require(answer["mission_id"]?.string)
    }

    func report(_ event: MissionEvent, _ mission: String, id: String = UUID().uuidString) async throws -> Answer {
        try await fixture.post(
            "/api/agent/missions/\(mission)/events",
            ["event_id": .string(id), "event": .string(event.rawValue), "reason": "because", "body": ["n": 1]],
            token: token)
    }

    let manifest = Data("{\"changes\":[]}".utf8)
    let base = Data("{\"entries\":[]}".utf8)

    func evidence(
        _ id: String, verdict: Verdict = .PASS, trust: Double = 0.98, moreBlocks: Bool = false
    ) async throws -> Evidence {
        let file = try #require(try await mission(id)["mission"]).decode(Mission.self)
        var goal = KPIResult(
            kpi: .latency_p95, role: .goal, boundary: Boundary(kpi: .latency_p95, role: .goal, amount: 0.1))
        (goal.verdict, goal.h, goal.measured, goal.maxE) = (verdict, 0.96, true, 25)
        (goal.baselineMedian, goal.candidateMedian) = (0.2, 0.1)
        let trial = TrialResult(
            verdict: verdict, reason: "decided", blocks: 12, moreBlocksCanHelp: moreBlocks, kpis: [goal])
        return Evidence(
            missionID: id, missionDigest: file.digest, host: host, nonce: UUID().uuidString, createdAt: Date(),
            changeSet: Digest(of: manifest), base: Digest(of: base), changes: ["modify /srv/app/app.db"], trial: trial,
            metrics: KPIMetrics(trial),
            sandbox: SandboxReport(success: true, tests_passed: 3, exit_code: 0, duration_ms: 12.5),
            checks: [],
            governance: [
                RuleResult(rule: "paths", level: .hardMandatory, applicable: true, passed: true, message: "fine")
            ],
            constitution: [
                PrincipleResult(principle: "reversible", stage: .evidence, satisfied: true, message: "undo")
            ],
            hunter: HunterReport(
                findings: [
                    Finding(id: "f1", rule: "secret", severity: .low, path: "/etc/x", message: "looks like a key")
                ],
                scanners: ["native": "RAN"], score: 0.98),
            trust: TrustScore(kpi: 0.96, governance: 1, constitution: 1, security: 0.98, total: trust, reasons: []),
            policies: PolicyDigests(
                governance: Digest(of: Data("g".utf8)), constitution: Digest(of: Data("c".utf8)),
                approvers: Digest(of: Data("a".utf8))))
    }

    func mission(_ id: String) async throws -> Answer {
        try await fixture.get("/api/agent/missions/\(id)", token: token)
    }

    func upload(_ evidence: Evidence, key other: SigningKey? = nil) async throws -> Answer {
        let envelope = try Envelope.sign(
            payload: EvidenceStatement.make(evidence), type: Statement.payloadType, key: other ?? key)
        return try await fixture.put(
            "/api/agent/missions/\(evidence.missionID)/evidence", try JSON(encoding: envelope), token: token)
    }

    func uploadChanges(_ id: String) async throws -> Answer {
        try await fixture.put(
            "/api/agent/missions/\(id)/changes",
            [
                "manifest": .string(manifest.base64EncodedString()), "base": .string(base.base64EncodedString()),
                "diff": "+ an index",
            ], token: token)
    }

    /// Brings a new mission to an open session; gives the mission's and the session's id.
    func toConsensus(_ title: String = "Optimize database queries", trust: Double = 0.98, moreBlocks: Bool = false)
        async throws -> (
            mission: String, session: String
        )
    {
        let id = try await propose(title)
        #expect(try await report(.testStarted, id).status == 200)
        #expect(try await uploadChanges(id).status == 200)
        #expect(try await upload(try await evidence(id, trust: trust, moreBlocks: moreBlocks)).status == 200)
        let answer = try await report(.testPassed, id)
        #expect(answer.status == 200)
        #expect(answer["phase"]?.string == "consensus")
        let shown = try await fixture.get("\(RouteTable.missionsPath)/\(id)", token: "viewer-token")
        return (id, try #require(shown["parliament_session_id"]?.string))
    }
}

/// A person with an SSH key.
struct Person {
    let name: String
    let keyFile: String
    var token: String { name + "-token" }

    static func make(_ name: String, in directory: String) async throws -> Person {
        let file = "\(directory)/\(name)-key"
        _ = try await SSHKeygen.generate(path: file, comment: name, passphrase: "")
        return Person(name: name, keyFile: file)
    }

    /// Fetches the statement, signs it, and gives the armored signature and the envelope.
    func sign(_ fixture: Fixture, _ mission: String, _ decision: String = "approve") async throws -> (String, JSON) {
        let offered = try await fixture.get(
            "\(RouteTable.missionsPath)/\(mission)/statement?decision=\(decision)", token: token)
        #expect(offered.status == 200)
        let payload = try #require(offered["payload"]?.string.flatMap { Data(base64Encoded: $0) })
        let armored = try await SSHKeygen.sign(
            message: ApprovalStatement.signedBytes(payload: payload), namespace: ActNamespace.approve, keyFile: keyFile)
        return (armored, try JSON(encoding: ApprovalStatement.envelope(payload: payload, armored: armored)))
    }
}
