internal import Documents
internal import FoundationEssentials
internal import Ledger
internal import Missions
internal import Parliament
internal import Trust

extension SessionRecord {
    /// The record of a session at `now`.
    init(_ session: Session, now: Date, warned: Bool) throws {
        self.init(
            id: session.session_id, missionID: session.mission_id, status: session.tally(now: now).rawValue,
            openedAt: session.opened_at, expiresAt: session.expires_at, warned: warned,
            document: try JSON(encoding: session))
    }

    /// Parliament's value.
    var session: Session {
        get throws { try document.decode(Session.self) }
    }

    /// How it stands: what the mission's fate made of it, or else its tally.
    func status(at now: Date) throws -> SessionStatus {
        if status == SessionStatus.superseded.rawValue { return .superseded }
        return try session.tally(now: now)
    }
}

extension MissionTransaction {
    /// The people who may vote: the configuration's, or everybody whose token has the role approver or more.
    func electorate() throws -> [String] {
        let settings = configuration.parliament
        guard settings.electorate.isEmpty else {
            return Set(settings.electorate.flatMap { settings.groups[$0] ?? [$0] }).sorted()
        }
        let able = try writer.tokens().filter { $0.revokedAt == nil && $0.role.covers(.approver) }
        return Set(able.map(\.principal)).sorted()
    }

    /// Opens a session on the mission's present evidence and brings it to `consensus`.
    @discardableResult
    func openSession(for id: String, by actor: String) throws -> (mission: Mission, record: SessionRecord) {
        var mission = try existing(id)
        guard let evidence = mission.evidence, let stored = try writer.evidence(mission: id) else {
            throw Refusal.untested(id)
        }
        let settings = configuration.parliament
        let session: Session
        do {
            session = try Session(
                session_id: freshID("s"), mission_id: id, title: mission.file.title, evidence: stored.digest,
                changeSet: evidence.changeSet, electorate: electorate(), approval_threshold: settings.approvalThreshold,
                quorum_required: settings.quorum, opened_at: now, expires_at: now.addingTimeInterval(settings.expires))
        } catch let error as SessionError {
            throw Refusal.unavailable(
                "No session can be opened: \(error) See “parliament” in coordinator.yaml, and who has a token of the role approver."
            )
        }
        try closeSession(of: mission, as: .superseded, by: stored.digest)
        let record = try SessionRecord(session, now: now, warned: false)
        try writer.save(record)
        mission.sessionID = session.session_id
        try writer.save(mission, dedupeKey: nil)
        try self.record(
            ParliamentRecord.sessionOpened, mission: id, actor: actor,
            body: [
                "session": .string(session.session_id), "evidence": .string(stored.digest.hex),
                "change_set": .string(evidence.changeSet.hex),
                "electorate": .array(session.electorate.map(JSON.string)),
                "approval_threshold": .number(session.approval_threshold),
                "quorum": .integer(Int64(session.quorum_required)),
                "expires_at": .string(Timestamp.text(session.expires_at)),
            ])
        mission = try apply(
            .sessionOpened, to: id, by: actor, reason: "a session is open until \(Timestamp.text(session.expires_at))")
        try notify(.sessionOpened, mission: mission, session: record)
        return (mission, record)
    }

    /// Closes the mission's session when something else decided its fate.
    func closeSession(of mission: Mission, as status: SessionStatus, by newer: Digest? = nil) throws {
        guard let id = mission.sessionID, var record = try writer.session(id),
            [SessionStatus.open.rawValue, SessionStatus.approved.rawValue].contains(record.status)
        else { return }
        if let newer { record.document = try JSON(encoding: record.session.superseded(by: newer)) }
        record.status = status.rawValue
        try writer.save(record)
        try announce(
            "session.closed", mission: mission.id, ["session_id": .string(id), "status": .string(status.rawValue)])
    }

