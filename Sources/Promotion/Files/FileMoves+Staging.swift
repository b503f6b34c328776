internal import Documents
internal import Fork
internal import FoundationEssentials
internal import Glibc
internal import Linux

extension FileMoves {
    /// Puts everything new beside its target, under hidden names, complete with owner, mode, attributes and times. The
    /// contents are hashed again as they are copied.
    mutating func stage() throws {
        let moving = Set(journal.steps.lazy.filter { $0.action != .metadata }.map(\.parent))
        for number in moving.sorted() { try calls.makeDirectory(stash(number)) }
        var alone: [Int] = []
        var linked: [Int] = []
        for number in journal.steps.indices where journal.steps[number].isStaged {
            let isLinked = journal.steps[number].changes.contains { changeSet.changes[$0].hardLinkGroup != nil }
            if isLinked { linked.append(number) } else { alone.append(number) }
        }
        let inodes = try forEach(alone) { moves, number in
            var none: [Int: (step: Int, relative: BytePath)] = [:]
            return try moves.stage(number, groups: &none)
        }
        for (number, inode) in zip(alone, inodes) { staged[number] = inode }
        // The first of several names must be there before the others.
        var groups: [Int: (step: Int, relative: BytePath)] = [:]
        let moves = sharingParents()
        for number in linked { staged[number] = try moves.stage(number, groups: &groups) }
    }

    private func stage(_ number: Int, groups: inout [Int: (step: Int, relative: BytePath)]) throws -> UInt64 {
        let step = journal.steps[number]
        // A new tree: its directories first, then what is in them, by several threads where that is much.
        var directories: [Change] = []
        var alone: [Change] = []
        var linked: [Change] = []
        var open = OpenAbove()
        for index in step.changes {
            let change = changeSet.changes[index]
            if change.type == .directory {
                try calls.makeDirectory(stagedPlace(number, relative(change, number), &open, shown: change.path))
                directories.append(change)
            } else if change.hardLinkGroup != nil {
                linked.append(change)
            } else {
                alone.append(change)
            }
        }
        if let only = alone.first, step.changes.count == 1 {
            return try make(only, at: stagedPlace(number, relative(only, number), &open, shown: only.path))
        }
        try inParts(alone) { moves, part in
            var open = OpenAbove()
            for change in part {
                let place = try moves.stagedPlace(number, moves.relative(change, number), &open, shown: change.path)
                _ = try moves.make(change, at: place)
            }
        }
        for change in linked {
            let relative = relative(change, number)
            let place = try stagedPlace(number, relative, &open, shown: change.path)
            if let group = change.hardLinkGroup, let first = groups[group] {
                var other = OpenAbove()
                try calls.link(stagedPlace(first.step, first.relative, &other, shown: change.path), to: place)
                continue
            }
            if let group = change.hardLinkGroup { groups[group] = (number, relative) }
            _ = try make(change, at: place)
        }
        // Children first: filling a directory moves its time.
        for change in directories.reversed() {
            let place = try stagedPlace(number, relative(change, number), &open, shown: change.path)
            try calls.apply(Attributes(change), to: place)
        }
        guard let top = try hidden(number), let status = try calls.status(top) else {
            throw SystemError(call: "stage", subject: step.path.display, code: ENOENT)
        }
        return status.inode
    }

    /// Where an entry of a step is built, below the hidden directory.
    private func relative(_ change: Change, _ number: Int) -> BytePath {
        let below = change.path.bytes.dropFirst(journal.steps[number].path.bytes.count)
        return BytePath(bytes: Array(String(number).utf8) + below)
    }

    /// The directory in which the entry before was built.
    private struct OpenAbove {
        var known: (step: Int, path: BytePath, directory: Descriptor)?
    }

    /// A place below the hidden directory of a step.
    private func stagedPlace(_ number: Int, _ relative: BytePath, _ open: inout OpenAbove, shown: BytePath) throws
        -> Place
    {
        let above = relative.parent
        if let known = open.known, known.step == number, known.path == above {
            return Place(directory: known.directory, name: relative.last, shown: shown)
        }
        var (_, directory) = try openStash(journal.steps[number].parent)
        if above != "." {
            directory = try calls.open(
                beneath: directory, above, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW, shown: shown)
        }
        open.known = (number, above, directory)
        return Place(directory: directory, name: relative.last, shown: shown)
    }

    /// Makes anything but a directory, with all its attributes.
    ///
    /// - Returns: Its inode.
    private func make(_ change: Change, at place: Place) throws -> UInt64 {
        switch change.type {
        case .symlink: try calls.symlink(change.linkTarget ?? Data(), at: place)
        case .fifo: try calls.node(.fifo, at: place)
        case .socket: try calls.node(.socket, at: place)
        case .device, .directory:
            throw PromotionError.refused(["\(change.path.display): a \(change.type.rawValue), which is not made here"])
        case .file:
            return try adopt(change, at: place)
                ?? calls.apply(Attributes(change), to: copy(change, to: place), at: place)
        }
        try calls.apply(Attributes(change), to: place)
        guard let status = try calls.status(place) else {
            throw SystemError(call: "stage", subject: change.path.display, code: ENOENT)
        }
        return status.inode
    }

    /// Gives the inode that holds the content of a change already a name here, where it is offered and the file system lets it have
    /// one; nothing is copied then.
    ///
    /// - Returns: Its number; `nil` where there is none.
    private func adopt(_ change: Change, at place: Place) throws -> UInt64? {
        guard let file = try calls.call(.open, place.shown, { try contents.whole(change) }) else { return nil }
        do {
            try calls.link(of: file, to: place)
        } catch let error as SystemError where [EXDEV, EPERM, EMLINK, EOPNOTSUPP, ENOENT].contains(error.code) {
            return nil
        }
        return try calls.status(of: file, shown: place.shown).inode
    }

    /// A new file with the content of a change, which is hashed as it is copied.
    private func copy(_ change: Change, to place: Place) throws -> Descriptor {
        guard let content = change.content else {
            throw PromotionError.refused(["\(change.path.display): the change set has no content for it"])
        }
        let blob = try calls.call(.open, place.shown) { try contents.open(change) }
        let file = try calls.create(place)
        let copied = try calls.copy(blob, to: file, shown: place.shown)
        guard copied.digest == content, copied.size == change.size else {
            throw ForkError.blob(
                digest: content.hex,
                reason: "its bytes are no longer the ones it is named after; run the change again")
        }
        return file
    }
}
