internal import Documents
public import Fork
public import FoundationEssentials
internal import Linux
public import Missions

extension Promoter {
    /// What promoting would do; nothing is touched.
    ///
    /// - Throws: ``PromotionError/refused(_:)`` naming everything that can't be exchanged (devices, mount points, immutable
    ///   inodes, hard links outside the set, Grace's own state) and every file system without the room for it, ``PromotionError/conflict(_:)`` where a parent is no longer what
    ///   the base says.
    public func plan(changeSet: ChangeSet, base: Base) throws -> PromotionPlan {
        PromotionPlan(try makeJournal(id: "plan", PromotionDocuments(changeSet, base), blobs, apply: nil))
    }

    func makeJournal(
        id: String, _ documents: PromotionDocuments, _ contents: any ContentSource, apply: LiveApply?
    ) throws -> PromotionJournal {
        let top = try RootDirectory(root, calls: calls)
        var planner = Planner(
            root: top, calls: calls, contents: contents, state: stateBelowRoot, documents: documents)
        let tag = String(UInt64.random(in: .min ... .max) | 1 << 63, radix: 16)
        let journal = try planner.plan(id: id, tag: tag, apply: apply)
        try requireRoom(for: journal, documents, contents, below: top)
        return journal
    }

    private var stateBelowRoot: BytePath? {
        let (top, own) = (BytePath(root), BytePath(state))
        guard own.isInside(top) else { return nil }
        let names = own.components.dropFirst(top.components.count)
        return BytePath(bytes: Array(names.flatMap { [UInt8(ascii: "/")] + $0 }))
    }

    /// Brings the change set to live, all of it or nothing, then runs `live.apply`.
    ///
    /// Order: the intent in the agent's journal; the conflict check; the promotion's own journal on disk; everything staged; a
    /// barrier; the rollback armed; the moves, each under a lease and with a check of its own; directories on disk; committed;
    /// `live.apply`.
    ///
    /// - Parameters:
    ///   - id: A name that was never used before.
    ///   - changeSet: What was tested.
    ///   - base: The pre-images, with everything the change declared to read.
    ///   - apply: How running processes take the files up. If it fails the files are rolled back and it runs again.
    ///   - watch: Seconds until the rollback is due unless ``confirm(id:)`` comes first.
    ///   - keeps: The mission declares a rollback harmful: an unconfirmed promotion is frozen instead.
    /// - Returns: Promoted; or rolled back or frozen, where `live.apply` failed.
    /// - Throws: A ``PromotionError``; then live is as it was before, except for `interrupted` and `frozen`, which say so.
    public func promote(
        id: String, changeSet: ChangeSet, base: Base, apply: LiveApply? = nil, watch: Double = 1800,
        keeps: Bool = false
    ) async throws -> PromotionResult {
        try JournalStore.check(id)
        let lock = try store.lock()
        defer { lock.close() }
        return try await promoteLocked(id, changeSet, base, blobs, apply, watch, keeps).result
    }

    /// Promotes and confirms at once, for changes that no watch follows: the act of a person at the keyboard. The displaced files
    /// then lie in this promoter's state, where that is on the same file system, and nothing is left beside the new ones;
    /// ``rollback(id:)`` fetches them back.
    ///
    /// - Parameters:
    ///   - id: A name that was never used before.
    ///   - changeSet: What was tested.
    ///   - base: The pre-images.
    ///   - contents: Where the contents lie, if not among the blobs.
    /// - Returns: Promoted.
    /// - Throws: As ``promote(id:changeSet:base:apply:watch:keeps:)``.
    public func commit(id: String, changeSet: ChangeSet, base: Base, contents: (any ContentSource)? = nil) async throws
        -> PromotionResult
    {
        try JournalStore.check(id)
        let lock = try store.lock()
        defer { lock.close() }
        let (result, journal) = try await promoteLocked(id, changeSet, base, contents ?? blobs, nil, 600, false)
        try await Threads.run("commit") {
            do {
                try setPhase(.confirmed, of: id) { $0.isStowed = true }
            } catch {
                // Not recorded as what it is, it would be taken back when its watch ends: then rather now, while somebody hears of it.
                let moves = try FileMoves(self, journal, changeSet, base, store: store)
                if case .frozen(let conflicts) = try takeBackWhole(id, moves, "\(error)") {
                    throw PromotionError.frozen(id: id, conflicts)
                }
                throw PromotionError.failed("\(error)")
            }
            recordFact("promotion.confirmed", ["id": .string(id)])
            // They are still there if this fails, only in sight.
            try? FileMoves(self, journal, changeSet, base).stow(in: store.path(id))
        }
        return result
    }

