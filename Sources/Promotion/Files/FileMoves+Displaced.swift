internal import Fork
internal import Glibc
internal import Linux
internal import Synchronization

/// The steps whose files no lease kept from writers: they are looked at once more when everything is moved.
final class Unleased: Sendable {
    private let steps = Mutex<Set<Int>>([])

    func add(_ step: Int) { steps.withLock { _ = $0.insert(step) } }
    var all: [Int] { steps.withLock { $0.sorted() } }
}

/// What was moved away is compared where nobody reaches it by name any more: whoever wrote between the check and the move, or could
/// still write because it was open, is found out before anything is lost.
extension FileMoves {
    /// Requires that what the step `number` moved to its hidden name is `expected`, and that nobody has a file of a displaced tree
    /// open for writing.
    ///
    /// - Throws: ``MoveConflict``.
    func requireDisplaced(_ number: Int, _ expected: Base, at hidden: Place) throws {
        let path = journal.steps[number].path
        guard case .present(let old)? = expected[path] else { return }
        if old.type == .directory { try requireNoWriters(number, expected, at: hidden) }
        guard old.type == .directory || old.type == .file else { return }
        let moved = try expected.part(path).moved(from: path, to: hidden.shown)
        let found = try calls.call(.inspect, path) { try moved.conflicts(root: journal.root) }
        if !found.isEmpty { throw MoveConflict(conflicts: [foreign(number)]) }
    }

    /// Asks for a lease on every file of a displaced tree, one after another: it is refused where somebody writes.
    private func requireNoWriters(_ number: Int, _ expected: Base, at hidden: Place) throws {
        let path = journal.steps[number].path
        let files = try expected.part(path).entries.filter {
            if case .present(let state) = $0.state { return state.type == .file }
            return false
        }
        try inParts(files.map(\.path)) { moves, part in
            for below in part {
                let relative = BytePath(bytes: hidden.name + below.bytes.dropFirst(path.bytes.count))
                do {
                    let file = try calls.open(
                        beneath: hidden.directory, relative, flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK, shown: below)
                    defer { file.close() }  // and with it the lease
                    switch try calls.readLease(file, shown: below) {
                    case .held: break
                    case .writer: throw MoveConflict(conflicts: [foreign(number)])
                    case .none: unleased.add(number)
                    }
                } catch let error as SystemError where [ENOENT, ENOTDIR, ELOOP].contains(error.code) {
                    throw MoveConflict(conflicts: [foreign(number)])
                }
            }
        }
    }

    /// Once everything is moved: what no lease kept from writers is compared again, and no process may still have it open for
    /// writing or mapped so. (Of other hosts' writers, on a network's file system, only what they wrote by now is seen.)
    ///
    /// - Throws: ``MoveConflict``.
    func requireUnleased(_ expected: Base) throws {
        let steps = unleased.all
        guard !steps.isEmpty else { return }
        // Writers first: whoever is none by now could write no more after the comparison.
        let written = Holders.writtenSteps(stash: String(decoding: journal.stashName, as: UTF8.self))
        let conflicts = steps.filter(written.contains).map(foreign)
        if !conflicts.isEmpty { throw MoveConflict(conflicts: conflicts) }
        _ = try forEach(steps) { moves, number in
            if let hidden = try moves.hidden(number) { try moves.requireDisplaced(number, expected, at: hidden) }
        }
    }
}
