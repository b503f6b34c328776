internal import Documents
internal import Fork
internal import FoundationEssentials
internal import Linux
internal import Missions

extension Promoter {
    /// Takes a promotion back: files by the reverse exchange with the displaced inodes, a rerun by its `undo`; then `live.apply`
    /// runs again. Journaled like the promotion itself.
    ///
    /// - Returns: `.frozen` with nothing touched where live is no longer what was promoted.
    /// - Throws: ``PromotionError/outOfOrder(id:phase:wanted:)`` where there is nothing to take back,
    ///   ``PromotionError/interrupted(id:reason:)`` where recovery must finish it.
    public func rollback(id: String) async throws -> RollbackResult {
        let lock = try store.lock()
        defer { lock.close() }
        let record = try store.knownPhase(of: id)
        guard let status = status(id: id), status.canRollBack else {
            throw PromotionError.outOfOrder(
                id: id, phase: record.phase,
                wanted: record.isPurged ? "rolled back: its pre-images were given up" : "rolled back")
        }
        // A rollback never waits for the journal (DESIGN 8.6): it is entered where possible.
        recordFact("promotion.rollback", ["id": .string(id)])
        do {
            if record.kind == .rerun { return try await undo(id) }
            let (journal, changeSet, base) = try store.journal(of: id)
            let moves = try FileMoves(self, journal, changeSet, base, store: store)
            try store.release(id, all: true)
            if record.isStowed == true {
                try await Threads.run("rollback") {
                    try moves.settleTimes(record.parentTimes ?? [], stowedIn: store.path(id))
                    try moves.unstow(from: store.path(id))
                }
            }
            if record.phase == .frozen && !record.isWhole {
                // Half-done when it froze; a person has put the paths right since.
                return try await Threads.run("rollback") {
                    let locks = try hostLocks(moves)
                    defer { withExtendedLifetime(locks) {} }
                    do {
                        try restoreOld(id, moves, reason: "Taken back by hand after it was frozen")
                        return .rolledBack
                    } catch PromotionError.frozen(_, let conflicts) {
                        return .frozen(conflicts)
                    }
                }
            }
            let result = try await Threads.run("rollback") {
                let result = try moveBack(id, moves, reason: nil)
                // They are still there if this fails, only in sight; what was found is what people must hear.
                if record.isStowed == true, result != .rolledBack { try? moves.stow(in: store.path(id)) }
                return result
            }
            if result == .rolledBack, let apply = journal.apply, !apply.isEmpty {
                let reports = await applier.apply(apply)
                try setPhase(.rolledBack, of: id) { $0.applied = reports }
            }
            return result
        } catch let error as PromotionError {
            throw error
        } catch {
            throw PromotionError.interrupted(id: id, reason: "\(error)")
        }
    }

    /// The locks of other programs on the files that go back.
    func hostLocks(_ moves: FileMoves) throws -> HostLocks {
        try HostLocks(for: moves.changeSet, root: moves.root, calls: calls)
    }

    /// From entirely new to entirely old, or nothing.
    func moveBack(_ id: String, _ moves: FileMoves, reason: String?) throws -> RollbackResult {
        guard let record = try store.phase(of: id) else { throw PromotionError.notFound(id: id) }
        let locks = try hostLocks(moves)
        defer { withExtendedLifetime(locks) {} }
        let found = try moves.conflictsOfGoingBack(.strict)
        if !found.isEmpty { return try freeze(id, try moves.threeWay(found)) }
        // Times of parent directories come back only where nobody touched the directory since.
        let now = try moves.parentTimes()
        let untouched = record.parentTimes.map { known in zip(known, now).map { $0 == $1 } } ?? now.map { _ in false }
        try setPhase(.rollingBack, of: id) {
            $0.reason = reason
            $0.parentTimes = zip(untouched, now).map { $0 ? "untouched" : $1 }
        }
        do {
            try moves.goBack(.strict)
        } catch let conflict as MoveConflict {
            let stuck = try moves.goForwardAgain()
            let times = record.parentTimes
            try moves.setTimes(now)
            // “Whole” must be true after a power loss too: some moves back may be on disk by now.
            try moves.syncDirectories()
            return try freeze(id, try moves.threeWay(conflict.conflicts + stuck)) {
                $0.parentTimes = times
                $0.isWhole = stuck.isEmpty
            }
        }
        try completeRollback(id, moves)
        return .rolledBack
    }

    /// Everything after the last move back; may be killed and run again.
    func completeRollback(_ id: String, _ moves: FileMoves) throws {
        guard let record = try store.phase(of: id) else { throw PromotionError.notFound(id: id) }
        try moves.syncDirectories()
        try moves.removeStashes()
        let untouched = record.parentTimes ?? []
        try moves.restoreOwnDirectoryTimes()
        try moves.restoreTimes { untouched.indices.contains($0) && untouched[$0] == "untouched" }
        try moves.syncDirectories()
        try setPhase(.rolledBack, of: id)
        recordFact("promotion.rolled_back", ["id": .string(id)])
    }

    private func freeze(
        _ id: String, _ conflicts: [Conflict], _ change: (inout PhaseRecord) -> Void = { _ in }
    ) throws -> RollbackResult {
        try setPhase(.frozen, of: id) {
            $0.reason = "Rolling back would overwrite what changed on live since the promotion"
            $0.conflicts = conflicts.map(\.description)
            $0.isWhole = true
            change(&$0)
        }
        recordFact("promotion.frozen", ["id": .string(id)])
        return .frozen(conflicts)
    }

    /// Gives up the pre-images of a promotion that is confirmed: it can't be rolled back after this. For retention. Where it was cut
    /// off, it is to be called again.
    public func purge(id: String) throws {
        let lock = try store.lock()
        defer { lock.close() }
        let record = try store.knownPhase(of: id)
        guard record.phase == .confirmed else {
            throw PromotionError.outOfOrder(id: id, phase: record.phase, wanted: "purged")
        }
        guard !record.isPurged || record.kind == .files else { return }
        try setPhase(.confirmed, of: id) { $0.isPurged = true }
        guard record.kind == .files else { return }
        let (journal, changeSet, base) = try store.journal(of: id)
        let moves = try FileMoves(self, journal, changeSet, base, store: store)
        try store.release(id, all: true)
        try moves.settleTimes(record.parentTimes ?? [], stowedIn: store.path(id))
        // Out of sight first, by one rename each, after which a kill moves no time of people's directories. What can't be (a full
        // disk) is removed where it lies.
        try? moves.stow(in: store.path(id))
        let times = try moves.reachableTimes()
        try moves.removeStashes()
        try moves.setTimes(times)
        try moves.syncDirectories()
        try moves.removeStowed(in: store.path(id))
        if record.isStowed == true { try setPhase(.confirmed, of: id) { $0.isStowed = false } }
    }
}
