import Documents
import Foundation
import Fork
import Ledger
import Linux
import Measurement
import Missions
import Parliament
import Trust

/// A mission that may be promoted, with every part of it in reach of a test that breaks one. ``input()`` signs and proves what
/// the parts say.
struct Case {
    static let now = Date(timeIntervalSince1970: 1_795_000_000)

    // The people: two operators (one with a second key), one of security, one who is nobody.
    var alice: TestPerson
    var aliceOther: TestPerson
    var bob: TestPerson
    var dave: TestPerson
    var mallory: TestPerson

    var agentKey: SigningKey
    var ledgerKey: SigningKey
    var host = HostIdentity(id: "host-1", name: "app1", labels: ["role": "app"], kernel: "6.1")

    var governanceText = """
        rules:
          - {id: logins, kind: path, level: hard_mandatory, deny: [/etc/ssh/**]}
          - {id: kinds, kind: kind, level: hard_mandatory, promote: [files]}
          - {id: severity, kind: severity, level: hard_mandatory, max: critical}
          - {id: margins, kind: max_margin, level: hard_mandatory, margins: {cpu_time: 20%}}
          - {id: demanded, kind: required_kpis, level: hard_mandatory, kpis: [latency_p95]}
          - {id: freeze, kind: time_window, level: hard_mandatory, freeze: []}
          - {id: accounts, kind: path, level: soft_mandatory, deny: [/etc/passwd]}
        """
    var constitutionText = "protected_paths: []\n"
    var approversText = """
        groups:
          operators: [alice, bob]
          security: [dave]
        rules:
          - require: [{group: operators, count: 2}]
        """
    /// Lines of allowed_signers.
    var signers: [String]

    var mission: MissionFile
    var changeSet: ChangeSet
    var base: Base
    var evidence: Evidence
    var session: Session
    /// What each voter signs; changed by tests before signing.
    var approvals: [(person: TestPerson, predicate: ApprovalPredicate, subject: Digest, namespace: String)]
    var overrides: [(person: TestPerson, predicate: OverridePredicate, subject: Digest)] = []
    /// Changes envelopes after signing.
    var tamper: (inout [Envelope]) -> Void = { _ in }
    /// Changes the proof after it was made.
    var tamperLedger: (inout LedgerProof) -> Void = { _ in }
    /// Changes the input at the very end.
    var finish: (inout ApprovalInput) -> Void = { _ in }
    /// Entries that the coordinator puts into its ledger beside the session and votes.
    var logsSession = true
    var logsVotes = true

    init() throws {
        alice = try TestPerson("alice")
        aliceOther = try TestPerson("alice")
        bob = try TestPerson("bob")
        dave = try TestPerson("dave")
        mallory = try TestPerson("mallory")
        signers = [alice, aliceOther, bob, dave].map(\.line)
        agentKey = try SigningKey(name: "app1/agent")
        ledgerKey = try SigningKey(name: "coordinator/ledger")

        let content = Digest(of: Data("new".utf8))
        changeSet = try ChangeSet([
            Change(path: "/srv/app/app.conf", kind: .modify, type: .file, mode: 0o644, size: 3, content: content)
        ])
        let before = FileState(type: .file, mode: 0o644, uid: 0, gid: 0, size: 3, content: Digest(of: Data("old".utf8)))
        base = try Base([BaseEntry(path: "/srv/app/app.conf", state: .present(before))])
        mission = MissionFile(
            title: "Tune", description: "Larger cache", rationale: "Latency rose",
            change: ChangeSpecification(
                action: .files([FileChange(path: "/srv/app/app.conf", content: "new")]), touches: ["/srv/app"]),
            trial: TrialPlan(boundaries: [
                Boundary(kpi: .latency_p95, role: .goal, amount: 0.1),
                Boundary(kpi: .cpu_time, role: .guardrail, amount: 0.1),
            ]))
        let zero = Digest(of: Data())
        evidence = Evidence(
            missionID: "m-1", missionDigest: zero, host: host, nonce: "nonce-1", createdAt: Self.now - 600,
            changeSet: zero,
            base: zero, changes: ["modify /srv/app/app.conf"], trial: Self.trial(), metrics: KPIMetrics(Self.trial()),
            sandbox: SandboxReport(success: true), checks: [], governance: [], constitution: [],
            hunter: HunterReport(findings: [], scanners: [:], score: 1),
            trust: TrustScore(kpi: 1, governance: 1, constitution: 1, security: 1, total: 1, reasons: []),
            policies: PolicyDigests(governance: zero, constitution: zero, approvers: zero))
        session = try Session(
            session_id: "s-1", mission_id: "m-1", title: "Tune", evidence: zero, changeSet: zero,
            electorate: ["alice", "bob"],
            approval_threshold: 1, quorum_required: 2, opened_at: Self.now - 300, expires_at: Self.now + 3000)
        approvals = []
        try rebuild()
    }

    /// A passed trial with a goal and a guardrail.
    static func trial(_ verdict: Verdict = .PASS, h: Double = 0.999) -> TrialResult {
        let kpis = [(KPI.latency_p95, KPIResult.Role.goal), (.cpu_time, .guardrail)].map { kpi, role in
            var line = KPIResult(kpi: kpi, role: role, boundary: nil)
            line.verdict =
                role == .goal ? verdict == .REGRESSION ? .PASS : verdict : verdict == .REGRESSION ? .REGRESSION : .PASS
            line.measured = true
            line.h = h
            return line
        }
        return TrialResult(
            verdict: verdict, reason: "as told", blocks: 12, moreBlocksCanHelp: verdict == .INCONCLUSIVE, kpis: kpis)
    }

