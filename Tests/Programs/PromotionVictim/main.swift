// promotion-victim WHAT DIRECTORY: promotes, commits, purges, rolls back, recovers or runs again what lies prepared in DIRECTORY, so that a real
// process can be killed at it. The calls between the two marks are those of the act itself (see syscall-killer).
import Fork
import FoundationEssentials
import Glibc
import Linux
import Promotion

/// The contents by path below a directory, each given away.
struct Given: ContentSource {
    let directory: String

    private func place(_ change: Change) -> BytePath { BytePath(bytes: Array(directory.utf8) + change.path.bytes) }
    func open(_ change: Change) throws -> Descriptor { try Files.open(place(change), flags: O_RDONLY) }
    func missing(_ changes: ChangeSet) -> [String] { [] }
    func allocated(_ change: Change) throws -> Int64? { try Files.status(place(change))?.allocated }
    func whole(_ change: Change) throws -> Descriptor? {
        // The names of one inode are made by the promoter.
        change.hardLinkGroup == nil ? try open(change) : nil
    }
    func settle() throws {}
}

let arguments = CommandLine.arguments
guard arguments.count == 3 else { exit(2) }
let directory = arguments[2]
let record: Promoter.Record = { kind, _ in
    // The agent's journal: one durable line an act.
    let file = try Files.open(directory + "/journal", flags: O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
    try Files.write(file, Data((kind + "\n").utf8))
    try Files.fsync(file)
    // Of a commit, what comes after the promotion itself: that has tests of its own.
    if arguments[1] == "commit", kind == "promotion.done" { close(77_770_001) }
}
let promoter = Promoter(
    root: directory + "/root", state: directory + "/state", blobs: BlobStore(root: directory + "/blobs"), record: record
)
let manifest = (try? Files.read(directory + "/changes.json")) ?? Data()
let document = (try? Files.read(directory + "/base.json")) ?? Data()
do {
    switch arguments[1] {
    case "promote":
        let (changes, base) = (try ChangeSet.parse(manifest: manifest), try Base.parse(document))
        close(77_770_001)
        _ = try await promoter.promote(id: "m", changeSet: changes, base: base)
    case "commit":
        let (changes, base) = (try ChangeSet.parse(manifest: manifest), try Base.parse(document))
        _ = try await promoter.commit(id: "m", changeSet: changes, base: base)
    case "give":
        // As a commit of a fork's own files, from its very beginning.
        let (changes, base) = (try ChangeSet.parse(manifest: manifest), try Base.parse(document))
        close(77_770_001)
        _ = try await promoter.commit(
            id: "m", changeSet: changes, base: base, contents: Given(directory: directory + "/given"))
    case "purge":
        close(77_770_001)
        try promoter.purge(id: "m")
    case "rollback":
        close(77_770_001)
        _ = try await promoter.rollback(id: "m")
    case "rerun":
        let ran = directory + "/root/ran"
        let intent = RerunIntent(
            run: "echo ran >> \(ran)", undo: "rm \(ran)", effect: "test -s \(ran)", reads: try Base([]), timeout: 20)
        close(77_770_001)
        _ = try await promoter.rerun(id: "m", intent: intent)
    case "recover":
        close(77_770_001)
        _ = try await promoter.recover()
    default: exit(2)
    }
    close(77_770_002)
} catch {
    print("\(error)")
    exit(1)
}
