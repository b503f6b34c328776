internal import Linux
internal import Promotion
internal import Fork
internal import Logging
internal import Documents
internal import FoundationEssentials
internal import Ledger
internal import Measurement
internal import Missions
internal import Trust

extension AgentService {
    /// Phase 2 for one mission, reported step by step.
    func test(_ mission: Mission) async {
        do {
            guard try mission.file.digest == mission.digest else {
                throw AgentError("The mission's file does not have the digest the coordinator names; it is not tested.")
            }
            if mission.phase != .sandboxTesting {
                _ = try await report(.testStarted, mission.id, reason: "the trial begins")
            }
            try journal("test.started", mission)
            let folder = try context.folder(mission.id)
            if let record: PromotionRecord = try folder.value("promotion.json"),
                let status = context.promoter.status(id: record.promotion), status.deadman != nil
            {
                throw AgentError(
                    "The mission's change is live and under watch on this host; it is not tested again until the watch is over."
                )
            }
            if mission.phase == .detected { try folder.forgetTest() }
            try folder.write("mission.json", mission.file)
            let link = context.link
            let outcome = try await MissionTester(
                bench: context.bench, mission: mission.file, missionID: mission.id, folder: folder,
                policies: try Policies.load(context.places), lock: lock,
                progress: { step in
                    try? await link.progress(
                        ProgressReport(stage: step.stage, text: step.text, body: step.body), mission: mission.id)
                }
            ).run()
            rest.ended()
            try await publish(outcome, mission, folder)
        } catch let suffering as LiveSuffers {
            await pause(mission, suffering)
        } catch is CancellationError {
            context.logger.notice("the test stops", metadata: ["mission": "\(mission.id)"])
        } catch let error as LinkError where error.isPassing {
            // A coordinator that is away is no fault of the mission's: what was measured is kept, and the test goes on from it.
            context.logger.warning("\(error)", metadata: ["mission": "\(mission.id)"])
            try? await Task.sleep(for: .seconds(2))
        } catch {
            guard !Task.isCancelled else { return }
            context.logger.warning("the test failed: \(error)", metadata: ["mission": "\(mission.id)"])
            try? journal("test.failed", mission)
            _ = try? await report(.testFailed, mission.id, reason: "\(error)")
        }
    }

    /// The trial stops for live's sake. That is no verdict on the change: the mission waits for more testing, and the same trial
    /// goes on from its recorded blocks after a rest.
    private func pause(_ mission: Mission, _ suffering: LiveSuffers) async {
        let blocks = ((try? context.folder(mission.id).blocks()) ?? []).count
        let wait = rest.stopped(
            mission.id, blocks: blocks, at: context.now.timeIntervalSince1970, rest: context.configuration.live.rest)
        let reason =
            "Paused for live's sake: \(suffering). \(blocks == 1 ? "1 block is" : "\(blocks) blocks are") kept, and the same trial goes on in \(Span(seconds: wait)) at the earliest."
        context.logger.warning("\(reason)", metadata: ["mission": "\(mission.id)"])
        try? journal("test.paused", mission, ["reason": .string("\(suffering)"), "blocks": .integer(Int64(blocks))])
        try? await say(mission, "trial", reason)
        _ = try? await report(.testInconclusive, mission.id, reason: reason)
    }

    private func publish(_ outcome: MissionTester.Outcome, _ mission: Mission, _ folder: MissionFolder) async throws {
        let evidence = outcome.evidence
        let statement = Statement(
            subject: [Statement.Subject(name: "change-set", sha256: evidence.changeSet)],
            predicateType: Evidence.predicateType, predicate: try JSON(encoding: evidence))
        let envelope = try statement.signed(by: context.key)
        try Nonces(state: context.places.agentState).issue(evidence.nonce, mission: mission.id, now: context.now)
        try folder.write("evidence.json", envelope)
        try folder.write("manifest.json", outcome.changeSet.manifest)
        try folder.write("base.json", outcome.base.document)
        _ = try context.journal.append(
            kind: "evidence", mission: mission.id,
            body: [
                "evidence": .string(Digest(of: envelope.payload).hex), "change_set": .string(evidence.changeSet.hex),
                "base": .string(evidence.base.hex), "verdict": .string(evidence.trial.verdict.rawValue),
                "nonce": .string(evidence.nonce),
            ])
        for blob in outcome.changeSet.blobs where mission.file.change.promote == .files {
            try await context.link.upload(blob: try context.bench.blobs.read(blob), digest: blob)
        }
        try await context.link.upload(
            changes: ChangesUpload(
                manifest: outcome.changeSet.manifest.base64EncodedString(),
                base: outcome.base.document.base64EncodedString(),
                diff: outcome.diff), mission: mission.id)
        try await context.link.upload(evidence: envelope, mission: mission.id)
        try await spool.flush()
        let (event, reason) = Self.event(for: outcome, threshold: context.configuration.trustThreshold)
        _ = try await report(event, mission.id, reason: reason)
    }

    /// What follows from a test (DESIGN section 2, phase 5 read ahead): a session opens unless something stands in the way that
    /// people can't override.
    static func event(for outcome: MissionTester.Outcome, threshold: Double) -> (MissionEvent, String) {
        let evidence = outcome.evidence
        if !outcome.blocking.isEmpty { return (.testBlocked, outcome.blocking.joined(separator: " ")) }
        let (event, reasons) = ExecutionDecision.afterTest(
            DecisionInput(
                result: evidence.trial, trust: evidence.trust, threshold: threshold, governance: evidence.governance,
                constitution: evidence.constitution))
        let reason =
            reasons.isEmpty
            ? "\(evidence.trial.verdict.rawValue): \(evidence.trial.reason)" : reasons.joined(separator: " ")
        // The trial ended by itself: it took all the blocks it may, so people decide on what there is.
        return event == .testInconclusive && !evidence.trial.moreBlocksCanHelp ? (.testPassed, reason) : (event, reason)
    }

    func journal(_ kind: String, _ mission: Mission, _ body: JSON = .object([:])) throws {
        _ = try context.journal.append(kind: kind, mission: mission.id, body: body)
    }
}
