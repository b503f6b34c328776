internal import Documents
internal import FoundationEssentials
internal import Ledger
internal import Missions
internal import Parliament

/// A vote as it comes over HTTP.
struct BallotPaper: Sendable {
    var choice: String
    var reason: String?
    /// A DSSE envelope as a JSON object, or an armored SSHSIG over the statement that `/statement` gave this token.
    var signature: JSON?
}

/// What became of it.
struct VoteOutcome: Sendable {
    var mission: Mission
    var sessionID: String
    var vote: Vote
    /// How the session stands now.
    var decision: String
    var message: String
}

extension Hub {
    /// Ends what is due before anything is read or decided: a session that expired is not open because a timer was late.
    func closeExpiredSessions() async throws {
        let now = now
        guard try await store.read({ try !$0.sessionsDue(at: now).isEmpty }) else { return }
        try await change { try $0.closeExpired() }
    }

    /// Votes in the mission's session.
    func vote(_ paper: BallotPaper, mission id: String, token: TokenRecord) async throws -> VoteOutcome {
        let session = try await store.read { reader in
            guard let mission = try reader.mission(id) else {
                throw Refusal.notFound("There is no mission \(id.prefix(80)).")
            }
            guard let session = mission.sessionID else {
                throw Refusal.conflict(
                    "no-session",
                    "The mission \(id) is in the phase \(mission.phase.rawValue): no session is open on it.",
                    ["phase": .string(mission.phase.rawValue)])
            }
            return session
        }
        return try await vote(paper, session: session, token: token)
    }

    /// Votes in a session.
    func vote(_ paper: BallotPaper, session id: String, token: TokenRecord) async throws -> VoteOutcome {
        guard let choice = VoteChoice(rawValue: paper.choice) else {
            throw Refusal.invalid("“\(paper.choice.prefix(40))” is no vote; expected approve, reject or abstain.")
        }
        try await closeExpiredSessions()
        return try await change { transaction in
            guard let record = try transaction.writer.session(id) else {
                throw Refusal.notFound("There is no session \(id.prefix(80)).")
            }
            let session = try record.session
            let status = try record.status(at: transaction.now)
            guard status == .open || (status == .approved && paper.signature != nil) else {
                throw Refusal.conflict(
                    "session-closed", "The session \(id) is \(status.rawValue) and takes no more votes.",
                    ["status": .string(status.rawValue)])
            }
            var envelope: Envelope?
            if let given = paper.signature, !given.isNull {
                envelope = try transaction.approval(given, choice: choice, session: session, token: token)
            } else {
                // Whoever signs binds the evidence; whoever doesn't must at least have been shown it.
                let seen = try transaction.writer.fetchedEvidence(token: token.id, mission: session.mission_id)
                guard seen == session.evidence else {
                    throw Refusal.conflict(
                        "evidence-not-seen",
                        "The session decides on the evidence \(session.evidence.short)…, which is not what this token last fetched. "
                            + "GET \(RouteTable.missionsPath)/\(session.mission_id)/evidence and look at it first.")
                }
            }
            let vote = Vote(
                voter: token.principal, vote: choice, reason: paper.reason, at: transaction.now, approval: envelope)
            let (mission, after) = try transaction.cast(vote, in: record, act: envelope, by: token.principal)
            return VoteOutcome(
                mission: mission, sessionID: id, vote: vote, decision: after.rawValue,
                message: Self.message(vote, mission: mission, session: id))
        }
    }

    private static func message(_ vote: Vote, mission: Mission, session: String) -> String {
        let recorded = "Your vote (\(vote.vote.rawValue)) is recorded."
        switch vote.vote {
        case .approve where !vote.signed:
            return recorded + " A token is not a signature, so it alone promotes nothing: sign it with your SSH key by "
                + "“grace vote \(session) approve --key ~/.ssh/id_ed25519”, or sign what GET "
                + "\(RouteTable.missionsPath)/\(mission.id)/statement gives and send the signature with the vote."
        case .approve: return recorded + " The mission is in the phase \(mission.phase.rawValue): \(mission.reason)."
        default: return recorded + " The mission is in the phase \(mission.phase.rawValue)."
        }
    }

