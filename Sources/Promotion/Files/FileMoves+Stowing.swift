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
        try keepingTimes {
            for number in journal.parents.indices where try reachable(journal.parents[number].path) != nil {
                let from = try stash(number)
                guard try calls.status(from) != nil else { continue }
                do {
                    try calls.move(from, to: stowed(number, in: place, shown: directory))
                } catch let error as SystemError where [EXDEV, EEXIST].contains(error.code) {
                    continue
                }
            }
        }
        try calls.fsync(place, shown: directory)
        try syncDirectories()
    }

    /// Moves them back beside the files. Those whose directory is gone stay: the check for conflicts names the paths.
    func unstow(from directory: BytePath) throws {
        let place = try calls.open(path: directory, flags: O_RDONLY | O_DIRECTORY)
        try keepingTimes {
            for number in journal.parents.indices {
                let from = stowed(number, in: place, shown: directory)
                guard try calls.status(from) != nil, try reachable(journal.parents[number].path) != nil else {
                    continue
                }
                try calls.move(from, to: stash(number))
            }
        }
        try syncDirectories()
        try calls.fsync(place, shown: directory)
    }

    func removeStowed(in directory: BytePath) throws {
        let place = try calls.open(path: directory, flags: O_RDONLY | O_DIRECTORY)
        for number in journal.parents.indices { try calls.removeTree(stowed(number, in: place, shown: directory)) }
    }

    private func keepingTimes(_ body: () throws -> Void) throws {
        let times = try reachableTimes()
        defer { try? setTimes(times) }
        try body()
    }
}
