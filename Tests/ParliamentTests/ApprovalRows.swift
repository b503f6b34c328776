import Documents
import Foundation
import Ledger
import Measurement
import Missions
import Parliament
import Trust

// MARK: - The people

let peopleRows: [Row] = [
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

let judgementRows: [Row] = [
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

let ledgerRows: [Row] = [
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
