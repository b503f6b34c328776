internal import Fork
internal import Logging
internal import Documents
internal import FoundationEssentials
internal import Ledger
internal import Linux
internal import Missions
internal import Parliament
internal import Promotion

/// What the agent remembers of a promotion beside the promoter's own journal.
struct PromotionRecord: Codable {
    /// The promotion's id in the promoter.
    var promotion: String
    var evidence: Digest
    var nonce: String
    /// When live carried the change; `nil` until then.
    var promotedAt: Date?
    /// When the watch ends.
    var watchUntil: Date?
}

extension AgentService {
    /// Phase 7: probes until the watch's time is over, or until it must be rolled back.
    func watch(_ mission: Mission) async {
        do {
            let folder = try context.folder(mission.id)
            guard let record: PromotionRecord = try folder.value("promotion.json"), let until = record.watchUntil else {
                throw AgentError("The agent has no record of promoting the mission \(mission.id); it can't watch it.")
            }
            if isBegun(record) {
                // Killed between a rollback and its report: live is old already (or frozen), and a watch could only fail.
                guard try await context.link.mission(mission.id).mission.phase == .monitoring else { return }
                let why = context.promoter.status(id: record.promotion)?.reason
                return await rollBack(mission, record, reason: why ?? "A rollback that was interrupted is finished.")
            }
            let specification = try ownFile(mission.id).live.watch
            var state = WatchState(limits: specification.limits)
            let prober = Prober(client: context.http)
            let clock = ContinuousClock()
            var next = clock.now
            var told = clock.now
            try? await say(
                mission, "monitoring",
                "Watching for \(Span(seconds: max(0, until.timeIntervalSince(context.now).rounded()))).")
            // After a restart near the end the time alone proves nothing: some probes must have been seen.
            let least =
                specification.probes.isEmpty
                ? 0 : min(WatchState.minimumSamples, Int(specification.duration / specification.interval))
            while context.now < until || state.count < least {
                next = max(next + .seconds(specification.interval), clock.now)
                for probe in specification.probes {
                    if let reason = state.take(await prober.probe(probe.http)) {
                        return await rollBack(mission, record, reason: "The watch failed: \(reason).")
                    }
                }
                if clock.now - told > .seconds(5) {
                    told = clock.now
                    let left = max(0, until.timeIntervalSince(context.now).rounded())
                    let latency = state.p95.map { ", p95 \(Int(($0 * 1000).rounded())) ms" } ?? ""
                    try? await say(
                        mission, "monitoring",
                        "\(state.count) probes\(latency), \(Int((state.errorRate * 100).rounded())) % failed; \(Span(seconds: left)) left."
                    )
                }
                let left = until.timeIntervalSince(context.now)
                try await clock.sleep(until: left > 0 ? min(next, clock.now + .seconds(left)) : next)
            }
            try context.promoter.confirm(id: record.promotion)
            try journal(
                "watch.passed", mission,
                ["promotion": .string(record.promotion), "probes": .integer(Int64(state.count))])
            try await spool.flush()
            let summary = state.p95.map { ", p95 latency \(Int(($0 * 1000).rounded())) ms" } ?? ""
            _ = try await report(
                .watchPassed, mission.id, reason: "the watch passed: \(state.count) probes\(summary)",
                body: ["probes": .integer(Int64(state.count)), "p95_seconds": state.p95.map { .number($0) } ?? .null])
        } catch is CancellationError {
        } catch {
            context.logger.error("the watch could not go on: \(error)", metadata: ["mission": "\(mission.id)"])
        }
    }

    /// The mission as this agent tested it: what the coordinator says of it later changes nothing.
    func ownFile(_ mission: String) throws -> MissionFile {
        guard let file: MissionFile = try context.folder(mission).value("mission.json") else {
            throw AgentError("The agent has no copy of the mission \(mission) of its own; it acts on nobody else's.")
        }
        return file
    }

    /// People asked for a rollback: the coordinator lets through those who may, and taking back is the safe direction. After the
    /// watch, by this agent's own record and clock, it takes a signed act, which is verified here.
    func requestedRollback(_ request: WorkRequest) async {
        do {
            let view = try await context.link.mission(request.mission_id)
            let folder = try context.folder(request.mission_id)
            guard let record: PromotionRecord = try folder.value("promotion.json") else {
                throw AgentError(
                    "The agent never promoted the mission \(request.mission_id); there is nothing to take back.")
            }
            if !isWatched(record) {
                try verify(request.act, mission: view.mission)
            }
            await rollBack(
                view.mission, record, reason: "\(request.by) asked for it: \(request.reason)", isAsked: true)
        } catch {
            context.logger.warning("a rollback was refused: \(error)", metadata: ["mission": "\(request.mission_id)"])
            try? await say(request.mission_id, "rollback", "The rollback was refused: \(error)")
        }
    }

