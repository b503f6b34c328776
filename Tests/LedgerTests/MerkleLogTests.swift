import Documents
import Foundation
import Ledger
import Testing

@Suite("The log on disk")
struct MerkleLogTests {
    private let key: SigningKey
    private let scratch: Scratch

    init() throws {
        key = try SigningKey(name: "test.example/log", seed: Data(repeating: 7, count: 32))
        scratch = try Scratch()
    }

    private func entry(_ index: Int) -> Data { Data("entry \(index)".utf8) }

    private func root(_ size: Int) -> Digest { MerkleHash.root(of: (0..<size).map { MerkleHash.leaf(entry($0)) }) }

    @Test("a new log is empty, signed and opens again")
    func begins() throws {
        do {
            let log = try MerkleLog(directory: scratch.file("log"), key: key)
            #expect(log.size == 0)
            #expect(try log.verify().isIntact)
        }
        let log = try MerkleLog(directory: scratch.file("log"), key: key)
        #expect(log.root == MerkleHash.empty)
        #expect(try log.append([]).checkpoint.size == 0)
    }

    @Test("growing by one to 70 and on past a tile, roots, proofs and entries are those of the definition")
    func grows() throws {
        let log = try MerkleLog(directory: scratch.file("log"), key: key)
        let leaves = (0..<300).map { MerkleHash.leaf(entry($0)) }
        for size in 1...300 {
            let (first, checkpoint) = try log.append([entry(size - 1)])
            #expect(first == UInt64(size - 1))
            guard size <= 70 || (254...260).contains(size) || size == 300 else { continue }
            #expect(checkpoint.root == MerkleHash.root(of: leaves[..<size]))
            for index in stride(from: 0, to: size, by: size > 70 ? 37 : 1) {
                #expect(try log.inclusionProof(index: UInt64(index)) == BruteForce.path(index, leaves[..<size]))
                #expect(try log.entry(UInt64(index)) == entry(index))
            }
            for old in stride(from: 1, to: size, by: size > 70 ? 31 : 1) {
                #expect(try log.consistencyProof(from: UInt64(old)) == BruteForce.subproof(old, leaves[..<size], true))
            }
        }
        #expect(try log.entries(250..<400) == (250..<300).map(entry))
        #expect(try log.root(at: 200) == root(200))
        let report = try log.verify()
        #expect(report.problems == [])
        #expect(report.entries == 300)
    }