    /// Puts the digests of the parts into the evidence, and approvals of both operators on that evidence.
    mutating func rebuild() throws {
        evidence.missionDigest = try mission.digest
        evidence.changeSet = changeSet.digest
        evidence.base = base.digest
        evidence.policies = PolicyDigests(
            governance: Digest(of: Data(governanceText.utf8)), constitution: Digest(of: Data(constitutionText.utf8)),
            approvers: Digest(of: Data(approversText.utf8)))
        approvals = try [alice, bob].map { try approval(of: $0) }
    }

    /// The whole approval of a person, on the evidence as it is.
    func approval(of person: TestPerson) throws -> (TestPerson, ApprovalPredicate, Digest, String) {
        let payload = try ApprovalStatement.make(
            decision: .approve, voter: person.name, reason: "looks right", session: "s-1",
            evidencePayload: EvidenceStatement.make(evidence), checkpoint: seen().note, now: Self.now - 60)
        return (person, try Statement(payload: payload).predicate.decode(), evidence.changeSet, ActNamespace.approve)
    }

    func override(_ items: [OverridePredicate.Item], of person: TestPerson) throws -> (
        TestPerson, OverridePredicate, Digest
    ) {
        let predicate = OverridePredicate(
            by: person.name, items: items, reason: "we must", mission: "m-1", host: host.id,
            evidence: Digest(of: try EvidenceStatement.make(evidence)), nonce: evidence.nonce, issuedAt: Self.now - 60,
            expires: Self.now + 600)
        return (person, predicate, evidence.changeSet)
    }

    /// What stands in the ledger before anybody votes.
    private static let earlier = (0..<5).map { Data("earlier \($0)".utf8) }

    /// The checkpoint that voters saw.
    func seen() throws -> Checkpoint {
        try Checkpoint.signed(size: 5, root: MerkleHash.root(of: Self.earlier.map(MerkleHash.leaf)), by: ledgerKey)
    }

    private func proof(_ envelopes: [Envelope]) throws -> LedgerProof {
        let opened = try Session(
            session_id: "s-1", mission_id: "m-1", title: "Tune", evidence: Digest(of: EvidenceStatement.make(evidence)),
            changeSet: evidence.changeSet, electorate: ["alice", "bob"], approval_threshold: 1, quorum_required: 2,
            opened_at: Self.now - 300, expires_at: Self.now + 3000)
        var own: [Data] = []
        if logsSession {
            own.append(try ParliamentRecord.opened(opened, id: "1", at: Self.now - 300, actor: "coordinator").leaf())
        }
        if logsVotes {
            for (index, envelope) in envelopes.enumerated() {
                let vote = Vote(voter: "someone", vote: .approve, at: Self.now - 60, approval: envelope)
                own.append(try ParliamentRecord.cast(vote, in: opened, id: "v\(index)", at: Self.now).leaf())
            }
        }
        let leaves = Self.earlier + own + [Data("later".utf8)]
        let hashes = leaves.map(MerkleHash.leaf)
        let subtree: MerkleProof.Subtree = { height, index in
            MerkleHash.root(of: hashes[(Int(index) << height)..<(Int(index + 1) << height)])
        }
        let size = UInt64(leaves.count)
        let checkpoint = try Checkpoint.signed(size: size, root: MerkleHash.root(of: hashes), by: ledgerKey)
        var entries: [LedgerProof.Inclusion] = []
        for (offset, leaf) in own.enumerated() {
            let index = UInt64(5 + offset)
            entries.append(
                .init(
                    index: index, leaf: leaf,
                    proof: try MerkleProof.inclusion(index: index, size: size, subtree: subtree)))
        }
        let consistency = try MerkleProof.consistency(oldSize: 5, newSize: size, subtree: subtree)
        return LedgerProof(
            key: ledgerKey.publicKey, checkpoint: checkpoint.note, entries: entries, consistency: [5: consistency],
            known: try seen())
    }

    func input() throws -> ApprovalInput {
        var envelopes = try approvals.map {
            try $0.person.envelope(
                $0.predicate, subject: [.init(name: "change-set", sha256: $0.subject)], namespace: $0.namespace)
        }
        tamper(&envelopes)
        var ledger = try proof(envelopes)
        tamperLedger(&ledger)
        var input = ApprovalInput(
            now: Self.now, host: host, agentKey: agentKey.publicKey, paused: false, threshold: 0.95, missionID: "m-1",
            mission: mission, proposer: "carol",
            evidence: try Envelope.sign(
                payload: EvidenceStatement.make(evidence), type: Statement.payloadType, key: agentKey),
            changeSet: changeSet, base: base,
            completeness: EvidenceCompleteness(commands: .recorded, deniedCalls: .recorded, network: .recorded),
            gracePaths: ConstitutionContext.standardGracePaths, nonce: .issued(expires: Self.now + 60),
            damagedBlobs: [],
            conflicts: [], revoked: [], governance: try Governance.parse(file: "governance.yaml", text: governanceText),
            constitution: try Constitution.parse(file: "constitution.yaml", text: constitutionText),
            approvers: try Approvers.parse(file: "approvers.yaml", text: approversText),
            allowedSigners: try AllowedSigners(parsing: signers.joined(separator: "\n"), file: "allowed_signers"),
            sessionID: "s-1", approvals: envelopes,
            overrides: try overrides.map {
                try $0.person.envelope($0.predicate, subject: [.init(name: "change-set", sha256: $0.subject)])
            }, ledger: ledger)
        finish(&input)
        return input
    }

    func verdict() throws -> Result<AuthorizedPromotion, Refusals> { ApprovalVerifier.verify(try input()) }
}
