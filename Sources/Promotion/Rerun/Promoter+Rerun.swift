internal import Documents
internal import Fork
internal import FoundationEssentials
internal import Linux
internal import Missions

extension Promoter {
    /// What a rerun's `effect` says.
    private enum Effect {
        case inForce, notInForce
        /// It could not be asked: not started, killed, or its time was up.
        case unknown(String)
    }

    /// Runs a tested command again on live, at most once, and checks its effect.
    ///
    /// If the command fails or its effect is not there, `undo` runs. Whatever can't be told is `frozen`.
    ///
    /// - Parameters:
    ///   - id: A name that was never used before.
    ///   - intent: The commands.
    ///   - watch: Seconds until the rollback is due unless ``confirm(id:)`` comes first.
    ///   - keeps: The mission declares a rollback harmful: an unconfirmed promotion is frozen instead.
    /// - Returns: Promoted; rolled back, where `undo` ran; or frozen.
    /// - Throws: ``PromotionError/conflict(_:)`` where a declared input or executable is another one; nothing was run then.
    public func rerun(
        id: String, intent: RerunIntent, watch: Double = 1800, keeps: Bool = false
    ) async throws -> PromotionResult {
        try JournalStore.check(id)
        let lock = try store.lock()
        defer { lock.close() }
        guard try !store.exists(id) else { throw PromotionError.alreadyExists(id: id) }
        try recordIntent(
            "promotion.intent", ["id": .string(id), "promote": "rerun", "intent": .string(intent.digest.hex)])
        do {
            try await Threads.run("promote") { try begin(id, intent, watch, keeps) }
            let runner = CommandRunner(directory: store.path(id), calls: calls)
            let report = try await runner.run(.run, intent.run, of: intent)
            try setPhase(.ran, of: id) { $0.commands.append(report) }
            recordFact(
                "promotion.ran", ["id": .string(id), "exit_code": report.exitCode.map { .integer(Int64($0)) } ?? .null])
            return try await settle(id, intent, runner, exit: report)
        } catch let error as PromotionError {
            throw error
        } catch {
            throw PromotionError.interrupted(id: id, reason: "\(error)")
        }
    }

    private func begin(_ id: String, _ intent: RerunIntent, _ watch: Double, _ keeps: Bool) throws {
        do {
            let found = try calls.call(.inspect, BytePath(root)) { try intent.reads.conflicts(root: root) }
            if !found.isEmpty { throw PromotionError.conflict(found) }
            try store.create(id)
            try store.write(intent.document, as: JournalStore.intent, of: id)
            try setPhase(.intended, of: id) { $0.kind = .rerun }
            try arm(id, watch: watch, keeps: keeps)
            try CommandRunner(directory: store.path(id), calls: calls).permit(.run)
            // Looked at again at the last moment: preparing took its time.
            let later = try calls.call(.inspect, BytePath(root)) { try intent.reads.conflicts(root: root) }
            if !later.isEmpty { throw PromotionError.conflict(later) }
        } catch {
            // Nothing was run: no trace stays.
            try store.remove(id)
            if let error = error as? PromotionError { throw error }
            throw PromotionError.failed("\(error)")
        }
        // From here on the command counts as started, whether or not it was.
        try setPhase(.running, of: id)
    }

    /// After the command has ended: its effect decides.
    private func settle(
        _ id: String, _ intent: RerunIntent, _ runner: CommandRunner, exit: CommandReport
    ) async throws -> PromotionResult {
        let effect = try await ask(id, intent, runner)
        switch effect {
        case .unknown(let reason): return try freeze(id, reason)
        case .inForce where exit.exitCode == 0: return try await complete(id, intent)
        case .inForce, .notInForce:
            let ended = exit.timedOut ? "its time was up" : "exit code \(exit.exitCode.map { String($0) } ?? "unknown")"
            let seen = if case .inForce = effect { "its effect is there" } else { "its effect is not there" }
            return try await takeBack(id, intent, runner, reason: "the command ended with \(ended) and \(seen)")
        }
    }

    private func complete(_ id: String, _ intent: RerunIntent) async throws -> PromotionResult {
        var result = PromotionResult(id: id, outcome: .promoted)
        if let apply = intent.apply, !apply.isEmpty {
            result.applied = await applier.apply(apply)
            if let failed = result.applied.first(where: { !$0.succeeded }) {
                let runner = CommandRunner(directory: store.path(id), calls: calls)
                var back = try await takeBack(
                    id, intent, runner, reason: "\(failed.step) failed: \(failed.message ?? "no reason given")")
                back.applied = result.applied + (await applier.apply(apply))
                return back
            }
        }
        let applied = result.applied
        try setPhase(.promoted, of: id) { $0.applied = applied }
        recordFact("promotion.done", ["id": .string(id)])
        result.commands = try store.phase(of: id)?.commands ?? []
        return result
    }

