internal import Fork
internal import Glibc
internal import Linux

extension FileMoves {
    /// How carefully going back treats what it finds.
    enum Care {
        /// Nothing may have happened to live since: a rollback of a complete promotion.
        case strict
        /// Taking back what is half-done: what was promoted must still be there, and a writer is no hindrance as long as it has
        /// not written.
        case halfDone
    }

    /// Everything that speaks against going back, before anything is touched.
    func conflictsOfGoingBack(_ care: Care) throws -> [Conflict] {
        let post = try Base.postImages(of: changeSet, base: base)
        return try forEach(Array(journal.steps.indices)) { moves, number -> [Conflict] in
            switch try moves.position(number) {
            case .foreign:
                let named = try moves.conflicts(number, with: post)
                return named.isEmpty ? [moves.foreign(number)] : named
            case .old, .taken:
                return care == .strict ? [moves.foreign(number)] : []
            case .new:
                // Half-set metadata is neither old nor new.
                if care == .halfDone && moves.journal.steps[number].action == .metadata { return [] }
                return try moves.conflicts(number, with: post)
            }
        }.flatMap { $0 }
    }

    /// The same conflicts, each with what the promotion wrote there and what was there before it.
    func threeWay(_ conflicts: [Conflict]) throws -> [Conflict] {
        let post = try Base.postImages(of: changeSet, base: base)
        return try conflicts.map { conflict in
            // Of what lies in a directory that the promotion brought, or took away, the states above it say enough.
            guard let before = base[conflict.path] else { return conflict }
            let expected = post[conflict.path] ?? conflict.expected
            var found = conflict.found
            if found == .movedUnderFork {
                // Told by the inodes alone: people want to know what is there.
                let now = try calls.call(.inspect, conflict.path) {
                    try Base.capture(paths: [conflict.path], root: journal.root)
                }
                if let now = now[conflict.path], now != expected { found = now }
            }
            var full = Conflict(path: conflict.path, expected: expected, found: found)
            full.before = before
            return full
        }
    }

    /// Takes every move back, the last first. Moves that did not happen are passed over, so it can be killed and run again.
    ///
    /// - Throws: ``MoveConflict`` where live moved on since ``conflictsOfGoingBack(_:)``; ``goForwardAgain()`` then makes the
    ///   moves again that were taken back by then.
    func goBack(_ care: Care) throws {
        let post = try Base.postImages(of: changeSet, base: base)
        let steps = journal.steps
        let all = steps.indices.reversed()
        // What was set in place was set last.
        let moves = sharingParents()
        for number in all where steps[number].action == .metadata { try moves.goBack(number, care, post) }
        _ = try forEach(all.filter { steps[$0].action != .metadata }) { try $0.goBack($1, care, post) }
        try verifyOld()
        try requireUnleased(post)
    }

    private func goBack(_ number: Int, _ care: Care, _ post: Base) throws {
        switch try position(number) {
        case .old: return
        case .foreign: throw MoveConflict(conflicts: [foreign(number)])
        case .new: try retreat(number, care, post)
        case .taken:
            try giveBack(number)
            guard try position(number) == .old else { throw MoveConflict(conflicts: [foreign(number)]) }
        }
    }

    private func retreat(_ number: Int, _ care: Care, _ post: Base) throws {
        let step = journal.steps[number]
        let place = try live(number)
        if step.action == .metadata {
            guard case .present(let old)? = base[step.path] else { return }
            if care == .strict {
                // Long after the check of everything: who set anything since must not have it overwritten.
                let found = try conflicts(number, with: post)
                if !found.isEmpty { throw MoveConflict(conflicts: found) }
            }
            let index = step.changes.first
            let setTime = index.flatMap { changeSet.changes[$0].modified } != nil
            let attributes = Attributes(old, modified: setTime ? step.oldModified.flatMap { Int128($0) } : nil)
            return try calls.apply(attributes, to: place, inode: step.old)
        }
        guard let hidden = try hidden(number) else { throw MoveConflict(conflicts: [foreign(number)]) }
        if step.action == .remove { return try calls.move(hidden, to: place) }
        try undoing(number, at: place, hidden) { hasMoved in
            try withLease(number, at: place, inode: staged[number], isRequired: care == .strict) {
                let found = try conflicts(number, with: post)
                if !found.isEmpty { throw MoveConflict(conflicts: found) }
                if step.action == .create {
                    try calls.move(place, to: hidden)
                } else {
                    try calls.exchange(place, hidden)
                }
                hasMoved = true
                // What was moved away is removed in the end: it must be what was promoted, and nothing may have come into it since the
                // check.
                guard try calls.status(hidden)?.inode == staged[number] else {
                    throw MoveConflict(conflicts: [foreign(number)])
                }
                if post[step.path]?.isDirectory == true { try requireDisplaced(number, post, at: hidden) }
            } displaced: {
                try requireDisplaced(number, post, at: hidden)
            }
        }
    }

    /// Makes the moves again that a rollback took back before it met a conflict, each where nobody wrote the old file meanwhile.
    ///
    /// - Returns: Those that can't be made any more: the old file is live and was written, and the new one lies hidden.
    func goForwardAgain() throws -> [Conflict] {
        var stuck: [Conflict] = []
        for (number, step) in journal.steps.enumerated() {
            if step.action == .metadata {
                guard let index = step.changes.first, try position(number) == .new,
                    try conflicts(number, with: base).isEmpty
                else { continue }
                try calls.apply(Attributes(changeSet.changes[index]), to: live(number), inode: step.old)
                continue
            }
            guard try position(number) == .old, try hidden(number) != nil else { continue }
            do { try advance(number) } catch let conflict as MoveConflict { stuck += conflict.conflicts }
        }
        try setOwnDirectoryTimes()
        return stuck
    }

    /// Gives directories that are back where they were the time they had: xfs counts the exchange with something elsewhere as a change
    /// of the directory that moves. One in which somebody changed anything since keeps its time.
    func restoreOwnDirectoryTimes() throws {
        for (number, step) in journal.steps.enumerated() where step.action == .exchange {
            guard case .present(let old)? = base[step.path], old.type == .directory,
                let time = step.oldModified.flatMap({ Int128($0) }), try position(number) == .old
            else { continue }
            let place = try live(number)
            guard let status = try calls.status(place), status.inode == step.old, status.modified.total != time,
                try conflicts(number, with: base).isEmpty
            else { continue }
            let directory = try open(place)
            try calls.setModified(time, of: directory, shown: place.shown)
            try calls.fsync(directory, shown: place.shown)
        }
    }
}
