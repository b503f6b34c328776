internal import Fork
internal import Glibc
internal import Linux

/// A name can be given to something else between the last look at it and its move; a move then takes away what it never saw. That is
/// somebody's, and goes back where it was.
extension FileMoves {
    /// Runs `body`, which says when it has made the move of a step, and makes the move the other way at once where a conflict shows
    /// after that.
    ///
    /// - Throws: What `body` threw.
    func undoing(_ number: Int, at place: Place, _ hidden: Place, _ body: (inout Bool) throws -> Void) throws {
        var hasMoved = false
        do {
            try body(&hasMoved)
        } catch let conflict as MoveConflict {
            if hasMoved { try bringBack(number, hidden, to: place) }
            throw conflict
        }
    }

    /// The same for a step at which a kill came between.
    func giveBack(_ number: Int) throws {
        guard let hidden = try hidden(number) else { return }
        try bringBack(number, hidden, to: live(number))
    }

    private func bringBack(_ number: Int, _ hidden: Place, to place: Place) throws {
        do {
            if journal.steps[number].action == .exchange {
                do { return try calls.exchange(place, hidden) } catch let error as SystemError
                    where error.code == ENOENT
                {
                    // Somebody removed what the move brought: then there is room.
                }
            }
            try calls.move(hidden, to: place)
        } catch let error as SystemError where [EEXIST, ENOENT].contains(error.code) {
            // There is something else already, or nothing to bring. The positions say so.
        }
    }

    /// Everything once more, by fresh walks from the root, when all moves are taken back: nothing lies hidden but what was promoted, so
    /// nothing else is removed with the hidden directories.
    ///
    /// - Throws: ``MoveConflict``.
    func verifyOld() throws {
        let moved = journal.steps.indices.filter { journal.steps[$0].action != .metadata }
        let wrong = try forEach(moved) { moves, number -> Int? in try moves.position(number) == .old ? nil : number }
        let conflicts = wrong.compactMap { $0 }.map(foreign)
        if !conflicts.isEmpty { throw MoveConflict(conflicts: conflicts) }
    }
}
