import Documents
import Foundation
import Fork
import Ledger
import Linux
import Measurement
import Missions
import Parliament
import Testing
import Trust

/// What a row expects: the refusals by their cases' names, so that texts may change.
func name(_ refusal: Refusal) -> String {
    switch refusal {
    case .approval(let by, let fault): "approval(\(by)).\(name(fault))"
    case .override(let by, let fault): "override(\(by)).\(name(fault))"
    case .ruleForbids(let rule, _): "ruleForbids(\(rule))"
    case .ruleNeedsOverride(let rule, _): "ruleNeedsOverride(\(rule))"
    case .principleViolated(let principle, _): "principleViolated(\(principle))"
    case .tooFewPeople(let group, let have, let need): "tooFewPeople(\(group) \(have)/\(need))"
    default: refusal.code
    }
}

func name(_ fault: ActFault) -> String { fault.code }

/// One thing broken in an otherwise valid case, and the refusals that must come of it, no more and no fewer.
struct Row: Sendable, CustomTestStringConvertible {
    let what: String
    let refusals: [String]
    let breaking: @Sendable (inout Case) throws -> Void

    init(_ what: String, _ refusals: String..., breaking: @escaping @Sendable (inout Case) throws -> Void) {
        self.what = what
        self.refusals = refusals
        self.breaking = breaking
    }

    var testDescription: String { what }
}

@Suite("The gate before live")
struct ApprovalVerifierTests {
    @Test("a mission with everything in order is let through, and the leave says what it rests on")
    func letsThrough() throws {
        let whole = try Case()
        let leave = try whole.verdict().get()
        #expect(leave.people == ["alice", "bob"])
        #expect(leave.approvals.count == 2)
        #expect(leave.nonce == "nonce-1")
        #expect(leave.changeSet == whole.changeSet.digest)
        #expect(leave.overridden == [] && leave.overrides == [] && leave.ignored == [])
        #expect(leave.expires == Case.now - 60 + 3600)
        #expect(leave.trust.total > 0.99)
        #expect(leave.checkpoint.size == 9)
    }

    static let rows: [Row] = agentRows + approvalRows + peopleRows + judgementRows + ledgerRows

    @Test("one broken thing is refused by exactly the check that is for it", arguments: rows)
    func refuses(row: Row) throws {
        var broken = try Case()
        try row.breaking(&broken)
        switch try broken.verdict() {
        case .success: Issue.record("\(row.what): was let through")
        case .failure(let refusals):
            #expect(refusals.all.map(name) == row.refusals, "\(refusals)")
            for refusal in refusals.all {
                #expect(refusal.description.hasSuffix(".") || refusal.description.contains(". "), "\(refusal)")
            }
        }
    }

    @Test("every row has a description of its own")
    func rowsAreDistinct() {
        #expect(Set(Self.rows.map(\.what)).count == Self.rows.count)
    }
}

// MARK: - The agent, the mission and what was tested

