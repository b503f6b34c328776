internal import Logging
internal import Documents
internal import Fork
internal import FoundationEssentials
internal import Ledger
internal import Linux
internal import Missions
internal import Parliament
internal import Promotion
internal import Trust

extension AgentService {
    /// Phase 6: everything is verified here, by the agent itself, and only then is live touched.
    func execute(_ mission: Mission) async {
        do {
            let folder = try context.folder(mission.id)
            if let record: PromotionRecord = try folder.value("promotion.json"),
                try await settle(mission, record, folder)
            {
                return
            }
            // Under one lock from the first check to the last byte: nothing else of ours touches the host in between.
            let refusals: Refusals? = try await lock.exclusively {
                let input = try await self.approvalInput(mission, folder)
                switch ApprovalVerifier.verify(input) {
                case .success(let authorized):
                    try await self.remember(authorized.checkpoint)
                    try await self.promote(mission, folder, input, authorized)
                    return nil
                case .failure(let refusals): return refusals
                }
            }
            if let refusals { try await refuse(mission, refusals) }
        } catch is CancellationError {
        } catch let error as LinkError where error.isPassing {
            context.logger.warning("\(error)", metadata: ["mission": "\(mission.id)"])
        } catch {
            context.logger.error("the promotion was refused: \(error)", metadata: ["mission": "\(mission.id)"])
            _ = try? await report(.promotionFailed, mission.id, reason: "\(error)")
        }
    }

    /// What an interrupted run of this very promotion came to; `false` when there was none or it left live as it was.
    private func settle(_ mission: Mission, _ record: PromotionRecord, _ folder: MissionFolder) async throws -> Bool {
        guard let evidence = try folder.evidence, Digest(of: evidence.payload) == record.evidence else { return false }
        guard let status = context.promoter.status(id: record.promotion) else {
            _ = try await report(
                .promotionFailed, mission.id,
                reason:
                    "The agent stopped after the approval was used and before live was touched; live is as it was. Test the mission again."
            )
            return true
        }
        switch status.phase {
        case .promoted, .confirmed, .committed: try await promoted(mission, folder, record, paths: nil)
        case .rolledBack:
            _ = try await report(
                .promotionFailed, mission.id,
                reason: status.reason ?? "The interrupted promotion was taken back; live is as it was.")
        case .frozen:
            _ = try await report(
                .promotionUnknown, mission.id,
                reason: status.reason ?? "A person must look at the interrupted promotion.")
        default:
            _ = try await context.promoter.recover()
            return context.promoter.status(id: record.promotion)?.phase.rawValue == status.phase.rawValue
                ? false : try await settle(mission, record, folder)
        }
        return true
    }

    /// Gathers what the verifier judges; the coordinator's part of it is believed in nothing.
    private func approvalInput(_ mission: Mission, _ folder: MissionFolder) async throws -> ApprovalInput {
        guard let own: MissionFile = try folder.value("mission.json"), let envelope = try folder.evidence,
            let changeSet = try folder.changeSet, let base = try folder.base
        else {
            throw AgentError("This host has no evidence of its own for the mission \(mission.id); test it here first.")
        }
        let policies = try Policies.load(context.places)
        let key = try LedgerPin.load(path: context.places.pinnedLedgerKey)
        let known = try knownCheckpoint(key)
        let answer = try await context.link.authorization(mission: mission.id, known: known?.size)
        let evidence = try EvidenceStatement.parse(payload: envelope.payload)
        let bench = context.bench
        let damaged =
            own.change.promote == .files
            ? changeSet.blobs.filter { (try? bench.blobs.verify($0)) == nil }.sorted() : []
        let profile = try bench.profile(for: own)
        return ApprovalInput(
            now: context.now, host: context.host, agentKey: context.key.publicKey, paused: isPaused,
            threshold: context.configuration.trustThreshold, missionID: mission.id, mission: own,
            // Who proposed it is the coordinator's word alone, so it is not known: a rule that bars the proposer refuses.
            proposer: nil,
            evidence: envelope, changeSet: changeSet, base: base,
            completeness: MissionTester.completeness(
                profile, denied: evidence.sandbox.denied_calls, network: evidence.sandbox.network_use),
            gracePaths: ConstitutionContext.standardGracePaths + bench.masks,
            nonce: try Nonces(state: context.places.agentState).state(evidence.nonce, mission: mission.id),
            damagedBlobs: damaged, conflicts: try base.conflicts(root: context.promoter.root).map(\.description),
            revoked: try Revocations(state: context.places.agentState).take(
                answer.revocations ?? [], approvers: policies.approvers, allowed: policies.allowedSigners,
                now: context.now),
            governance: policies.governance, constitution: policies.constitution, approvers: policies.approvers,
            allowedSigners: policies.allowedSigners, sessionID: answer.session.session_id, approvals: answer.approvals,
            overrides: answer.overrides, ledger: try proof(answer, key: key, known: known))
    }

