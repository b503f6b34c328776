internal import Fork
internal import Glibc
internal import Linux

/// Live is not what it must be for a step; the step did not happen or can be told to have happened by its inodes.
struct MoveConflict: Error {
    var conflicts: [Conflict]
}

extension FileMoves {
    /// Makes every move. What is moved by name comes before what is set in place, which a reader could see half-done.
    func advance() throws {
        let steps = journal.steps
        _ = try forEach(steps.indices.filter { steps[$0].action != .metadata }) { try $0.advance($1) }
        let moves = sharingParents()
        for number in steps.indices where steps[number].action == .metadata { try moves.advance(number) }
    }

    /// Makes the move `number`, where live still is what the base says at this very moment.
    func advance(_ number: Int) throws {
        let step = journal.steps[number]
        let place: Place
        do {
            place = try live(number)
        } catch let error as SystemError where isUnreachable(error) {
            throw MoveConflict(conflicts: [foreign(number)])
        }
        guard try calls.status(place)?.inode == step.old else { throw MoveConflict(conflicts: [foreign(number)]) }
        switch step.action {
        case .metadata:
            try require(number, base)
            guard let index = step.changes.first else { return }
            try calls.apply(Attributes(changeSet.changes[index]), to: place, inode: step.old)
        case .create:
            try require(number, base)
            guard let hidden = try hidden(number) else { throw MoveConflict(conflicts: [foreign(number)]) }
            do {
                try calls.move(hidden, to: place)
            } catch let error as SystemError where error.code == EEXIST {
                throw MoveConflict(conflicts: [foreign(number)])
            }
        case .remove, .exchange:
            guard let hidden = try hidden(number) else { throw MoveConflict(conflicts: [foreign(number)]) }
            try undoing(number, at: place, hidden) { hasMoved in
                try withLease(number, at: place, inode: step.old, isRequired: true) {
                    try require(number, base)
                    if step.action == .remove {
                        try calls.move(place, to: hidden)
                    } else {
                        try calls.exchange(place, hidden)
                    }
                    hasMoved = true
                    guard try calls.status(hidden)?.inode == step.old else {
                        throw MoveConflict(conflicts: [foreign(number)])
                    }
                    if base[step.path]?.isDirectory == true { try requireDisplaced(number, base, at: hidden) }
                } displaced: {
                    try requireDisplaced(number, base, at: hidden)
                }
            }
        }
    }

    /// A directory's own time, where the change set sets it on purpose, once nothing moves in it any more. xfs also counts an exchange with
    /// something elsewhere as a change of the directory that moves.
    func setOwnDirectoryTimes() throws {
        for (number, step) in journal.steps.enumerated() {
            guard let index = step.changes.first, changeSet.changes[index].type == .directory else { continue }
            let change = changeSet.changes[index]
            switch step.action {
            case .metadata: try calls.apply(Attributes(change), to: live(number), inode: step.old)
            case .exchange where change.modified != nil:
                try calls.apply(Attributes(change), to: live(number), inode: staged[number])
            default: break
            }
        }
    }

    /// What was declared as read must be what it was up to the moment when moves begin: staging took its time. What is moved is looked
    /// at again as it moves.
    ///
    /// - Throws: ``MoveConflict``.
    func requireReads() throws {
        // Both lists are in path order, and so is what lies in a directory: beside its other names, after its own.
        let away = journal.steps.filter { $0.action != .metadata && base[$0.path]?.isDirectory == true }
            .map { $0.path.bytes + [UInt8(ascii: "/")] }.sorted { $0.lexicographicallyPrecedes($1) }
        var (change, tree) = (0, 0)
        let others = base.entries.filter { entry in
            let (path, changes) = (entry.path, changeSet.changes)
            while change < changes.count, changes[change].path < path { change += 1 }
            if change < changes.count, changes[change].path == path { return false }
            while tree < away.count, !path.bytes.starts(with: away[tree]),
                away[tree].lexicographicallyPrecedes(path.bytes)
            {
                tree += 1
            }
            return tree == away.count || !path.bytes.starts(with: away[tree])
        }
        if others.isEmpty { return }
        let found = try calls.call(.inspect, root.shown) { try Base(others).conflicts(root: journal.root) }
        if !found.isEmpty { throw MoveConflict(conflicts: found) }
    }

    private func require(_ number: Int, _ expected: Base) throws {
        let found = try conflicts(number, with: expected)
        if !found.isEmpty { throw MoveConflict(conflicts: found) }
    }

    /// Runs `body` while nobody can open the regular file at `place` for writing; for anything else just runs it.
    ///
    /// Where the kernel gives no lease, `displaced` runs after `body`: it compares what was moved away once more.
    ///
    /// - Throws: ``MoveConflict`` where somebody writes the file, did so meanwhile, or waits to: then what `body` did must be
    ///   undone, so that the writer meets the file it asked for.
    func withLease(
        _ number: Int, at place: Place, inode: UInt64?, isRequired: Bool, _ body: () throws -> Void,
        displaced: () throws -> Void
    ) throws {
        guard let status = try calls.status(place), status.isFile else { return try body() }
        let file = try calls.call(.open, place.shown) {
            try Files.open(
                BytePath(bytes: place.name), flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK, at: place.directory)
        }
        defer { file.close() }  // and with it the lease
        let before = try calls.status(of: file, shown: place.shown)
        guard before.inode == inode else { throw MoveConflict(conflicts: [foreign(number)]) }
        let lease = try calls.readLease(file, shown: place.shown)
        guard lease != .writer || !isRequired else { throw MoveConflict(conflicts: [foreign(number)]) }
        let leased = try calls.status(of: file, shown: place.shown)
        try body()
        if lease == .none {
            unleased.add(number)
            try displaced()
        }
        let after = try calls.status(of: file, shown: place.shown)
        let isBreaking = lease == .held ? try calls.isLeaseBreaking(file, shown: place.shown) : false
        guard after.modified == leased.modified, after.size == leased.size, !isBreaking || !isRequired else {
            throw MoveConflict(conflicts: [foreign(number)])
        }
    }

    /// Everything once more, by fresh walks from the root, when all moves are made: what is live is what was promoted, and no
    /// displaced file was written meanwhile.
    func verifyNew() throws {
        _ = try forEach(Array(journal.steps.indices)) { moves, number in
            guard try moves.position(number) == .new else {
                throw MoveConflict(conflicts: [moves.foreign(number)])
            }
        }
        let changed = try changedPreImages()
        if !changed.isEmpty { throw MoveConflict(conflicts: changed.map(foreign)) }
        try requireUnleased(base)
    }

    /// The steps whose displaced file somebody wrote to after all, through a descriptor opened before.
    func changedPreImages() throws -> [Int] {
        let displaced = journal.steps.indices.filter {
            [.exchange, .remove].contains(journal.steps[$0].action) && journal.steps[$0].oldSize != nil
        }
        return try forEach(displaced) { moves, number -> Int? in
            let step = moves.journal.steps[number]
            guard let status = try moves.hidden(number).flatMap({ try moves.calls.status($0) }) else { return nil }
            let isAsBefore = String(status.size) == step.oldSize && String(status.modified.total) == step.oldModified
            return isAsBefore ? nil : number
        }.compactMap { $0 }
    }
}
