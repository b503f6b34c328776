internal import Documents
internal import FoundationEssentials
internal import Ledger
internal import Measurement
internal import Missions
internal import Parliament

extension StoreReader {
    /// The mission, if it is this host's or nobody's yet. Another host's is as good as not there.
    func mission(_ id: String, for host: String) throws -> Mission {
        guard let mission = try mission(id), mission.host == nil || mission.host == host else {
            throw Refusal.notFound("This host has no mission \(id.prefix(80)).")
        }
        return mission
    }
}

/// What agents report.
extension MissionTransaction {
    func enrol(_ identity: HostIdentity, key: String, remedies: [String: MissionFile], token: TokenRecord) throws {
        guard !identity.id.isEmpty, identity.id.utf8.count <= 200, identity.name.utf8.count <= 200 else {
            throw Refusal.invalid("The host's id and name have from 1 to 200 bytes.")
        }
        if let bound = token.hostID, bound != identity.id {
            throw Refusal.conflict("bound", "This token belongs to the host \(bound); a host needs a token of its own.")
        }
        let old = try writer.host(identity.id)
        if let old {
            guard old.tokenID == token.id else {
                throw Refusal.conflict("bound", "The host \(identity.id.prefix(80)) enrolled with another token.")
            }
            guard old.key == key else {
                throw Refusal.conflict(
                    "key-changed",
                    "The host enrolled with another key, and the first one holds. An administrator must give it a new token."
                )
            }
        }
        try writer.save(
            HostRecord(
                id: identity.id, identity: identity, key: key, tokenID: token.id, enrolledAt: old?.enrolledAt ?? now,
                lastSeen: now, remedies: remedies))
        guard old == nil else { return }
        var bound = token
        bound.hostID = identity.id
        try writer.save(bound)
        try record(
            "host.enrolled", mission: nil, actor: "agent:\(token.principal)",
            body: ["host": .string(identity.id), "key": .string(key)])
        try announce("agent.enrolled", mission: nil, ["host": .string(identity.id), "name": .string(identity.name)])
    }

    /// Events that are the agent's to report; people's decisions are not among them.
    private static let reported: Set<MissionEvent> = [
        .testStarted, .testPassed, .testInconclusive, .testBlocked, .testFailed, .expired, .promoted, .conflicted,
        .promotionFailed, .promotionUnknown, .watchPassed, .rollbackStarted, .rolledBack, .rollbackFrozen,
    ]

    /// Applies what an agent reports, once for each `id`.
    func report(
        _ event: MissionEvent, id: String, mission missionID: String, host: String, by actor: String, reason: String,
        facts: [String: JSON]
    ) throws -> JSON {
        let mission = try writer.mission(missionID, for: host)
        let scope = "event/\(missionID)"
        if let old = try writer.answer(scope: scope, key: id) {
            guard old["event"]?.string == event.rawValue else {
                throw Refusal.conflict(
                    "event-id-reused", "The event_id “\(id)” was used for “\(old["event"]?.string ?? "?")”.")
            }
            return old
        }
        guard Self.reported.contains(event) else {
            throw Refusal.conflict("not-yours", "“\(event.rawValue)” is people's to decide, not an agent's to report.")
        }
        if event == .expired, mission.phase != .liveExecution {
            throw Refusal.conflict(
                "not-yours", "In the phase \(mission.phase.rawValue) the session's time decides, not the agent.")
        }
        if event == .testPassed { try checkEvidence(of: mission) }
        if mission.host == nil {
            var taken = mission
            taken.host = host
            try writer.save(taken, dedupeKey: nil)
        }
        var body: [String: JSON] = ["event_id": .string(id)]
        if !facts.isEmpty { body["report"] = .string(Digest(of: JSON.object(facts).canonical).hex) }
        var after = try apply(
            event, to: missionID, by: actor, reason: reason.isEmpty ? event.rawValue : reason, body: body)
        switch event {
        case .testPassed: after = try openSession(for: missionID, by: "coordinator").mission
        case .testStarted: try writer.finishRequests(mission: missionID, kinds: ["retest"], at: now)
        case .rollbackStarted, .rolledBack, .rollbackFrozen:
            try writer.finishRequests(mission: missionID, kinds: ["rollback"], at: now)
        default: break
        }
        let answer: JSON = ["phase": .string(after.phase.rawValue), "event": .string(event.rawValue)]
        try writer.recordAnswer(scope: scope, key: id, answer: answer, at: now)
        return answer
    }

