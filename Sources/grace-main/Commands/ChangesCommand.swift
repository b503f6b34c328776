import Agent
import ArgumentParser
import Documents
import Fork
import FoundationEssentials
import Glibc
import Linux
import Local

/// `grace changes`: what a change set holds, for people.
struct ChangesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "changes", abstract: "Look at change sets.", subcommands: [Show.self])

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a change set: text as unified diffs, everything else in words.",
            discussion: """
                Nothing but regular files is opened, no link is followed, and what would move a terminal's cursor or reorder text is \
                escaped. Programs are told by build id and soname, packages by version, SQLite databases by schema.
                """)
        @OptionGroup var placesOptions: PlacesOptions
        @Argument(help: "A directory of grace try, or the beginning of the digest of a change set tested on this host.")
        var what: String

        func run() async throws {
            if what.contains("/") || (try? Files.status(what.absolute)?.isDirectory) == true {
                let fork = try TryFork.open(what)
                let changes = try fork.changeSet(PathFilter(include: [], exclude: []))
                Terminal.line("# change set \(changes.digest.hex)")
                try changes.show(blobs: fork.blobs, old: { try ChangeSet.liveContent($0) }) {
                    FileHandleless.write($0, to: STDOUT_FILENO)
                }
                return
            }
            let places = placesOptions.places
            guard what.count >= 6, what.allSatisfy(\.isHexDigit) else {
                throw Failure("“\(what)” is neither a directory nor six or more digits of a digest.", code: 2)
            }
            let (changes, base) = try find(places)
            let blobs = BlobStore(root: places.blobs)
            Terminal.line("# change set \(changes.digest.hex)")
            try changes.show(
                blobs: blobs,
                old: { path in
                    guard case .present(let state)? = base?[path], let content = state.content else { return nil }
                    // Text was kept; of the rest, what live still is.
                    if let kept = try? blobs.read(content, limit: ChangeSet.accountLimit) { return Array(kept) }
                    guard let live = try ChangeSet.liveContent(path), Digest(of: Data(live)) == content else {
                        return nil
                    }
                    return live
                }
            ) { FileHandleless.write($0, to: STDOUT_FILENO) }
        }

        /// The change set whose digest begins so, among those that this host tested.
        private func find(_ places: Places) throws -> (ChangeSet, Base?) {
            var found: [Digest: (ChangeSet, Base?)] = [:]
            if try Files.status(places.missions) != nil {
                for name in try Files.entries(places.missions) {
                    let folder = try MissionFolder(root: places.missions, id: String(decoding: name, as: UTF8.self))
                    guard let changes = try? folder.changeSet, changes.digest.hex.hasPrefix(what.lowercased()) else {
                        continue
                    }
                    found[changes.digest] = (changes, try? folder.base)
                }
            }
            guard found.count == 1, let only = found.values.first else {
                throw Failure(
                    found.isEmpty
                        ? "No change set tested on this host has a digest that begins with \(what) (searched \(places.missions))."
                        : "\(found.count) change sets begin with \(what): give more digits.", code: 2)
            }
            return only
        }
    }
}
