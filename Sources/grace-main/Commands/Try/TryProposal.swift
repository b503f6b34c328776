import ArgumentParser
import Documents
import Fork
import FoundationEssentials
import Linux
import Local

/// Makes a fork's change set the change of a mission, and submits it.
enum TryProposal {
    /// Submits the fork's changes as the change of the mission file `mission`, which has none.
    static func submit(_ fork: TryFork, _ filter: PathFilter, mission: String) async throws {
        let changes = try fork.changeSet(filter)
        let foreign = changes.changes.filter { $0.type != .file || $0.kind == .delete || $0.kind == .metadata }
            .filter { !($0.type == .directory && $0.kind == .create) }
        guard foreign.isEmpty, changes.changes.contains(where: { $0.type == .file }) else {
            let names = foreign.prefix(10).map { $0.path.display }.joined(separator: ", ")
            throw Failure(
                "A mission's files are whole files, and this fork holds \(foreign.isEmpty ? "none" : "other changes: \(names)"). Leave those out with -E, or give the mission the command itself as change: {run: …}.",
                code: 2)
        }
        let directory = fork.directory + "/proposal"
        try Files.removeTree(directory)
        try Files.makeDirectory(directory, mode: 0o700)
        var files: [JSON] = []
        for (number, change) in changes.changes.enumerated() where change.type == .file {
            guard let content = change.content, let path = change.path.string else {
                throw Failure("\(change.path.display) is not UTF-8, which a mission file can't name.", code: 2)
            }
            // A mission names its files relative to itself.
            let source = String(number)
            try Files.writeAtomically("\(directory)/\(source)", try fork.blobs.read(content), mode: 0o600)
            files.append([
                "path": .string(path), "source": .string(source), "mode": .string("0" + String(change.mode, radix: 8)),
                "owner": .string("\(change.uid):\(change.gid)"),
            ])
        }
        let text = try Files.readString(mission.absolute)
        let file = directory + "/mission.yaml"
        let change = JSON.object(["files": .array(files)]).canonicalText
        try Files.writeAtomically(file, Data("\(text)\nchange: \(change)\n".utf8), mode: 0o600)
        try await Propose.parse([file]).run()
    }
}
