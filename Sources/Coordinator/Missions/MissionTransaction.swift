internal import Documents
internal import FoundationEssentials
internal import Ledger
internal import Missions

/// One transaction of the coordinator: the store's, with the words for what happens to missions.
///
/// ``apply(_:to:by:reason:body:)`` is the only place where a mission's phase changes, and it asks
/// `MissionPhase.next(on:)` what follows.
struct MissionTransaction {
    let writer: any StoreWriter
    let now: Date
    let configuration: CoordinatorConfiguration

    /// Brings `event` to the mission, or throws a ``Refusal`` with status 409 where the state machine has no such arrow.
    @discardableResult
    func apply(
        _ event: MissionEvent, to id: String, by actor: String, reason: String, body: [String: JSON] = [:]
    ) throws -> Mission {
        var mission = try existing(id)
        let before = mission.phase
        guard let after = before.next(on: event) else {
            throw Refusal.conflict(
                "illegal-transition",
                "The mission \(id) is in the phase \(before.rawValue), in which “\(event.rawValue)” can't happen.",
                ["phase": .string(before.rawValue), "event": .string(event.rawValue)])
        }
        mission.phase = after
        mission.reason = reason
        mission.updatedAt = now
        switch event {
        case .testPassed, .testBlocked: mission.testedAt = now
        // Without evidence the trial only pauses.
        case .testInconclusive where mission.evidence != nil: mission.testedAt = now
        case .approved, .approvedShortOfData, .rejected: mission.consensusAt = now
        case .promoted: mission.executedAt = now
        case .retest:
            // What was found belongs to a live that has moved on.
            mission.evidence = nil
            mission.sessionID = nil
            (mission.testedAt, mission.consensusAt, mission.executedAt) = (nil, nil, nil)
        default: break
        }
        try writer.save(mission, dedupeKey: nil)
        var facts = body
        facts["event"] = .string(event.rawValue)
        facts["from"] = .string(before.rawValue)
        facts["to"] = .string(after.rawValue)
        if let session = mission.sessionID { facts["session"] = .string(session) }
        try record("mission.transition", mission: id, actor: actor, body: .object(facts), text: reason)
        try announce(
            "mission.\(event.rawValue)", mission: id,
            [
                "event": .string(event.rawValue), "from": .string(before.rawValue), "phase": .string(after.rawValue),
                "title": .string(mission.file.title), "reason": .string(reason), "by": .string(actor),
                "session_id": mission.sessionID.map(JSON.string) ?? .null,
            ])
        switch after {
        case .rolledBack: try notify(.rolledBack, mission: mission)
        case .frozen: try notify(.frozen, mission: mission)
        default: break
        }
        return mission
    }

    /// The mission, or a 404.
    func existing(_ id: String) throws -> Mission {
        guard let mission = try writer.mission(id) else {
            throw Refusal.notFound("There is no mission \(id.prefix(80)).")
        }
        return mission
    }

    /// Adds an entry to the ledger. `text` is free text: the ledger keeps a salted commitment to it, the store the text.
    @discardableResult
    func record(
        _ kind: String, mission: String?, actor: String, body: JSON, text: String? = nil, id: String? = nil
    ) throws -> Int64 {
        var commitment: Digest?
        if let text, !text.isEmpty {
            let hidden = TextCommitment(text: text)
            let digest = try hidden.digest()
            try writer.save(hidden, digest: digest)
            commitment = digest
        }
        let entry = LedgerEntry(
            id: id ?? UUID().uuidString.lowercased(), kind: kind, mission: mission, at: now, actor: actor, body: body,
            text: commitment)
        let leaf = try entry.leaf()
        guard leaf.count <= MerkleLog.entryLimit else {
            throw Refusal.invalid(
                "This would make a ledger entry of \(leaf.count) bytes; an entry has at most \(MerkleLog.entryLimit).")
        }
        return try writer.addLedger(entry, leaf: leaf)
    }

    /// Tells the trigger mesh, once the transaction is through.
    func announce(_ topic: String, mission: String?, _ body: [String: JSON]) throws {
        var body = body
        if let mission { body["mission_id"] = .string(mission) }
        try writer.addEvent(topic: topic, mission: mission, at: now, body: .object(body))
    }

    /// Puts a notice into the outbox of every hook that wants it.
    func notify(_ kind: NoticeKind, mission: Mission, session: SessionRecord? = nil) throws {
        let body: JSON = [
            "event": .string(kind.rawValue), "at": .string(Timestamp.text(now)), "mission_id": .string(mission.id),
            "title": .string(mission.file.title), "severity": .string(mission.file.severity.rawValue),
            "phase": .string(mission.phase.rawValue), "reason": .string(mission.reason),
            "session_id": session.map { .string($0.id) } ?? mission.sessionID.map(JSON.string) ?? .null,
            "expires_at": session.map { .string(Timestamp.text($0.expiresAt)) } ?? .null,
        ]
        for hook in configuration.hooks where hook.events.contains(kind) {
            try writer.add(
                NoticeRecord(
                    id: freshID("n"), hook: hook.id, event: kind.rawValue, body: body, attempts: 0, nextAt: now))
            _ = try writer.trimNotices(hook: hook.id, keep: Notifier.queueLimit)
        }
    }
}