private let agentRows: [Row] = [
    Row("paused", "paused") { $0.finish = { $0.paused = true } },
    Row("evidence signed by another agent", "evidenceNotOwn") { broken in
        let other = try SigningKey(name: "app1/agent")
        broken.finish = { $0.agentKey = other.publicKey }
    },
    Row("evidence changed after signing", "evidenceNotOwn") { broken in
        var other = broken.evidence
        other.nonce = "nonce-2"
        let payload = try EvidenceStatement.make(other)
        broken.finish = {
            $0.evidence = Envelope(
                payloadType: $0.evidence.payloadType, payload: payload, signatures: $0.evidence.signatures)
        }
    },
    Row("evidence of another payload type", "evidenceNotOwn") { broken in
        let key = broken.agentKey
        let payload = try EvidenceStatement.make(broken.evidence)
        let envelope = try Envelope.sign(payload: payload, type: "application/json", key: key)
        broken.finish = { $0.evidence = envelope }
    },
    Row("an approval passed off as evidence", "evidenceNotOwn") { broken in
        let key = broken.agentKey
        let payload = try broken.approvals[0].predicate.payload(
            subject: ApprovalStatement.subject(changeSet: broken.changeSet.digest))
        let envelope = try Envelope.sign(payload: payload, type: Statement.payloadType, key: key)
        broken.finish = { $0.evidence = envelope }
    },
    Row("evidence of another host", "evidenceOfOtherHost") { broken in
        // The approvals name this host, the evidence does not.
        broken.evidence.host.id = "host-2"
        try broken.rebuild()
        for index in broken.approvals.indices { broken.approvals[index].predicate.host = "host-1" }
    },
    Row("evidence of another mission", "evidenceOfOtherMission") { broken in
        broken.evidence.missionID = "m-2"
        try broken.rebuild()
        for index in broken.approvals.indices { broken.approvals[index].predicate.mission = "m-1" }
    },
    Row("mission file changed since the test", "missionFileChanged") { broken in
        broken.finish = { $0.mission.live.apply.run = ["rm -rf /srv"] }
    },
    Row("stored change set is another", "changeSetChanged") { broken in
        let other = try ChangeSet([
            Change(
                path: "/srv/app/app.conf", kind: .modify, type: .file, mode: 0o600, size: 3,
                content: Digest(of: Data("new".utf8)))
        ])
        broken.finish = { $0.changeSet = other }
    },
    Row("stored base is another", "baseDocumentChanged") { broken in
        let other = try Base(broken.base.entries + [BaseEntry(path: "/srv/app/other", state: .absent)])
        broken.finish = { $0.base = other }
    },
    Row("nonce unknown", "nonceUnknown") { $0.finish = { $0.nonce = .unknown } },
    Row("nonce burned", "nonceBurned") { $0.finish = { $0.nonce = .burned } },
    Row("nonce expired", "nonceExpired") { $0.finish = { $0.nonce = .issued(expires: Case.now) } },
    Row("blobs that do not match", "blobsDamaged") { $0.finish = { $0.damagedBlobs = [Digest(of: Data("new".utf8))] } },
    Row("live changed under the tested base", "baseConflict") {
        $0.finish = { $0.conflicts = ["/srv/app/app.conf: the content is another one"] }
    },
    Row("a check failed", "checkFailed") { broken in
        broken.evidence.checks = [CheckResult(name: "tests", passed: false, exitCode: 1, message: "1 failed")]
        try broken.rebuild()
    },
    Row(
        "governance.yaml changed since the test and the votes", "governanceChanged", "approval(alice).otherGovernance",
        "approval(bob).otherGovernance"
    ) {
        $0.governanceText += "\n# edited"
    },
    Row(
        "constitution.yaml changed since the test and the votes", "constitutionChanged",
        "approval(alice).otherConstitution", "approval(bob).otherConstitution"
    ) {
        $0.constitutionText += "\n# edited"
    },
    Row(
        "approvers.yaml changed since the test and the votes", "approversChanged", "approval(alice).otherApprovers",
        "approval(bob).otherApprovers"
    ) {
        $0.approversText += "\n# edited"
    },
    Row("governance.yaml changed since the test, before the votes", "governanceChanged") { broken in
        broken.governanceText += "\n# edited"
        for index in broken.approvals.indices {
            broken.approvals[index].predicate.policies.governance = Digest(of: Data(broken.governanceText.utf8))
        }
    },
    Row("constitution.yaml changed since the test, before the votes", "constitutionChanged") { broken in
        broken.constitutionText += "\n# edited"
        for index in broken.approvals.indices {
            broken.approvals[index].predicate.policies.constitution = Digest(of: Data(broken.constitutionText.utf8))
        }
    },
    Row("approvers.yaml changed since the test, before the votes", "approversChanged") { broken in
        broken.approversText += "\n# edited"
        for index in broken.approvals.indices {
            broken.approvals[index].predicate.policies.approvers = Digest(of: Data(broken.approversText.utf8))
        }
    },
]

// MARK: - One approval

private func bob(_ fault: String, _ what: String, _ breaking: @escaping @Sendable (inout ApprovalPredicate) -> Void)
    -> Row
{
    Row(what, "approval(bob).\(fault)") { breaking(&$0.approvals[1].predicate) }
}

private let other = Digest(of: Data("other".utf8))

