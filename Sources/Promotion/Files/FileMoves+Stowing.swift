internal import Fork
internal import Glibc
internal import Linux

/// The hidden directories with the displaced files, moved out of people's sight into the promotion's own directory. Each moves as a
/// whole, by one rename; where a kill comes, the rest is where it was, and either is found.
extension FileMoves {
    private func stowed(_ number: Int, in place: Descriptor, shown: BytePath) -> Place {
        let name = Array("stash-\(number)".utf8)
        return Place(directory: place, name: name, shown: shown.appending(name))
    }

    /// Moves what lies on the same file system as `directory` there; the rest stays beside the files. Times of parent directories
    /// stay what they were.
    func stow(in directory: BytePath) throws {
        let place = try calls.open(path: directory, flags: O_RDONLY | O_DIRECTORY)
        try beginMoving(directory)
        for number in journal.parents.indices where try reachable(number) != nil {
            let from = try stash(number)
            guard try calls.status(from) != nil else { continue }
            do {
                try keepingTime(of: from) { try calls.move(from, to: stowed(number, in: place, shown: directory)) }
            } catch let error as SystemError where [EXDEV, EEXIST].contains(error.code) {
                continue
            }
        }
        try calls.fsync(place, shown: directory)
        try syncDirectories()
        try endMoving(directory)
    }

    /// Moves them back beside the files. Those whose directory is gone stay: the check for conflicts names the paths.
    func unstow(from directory: BytePath) throws {
        let place = try calls.open(path: directory, flags: O_RDONLY | O_DIRECTORY)
        try beginMoving(directory)
        for number in journal.parents.indices {
            let from = stowed(number, in: place, shown: directory)
            guard try calls.status(from) != nil, try reachable(number) != nil else {
                continue
            }
            let to = try stash(number)
            try keepingTime(of: to) { try calls.move(from, to: to) }
        }
        try syncDirectories()
        try calls.fsync(place, shown: directory)
        try endMoving(directory)
    }

    func removeStowed(in directory: BytePath) throws {
        let place = try calls.open(path: directory, flags: O_RDONLY | O_DIRECTORY)
        for number in journal.parents.indices { try calls.removeTree(stowed(number, in: place, shown: directory)) }
    }

    /// Sets the time of a parent directory back once a hidden directory came or went, at once: a kill leaves one of them at most with
    /// another time, which ``settleTimes(_:stowedIn:)`` finds.
    private func keepingTime(of stash: Place, _ body: () throws -> Void) throws {
        let time = try calls.status(of: stash.directory, shown: stash.shown.parent).modified.total
        try body()
        try calls.setModified(time, of: stash.directory, shown: stash.shown.parent)
    }

    /// Sets back the time of a parent directory that a kill came between: one that has its time from the very move of its hidden
    /// directory, which the kernel stamps with the same moment (rename(2): the status change of what is moved, the modification of
    /// where it is moved from and to).
    ///
    /// - Parameters:
    ///   - times: What ``parentTimes()`` gave after the promotion.
    ///   - directory: The promotion's own.
    /// - Throws: `SystemError` where a directory can't be looked at or its time not be set.
    func settleTimes(_ times: [String], stowedIn directory: BytePath) throws {
        let place = try calls.open(path: directory, flags: O_RDONLY | O_DIRECTORY)
        for number in journal.parents.indices where times.indices.contains(number) {
            let path = journal.parents[number].path
            guard let time = Int128(times[number]), let parent = try reachable(number) else { continue }
            let modified = try calls.status(of: parent, shown: path).modified.total
            guard modified != time else { continue }
            let moved =
                try calls.status(stowed(number, in: place, shown: directory)) ?? calls.status(stash(number))
            guard let moved, abs(moved.changed.total - modified) < Self.tick else { continue }
            try calls.setModified(time, of: parent, shown: path)
        }
        try endMoving(directory)
    }

    /// A file that is there while hidden directories move: recovery sees by it that a kill came between. It needs not be on disk.
    static func isMoving(_ directory: BytePath, _ calls: FileCalls) throws -> Bool {
        let mark = directory.appending(moving)
        return try calls.call(.status, mark) { try Files.status(mark) } != nil
    }

    private static let moving = "moving"

    private func beginMoving(_ directory: BytePath) throws {
        try calls.open(path: directory.appending(Self.moving), flags: O_WRONLY | O_CREAT | O_NOFOLLOW, mode: 0o600)
            .close()
    }

    private func endMoving(_ directory: BytePath) throws {
        let mark = directory.appending(Self.moving)
        do {
            try calls.call(.unlink, mark) { try Files.unlink(mark) }
        } catch let error as SystemError where error.code == ENOENT {}
    }

    /// Nanoseconds: more than the kernel's clock for files moves on by at once (Linux, CONFIG_HZ=100).
    private static let tick: Int128 = 11_000_000
}