    /// Goes on with a rollback that a kill interrupted.
    func finishRollback(_ mission: Mission, reason: String) async {
        guard let record: PromotionRecord = try? context.folder(mission.id).value("promotion.json") else {
            _ = try? await report(
                .rollbackFrozen, mission.id, reason: "the agent has no record of the promotion; a person must look")
            return
        }
        // What the coordinator calls the mission's phase is no leave: once the watch is over only a signed act is.
        guard isWatched(record) || isBegun(record) else {
            context.logger.warning(
                "a rollback was refused: the watch is over, and none was begun here",
                metadata: ["mission": "\(mission.id)"])
            return
        }
        await rollBack(mission, record, reason: reason)
    }

    /// Whether the approval still covers a rollback: no watch has passed yet, by this agent's own record and clock.
    private func isWatched(_ record: PromotionRecord) -> Bool {
        if record.watchUntil.map({ context.now < $0 }) ?? true { return true }
        return context.promoter.status(id: record.promotion)?.phase == .promoted
    }

    /// Whether a rollback of it was begun here, and maybe not reported.
    private func isBegun(_ record: PromotionRecord) -> Bool {
        switch context.promoter.status(id: record.promotion)?.phase {
        case .rollingBack, .rolledBack, .frozen: true
        default: false
        }
    }

    /// `isAsked`: a person wants it, who decides also about a change that declares a rollback harmful.
    private func rollBack(
        _ mission: Mission, _ record: PromotionRecord, reason: String, isAsked: Bool = false
    ) async {
        // Whatever can't be recorded or reported must not keep live from being restored (DESIGN section 8.6).
        try? journal("rollback.intent", mission, ["promotion": .string(record.promotion)])
        if !isAsked, (try? ownFile(mission.id))?.live.rollbackHarmful ?? false {
            try? context.promoter.keep(
                id: record.promotion, reason: "\(reason) The mission declares a rollback harmful")
            try? journal("rollback.frozen", mission, ["promotion": .string(record.promotion)])
            _ = try? await report(
                .rollbackFrozen, mission.id,
                reason: "\(reason) The mission declares a rollback harmful: the change stays, and a person must look.")
            return
        }
        let result: RollbackResult
        do {
            if context.promoter.status(id: record.promotion)?.phase == .rolledBack {
                result = .rolledBack
            } else {
                // Taking back waits for no trial: the promoter has a lock of its own.
                stopTests()
                result = try await context.promoter.rollback(id: record.promotion)
            }
        } catch {
            try? journal("rollback.failed", mission, ["promotion": .string(record.promotion)])
            await report(
                .rollbackFrozen, mission.id, begun: mission.phase == .rollingBack,
                "\(reason) The rollback failed: \(error)")
            return
        }
        await conclude(
            result, record.promotion, mission: mission.id, begun: mission.phase == .rollingBack, reason)
    }

    /// What a rollback came to goes into the journal and to the coordinator: one way for the watch, people and the deadman.
    /// `begun`: the coordinator knows already that it began.
    func conclude(_ result: RollbackResult, _ promotion: String, mission: String, begun: Bool, _ reason: String) async {
        let frozen: [String]?
        switch result {
        case .rolledBack: frozen = nil
        case .frozen(let conflicts): frozen = conflicts.map(\.description)
        }
        _ = try? context.journal.append(
            kind: frozen == nil ? "rollback.done" : "rollback.frozen", mission: mission,
            body: ["promotion": .string(promotion)])
        guard let frozen else { return await report(.rolledBack, mission, begun: begun, reason) }
        let why =
            frozen.isEmpty
            ? context.promoter.status(id: promotion)?.reason ?? "Nobody can tell whether it is in force."
            : "A rollback would overwrite later changes: \(frozen.joined(separator: "; "))"
        await report(.rollbackFrozen, mission, begun: begun, "\(reason) \(why)")
    }

    private func report(_ event: MissionEvent, _ mission: String, begun: Bool, _ reason: String) async {
        do {
            // Where the coordinator knows already that it began, it refuses this, and takes the end all the same.
            if !begun { _ = try? await report(.rollbackStarted, mission, reason: reason) }
            _ = try await report(event, mission, reason: reason)
            try? await spool.flush()
        } catch {
            context.logger.error("\(error)", metadata: ["mission": "\(mission)"])
        }
    }

    func say(_ mission: Mission, _ stage: String, _ text: String) async throws {
        try await say(mission.id, stage, text)
    }

    func say(_ mission: String, _ stage: String, _ text: String) async throws {
        try await context.link.progress(ProgressReport(stage: stage, text: text, body: .null), mission: mission)
    }
}