    /// Runs `undo`, at most once.
    private func takeBack(
        _ id: String, _ intent: RerunIntent, _ runner: CommandRunner, reason: String
    ) async throws -> PromotionResult {
        try setPhase(.rollingBack, of: id) { $0.reason = reason }
        try runner.permit(.undo)
        let report = try await runner.run(.undo, intent.undo, of: intent)
        try setPhase(.rollingBack, of: id) { $0.commands.append(report) }
        switch try await ask(id, intent, runner) {
        case .unknown(let why): return try freeze(id, "\(reason); after undo: \(why)")
        case .inForce: return try freeze(id, "\(reason); undo has run, but the effect is still there")
        case .notInForce:
            // What a failed command left behind only undo could take away.
            guard report.exitCode == 0 else {
                return try freeze(
                    id, "\(reason); undo failed with exit code \(report.exitCode.map { String($0) } ?? "unknown")")
            }
        }
        try setPhase(.rolledBack, of: id)
        recordFact("promotion.rolled_back", ["id": .string(id)])
        return PromotionResult(
            id: id, outcome: .rolledBack, reason: reason, commands: try store.phase(of: id)?.commands ?? [])
    }

    private func freeze(_ id: String, _ reason: String) throws -> PromotionResult {
        try setPhase(.frozen, of: id) { $0.reason = reason }
        recordFact("promotion.frozen", ["id": .string(id)])
        return PromotionResult(
            id: id, outcome: .frozen, reason: reason, commands: try store.phase(of: id)?.commands ?? [])
    }

    private func ask(_ id: String, _ intent: RerunIntent, _ runner: CommandRunner) async throws -> Effect {
        let report = try await runner.askEffect(of: intent)
        guard let code = report.exitCode else {
            return .unknown(
                "the effect can't be told: " + (report.timedOut ? "its check took too long" : report.output))
        }
        if code == 0 { return .inForce }
        // 126 and 127: the shell could not start it; above: a signal.
        if code <= 125 { return .notInForce }
        return .unknown("the effect can't be told: its check ended with exit code \(code): \(report.output)")
    }

    /// The rollback of a complete rerun.
    func undo(_ id: String) async throws -> RollbackResult {
        let (intent, runner) = try stored(id)
        switch try await ask(id, intent, runner) {
        case .unknown(let reason):
            _ = try freeze(id, reason)
            return .frozen([])
        case .notInForce:
            // Somebody took it back already.
            try setPhase(.rolledBack, of: id) { $0.reason = "the effect was gone already" }
            return .rolledBack
        case .inForce:
            let result = try await takeBack(id, intent, runner, reason: "rolled back")
            if result.outcome == .rolledBack, let apply = intent.apply, !apply.isEmpty {
                let reports = await applier.apply(apply)
                try setPhase(.rolledBack, of: id) { $0.applied = reports }
            }
            return result.outcome == .rolledBack ? .rolledBack : .frozen([])
        }
    }

    private func stored(_ id: String) throws -> (RerunIntent, CommandRunner) {
        guard let document = try store.read(RerunDocument.self, JournalStore.intent, of: id) else {
            throw PromotionError.damaged(id: id, reason: "\(JournalStore.intent) is missing")
        }
        return (try document.intent(), CommandRunner(directory: store.path(id), calls: calls))
    }

    /// After a kill: nothing is run again; the effect decides.
    func recoverRerun(_ id: String, _ record: PhaseRecord) async throws -> RecoveryOutcome {
        if record.phase == .intended {
            try setPhase(.rolledBack, of: id) { $0.reason = "interrupted before the command was started" }
            return RecoveryOutcome(id: id, live: .old, reason: "the command had not been started")
        }
        let (intent, runner) = try stored(id)
        for role in CommandRunner.Guarded.allCases { try runner.forbid(role) }
        // What was seen to end needs no waiting for, and may have left a daemon that holds the lock.
        let role: CommandRunner.Guarded? = record.phase == .running ? .run : record.phase == .rollingBack ? .undo : nil
        if let role, try await !runner.waitForOrphan(role, limit: intent.timeout) {
            let frozen = try freeze(id, "the command still runs, long after its time was up")
            return RecoveryOutcome(id: id, live: .frozen, reason: frozen.reason ?? "")
        }
        switch (try await ask(id, intent, runner), record.phase) {
        case (.unknown(let reason), _):
            _ = try freeze(id, reason)
            return RecoveryOutcome(id: id, live: .frozen, reason: reason)
        case (.inForce, .rollingBack):
            let reason = "undo was interrupted and the effect is still there; whether undo ran can't be told"
            _ = try freeze(id, reason)
            return RecoveryOutcome(id: id, live: .frozen, reason: reason)
        case (.inForce, _):
            let result = try await complete(id, intent)
            return RecoveryOutcome(
                id: id, live: result.outcome == .promoted ? .new : result.outcome == .rolledBack ? .old : .frozen,
                reason: result.reason ?? "the command's effect is there")
        case (.notInForce, _):
            try setPhase(.rolledBack, of: id) {
                $0.reason = record.reason ?? "interrupted; the command's effect is not there"
            }
            return RecoveryOutcome(id: id, live: .old, reason: "the command's effect is not there")
        }
    }
}
