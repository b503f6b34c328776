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
        let depth = step.path.components.count
        var directories: [(Place, Change)] = []
        var top: UInt64?
        for index in step.changes {
            let change = changeSet.changes[index]
            let relative = BytePath(
                bytes: Array(
                    ([Array(String(number).utf8)] + change.path.components.dropFirst(depth)).joined(separator: [
                        UInt8(ascii: "/")
                    ])))
            let place = try stagedPlace(number, relative, shown: change.path)
            if let group = change.hardLinkGroup, let first = groups[group] {
                try calls.link(stagedPlace(first.step, first.relative, shown: change.path), to: place)
                continue
            }
            if let group = change.hardLinkGroup { groups[group] = (number, relative) }
            if change.type == .file {
                let file = try copy(change, to: place)
                let inode = try calls.apply(Attributes(change), to: file, at: place)
                if relative.components.count == 1 { top = inode }
                continue
            }
            try make(change, at: place)
            if change.type == .directory {
                directories.append((place, change))
            } else {
                try calls.apply(Attributes(change), to: place)
            }
        }
        // Children first: filling a directory moves its time.
        for (place, change) in directories.reversed() { try calls.apply(Attributes(change), to: place) }
        if let top { return top }
        guard let top = try hidden(number), let status = try calls.status(top) else {
            throw SystemError(call: "stage", subject: step.path.display, code: ENOENT)
        }
        return status.inode
    }

    /// A place below the hidden directory of a step.
    private func stagedPlace(_ number: Int, _ relative: BytePath, shown: BytePath) throws -> Place {
        let (_, directory) = try openStash(journal.steps[number].parent)
        let names = relative.components
        guard names.count > 1 else { return Place(directory: directory, name: relative.last, shown: shown) }
        let above = try calls.open(
            beneath: directory, relative.parent, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW, shown: shown)
        return Place(directory: above, name: relative.last, shown: shown)
    }

    private func make(_ change: Change, at place: Place) throws {
        switch change.type {
        case .directory: try calls.makeDirectory(place)
        case .symlink: try calls.symlink(change.linkTarget ?? Data(), at: place)
        case .fifo: try calls.node(.fifo, at: place)
        case .socket: try calls.node(.socket, at: place)
        case .device:
            throw PromotionError.refused(["\(change.path.display): a device node"])
        case .file: _ = try copy(change, to: place)
        }
    }

    /// A new file with the content of a change, which is hashed as it is copied.
    private func copy(_ change: Change, to place: Place) throws -> Descriptor {
        guard let content = change.content else {
            throw PromotionError.refused(["\(change.path.display): the change set has no content for it"])
        }
        let blob = try calls.call(.open, place.shown) { try blobs.open(content) }
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
