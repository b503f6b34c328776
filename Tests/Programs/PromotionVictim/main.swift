// promotion-victim WHAT DIRECTORY: promotes, rolls back, recovers or runs again what lies prepared in DIRECTORY, so that a real
// process can be killed at it. The calls between the two marks are those of the act itself (see syscall-killer).
import Fork
import FoundationEssentials
import Glibc
import Linux
import Promotion

let arguments = CommandLine.arguments
guard arguments.count == 3 else { exit(2) }
let directory = arguments[2]
let record: Promoter.Record = { kind, _ in
    // The agent's journal: one durable line an act.
    let file = try Files.open(directory + "/journal", flags: O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
    try Files.write(file, Data((kind + "\n").utf8))
    try Files.fsync(file)
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