    /// Gives up the pre-images of commits (``commit(id:changeSet:base:)``) that were made before `date`.
    ///
    /// One that fails, or was cut off by a kill, keeps no other from it and is tried again by the next call.
    ///
    /// - Throws: what the first that failed said.
    public func purgeCommits(before date: Date) throws {
        var failure: (any Error)?
        for id in try store.ids() {
            guard let record = try? store.phase(of: id), record.phase == .confirmed, record.isStowed == true,
                record.isPurged || record.since < date
            else { continue }
            do { try purge(id: id) } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
    }

    private func promoteLocked(
        _ id: String, _ changeSet: ChangeSet, _ base: Base, _ contents: any ContentSource, _ apply: LiveApply?,
        _ watch: Double, _ keeps: Bool
    ) async throws -> (result: PromotionResult, journal: PromotionJournal) {
        guard try !store.exists(id) else { throw PromotionError.alreadyExists(id: id) }
        let documents = PromotionDocuments(changeSet, base)
        try recordIntent(
            "promotion.intent",
            [
                "id": .string(id), "promote": "files", "change_set": .string(documents.changeSetDigest.hex),
                "base": .string(documents.baseDigest.hex),
            ])
        let (journal, unleased) = try await Threads.run("promote") {
            try moveIn(id, documents, contents, apply, watch, keeps)
        }
        var facts: [String: JSON] = ["id": .string(id), "change_set": .string(documents.changeSetDigest.hex)]
        if unleased > 0 { facts["compared_without_leases"] = .string(String(unleased)) }
        recordFact("promotion.committed", .object(facts))
        do {
            var result = try await finish(id, journal, changeSet, base)
            result.unleased = unleased
            return (result, journal)
        } catch let error as PromotionError {
            throw error
        } catch {
            throw PromotionError.interrupted(id: id, reason: "\(error)")
        }
    }

    /// Everything up to `committed`.
    private func moveIn(
        _ id: String, _ documents: PromotionDocuments, _ contents: any ContentSource, _ apply: LiveApply?,
        _ watch: Double, _ keeps: Bool
    ) throws -> (journal: PromotionJournal, unleased: Int) {
        let (changeSet, base) = (documents.changeSet, documents.base)
        let found = try calls.call(.inspect, BytePath(root)) { try base.conflicts(root: root) }
        if !found.isEmpty { throw PromotionError.conflict(found) }
        let journal = try makeJournal(id: id, documents, contents, apply: apply)
        var moves = try FileMoves(self, journal, changeSet, base, contents: contents)
        let locks = try HostLocks(for: changeSet, root: moves.root, calls: calls)
        defer { withExtendedLifetime(locks) {} }
        do {
            try store.create(id)
            try store.write(journal, documents, of: id)
            try setPhase(.preparing, of: id)
            try moves.openBarriers()
            try moves.stage()
            try store.write(
                StagedInodes(inodes: moves.staged.map { $0.map { String($0) } }), as: JournalStore.staged, of: id)
            try store.reserve(JournalStore.spare(for: journal), of: id)
            try moves.syncFileSystems()
            try calls.call(.syncfs, BytePath(root)) { try contents.settle() }
            try arm(id, watch: watch, keeps: keeps)
            try moves.requireReads()
            try setPhase(.applying, of: id)
            try moves.advance()
            try moves.restoreTimes { !journal.parents[$0].changesNames }
            try moves.setOwnDirectoryTimes()
            try moves.syncDirectories()
            try moves.verifyNew()
            let times = try moves.parentTimes()
            try store.release(id)
            try setPhase(.committed, of: id) { $0.parentTimes = times }
            return (journal, moves.unleased.all.count)
        } catch {
            try takeBack(id, moves, because: error)
        }
    }

    /// Makes live entirely old after `error`, and throws what came of it.
    private func takeBack(_ id: String, _ moves: FileMoves, because error: any Error) throws -> Never {
        let reason =
            (error as? MoveConflict).map { "conflict: " + PromotionError.list($0.conflicts.map(\.description)) }
            ?? "\(error)"
        do {
            try store.release(id, all: true)
            guard let phase = try store.phase(of: id), phase.phase != .preparing else {
                // Nothing live has changed: no trace stays.
                try moves.removeStashes()
                try moves.restoreTimes { _ in true }
                try moves.syncDirectories()
                try store.remove(id)
                throw Settled()
            }
            // The record of the commit may have reached the disk though writing it failed.
            if phase.phase == .committed { try setPhase(.applying, of: id) }
            try restoreOld(id, moves, reason: reason)
        } catch is Settled {
            // as wanted
        } catch let error as PromotionError {
            throw error
        } catch let second {
            throw PromotionError.interrupted(id: id, reason: "\(reason); taking it back: \(second)")
        }
        recordFact("promotion.failed", ["id": .string(id)])
        if let conflict = error as? MoveConflict { throw PromotionError.conflict(conflict.conflicts) }
        if let error = error as? PromotionError { throw error }
        throw PromotionError.failed(reason)
    }

    private struct Settled: Error {}

    /// From anywhere before `committed` back to entirely old; may be killed and run again.
    func restoreOld(_ id: String, _ moves: FileMoves, reason: String?) throws {
        let found = try moves.conflictsOfGoingBack(.halfDone)
        do {
            if !found.isEmpty { throw MoveConflict(conflicts: found) }
            try moves.goBack(.halfDone)
        } catch let conflict as MoveConflict {
            let conflicts = try moves.threeWay(conflict.conflicts)
            try setPhase(.frozen, of: id) {
                $0.reason = "Live moved on while the promotion was half-done"
                $0.conflicts = conflicts.map(\.description)
            }
            recordFact("promotion.frozen", ["id": .string(id)])
            throw PromotionError.frozen(id: id, conflicts)
        }
        try moves.syncDirectories()
        try moves.removeStashes()
        try moves.restoreOwnDirectoryTimes()
        try moves.restoreTimes { _ in true }
        try moves.syncDirectories()
        try setPhase(.rolledBack, of: id) { $0.reason = reason }
    }

    /// As ``moveBack(_:_:reason:)``, of a promotion that its caller still believes to be under way.
    private func takeBackWhole(_ id: String, _ moves: FileMoves, _ reason: String) throws -> RollbackResult {
        do {
            try store.release(id, all: true)
            return try moveBack(id, moves, reason: reason)
        } catch {
            throw PromotionError.interrupted(
                id: id, reason: "\(reason); all of it is live, and taking it back: \(error)")
        }
    }

    /// From `committed` on: `live.apply`, and files back if it fails.
    func finish(_ id: String, _ journal: PromotionJournal, _ changeSet: ChangeSet, _ base: Base) async throws
        -> PromotionResult
    {
        var result = PromotionResult(id: id, outcome: .promoted, paths: changeSet.changes.count)
        if let apply = journal.apply, !apply.isEmpty {
            try calls.edge.will(.run, "live.apply")
            result.applied = await applier.apply(apply)
            if let failed = result.applied.first(where: { !$0.succeeded }) {
                let reason = "\(failed.step) failed: \(failed.message ?? "no reason given")"
                let moves = try FileMoves(self, journal, changeSet, base, store: store)
                switch try await Threads.run("rollback", { try takeBackWhole(id, moves, reason) }) {
                case .rolledBack:
                    result.outcome = .rolledBack
                    result.applied += await applier.apply(apply)
                case .frozen: result.outcome = .frozen
                }
                result.reason = reason
                let applied = result.applied
                try setPhase(result.outcome == .frozen ? .frozen : .rolledBack, of: id) { $0.applied = applied }
                return result
            }
        }
        let applied = result.applied
        try setPhase(.promoted, of: id) { $0.applied = applied }
        recordFact("promotion.done", ["id": .string(id)])
        // Where nothing was displaced, nobody can have it open.
        if journal.steps.contains(where: { $0.action == .exchange || $0.action == .remove }) {
            result.holders = Holders.find(stash: String(decoding: journal.stashName, as: UTF8.self))
        }
        return result
    }
}