    /// Puts a vote into its session and draws the consequences.
    func cast(_ vote: Vote, in record: SessionRecord, act: Envelope?, by principal: String) throws -> (
        Mission, SessionStatus
    ) {
        let session: Session
        switch try record.session.cast(vote, now: now) {
        case .success(let next): session = next
        case .failure(.notInElectorate(let voter)):
            throw Refusal.forbidden("\(VoteRefusal.notInElectorate(voter: voter))")
        case .failure(let refusal): throw Refusal.conflict("session-closed", "\(refusal)")
        }
        try writer.save(SessionRecord(session, now: now, warned: record.warned))
        var body: [String: JSON] = [
            "session": .string(record.id), "voter": .string(vote.voter), "vote": .string(vote.vote.rawValue),
            "kind": .string(vote.kind.rawValue), "signed": .bool(vote.signed),
            "evidence": .string(session.evidence.hex),
        ]
        if let act {
            body["approval"] = .string(ActEnvelope.id(act).hex)
            try writer.add(
                ActRecord(
                    id: ActEnvelope.id(act), kind: "approve", missionID: record.missionID, sessionID: record.id,
                    principal: principal, at: now, envelope: act))
        }
        try self.record(
            ParliamentRecord.vote, mission: record.missionID, actor: principal, body: .object(body), text: vote.reason)
        try announce(
            "mission.vote", mission: record.missionID,
            [
                "event": "vote", "session_id": .string(record.id), "by": .string(vote.voter),
                "vote": .string(vote.vote.rawValue), "signed": .bool(vote.signed),
            ])
        let mission = try decide(session, by: principal)
        return (mission, session.tally(now: now))
    }

    /// What follows from the votes so far. A token alone is not a signature: approval moves the mission only once a signed one
    /// is among the votes; how many signatures are needed, and whose, is for the agent to judge.
    @discardableResult
    func decide(_ session: Session, by actor: String) throws -> Mission {
        var mission = try existing(session.mission_id)
        guard mission.phase == .consensus, mission.sessionID == session.session_id else { return mission }
        switch session.tally(now: now) {
        case .rejected:
            return try apply(.rejected, to: mission.id, by: actor, reason: "people rejected it")
        case .approved:
            guard session.votes.contains(where: { $0.kind == .person && $0.vote == .approve && $0.signed }) else {
                mission.reason = "approved, but no approval is signed yet"
                try writer.save(mission, dedupeKey: nil)
                return mission
            }
            switch ExecutionDecision.decide(try decisionInput(mission)) {
            case .execute:
                return try apply(.approved, to: mission.id, by: actor, reason: "people approved it")
            case .moreTesting(let reason):
                return try apply(.approvedShortOfData, to: mission.id, by: actor, reason: reason)
            case .blocked(let blockers):
                mission.reason = "approved, but not executed: " + blockers.map(\.message).joined(separator: " ")
                try writer.save(mission, dedupeKey: nil)
                return mission
            }
        default: return mission
        }
    }

    /// What the coordinator decides by. Overrides are taken at their word here; the agent verifies them.
    func decisionInput(_ mission: Mission) throws -> DecisionInput {
        guard let evidence = mission.evidence, let stored = try writer.evidence(mission: mission.id) else {
            throw Refusal.untested(mission.id)
        }
        var overrides = Overrides.none
        for act in try writer.acts(mission: mission.id) where act.kind == "override" {
            guard let predicate = try? Acts.predicate(OverridePredicate.self, of: act.envelope),
                predicate.evidence == stored.digest, predicate.expires > now
            else { continue }
            for item in predicate.items {
                switch item {
                case .trust: overrides.trust = true
                case .inconclusive: overrides.inconclusive = true
                case .rule(let id): overrides.rules.insert(id)
                case .cooldown: break
                }
            }
        }
        let threshold = try writer.setting(Setting.trustThreshold)?["threshold"]?.number ?? configuration.trustThreshold
        return DecisionInput(
            result: evidence.trial, trust: evidence.trust, threshold: threshold, governance: evidence.governance,
            constitution: evidence.constitution, overrides: overrides)
    }

    /// Ends sessions whose time is over.
    func closeExpired() throws {
        for record in try writer.sessionsDue(at: now) {
            var closed = record
            closed.status = SessionStatus.expired.rawValue
            try writer.save(closed)
            let mission = try existing(record.missionID)
            guard mission.sessionID == record.id, mission.phase.next(on: .expired) != nil, mission.phase == .consensus
            else {
                continue
            }
            try self.record(
                "session.expired", mission: mission.id, actor: "coordinator", body: ["session": .string(record.id)])
            let expired = try apply(
                .expired, to: mission.id, by: "coordinator",
                reason: "the session expired at \(Timestamp.text(record.expiresAt))")
            try notify(.sessionExpired, mission: expired, session: record)
        }
    }

    /// Says, once, of each open session that it expires soon: in the last quarter of its time, at most 15 minutes before.
    func warnOfExpiry() throws {
        for var record in try writer.sessionsUnwarned() {
            let notice = min(900, record.expiresAt.timeIntervalSince(record.openedAt) / 4)
            guard record.expiresAt.timeIntervalSince(now) <= notice else { continue }
            record.warned = true
            try writer.save(record)
            try notify(.sessionExpiring, mission: try existing(record.missionID), session: record)
        }
    }
}
