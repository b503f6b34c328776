internal import Documents
internal import Fork
internal import FoundationEssentials
internal import Linux
internal import Missions

extension Promoter {
    /// Finishes whatever a kill or power loss left open: every promotion ends entirely old or entirely new, or frozen where live
    /// moved on meanwhile. To be run when the agent starts, before anything else; can itself be killed and run again.
    ///
    /// - Returns: One outcome for each promotion that was open.
    /// - Throws: Where the state directory can't be read, or ``PromotionError/busy(state:)``.
    public func recover() async throws -> [RecoveryOutcome] {
        let lock = try store.lock()
        defer { lock.close() }
        var outcomes: [RecoveryOutcome] = []
        for id in try store.ids() {
            do {
                if let outcome = try await recover(id) { outcomes.append(outcome) }
            } catch PromotionError.frozen(_, let conflicts) {
                outcomes.append(
                    RecoveryOutcome(
                        id: id, live: .frozen,
                        reason: "live moved on: " + PromotionError.list(conflicts.map(\.description))
                            + "; a person must look"))
            } catch {
                outcomes.append(RecoveryOutcome(id: id, live: .undecided, reason: "\(error)"))
            }
        }
        for outcome in outcomes {
            recordFact("promotion.recovered", ["id": .string(outcome.id), "live": .string(outcome.live.rawValue)])
        }
        return outcomes
    }

    private func recover(_ id: String) async throws -> RecoveryOutcome? {
        guard let record = try store.phase(of: id) else {
            // Killed before the first phase was written: nothing had been staged.
            guard try store.isBeginning(id) else {
                throw PromotionError.damaged(
                    id: id,
                    reason:
                        "\(JournalStore.phase) is missing, and \(store.path(id).display) holds what no promotion wrote")
            }
            try store.remove(id)
            return RecoveryOutcome(id: id, live: .old, reason: "nothing had begun")
        }
        guard record.phase.isOpen else {
            // Where its displaced files lie is for a rollback or a purge to find; only the times of people's directories are mended.
            if record.kind == .files, try FileMoves.isMoving(store.path(id), calls) {
                let (journal, changeSet, base) = try store.journal(of: id)
                try FileMoves(self, journal, changeSet, base)
                    .settleTimes(record.parentTimes ?? [], stowedIn: store.path(id))
            }
            return nil
        }
        if record.kind == .rerun { return try await recoverRerun(id, record) }
        let (journal, changeSet, base) = try store.journal(of: id)
        let moves = try FileMoves(self, journal, changeSet, base, store: store)
        try store.release(id, all: record.phase != .committed)
        switch record.phase {
        case .committed:
            let result = try await finish(id, journal, changeSet, base)
            return RecoveryOutcome(
                id: id, live: result.outcome == .promoted ? .new : result.outcome == .rolledBack ? .old : .frozen,
                reason: result.reason ?? "all files were in place; live.apply has run")
        case .rollingBack:
            try await Threads.run("recover") {
                let locks = try hostLocks(moves)
                defer { withExtendedLifetime(locks) {} }
                try goOnBack(id, moves)
                try completeRollback(id, moves)
            }
            if let apply = journal.apply, !apply.isEmpty {
                let reports = await applier.apply(apply)
                try setPhase(.rolledBack, of: id) { $0.applied = reports }
            }
            return RecoveryOutcome(id: id, live: .old, reason: "the rollback was finished")
        case .preparing:
            try await Threads.run("recover") {
                try moves.removeStashes()
                try moves.restoreTimes { _ in true }
                try moves.syncDirectories()
                try setPhase(.rolledBack, of: id) { $0.reason = "interrupted while staging" }
            }
            return RecoveryOutcome(id: id, live: .old, reason: "nothing live had changed")
        default:
            try await Threads.run("recover") {
                let locks = try hostLocks(moves)
                defer { withExtendedLifetime(locks) {} }
                try restoreOld(id, moves, reason: "interrupted half-way")
            }
            return RecoveryOutcome(id: id, live: .old, reason: "the moves made so far were taken back")
        }
    }

    /// The moves of a rollback that was interrupted.
    private func goOnBack(_ id: String, _ moves: FileMoves) throws {
        let found = try moves.conflictsOfGoingBack(.halfDone)
        do {
            if !found.isEmpty { throw MoveConflict(conflicts: found) }
            try moves.goBack(.halfDone)
        } catch let conflict as MoveConflict {
            let conflicts = try moves.threeWay(conflict.conflicts)
            try setPhase(.frozen, of: id) {
                $0.reason = "Live moved on while the rollback was half-done"
                $0.conflicts = conflicts.map(\.description)
                $0.isWhole = false
            }
            throw PromotionError.frozen(id: id, conflicts)
        }
    }
}
