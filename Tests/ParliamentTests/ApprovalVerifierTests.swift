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

let other = Digest(of: Data("other".utf8))

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