private let approvalRows: [Row] = [
    bob("decision", "decision reject") { $0.decision = .reject },
    bob("decision", "decision abstain") { $0.decision = .abstain },
    bob("otherHost", "approval for another host") { $0.host = "host-2" },
    bob("otherMission", "approval for another mission") { $0.mission = "m-2" },
    bob("otherMissionFile", "approval for another mission file") { $0.missionDigest = other },
    bob("otherEvidence", "approval for other evidence") { $0.evidence = other },
    bob("otherBase", "approval for another base") { $0.base = other },
    bob("otherGovernance", "approval under another governance.yaml") { $0.policies.governance = other },
    bob("otherConstitution", "approval under another constitution.yaml") { $0.policies.constitution = other },
    bob("otherApprovers", "approval under another approvers.yaml") { $0.policies.approvers = other },
    bob("otherNonce", "approval with another nonce") { $0.nonce = "nonce-2" },
    bob("otherSession", "approval from another session") { $0.session = "s-2" },
    bob("expired", "approval expired") {
        $0.issuedAt = Case.now - 3600
        $0.expires = Case.now
    },
    bob("lifetimeTooLong", "approval valid for longer than an hour") { $0.expires = $0.issuedAt + 3601 },
    bob("issuedInFuture", "approval from the future") {
        $0.issuedAt = Case.now + 301
        $0.expires = Case.now + 600
    },
    bob("keyOfAnother", "alice's name over bob's key", { _ in }),
    Row("approval for another change set", "approval(bob).otherChangeSet") { $0.approvals[1].subject = other },
    Row("signed for the namespace of overrides", "approval(bob).namespace") {
        $0.approvals[1].namespace = ActNamespace.override
    },
    Row("signed for the namespace of rollbacks", "approval(bob).namespace") {
        $0.approvals[1].namespace = ActNamespace.rollback
    },
    Row("signed for the namespace of git", "approval(bob).namespace") { $0.approvals[1].namespace = "git" },
    Row("approval of another payload type", "approval(bob).payloadType") { broken in
        broken.tamper = {
            $0[1] = Envelope(payloadType: "application/json", payload: $0[1].payload, signatures: $0[1].signatures)
        }
    },
    Row("payload changed after signing", "approval(bob).signature") { broken in
        var predicate = broken.approvals[1].predicate
        predicate.reason = "something else"
        let payload = try predicate.payload(subject: ApprovalStatement.subject(changeSet: broken.changeSet.digest))
        broken.tamper = {
            $0[1] = Envelope(payloadType: $0[1].payloadType, payload: payload, signatures: $0[1].signatures)
        }
    },
    Row("alice's signature over bob's statement", "approval(bob).keyOfAnother") { broken in
        let (alice, predicate) = (broken.alice, broken.approvals[1].predicate)
        let subject = ApprovalStatement.subject(changeSet: broken.changeSet.digest)
        let envelope = try alice.envelope(predicate, subject: subject)
        broken.tamper = { $0[1] = envelope }
    },
    Row("no signature", "approval(bob).signatureCount") { broken in
        broken.tamper = { $0[1].signatures = [] }
    },
    Row("two signatures", "approval(bob).signatureCount") { broken in
        broken.tamper = { $0[1].signatures += $0[0].signatures }
    },
    Row("a signature that is no SSHSIG", "approval(bob).malformed") { broken in
        broken.tamper = { $0[1].signatures = [.init(keyid: "SHA256:x", sig: Data("signed, bob".utf8))] }
    },
    Row("a signature that is not text", "approval(bob).malformed") { broken in
        broken.tamper = { $0[1].signatures = [.init(keyid: "SHA256:x", sig: Data([0xFF, 0xFE]))] }
    },
    Row("a key id of another key", "approval(bob).keyHint") { broken in
        broken.tamper = { $0[1].signatures = [.init(keyid: $0[0].signatures[0].keyid, sig: $0[1].signatures[0].sig)] }
    },
    Row("a statement of another predicate type", "approval(bob).predicateType") { broken in
        let bob = broken.bob
        let statement = Statement(
            subject: ApprovalStatement.subject(changeSet: broken.changeSet.digest),
            predicateType: OverridePredicate.predicateType,
            predicate: try JSON(encoding: broken.approvals[1].predicate))
        let envelope = try bob.envelope(payload: statement.payload(), namespace: ActNamespace.approve)
        broken.tamper = { $0[1] = envelope }
    },
    Row("a statement with a field unknown here", "approval(bob).statement") { broken in
        let bob = broken.bob
        var predicate = try JSON(encoding: broken.approvals[1].predicate).object ?? [:]
        predicate["onlyIf"] = "the moon is full"
        let statement = Statement(
            subject: ApprovalStatement.subject(changeSet: broken.changeSet.digest),
            predicateType: ApprovalPredicate.predicateType,
            predicate: .object(predicate))
        let envelope = try bob.envelope(payload: statement.payload(), namespace: ActNamespace.approve)
        broken.tamper = { $0[1] = envelope }
    },
    Row("a payload that is no statement", "approval(somebody unknown).statement", "tooFewPeople(operators 1/2)") {
        broken in
        let envelope = try broken.bob.envelope(payload: Data("I, bob, approve".utf8), namespace: ActNamespace.approve)
        broken.tamper = { $0[1] = envelope }
    },
    Row("two subjects", "approval(bob).otherChangeSet") { broken in
        let predicate = broken.approvals[1].predicate
        let subject = ApprovalStatement.subject(changeSet: broken.changeSet.digest)
        let envelope = try broken.bob.envelope(predicate, subject: subject + [.init(name: "more", sha256: other)])
        broken.tamper = { $0[1] = envelope }
    },
    Row("approval revoked", "approval(bob).revoked") { broken in
        broken.finish = { $0.revoked = [ActEnvelope.id($0.approvals[1])] }
    },
].filter { $0.what != "alice's name over bob's key" }