    /// The statement for this token's principal to sign.
    func statement(mission id: String, decision: String, reason: String, token: TokenRecord) async throws -> JSON {
        guard let choice = VoteChoice(rawValue: decision) else {
            throw Refusal.invalid("“\(decision.prefix(40))” is no decision; expected approve, reject or abstain.")
        }
        guard reason.utf8.count <= 16 << 10 else { throw Refusal.invalid("“reason” has more than 16384 bytes.") }
        let now = now
        await ledger.drain()
        let note = await ledger.checkpoint.note
        return try await store.write { writer in
            guard let mission = try writer.mission(id) else {
                throw Refusal.notFound("There is no mission \(id.prefix(80)).")
            }
            guard mission.evidence != nil, let evidence = try writer.evidence(mission: id) else {
                throw Refusal.untested(id)
            }
            guard let sessionID = mission.sessionID, let record = try writer.session(sessionID) else {
                throw Refusal.conflict(
                    "no-session", "No session is open on the mission \(id), so there is nothing to sign.")
            }
            let payload = try ApprovalStatement.make(
                decision: choice, voter: token.principal, reason: reason.isEmpty ? nil : reason, session: sessionID,
                evidencePayload: evidence.envelope.payload, checkpoint: note, now: now)
            try writer.set(
                Setting.statement(token: token.id, session: sessionID, choice), .string(payload.base64EncodedString()))
            return [
                "mission_id": .string(id), "session_id": .string(sessionID),
                "status": .string(try record.status(at: now).rawValue), "namespace": .string(ActNamespace.approve),
                "payload_type": .string(Statement.payloadType), "payload": .string(payload.base64EncodedString()),
                "signed_bytes": .string(ApprovalStatement.signedBytes(payload: payload).base64EncodedString()),
                "statement": try JSON(parsing: payload),
            ]
        }
    }
}

extension Setting {
    static func statement(token: String, session: String, _ choice: VoteChoice) -> String {
        "statement/\(token)/\(session)/\(choice.rawValue)"
    }
}

extension MissionTransaction {
    /// The signed approval, checked as far as the coordinator can: what it says is what is being voted, and the signature is
    /// one over it.
    func approval(_ given: JSON, choice: VoteChoice, session: Session, token: TokenRecord) throws -> Envelope {
        let envelope: Envelope
        if let armored = given.string {
            let key = Setting.statement(token: token.id, session: session.session_id, choice)
            guard let payload = try writer.setting(key)?.string.flatMap({ Data(base64Encoded: $0) }) else {
                throw Refusal.invalid(
                    "An SSH signature alone needs a statement that this token fetched: GET "
                        + "\(RouteTable.missionsPath)/\(session.mission_id)/statement?decision=\(choice.rawValue), or send a whole DSSE envelope."
                )
            }
            do {
                envelope = try ApprovalStatement.envelope(payload: payload, armored: armored)
            } catch {
                throw Refusal.invalid("The signature can't be read: \(error)")
            }
        } else {
            do {
                envelope = try given.decode(Envelope.self)
            } catch {
                throw Refusal.invalid("“signature” is neither an armored SSH signature nor a DSSE envelope. \(error)")
            }
        }
        let act = try Acts.checked(ApprovalPredicate.self, envelope, now: now)
        guard act.evidence == session.evidence, act.session == session.session_id, act.mission == session.mission_id
        else {
            throw Refusal.conflict(
                "other-evidence",
                "The signed statement is about other evidence or another session; fetch /statement and sign that.")
        }
        guard act.decision == choice else {
            throw Refusal.invalid(
                "The signed statement says \(act.decision.rawValue), the vote says \(choice.rawValue).")
        }
        guard act.voter == token.principal else {
            throw Refusal.invalid("The signed statement is \(act.voter)'s, the token is \(token.principal)'s.")
        }
        return envelope
    }
}