    @Test(
        "batches across tiles of two levels give the same log as single appends",
        arguments: [1, 7, 255, 256, 257, 1000])
    func batches(step: Int) throws {
        let total = step == 1000 ? 66_000 : step < 255 ? 600 : 2_600
        let log = try MerkleLog(directory: scratch.file("log"), key: key)
        var edge: [Digest] = []
        var size = 0
        while size < total {
            let next = min(step == 1000 ? 5_000 : step, total - size)
            edge += (size..<size + next).map { MerkleHash.leaf(entry($0)) }
            try log.append((size..<size + next).map(entry))
            size += next
        }
        #expect(log.root == MerkleHash.root(of: edge))
        for index in [0, 255, 256, total / 2, total - 1] {
            let proof = try log.inclusionProof(index: UInt64(index))
            #expect(
                MerkleProof.verifyInclusion(
                    leaf: edge[index], index: UInt64(index), size: UInt64(total), proof: proof, root: log.root))
        }
        let old = total / 3
        #expect(
            MerkleProof.verifyConsistency(
                oldSize: UInt64(old), newSize: UInt64(total), oldRoot: MerkleHash.root(of: edge[..<old]),
                newRoot: log.root,
                proof: try log.consistencyProof(from: UInt64(old))))
        #expect(try log.verify().problems == [])
    }

    @Test("the files lie where C2SP tlog-tiles puts them, with its bytes")
    func layout() throws {
        let log = try MerkleLog(directory: scratch.file("log"), key: key)
        try log.append((0..<3).map(entry))
        #expect(try scratch.files(below: "log") == ["checkpoint", "lock", "tile/0/000.p/3", "tile/entries/000.p/3"])
        let expected = (0..<3).reduce(into: Data()) { $0 += [0, UInt8(entry($1).count)] + entry($1) }
        #expect(try scratch.read("log/tile/entries/000.p/3") == expected)
        #expect(
            try scratch.read("log/tile/0/000.p/3")
                == (0..<3).reduce(into: Data()) { $0 += MerkleHash.leaf(entry($1)).bytes })
        try log.append((3..<260).map(entry))
        #expect(
            try scratch.files(below: "log") == [
                "checkpoint", "lock", "tile/0/000", "tile/0/001.p/4", "tile/1/000.p/1", "tile/entries/000",
                "tile/entries/001.p/4",
            ])
        #expect(try scratch.read("log/tile/1/000.p/1") == root(256).bytes)
        #expect(Tile(level: 3, index: 1_234_067, width: 5).path == "tile/3/x001/x234/067.p/5")
        #expect(Tile(entries: 5).path == "tile/entries/005")
    }

    @Test("a second writer is kept out while the first lives")
    func oneWriter() throws {
        let log = try MerkleLog(directory: scratch.file("log"), key: key)
        #expect(throws: LedgerError.locked(directory: scratch.file("log"))) {
            try MerkleLog(directory: scratch.file("log"), key: key)
        }
        try log.append([entry(0)])
    }

    @Test("an entry too long for the format is refused whole, and the log goes on")
    func tooLong() throws {
        let log = try MerkleLog(directory: scratch.file("log"), key: key)
        #expect(throws: LedgerError.tooLarge(what: "The entry 1", size: 65_536, limit: 65_535)) {
            try log.append([entry(0), Data(count: 65_536)])
        }
        #expect(log.size == 0)
        try log.append([Data(count: 65_535), Data()])
        #expect(try log.verify().problems == [])
        #expect(try log.entry(1) == Data())
    }

    @Test("any file cut, changed or taken away is found by verify, without the private key", arguments: [3, 256, 300])
    func tampering(size: Int) throws {
        do {
            let log = try MerkleLog(directory: scratch.file("log"), key: key)
            try log.append((0..<size).map(entry))
        }
        let directory = scratch.file("log")
        #expect(try LogReader.verify(directory: directory, key: key.publicKey).problems == [])
        for file in try scratch.files(below: "log") where file != "lock" {
            let name = "log/" + file
            let good = try scratch.read(name)
            for (how, bad) in [
                ("changed", Data(good.dropLast(3)) + [good[good.endIndex - 3] ^ 1] + good.suffix(2)),
                ("cut", Data(good.dropLast(5))),
            ] {
                try scratch.write(name, bad)
                let found = refusal {
                    let report = try LogReader.verify(directory: directory, key: key.publicKey)
                    if !report.isIntact { throw LedgerError.note(why: report.problems.joined()) }
                }
                #expect(found != nil, "\(file) \(how)")
            }
            try FileManager.default.removeItem(atPath: scratch.file(name))
            let found = refusal {
                let report = try LogReader.verify(directory: directory, key: key.publicKey)
                if !report.isIntact { throw LedgerError.note(why: report.problems.joined()) }
            }
            #expect(
                found?.contains("missing") == true || found?.contains("no checkpoint") == true,
                "\(file) removed: \(found ?? "-")")
            try scratch.write(name, good)
        }
        let other = try SigningKey(name: "test.example/log")
        #expect(throws: LedgerError.self) { try LogReader.verify(directory: directory, key: other.publicKey) }
    }

    @Test("a tile that can't be written leaves the checkpoint as it was, stops the log, and opening it anew mends it")
    func failedWrite() throws {
        do {
            let log = try MerkleLog(directory: scratch.file("log"), key: key)
            try log.append((0..<3).map(entry))
            let before = try scratch.read("log/checkpoint")
            // A directory that isn't empty can't be replaced by a file.
            let blocker = scratch.file("log/tile/0/000.p/4/in-the-way")
            try FileManager.default.createDirectory(atPath: blocker, withIntermediateDirectories: true)
            #expect(refusal { try log.append([entry(3)]) } != nil)
            #expect(try scratch.read("log/checkpoint") == before)
            #expect(log.size == 3)
            #expect(refusal { try log.append([entry(3)]) }?.contains("takes no more entries") == true)
            #expect(try log.verify().problems == [])
        }
        let log = try MerkleLog(directory: scratch.file("log"), key: key)
        try log.append([entry(3)])
        #expect(log.root == root(4))
    }

    @Test("tiles that do not give the checkpoint's root are refused on opening")
    func damagedEdge() throws {
        do { try MerkleLog(directory: scratch.file("log"), key: key).append((0..<3).map(entry)) }
        var tile = try scratch.read("log/tile/0/000.p/3")
        tile[40] ^= 1
        try scratch.write("log/tile/0/000.p/3", tile)
        let said = refusal { _ = try MerkleLog(directory: scratch.file("log"), key: key) }
        #expect(said?.contains("is damaged") == true)
    }

    @Test("tiles without a checkpoint are refused rather than begun anew")
    func lostCheckpoint() throws {
        do { try MerkleLog(directory: scratch.file("log"), key: key).append([entry(0)]) }
        try FileManager.default.removeItem(atPath: scratch.file("log/checkpoint"))
        #expect(
            refusal { _ = try MerkleLog(directory: scratch.file("log"), key: key) }?.contains("no checkpoint") == true)
    }
}
