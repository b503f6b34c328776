import Documents
import Foundation
import Ledger
import Measurement
import Missions
import Parliament
import Testing

@Suite("Overrides")
struct OverrideTests {
    private func inconclusive() throws -> Case {
        var short = try Case()
        short.evidence.trial = Case.trial(.INCONCLUSIVE)
        try short.rebuild()
        short.overrides = try [short.alice, short.bob].map { try short.override([.inconclusive], of: $0) }
        return short
    }

    @Test("INCONCLUSIVE passes by the signed override of as many people as must approve")
    func letsThrough() throws {
        let leave = try inconclusive().verdict().get()
        #expect(leave.overridden == [.inconclusive])
        #expect(leave.overrides.count == 2)
        #expect(leave.expires == Case.now + 600)
    }

    @Test("trust below the threshold and a soft rule pass together by one act that names both")
    func severalItems() throws {
        var short = try Case()
        short.evidence.trial = Case.trial(h: 0.5)
        short.governanceText = short.governanceText.replacing("/etc/passwd", with: "/srv/app/*")
        try short.rebuild()
        short.overrides = try [short.alice, short.bob].map { try short.override([.trust, .rule("accounts")], of: $0) }
        let leave = try short.verdict().get()
        #expect(Set(leave.overridden) == [.trust, .rule("accounts")])
    }

    @Test("an override that nothing needs changes nothing and is not counted")
    func unneeded() throws {
        var whole = try Case()
        whole.overrides = [try whole.override([.trust], of: whole.alice)]
        let leave = try whole.verdict().get()
        #expect(leave.overridden == [] && leave.overrides == [])
    }

    @Test("approvers.yaml may name other people for overrides")
    func otherPeople() throws {
        var short = try inconclusive()
        short.approversText += "\noverrides: {require: [{group: security, count: 1}]}\n"
        try short.rebuild()
        short.overrides = [try short.override([.inconclusive], of: short.dave)]
        #expect(try short.verdict().get().overridden == [.inconclusive])
        short.overrides = try [short.alice, short.bob].map { try short.override([.inconclusive], of: $0) }
        #expect(throws: Refusals.self) { try short.verdict().get() }
    }

    static let faults: [(String, String, @Sendable (inout Case) throws -> Void)] = [
        ("another mission", "otherMission", { $0.overrides[1].predicate.mission = "m-2" }),
        ("another host", "otherHost", { $0.overrides[1].predicate.host = "host-2" }),
        ("other evidence", "otherEvidence", { $0.overrides[1].predicate.evidence = Digest(of: Data()) }),
        ("another nonce", "otherNonce", { $0.overrides[1].predicate.nonce = "x" }),
        ("another change set", "otherChangeSet", { $0.overrides[1].subject = Digest(of: Data()) }),
        ("no reason", "noReason", { $0.overrides[1].predicate.reason = " " }),
        ("expired", "expired", { $0.overrides[1].predicate.expires = Case.now }),
        ("somebody else's key", "keyOfAnother", { $0.overrides[1].person = $0.alice }),
        (
            "revoked", "revoked",
            { $0.finish = { input in input.revoked = [ActEnvelope.id(input.overrides[1])] } }
        ),
        (
            "an approval in its place", "namespace",
            { $0.finish = { input in input.overrides[1] = input.approvals[1] } }
        ),
    ]

    @Test("an override with one fault does not count, and the fault is named", arguments: faults.indices)
    func faulty(index: Int) throws {
        let (what, fault, breaking) = Self.faults[index]
        var short = try inconclusive()
        try breaking(&short)
        guard case .failure(let refusals) = try short.verdict() else {
            Issue.record("\(what): was let through")
            return
        }
        #expect(refusals.all.map(name) == ["inconclusive", "override(bob).\(fault)"], "\(what): \(refusals)")
    }

    @Test("an override never stands in for an approval")
    func noApproval() throws {
        var short = try inconclusive()
        short.approvals = []
        guard case .failure(let refusals) = try short.verdict() else {
            Issue.record("was let through")
            return
        }
        #expect(refusals.all.map(name) == ["tooFewPeople(operators 0/2)"])
    }

    @Test("a surplus approval with a fault is ignored and named, and stops nothing")
    func surplus() throws {
        var whole = try Case()
        whole.approvals.append(try whole.approval(of: whole.mallory))
        let leave = try whole.verdict().get()
        #expect(leave.ignored.map(name) == ["approval(mallory).keyNotAllowed"])
        #expect(leave.people == ["alice", "bob"])
    }

    @Test("items come back from their text, and nothing else is one")
    func items() {
        for item in [OverridePredicate.Item.trust, .inconclusive, .cooldown, .rule("a:b")] {
            #expect(OverridePredicate.Item(item.description) == item)
        }
        for text in ["", "regression", "rule:", "Trust"] { #expect(OverridePredicate.Item(text) == nil) }
    }
}