    private func proof(_ answer: AuthorizationAnswer, key: VerifyingKey, known: Checkpoint?) throws -> LedgerProof {
        func digests(_ hex: [String]) throws -> [Digest] {
            try hex.map { text in
                guard let digest = Digest(hex: text) else {
                    throw AgentError("The coordinator's ledger proof holds “\(text.prefix(80))”, which is no hash.")
                }
                return digest
            }
        }
        return LedgerProof(
            key: key, checkpoint: answer.checkpoint,
            entries: try answer.entries.map { entry in
                guard let leaf = Data(base64Encoded: entry.leaf) else {
                    throw AgentError("The coordinator's ledger entry \(entry.index) is not base64.")
                }
                return LedgerProof.Inclusion(index: entry.index, leaf: leaf, proof: try digests(entry.proof))
            },
            consistency: try answer.consistency.reduce(into: [:]) { result, item in
                guard let size = UInt64(item.key) else {
                    throw AgentError("The coordinator's consistency proof names the size “\(item.key.prefix(40))”.")
                }
                result[size] = try digests(item.value)
            }, known: known)
    }

    /// The newest tree head that was verified here before; a ledger that shrank or forked since is refused.
    private func knownCheckpoint(_ key: VerifyingKey) throws -> Checkpoint? {
        let path = context.places.agentState + "/ledger.checkpoint"
        guard try Files.status(path) != nil else { return nil }
        return try Checkpoint.parse(Files.readString(path), key: key)
    }

    private func remember(_ checkpoint: Checkpoint) throws {
        try Files.writeAtomically(
            context.places.agentState + "/ledger.checkpoint", Data(checkpoint.note.utf8), mode: 0o600)
    }

    private func promote(
        _ mission: Mission, _ folder: MissionFolder, _ input: ApprovalInput, _ authorized: AuthorizedPromotion
    ) async throws {
        let id = "\(mission.id)-\(Digest(of: Data(authorized.nonce.utf8)).short)"
        let watch = input.mission.live.watch.duration
        try await say(
            mission, "live_execution",
            "Approved by \(authorized.people.joined(separator: ", ")); every check of the agent passed.")
        // The order is DESIGN's: the nonce is burned on disk, the act is in the agent's journal and in the coordinator's ledger,
        // and only then does the promotion's own journal open.
        try Nonces(state: context.places.agentState).burn(authorized.nonce, now: context.now)
        let record = PromotionRecord(promotion: id, evidence: authorized.evidence, nonce: authorized.nonce)
        try folder.write("promotion.json", record)
        try journal(
            "promotion.authorized", mission,
            [
                "promotion": .string(id), "session": .string(authorized.sessionID),
                "evidence": .string(authorized.evidence.hex),
                "change_set": .string(authorized.changeSet.hex),
                "people": .array(authorized.people.map { .string($0) }),
                "approvals": .array(authorized.approvals.map { .string($0.hex) }),
                "overrides": .array(authorized.overrides.map { .string($0.hex) }),
                "checkpoint_size": .string("\(authorized.checkpoint.size)"),
            ])
        try await spool.flush()
        // The coordinator may have taken its time over that: what can change in the meantime is asked once more.
        let policies = try Policies.load(context.places)
        guard !isPaused, context.now < authorized.expires,
            policies.digests == (try EvidenceStatement.parse(payload: input.evidence.payload)).policies
        else {
            throw AgentError(
                "Between the agent's checks and the promotion the host was paused, the approval expired or a policy changed. Live is as it was; test the mission again."
            )
        }
        let promoter = context.promoter
        let result: PromotionResult
        do {
            switch input.mission.change.promote {
            case .files:
                result = try await promoter.promote(
                    id: id, changeSet: input.changeSet, base: input.base, apply: input.mission.live.apply,
                    watch: watch + 60, keeps: input.mission.live.rollbackHarmful)
            case .rerun:
                result = try await promoter.rerun(
                    id: id, intent: try Self.intent(input.mission, reads: input.base), watch: watch + 60,
                    keeps: input.mission.live.rollbackHarmful)
            }
        } catch PromotionError.conflict(let conflicts) {
            try? journal("promotion.conflict", mission, ["promotion": .string(id)])
            _ = try await report(.conflicted, mission.id, reason: conflicts.map(\.description).joined(separator: "; "))
            return
        }
        switch result.outcome {
        case .promoted: try await promoted(mission, folder, record, paths: result.paths)
        case .rolledBack:
            _ = try await report(
                .promotionFailed, mission.id,
                reason: "Live is as it was: \(result.reason ?? "the change failed on live")")
        case .frozen:
            _ = try await report(
                .promotionUnknown, mission.id,
                reason: result.reason ?? "nobody can tell whether it took effect; a person must look")
        }
    }

