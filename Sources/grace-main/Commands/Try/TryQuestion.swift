import Fork
import FoundationEssentials
import Glibc
import Linux
import Local

/// Asks what is to become of a fork's effects.
enum TryQuestion {
    /// The question of `try`, answered on standard input. Where nothing changed nothing is asked and the fork is dropped.
    static func ask(_ fork: TryFork, _ filter: PathFilter, _ committer: TryCommit) async throws {
        let (changes, contents) = try fork.changes(filter)
        guard TrySummary.write(changes, to: STDERR_FILENO) else { return try fork.discard() }
        FileHandleless.write("\nCommit these changes? [y/i/N] ", to: STDERR_FILENO)
        switch readLine() ?? "" {
        case "y", "Y", "yes", "YES": return try await committer.commit(fork, changes, contents)
        case "i", "I":
            if let chosen = try choose(changes) { return try await committer.commit(fork, chosen, contents) }
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
        try Files.writeAtomically(file, Data(TrySummary.text(changes).utf8), mode: 0o600)
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
