internal import Documents
internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird
internal import Missions
internal import Parliament

extension RouteTable {
    private static let path = "/api/parliament/sessions"

    static let parliament: [Route] = [
        Route(
            method: .get, path: path, name: "listSessions", tag: "parliament", summary: "Sessions, newest first.",
            access: .role(.viewer),
            query: [
                parameter(
                    "status", ["type": "string", "enum": .array(SessionStatus.allCases.map { .string($0.rawValue) })],
                    "Only sessions that stand so."),
                parameter("mission", ["type": "string"], "Only sessions of this mission."), limit, after,
            ],
            content: .json("SessionList"), refusals: [.unprocessableContent], handler: list),
        Route(
            method: .post, path: path, name: "openSession", tag: "parliament",
            summary: "Opens a session on a mission in discussion; gives the open one where there is one.",
            access: .role(.operator), body: .json("SessionRequest"), success: .created, content: .json("Session"),
            refusals: [.notFound, .conflict, .unprocessableContent, .serviceUnavailable], handler: open),
        Route(
            method: .get, path: path + "/{session_id}", name: "getSession", tag: "parliament", summary: "One session.",
            access: .role(.viewer), content: .json("Session"), handler: get),
        Route(
            method: .get, path: path + "/{session_id}/status", name: "getSessionStatus", tag: "parliament",
            summary: "How a session stands.", access: .role(.viewer), content: .json("Session"), handler: get),
        Route(
            method: .post, path: path + "/{session_id}/vote", name: "vote", tag: "parliament",
            summary: "Votes. Without `signature` it records the token holder's decision, which alone promotes nothing.",
            access: .role(.approver), body: .json("VoteRequest"), content: .json("VoteAnswer"),
            refusals: [.conflict, .unprocessableContent], handler: vote),
    ]

    /// A session as the API shows it (DESIGN section 9).
    static func sessionJSON(_ record: SessionRecord, now: Date) throws -> JSON {
        let session = try record.session
        let counts = session.counts
        return [
            "session_id": .string(session.session_id), "mission_id": .string(session.mission_id),
            "title": .string(session.title),
            "status": .string(try record.status(at: now).rawValue),
            "quorum_required": .integer(Int64(session.quorum_required)),
            "approval_threshold": .number(session.approval_threshold), "votes_approve": .integer(Int64(counts.approve)),
            "votes_reject": .integer(Int64(counts.reject)), "votes_abstain": .integer(Int64(counts.abstain)),
            "expires_at": .string(Timestamp.text(session.expires_at)), "quorum_met": .bool(counts.quorumMet),
            "opened_at": .string(Timestamp.text(session.opened_at)), "evidence": .string(session.evidence.hex),
            "change_set": .string(session.changeSet.hex), "electorate": .array(session.electorate.map(JSON.string)),
            "votes": .array(
                session.votes.map { vote in
                    [
                        "voter": .string(vote.voter), "kind": .string(vote.kind.rawValue),
                        "vote": .string(vote.vote.rawValue),
                        "reason": MissionView.text(vote.reason), "at": .string(Timestamp.text(vote.at)),
                        "signed": .bool(vote.signed),
                    ]
                }),
        ]
    }

    private static func list(_ call: Call) async throws -> Response {
        if let text = call.query["status"], SessionStatus(rawValue: text) == nil {
            throw Refusal.invalid(
                "“\(text.prefix(40))” is no status; expected \(SessionStatus.allCases.map(\.rawValue).joined(separator: ", "))."
            )
        }
        try await call.hub.closeExpiredSessions()
        let (limit, after) = try call.page()
        let (status, mission, now) = (call.query["status"], call.query["mission"], call.hub.now)
        let page = try await call.hub.store.read {
            try $0.sessions(status: status, mission: mission, limit: limit, after: after)
        }
        return .json([
            "total": .integer(Int64(page.total)),
            "sessions": .array(try page.sessions.map { try sessionJSON($0, now: now) }),
            "next": page.next.map { .string(String($0)) } ?? .null,
        ])
    }

    private static func open(_ call: Call) async throws -> Response {
        let id = try call.text(try await call.json(), "mission_id", limit: 100)
        let principal = try call.caller.principal
        try await call.hub.closeExpiredSessions()
        let now = call.hub.now
        let record = try await call.hub.change { transaction in
            let mission = try transaction.existing(id)
            if mission.phase == .consensus, let session = mission.sessionID,
                let old = try transaction.writer.session(session)
            {
                return old
            }
            return try transaction.openSession(for: id, by: principal).record
        }
        return .json(try sessionJSON(record, now: now), status: .created)
    }

    private static func get(_ call: Call) async throws -> Response {
        try await call.hub.closeExpiredSessions()
        let (id, now) = (call.parameter("session_id"), call.hub.now)
        guard let record = try await call.hub.store.read({ try $0.session(id) }) else {
            throw Refusal.notFound("There is no session \(id.prefix(80)).")
        }
        return .json(try sessionJSON(record, now: now))
    }

    private static func vote(_ call: Call) async throws -> Response {
        let body = try await call.json()
        let paper = BallotPaper(
            choice: try call.text(body, "vote", limit: 40), reason: try call.optionalText(body, "reason"),
            signature: body["signature"].flatMap { $0.isNull ? nil : $0 })
        let outcome = try await call.hub.vote(paper, session: call.parameter("session_id"), token: try call.caller)
        return .json([
            "success": true,
            "vote": [
                "voter": .string(outcome.vote.voter), "vote": .string(outcome.vote.vote.rawValue),
                "reason": MissionView.text(outcome.vote.reason), "at": .string(Timestamp.text(outcome.vote.at)),
                "signed": .bool(outcome.vote.signed),
            ],
            "decision": .string(outcome.decision), "message": .string(outcome.message),
            "will_execute_to_live": .bool(outcome.vote.signed && outcome.mission.phase == .liveExecution),
            "phase": .string(outcome.mission.phase.rawValue),
        ])
    }
}
