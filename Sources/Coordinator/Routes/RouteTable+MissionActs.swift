internal import Documents
internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird
internal import Ledger
internal import Missions
internal import Parliament

/// What people do to a mission besides voting on it.
extension RouteTable {
    static let missionActs: [Route] = [
        Route(
            method: .post, path: missionsPath + "/{mission_id}/feedback", name: "giveFeedback", tag: "missions",
            summary: "Adds a person's words.", access: .role(.approver),
            query: [parameter("feedback", ["type": "string"], "The words; may also stand in the body.")],
            body: .json("FeedbackRequest", required: false), content: .json("Done"),
            refusals: [.conflict, .unprocessableContent],
            handler: feedback),
        Route(
            method: .post, path: missionsPath + "/{mission_id}/consensus", name: "decide", tag: "missions",
            summary: "Records the token holder's decision. A token is not a signature: this alone promotes nothing.",
            access: .role(.approver),
            query: [
                parameter("approved", ["type": "boolean"], "true approves, false rejects.", required: true), reason,
            ],
            content: .json("Decision"), refusals: [.conflict, .unprocessableContent], handler: consensus),
        Route(
            method: .post, path: missionsPath + "/{mission_id}/rollback", name: "rollBack", tag: "missions",
            summary: "Asks the host's agent to take the change back. After the watch it needs a signed act.",
            access: .role(.approver), query: [reason], body: .json("ActRequest", required: false),
            content: .json("Done"),
            refusals: [.conflict, .unprocessableContent], handler: rollback),
        Route(
            method: .post, path: missionsPath + "/{mission_id}/cancel", name: "cancel", tag: "missions",
            summary: "Ends a mission before it reaches live.", access: .role(.operator), query: [reason],
            body: .json("ReasonRequest", required: false), content: .json("Done"),
            refusals: [.conflict, .unprocessableContent],
            handler: cancel),
        Route(
            method: .post, path: missionsPath + "/{mission_id}/retest", name: "retest", tag: "missions",
            summary: "Tests a mission anew against live as it is now.", access: .role(.operator), query: [reason],
            body: .json("ReasonRequest", required: false), content: .json("Done"),
            refusals: [.conflict, .unprocessableContent],
            handler: retest),
    ]

    /// A text that may stand in the body or in the query.
    static func given(_ key: String, _ call: Call, _ body: JSON?) throws -> String? {
        if let body, body.object == nil {
            throw Refusal.invalid("The body is JSON, but not an object; this path takes one.")
        }
        if let text = try body.flatMap({ try call.optionalText($0, key) }) { return text }
        if let text = call.query[key], !text.isEmpty {
            guard text.utf8.count <= 16 << 10 else { throw Refusal.invalid("“\(key)” has more than 16384 bytes.") }
            return text
        }
        return nil
    }

    private static func feedback(_ call: Call) async throws -> Response {
        let body = try await call.optionalJSON()
        guard let text = try given("feedback", call, body), text.contains(where: { !$0.isWhitespace }) else {
            throw Refusal.invalid("“feedback” is missing or empty; it takes text.")
        }
        let (id, principal) = (call.parameter("mission_id"), try call.caller.principal)
        try await call.hub.change { try $0.addFeedback(text, to: id, by: principal) }
        return .json(["success": true, "message": "The feedback is with the mission."])
    }

    private static func consensus(_ call: Call) async throws -> Response {
        guard let text = call.query["approved"], let approved = ["true": true, "false": false][text] else {
            throw Refusal.invalid("The query parameter “approved” is needed, with true or false.")
        }
        let id = call.parameter("mission_id")
        let vote = BallotPaper(
            choice: approved ? "approve" : "reject", reason: try given("reason", call, nil), signature: nil)
        let outcome = try await call.hub.vote(vote, mission: id, token: try call.caller)
        return .json([
            "success": true, "approved": .bool(approved),
            "trust_score": MissionView.number(outcome.mission.evidence?.trust.total),
            "will_execute_to_live": false, "message": .string(outcome.message),
            "phase": .string(outcome.mission.phase.rawValue),
            "session_id": .string(outcome.sessionID), "decision": .string(outcome.decision),
        ])
    }

    private static func rollback(_ call: Call) async throws -> Response {
        let body = try await call.optionalJSON()
        let why = try given("reason", call, body)
        let act = try body?["signature"].flatMap { $0.isNull ? nil : try call.decode(Envelope.self, $0, "signature") }
        guard let why else { throw Refusal.invalid("“reason” is missing: say why it is taken back.") }
        let (id, principal) = (call.parameter("mission_id"), try call.caller.principal)
        let host = try await call.hub.change { transaction in
            let mission = try transaction.existing(id)
            guard mission.phase.next(on: .rollbackStarted) != nil else {
                throw Refusal.conflict(
                    "illegal-transition",
                    "The mission \(id) is in the phase \(mission.phase.rawValue), in which there is nothing to roll back.",
                    ["phase": .string(mission.phase.rawValue)])
            }
            if [.complete, .frozen].contains(mission.phase), act == nil {
                throw Refusal.invalid(
                    "The watch is over: taking the change back needs a signed act of a listed person. Run “grace rollback \(id) --key FILE”, "
                        + "which signs it (namespace rollback@grace), or run it as root on the host.")
            }
            if let act { try transaction.add(act: act, kind: "rollback", mission: id, session: nil, by: principal) }
            try transaction.request("rollback", of: mission, by: principal, reason: why, act: act)
            try transaction.record(
                "mission.rollback_requested", mission: id, actor: principal, body: ["signed": .bool(act != nil)],
                text: why)
            return mission.host
        }
        return .json([
            "success": true,
            "message": .string(
                "The agent of \(host ?? "the host") was asked to roll back; it checks first that nothing later is overwritten."
            ),
        ])
    }

    private static func cancel(_ call: Call) async throws -> Response {
        try await move(call, .cancelled, kind: "cancel", said: "The mission is cancelled.")
    }

    private static func retest(_ call: Call) async throws -> Response {
        try await move(call, .retest, kind: "retest", said: "The mission will be tested anew.")
    }

    private static func move(_ call: Call, _ event: MissionEvent, kind: String, said: String) async throws -> Response {
        let body = try await call.optionalJSON()
        let why = try given("reason", call, body) ?? "no reason given"
        let (id, principal) = (call.parameter("mission_id"), try call.caller.principal)
        try await call.hub.change { transaction in
            try transaction.closeSession(of: try transaction.existing(id), as: .superseded)
            let mission = try transaction.apply(event, to: id, by: principal, reason: why)
            try transaction.request(kind, of: mission, by: principal, reason: why)
        }
        return .json(["success": true, "message": .string(said)])
    }
}