    /// No session without evidence that people can look at, and none on a REGRESSION.
    private func checkEvidence(of mission: Mission) throws {
        guard let evidence = mission.evidence else { throw Refusal.untested(mission.id) }
        guard let changes = try writer.changes(mission: mission.id), changes.digest == evidence.changeSet,
            changes.baseDigest == evidence.base
        else {
            throw Refusal.conflict(
                "no-changes",
                "The change set and base of this evidence are not here yet: PUT …/changes before reporting test_passed."
            )
        }
        guard evidence.trial.verdict != .REGRESSION else {
            throw Refusal.conflict(
                "regression", "The evidence says REGRESSION: no session opens on that, whatever else it says.")
        }
    }

    func store(evidence envelope: Envelope, of id: String, host: String) throws -> Digest {
        var mission = try writer.mission(id, for: host)
        guard let enrolled = try writer.host(host) else { throw Refusal.forbidden("This host is not enrolled.") }
        let digest = Digest(of: envelope.payload)
        if let old = try writer.evidence(mission: id), old.digest == digest, mission.evidence != nil { return digest }
        guard mission.phase == .sandboxTesting else {
            throw Refusal.conflict(
                "illegal-transition",
                "Evidence is taken in the phase sandbox_testing; the mission is in \(mission.phase.rawValue).",
                ["phase": .string(mission.phase.rawValue)])
        }
        let evidence: Evidence
        do {
            let payload = try envelope.verified(by: VerifyingKey(parsing: enrolled.key))
            evidence = try EvidenceStatement.parse(payload: payload)
        } catch {
            throw Refusal.invalid("The evidence is refused: \(error)")
        }
        guard evidence.missionID == id, evidence.missionDigest == mission.digest, evidence.host.id == host else {
            throw Refusal.invalid("The evidence is about another mission, another mission file or another host.")
        }
        try writer.save(EvidenceRecord(missionID: id, digest: digest, envelope: envelope, at: now))
        mission.evidence = evidence
        mission.host = host
        mission.updatedAt = now
        try writer.save(mission, dedupeKey: nil)
        try record(
            "evidence", mission: id, actor: "agent:\(enrolled.identity.name)",
            body: [
                "evidence": .string(digest.hex), "change_set": .string(evidence.changeSet.hex),
                "base": .string(evidence.base.hex),
                "verdict": .string(evidence.trial.verdict.rawValue), "trust": .number(evidence.trust.total),
                "host": .string(host), "mission_file": .string(mission.digest.hex),
            ])
        try announce(
            "mission.evidence", mission: id,
            [
                "event": "evidence", "verdict": .string(evidence.trial.verdict.rawValue),
                "trust_score": MissionView.number(evidence.trust.total), "evidence": .string(digest.hex),
            ])
        return digest
    }

    func store(manifest: Data, base: Data, diff: String, of id: String, host: String) throws -> Digest {
        let mission = try writer.mission(id, for: host)
        let changes = ChangesRecord(missionID: id, manifest: manifest, base: base, diff: diff, at: now)
        if let old = try writer.changes(mission: id), old.manifest == manifest, old.base == base {
            return changes.digest
        }
        guard mission.phase == .sandboxTesting else {
            throw Refusal.conflict(
                "illegal-transition",
                "Changes are taken in the phase sandbox_testing; the mission is in \(mission.phase.rawValue).",
                ["phase": .string(mission.phase.rawValue)])
        }
        try writer.save(changes)
        return changes.digest
    }