// MARK: - The people

private let peopleRows: [Row] = [
    Row("nobody approved", "tooFewPeople(operators 0/2)") { $0.approvals = [] },
    Row("one of two approved", "tooFewPeople(operators 1/2)") { $0.approvals.removeLast() },
    Row("the same approval twice", "tooFewPeople(operators 1/2)") { $0.approvals[1] = $0.approvals[0] },
    Row("one person with two keys", "tooFewPeople(operators 1/2)") {
        $0.approvals[1] = try $0.approval(of: $0.aliceOther)
    },
    Row("one person under two names on one key", "tooFewPeople(operators 1/2)") { broken in
        // bob's name stands beside alice's on alice's key: whoever holds it is one person.
        broken.signers[0] = "alice,bob \(broken.alice.publicKey.line)"
    },
    Row("somebody of another group", "tooFewPeople(operators 1/2)") { $0.approvals[1] = try $0.approval(of: $0.dave) },
    Row("a key that was never allowed", "approval(mallory).keyNotAllowed", "tooFewPeople(operators 1/2)") {
        $0.approvals[1] = try $0.approval(of: $0.mallory)
    },
    Row("a stranger's key in bob's name", "approval(bob).keyNotAllowed") { broken in
        broken.approvals[1] = (
            broken.mallory, broken.approvals[1].predicate, broken.approvals[1].subject, ActNamespace.approve
        )
    },
    Row("a key taken out of allowed_signers", "approval(bob).keyNotAllowed") { broken in
        let line = broken.bob.line
        broken.signers.removeAll { $0 == line }
    },
    Row("a key past its valid-before", "approval(bob).keyNotAllowed") { broken in
        let line = broken.bob.line
        broken.signers = broken.signers.map {
            $0 == line ? "bob valid-before=\"20200101Z\" \(broken.bob.publicKey.line)" : $0
        }
    },
    Row("a key for other namespaces", "approval(bob).keyNotAllowed") { broken in
        let line = broken.bob.line
        broken.signers = broken.signers.map {
            $0 == line ? "bob namespaces=\"git,override@grace\" \(broken.bob.publicKey.line)" : $0
        }
    },
    Row("a key of a wildcard", "approval(bob).keyNotAllowed") { broken in
        let line = broken.bob.line
        broken.signers = broken.signers.map { $0 == line ? "b* \(broken.bob.publicKey.line)" : $0 }
    },
    Row("the proposer barred", "approval(bob).proposerBarred") { broken in
        broken.approversText = broken.approversText.replacing("count: 2}]", with: "count: 2}]\n    proposer: barred")
        try broken.rebuild()
        broken.finish = { $0.proposer = "bob" }
    },
    Row("the proposer barred under another of her names", "approval(alice).proposerBarred") { broken in
        broken.approversText = broken.approversText.replacing("count: 2}]", with: "count: 2}]\n    proposer: barred")
        broken.signers[0] = "alice,a.smith \(broken.alice.publicKey.line)"
        try broken.rebuild()
        broken.finish = { $0.proposer = "a.smith" }
    },
    Row("the proposer barred but unknown", "proposerUnknown") { broken in
        broken.approversText = broken.approversText.replacing("count: 2}]", with: "count: 2}]\n    proposer: barred")
        try broken.rebuild()
        broken.finish = { $0.proposer = nil }
    },
    Row(
        "user presence wanted of plain keys", "approval(alice).userPresenceMissing", "approval(bob).userPresenceMissing"
    ) { broken in
        broken.approversText = broken.approversText.replacing("count: 2}]", with: "count: 2}]\n    user_presence: true")
        try broken.rebuild()
    },
    Row("a token that was not touched", "approval(bob).userPresenceMissing") { broken in
        broken.approversText = broken.approversText.replacing("count: 2}]", with: "count: 2}]\n    user_presence: true")
        broken.alice = try TestPerson("alice", touched: true)
        broken.bob = try TestPerson("bob", touched: false)
        broken.signers = [broken.alice.line, broken.bob.line]
        try broken.rebuild()
    },
    Row("a group that is missing altogether", "tooFewPeople(security 0/1)") { broken in
        broken.approversText = broken.approversText.replacing(
            "count: 2}", with: "count: 2}, {group: security, count: 1}")
        try broken.rebuild()
    },
    Row("no rule for this severity", "nobodyMayApprove") { broken in
        broken.approversText = broken.approversText.replacing(
            "- require:", with: "- severity: [critical]\n    require:")
        try broken.rebuild()
    },
    Row("no rule for this host", "nobodyMayApprove") { broken in
        broken.approversText = broken.approversText.replacing(
            "- require:", with: "- labels: {role: database}\n    require:")
        try broken.rebuild()
    },
]

