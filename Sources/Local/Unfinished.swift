internal import Synchronization

/// Directories that are worth nothing until the command has begun: removed when a signal ends the program before.
final class Unfinished: Sendable {
    private let paths = Mutex<[String]>([])

    func add(_ path: String) { paths.withLock { $0.append(path) } }

    /// Removes them as far as that can be.
    func remove() {
        for path in paths.withLock({ $0 }) { try? TryFork.removeTree(path) }
    }
}