    /// Adds what is new of an agent's journal. Entries are checked one by one: place, chain and signature.
    func append(journal entries: [JournalEntry], of host: String) throws -> JournalRecord? {
        guard let enrolled = try writer.host(host), let key = try? VerifyingKey(parsing: enrolled.key) else {
            throw Refusal.forbidden("This host is not enrolled.")
        }
        var last = try writer.lastJournal(host: host)
        for entry in entries {
            let line = try entry.line()
            let digest = Digest(of: line)
            let place = Int64(clamping: entry.index)
            let expected = last.map { $0.index + 1 } ?? 0
            if place < expected {
                guard try writer.journal(host: host, index: place)?.digest == digest else {
                    throw Refusal.conflict(
                        "journal-forked", "The entry \(place) of this journal was another one when it was first sent.",
                        ["last_sequence": last.map { .integer($0.index) } ?? .null])
                }
                continue
            }
            guard place == expected else {
                throw Refusal.conflict(
                    "journal-gap", "The entry \(place) comes before the entry \(expected); send from there.",
                    ["last_sequence": last.map { .integer($0.index) } ?? .null])
            }
            guard entry.previous == last?.digest ?? Digest(of: Data()) else {
                throw Refusal.conflict("journal-forked", "The entry \(place) does not follow the one before it.")
            }
            guard let signature = Data(base64Encoded: entry.signature),
                key.isValid(signature: signature, for: try entry.signedBytes())
            else { throw Refusal.invalid("The entry \(place) is not signed with this host's key.") }
            // An entry too large for a leaf is there by its digest; the agent's own journal has the rest.
            let whole = line.count <= 60_000
            let index = try record(
                entry.kind, mission: entry.mission, actor: "agent:\(enrolled.identity.name)",
                body: whole
                    ? ["entry": try JSON(encoding: entry), "host": .string(host)]
                    : ["entry_sha256": .string(digest.hex), "host": .string(host)],
                id: "\(host)/\(place)")
            let next = JournalRecord(hostID: host, index: place, digest: digest, logIndex: index)
            try writer.add(next)
            last = next
        }
        return last
    }
}

extension Hub {
    /// Everything that the agent checks before it promotes, for one tree head.
    func authorization(of id: String, host: String, known: UInt64? = nil) async throws -> JSON {
        let (record, acts, rows) = try await store.read { reader in
            let mission = try reader.mission(id, for: host)
            guard let session = mission.sessionID, let record = try reader.session(session) else {
                throw Refusal.conflict("no-session", "No session was held on the mission \(id).")
            }
            let acts = try reader.acts(mission: id)
            return (record, acts, try reader.ledgerRows(mission: id))
        }
        let size = await ledger.checkpoint.size
        let kinds: Set<String> = [
            ParliamentRecord.sessionOpened, ParliamentRecord.vote, "act.override", "act.revocation",
        ]
        let shown = rows.filter { kinds.contains($0.kind) && $0.index < Int64(size) }
        let approvals = acts.filter { $0.kind == "approve" && $0.sessionID == record.id }
        let sizes = approvals.compactMap { act -> UInt64? in
            guard let note = (try? Acts.predicate(ApprovalPredicate.self, of: act.envelope))?.checkpoint else {
                return nil
            }
            return (try? Checkpoint.parse(note, key: ledger.publicKey))?.size
        }
        let proofs = try await ledger.proofs(
            indexes: shown.map { UInt64($0.index) }, from: sizes + (known.map { $0 <= size ? [$0] : [] } ?? []))
        func envelopes(_ kind: String) throws -> JSON {
            .array(try acts.filter { $0.kind == kind }.map { try JSON(encoding: $0.envelope) })
        }
        return [
            "session": record.document, "approvals": .array(try approvals.map { try JSON(encoding: $0.envelope) }),
            "overrides": try envelopes("override"), "revocations": try envelopes("revocation"),
            "entries": .array(
                zip(shown, proofs.inclusion).map { row, proof in
                    [
                        "index": .integer(row.index), "leaf": .string(row.leaf.base64EncodedString()),
                        "proof": .array(proof.map { .string($0.hex) }),
                    ]
                }),
            "checkpoint": .string(proofs.checkpoint.note),
            "consistency": .object(
                Dictionary(
                    uniqueKeysWithValues: proofs.consistency.map {
                        ("\($0.key)", .array($0.value.map { .string($0.hex) }))
                    })),
        ]
    }
}
