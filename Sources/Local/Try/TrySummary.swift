package import Fork
internal import Glibc

/// Shows a fork's effects.
package enum TrySummary {
    static let heading = "\nChanges detected in the following files:\n\n"

    package static func text(_ changes: ChangeSet) -> String {
        heading + changes.effects.map { $0.line + "\n" }.joined()
    }

    /// - Returns: Whether there was anything to show.
    package static func write(_ changes: ChangeSet, to descriptor: Int32) -> Bool {
        guard !changes.isEmpty else { return false }
        FileHandleless.write(text(changes), to: descriptor)
        return true
    }
}