    private static func intent(_ mission: MissionFile, reads: Base) throws -> RerunIntent {
        guard case .run(let command) = mission.change.action, let undo = mission.change.undo,
            let effect = mission.change.effect
        else {
            throw AgentError("A rerun needs a command, its undo and its effect; the mission has not all of them.")
        }
        return RerunIntent(
            run: command, undo: undo, effect: effect,
            environment: [
                "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
                "LC_ALL": "C.UTF-8",
            ],
            reads: reads, apply: mission.live.apply)
    }

    private func promoted(_ mission: Mission, _ folder: MissionFolder, _ record: PromotionRecord, paths: Int?)
        async throws
    {
        var record = record
        if record.promotedAt == nil {
            record.promotedAt = context.now
            record.watchUntil = context.now.addingTimeInterval(try ownFile(mission.id).live.watch.duration)
            try folder.write("promotion.json", record)
        }
        try? journal("promotion.done", mission, ["promotion": .string(record.promotion)])
        try? context.bench.forks().discard(id: mission.id)
        let what = paths.flatMap { $0 > 0 ? "\($0) paths are live" : nil } ?? "the change is live"
        _ = try await report(.promoted, mission.id, reason: what, body: ["promotion": .string(record.promotion)])
    }

    /// A refusal that time or another signature can cure leaves the mission waiting; any other ends it with live as it was.
    private func refuse(_ mission: Mission, _ refusals: Refusals) async throws {
        if refusals.all.contains(where: { if case .baseConflict = $0 { true } else { false } }) {
            _ = try await report(.conflicted, mission.id, reason: refusals.description)
            return
        }
        let waits = refusals.all.allSatisfy { refusal in
            switch refusal {
            case .paused, .tooFewPeople: true
            default: false
            }
        }
        if waits {
            try await say(mission, "live_execution", "Waiting: \(refusals.description)")
            try await Task.sleep(for: .seconds(2))
            return
        }
        try? journal("promotion.refused", mission, ["refusals": .array(refusals.all.map { .string($0.code) })])
        _ = try await report(.promotionFailed, mission.id, reason: "Live is as it was: \(refusals.description)")
    }

    /// A signed `rollback@grace` act of a listed person, for a rollback after the watch.
    func verify(_ act: Envelope?, mission: Mission) throws {
        guard let act else {
            throw AgentError(
                "The watch of the mission \(mission.id) is over, so a rollback needs a signed rollback@grace act of a listed person: "
                    + "`grace rollback \(mission.id) --key FILE`.")
        }
        let policies = try Policies.load(context.places)
        let verified = try ActVerifier.rollback(
            act, mission: mission.id, host: context.host.id, approvers: policies.approvers,
            allowed: policies.allowedSigners,
            now: context.now
        ).get()
        _ = try context.journal.append(
            kind: "rollback.authorized", mission: mission.id,
            body: ["by": .string(verified.person), "act": .string(verified.id.hex)])
    }
}