// MARK: - The judgement

private let judgementRows: [Row] = [
    Row("REGRESSION", "regression") { broken in
        broken.evidence.trial = Case.trial(.REGRESSION)
        try broken.rebuild()
    },
    Row("a guardrail in REGRESSION under a verdict of PASS", "regression") { broken in
        broken.evidence.trial = Case.trial(.REGRESSION)
        broken.evidence.trial.verdict = .PASS
        try broken.rebuild()
    },
    Row("REGRESSION with every override there is", "regression") { broken in
        broken.evidence.trial = Case.trial(.REGRESSION)
        try broken.rebuild()
        broken.overrides = try [broken.alice, broken.bob].map {
            try broken.override([.trust, .inconclusive, .rule("accounts")], of: $0)
        }
    },
    Row("INCONCLUSIVE", "inconclusive") { broken in
        broken.evidence.trial = Case.trial(.INCONCLUSIVE)
        try broken.rebuild()
    },
    Row("INCONCLUSIVE with an override of trust", "inconclusive") { broken in
        broken.evidence.trial = Case.trial(.INCONCLUSIVE)
        try broken.rebuild()
        broken.overrides = try [broken.alice, broken.bob].map { try broken.override([.trust], of: $0) }
    },
    Row("INCONCLUSIVE with one person's override of two", "inconclusive") { broken in
        broken.evidence.trial = Case.trial(.INCONCLUSIVE)
        try broken.rebuild()
        broken.overrides = [try broken.override([.inconclusive], of: broken.alice)]
    },
    Row("trust below the threshold, whatever the evidence claims", "trustTooLow") { broken in
        broken.evidence.trial = Case.trial(h: 0.8)
        broken.evidence.trust.total = 1
        try broken.rebuild()
    },
    Row("a threshold raised since the test", "trustTooLow") { $0.finish = { $0.threshold = 1 } },
    Row("a threshold that is no number", "judgementInvalid") { $0.finish = { $0.threshold = .nan } },
    Row(
        "a KPI that policy requires is not measured", "ruleForbids(demanded)", "principleViolated(measured)",
        "trustTooLow"
    ) { broken in
        broken.evidence.trial.kpis[0].measured = false
        try broken.rebuild()
    },
    Row("findings whose score is lied about", "trustTooLow") { broken in
        broken.evidence.hunter = HunterReport(
            findings: [Finding(id: "1", rule: "setuid", severity: .critical, path: "/x", message: "setuid")],
            scanners: [:], score: 1)
        try broken.rebuild()
    },
    Row("a freeze window that began after the votes", "ruleForbids(freeze)") { broken in
        let from = Documents.Timestamp.text(Case.now).prefix(10)
        broken.governanceText = broken.governanceText.replacing(
            "freeze: []", with: "freeze: [{from: \(from), until: 2099-01-01}]")
        try broken.rebuild()
    },
    Row("a hard rule with every override there is", "ruleForbids(freeze)") { broken in
        broken.governanceText = broken.governanceText.replacing(
            "freeze: []", with: "freeze: [{from: 2020-01-01, until: 2099-01-01}]")
        try broken.rebuild()
        broken.overrides = try [broken.alice, broken.bob].map {
            try broken.override([.trust, .inconclusive, .rule("freeze")], of: $0)
        }
    },
    Row("a soft rule", "ruleNeedsOverride(accounts)") { broken in
        broken.governanceText = broken.governanceText.replacing("/etc/passwd", with: "/srv/app/*")
        try broken.rebuild()
    },
    Row("a soft rule with an override of another rule", "ruleNeedsOverride(accounts)") { broken in
        broken.governanceText = broken.governanceText.replacing("/etc/passwd", with: "/srv/app/*")
        try broken.rebuild()
        broken.overrides = try [broken.alice, broken.bob].map { try broken.override([.rule("logins")], of: $0) }
    },
    Row("a path outside the declared scope", "principleViolated(within_scope)") { broken in
        broken.mission.change.touches = ["/srv/other"]
        broken.finish = { $0.threshold = 0.5 }
        try broken.rebuild()
    },
    Row("a path that the constitution protects, with every override there is", "principleViolated(hands_off_grace)") {
        broken in
        broken.constitutionText = "protected_paths: [/srv/**]\n"
        broken.finish = { $0.threshold = 0.5 }
        try broken.rebuild()
        broken.overrides = try [broken.alice, broken.bob].map { try broken.override([.trust, .inconclusive], of: $0) }
    },
]

