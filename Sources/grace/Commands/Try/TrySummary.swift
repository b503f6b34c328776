import Fork
import FoundationEssentials
import Glibc
import Linux

/// Shows a fork's effects, and asks what is to become of them.
enum TrySummary {
    static let heading = "\nChanges detected in the following files:\n\n"

    static func text(_ changes: ChangeSet) -> String {
        heading + changes.effects.map { $0.line + "\n" }.joined()
    }

    /// - Returns: Whether there was anything to show.
    static func write(_ changes: ChangeSet, to descriptor: Int32) -> Bool {
        guard !changes.isEmpty else { return false }
        FileHandleless.write(text(changes), to: descriptor)
        return true
    }

    /// The question of `try`, answered on standard input. Where nothing changed nothing is asked and the fork is dropped.
    static func ask(_ fork: TryFork, _ filter: PathFilter, _ committer: TryCommit) async throws {
        let changes = try fork.changeSet(filter)
        guard write(changes, to: STDERR_FILENO) else { return try fork.discard() }
        FileHandleless.write("\nCommit these changes? [y/i/N] ", to: STDERR_FILENO)
        switch readLine() ?? "" {
        case "y", "Y", "yes", "YES": return try await committer.commit(fork, changes)
        case "i", "I":
            if let chosen = try choose(changes) { return try await committer.commit(fork, chosen) }
        default: break
        }
        FileHandleless.write("Not committing.\n", to: STDERR_FILENO)
        Terminal.line(fork.directory)
    }

    /// The effects whose lines are left when the person's editor ends; `nil` where none is, or the editor failed.
    private static func choose(_ changes: ChangeSet) throws -> ChangeSet? {
        let directory = try Temporary.directory("grace-try")
        defer { try? Files.removeTree(directory) }
        let file = directory + "/effects"
        try Files.writeAtomically(file, Data(text(changes).utf8), mode: 0o600)
        // The person's own words for their editor may hold options: the shell takes them apart.
        let child = try Processes.spawn(
            "/bin/sh", arguments: ["-c", "${EDITOR:-vi} \"$1\"", "sh", file],
            descriptors: [(0, 0), (1, 1), (2, 2)])
        guard try Processes.waitBlocking(child).shellCode == 0 else { return nil }
        let left = Set(try Files.readString(file).split(separator: "\n").map(String.init))
        var wanted: Set<BytePath> = []
        for effect in changes.effects where left.contains(effect.line) { wanted.insert(effect.path) }
        return wanted.isEmpty ? nil : try changes.part(where: wanted.contains)
    }
}

/// A word every second, on a terminal alone, about work that takes longer than that.
final class TryProgress: @unchecked Sendable {
    private let task: Task<Void, Never>?

    /// Begins. `counted` is a directory of blobs: how many are in it is how far the work is.
    init(_ what: String, _ counted: String) {
        guard isatty(STDERR_FILENO) == 1 else {
            task = nil
            return
        }
        let begin = ContinuousClock.now
        task = Task.detached {
            while (try? await Task.sleep(for: .seconds(1))) != nil {
                let count = ((try? Files.entries(counted)) ?? []).reduce(0) { sum, name in
                    sum + ((try? Files.entries("\(counted)/\(String(decoding: name, as: UTF8.self))").count) ?? 0)
                }
                let seconds = Int((ContinuousClock.now - begin) / .seconds(1))
                FileHandleless.write("\r\u{1b}[Kgrace: \(what): \(count) contents, \(seconds) s", to: STDERR_FILENO)
            }
        }
    }

    func stop() {
        guard let task else { return }
        task.cancel()
        FileHandleless.write("\r\u{1b}[K", to: STDERR_FILENO)
    }
}
