internal import Documents
internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird
internal import Ledger
internal import Missions
internal import Parliament

/// Signed acts beside approvals.
extension RouteTable {
    static let acts: [Route] = [
        Route(
            method: .post, path: "/api/acts", name: "act", tag: "parliament",
            summary: "Takes a signed override or revocation (DSSE envelope, SSHSIG). The agent verifies whose it is.",
            access: .role(.approver), body: .json("SignatureRequest"), content: .json("ActAnswer"),
            refusals: [.notFound, .conflict, .unprocessableContent], handler: act)
    ]

    private static func act(_ call: Call) async throws -> Response {
        let body = try await call.json()
        let envelope = try call.decode(Envelope.self, body["signature"], "signature")
        let principal = try call.caller.principal
        guard let type = (try? Statement(payload: envelope.payload))?.predicateType else {
            throw Refusal.invalid("“signature” does not hold an in-toto statement in canonical JSON.")
        }
        let (kind, mission) = try await call.hub.change { transaction in
            switch type {
            case OverridePredicate.predicateType:
                let act = try Acts.checked(OverridePredicate.self, envelope, now: transaction.now)
                let mission = try transaction.existing(act.mission)
                guard let stored = try transaction.writer.evidence(mission: mission.id), stored.digest == act.evidence
                else {
                    throw Refusal.conflict(
                        "other-evidence", "The override is about other evidence than the mission's present one.")
                }
                try transaction.add(
                    act: envelope, kind: "override", mission: mission.id, session: mission.sessionID, by: principal)
                if let id = mission.sessionID, let record = try transaction.writer.session(id) {
                    try transaction.decide(try record.session, by: principal)
                }
                return ("override", Optional(mission.id))
            case RevocationPredicate.predicateType:
                let act = try Acts.checked(RevocationPredicate.self, envelope, now: transaction.now)
                guard let revoked = try transaction.writer.act(act.approval) else {
                    throw Refusal.notFound("There is no act \(act.approval) to revoke.")
                }
                try transaction.add(
                    act: envelope, kind: "revocation", mission: revoked.missionID, session: revoked.sessionID,
                    by: principal)
                try transaction.announce(
                    "act.revoked", mission: revoked.missionID,
                    ["act": .string(act.approval.hex), "by": .string(principal)])
                return ("revocation", revoked.missionID)
            default:
                throw Refusal.invalid(
                    "Statements of type “\(type.prefix(80))” are not taken here: votes go to their session, rollbacks to their mission, "
                        + "the threshold to /api/trust/threshold.")
            }
        }
        return .json([
            "success": true, "kind": .string(kind), "mission_id": MissionView.text(mission),
            "act": .string(ActEnvelope.id(envelope).hex),
            "message": "The act is kept and goes to the agent, which verifies it.",
        ])
    }
}
