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
        var found: [Conflict] = []
        for number in journal.steps.indices {
            switch try position(number) {
            case .foreign:
                let named = try conflicts(number, with: post)
                found += named.isEmpty ? [foreign(number)] : named
            case .old:
                if care == .strict { found.append(foreign(number)) }
            case .new:
                // Half-set metadata is neither old nor new.
                if care == .halfDone && journal.steps[number].action == .metadata { continue }
                found += try conflicts(number, with: post)
            }
        }
        return found
    }

    /// Takes every move back, the last first. Moves that did not happen are passed over, so it can be killed and run again.
    ///
    /// - Throws: ``MoveConflict`` where live moved on since ``conflictsOfGoingBack(_:)``; ``goForwardAgain()`` then makes the
    ///   moves again that were taken back by then.
    func goBack(_ care: Care) throws {
        let post = try Base.postImages(of: changeSet, base: base)
        for number in journal.steps.indices.reversed() {
            switch try position(number) {
            case .old: continue
            case .foreign: throw MoveConflict(conflicts: [foreign(number)])
            case .new: break
            }
            try retreat(number, care, post)
        }
    }

    private func retreat(_ number: Int, _ care: Care, _ post: Base) throws {
        let step = journal.steps[number]
        let place = try live(number)
        if step.action == .metadata {
            guard case .present(let old)? = base[step.path] else { return }
            let index = step.changes.first
            let setTime = index.flatMap { changeSet.changes[$0].modified } != nil
            let attributes = Attributes(old, modified: setTime ? step.oldModified.flatMap { Int64($0) } : nil)
            return try calls.apply(attributes, to: place, inode: step.old)
        }
        guard let hidden = try hidden(number) else { throw MoveConflict(conflicts: [foreign(number)]) }
        if step.action == .remove { return try calls.move(hidden, to: place) }
        try withLease(number, at: place, inode: staged[number], isRequired: care == .strict) {
            let found = try conflicts(number, with: post)
            if !found.isEmpty { throw MoveConflict(conflicts: found) }
            if step.action == .create {
                try calls.move(place, to: hidden)
            } else {
                try calls.exchange(place, hidden)
            }
        }
    }

    /// Makes the moves again that a rollback took back before it met a conflict.
    func goForwardAgain() throws {
        for (number, step) in journal.steps.enumerated() {
            if step.action == .metadata {
                guard let index = step.changes.first, try position(number) == .new else { continue }
                try calls.apply(Attributes(changeSet.changes[index]), to: live(number), inode: step.old)
                continue
            }
            guard try position(number) == .old, let hidden = try hidden(number) else { continue }
            let place = try live(number)
            switch step.action {
            case .exchange: try calls.exchange(place, hidden)
            case .create: try calls.move(hidden, to: place)
            case .remove: try calls.move(place, to: hidden)
            case .metadata: break
            }
        }
    }
}