// MARK: - The ledger

private let ledgerRows: [Row] = [
    Row("session not in the ledger", "sessionNotInLedger") { $0.logsSession = false },
    Row("votes not in the ledger", "approval(alice).notInLedger", "approval(bob).notInLedger") { $0.logsVotes = false },
    Row("one vote's proof does not hold", "approval(bob).notInLedger") { broken in
        broken.tamperLedger = { $0.entries[2].proof[0] = other }
    },
    Row("one vote's place is another", "approval(bob).notInLedger") { broken in
        broken.tamperLedger = { $0.entries[2].index -= 1 }
    },
    Row("the session's proof does not hold", "sessionNotInLedger") { broken in
        broken.tamperLedger = { $0.entries[0].proof.removeLast() }
    },
    Row("a leaf that is not in the tree", "approval(bob).notInLedger") { broken in
        broken.tamperLedger = {
            let leaf = String(decoding: $0.entries[2].leaf, as: UTF8.self).replacing("someone", with: "bob")
            $0.entries[2].leaf = Data(leaf.utf8)
        }
    },
    Row("the session in the ledger is on other evidence", "sessionNotInLedger") { broken in
        // Signed votes for this evidence, but the session was opened on another.
        broken.tamperLedger = { proof in
            let entry = proof.entries[0]
            proof.entries[0].leaf = Data(String(decoding: entry.leaf, as: UTF8.self).replacing("s-1", with: "s-9").utf8)
        }
    },
    Row("a checkpoint that another key signed", "checkpointRefused") { broken in
        let forged = try Checkpoint.signed(size: 9, root: other, by: SigningKey(name: "coordinator/ledger"))
        broken.tamperLedger = { $0.checkpoint = forged.note }
    },
    Row(
        "a ledger that is not the one agent and voters saw", "ledgerForked", "approval(alice).checkpointSeen",
        "approval(bob).checkpointSeen"
    ) { broken in
        broken.tamperLedger = { $0.consistency[5] = [other] }
    },
    Row(
        "no proof from what agent and voters saw", "ledgerForked", "approval(alice).checkpointSeen",
        "approval(bob).checkpointSeen"
    ) {
        $0.tamperLedger = { $0.consistency = [:] }
    },
    Row("a ledger shorter than the agent saw before", "ledgerForked") { broken in
        let longer = try Checkpoint.signed(size: 1000, root: other, by: broken.ledgerKey)
        broken.tamperLedger = { $0.known = longer }
    },
    Row("a ledger of the agent's size but another root", "ledgerForked") { broken in
        let same = try Checkpoint.signed(size: 9, root: other, by: broken.ledgerKey)
        broken.tamperLedger = { $0.known = same }
    },
    Row("a voter who saw another ledger", "approval(bob).checkpointSeen") { broken in
        broken.approvals[1].predicate.checkpoint = try Checkpoint.signed(size: 5, root: other, by: broken.ledgerKey)
            .note
    },
    Row("a voter who saw an unsigned checkpoint", "approval(bob).checkpointSeen") { broken in
        broken.approvals[1].predicate.checkpoint = "coordinator/ledger\n5\n\(other.bytes.base64EncodedString())\n"
    },
]
