import Documents
import Foundation
import Ledger
import Testing

/// A kill leaves the files as some prefix of an append's steps made them. These tests build every such prefix from a finished
/// append and open it.
@Suite("A log killed at any point opens at its last checkpoint")
struct MerkleCrashTests {
    private let key: SigningKey

    init() throws {
        key = try SigningKey(name: "test.example/log", seed: Data(repeating: 9, count: 32))
    }

    private func entry(_ index: Int, _ life: String) -> Data { Data("entry \(index) \(life)".utf8) }

    private static let cases: [(before: Int, batch: Int, next: Int)] = [
        (0, 1, 2), (3, 1, 1), (3, 4, 2), (250, 10, 3), (250, 6, 1), (250, 600, 5), (255, 1, 1), (256, 1, 2),
        (511, 2, 1),
    ]

    @Test("after every prefix of an append's writes the old log is there, whole, and grows on", arguments: cases)
    func everyPrefix(before: Int, batch: Int, next: Int) throws {
        let scratch = try Scratch()
        do {
            let log = try MerkleLog(directory: scratch.file("log"), key: key)
            try log.append((0..<before).map { entry($0, "first") })
        }
        let old = try snapshot(scratch)
        do {
            let log = try MerkleLog(directory: scratch.file("log"), key: key)
            try log.append((0..<batch).map { entry(before + $0, "lost") })
        }
        let new = try snapshot(scratch)
        // In the order written: bundles and tiles upwards, then the checkpoint.
        let written = new.keys.filter { old[$0] != new[$0] && $0 != "checkpoint" }.sorted {
            ($0.count, $0) < ($1.count, $1)
        }
        for count in 0...written.count {
            for torn in [false, true] where !torn || count < written.count {
                var files = old
                for name in written.prefix(count) { files[name] = new[name] }
                // writeAtomically never leaves half a file under its own name, but its temporary may stay.
                if torn {
                    files[(written[count] as NSString).deletingLastPathComponent + "/.123.tmp"] = Data("half".utf8)
                }
                try restore(files, scratch)
                do {
                    let log = try MerkleLog(directory: scratch.file("log"), key: key)
                    #expect(log.size == UInt64(before))
                    #expect(try log.verify().problems == [])
                    try log.append((0..<next).map { entry(before + $0, "second") })
                    #expect(try log.verify().problems == [])
                    let leaves =
                        (0..<before).map { entry($0, "first") } + (0..<next).map { entry(before + $0, "second") }
                    #expect(log.root == MerkleHash.root(of: leaves.map(MerkleHash.leaf)))
                }
                #expect(try MerkleLog(directory: scratch.file("log"), key: key).size == UInt64(before + next))
            }
        }
    }

    @Test("a kill after the checkpoint but before the old partial tiles are gone loses nothing")
    func afterCheckpoint() throws {
        let scratch = try Scratch()
        do {
            let log = try MerkleLog(directory: scratch.file("log"), key: key)
            for index in 0..<255 { try log.append([entry(index, "first")]) }
        }
        let old = try snapshot(scratch)
        do {
            try MerkleLog(directory: scratch.file("log"), key: key).append([entry(255, "first"), entry(256, "first")])
        }
        try restore(old.merging(try snapshot(scratch)) { $1 }, scratch)
        let log = try MerkleLog(directory: scratch.file("log"), key: key)
        #expect(log.size == 257)
        #expect(try log.verify().problems == [])
    }

    @Test("a reader of an older checkpoint finds its tiles after they filled up")
    func olderCheckpoint() throws {
        let scratch = try Scratch()
        let log = try MerkleLog(directory: scratch.file("log"), key: key)
        try log.append((0..<200).map { entry($0, "first") })
        let reader = try LogReader(directory: scratch.file("log"), key: key.publicKey)
        try log.append((200..<600).map { entry($0, "first") })
        #expect(try reader.entries(0..<1000).count == 200)
        let leaves = (0..<200).map { MerkleHash.leaf(entry($0, "first")) }
        #expect(try reader.inclusionProof(index: 77) == BruteForce.path(77, leaves[...]))
    }

    private func snapshot(_ scratch: Scratch) throws -> [String: Data] {
        var files: [String: Data] = [:]
        for name in try scratch.files(below: "log") { files[name] = try scratch.read("log/" + name) }
        return files
    }

    private func restore(_ files: [String: Data], _ scratch: Scratch) throws {
        try FileManager.default.removeItem(atPath: scratch.file("log"))
        for (name, data) in files {
            let path = scratch.file("log/" + name)
            let directory = (path as NSString).deletingLastPathComponent
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            try data.write(to: URL(fileURLWithPath: path))
        }
    }
}
