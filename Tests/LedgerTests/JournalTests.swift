import Documents
import Foundation
import Ledger
import Testing

@Suite("The agent's journal")
struct JournalTests {
    private let scratch: Scratch
    private let key: SigningKey
    private let time = Date(timeIntervalSince1970: 1_760_000_000.25)

    init() throws {
        scratch = try Scratch()
        key = try SigningKey(name: "app1.example/agent", seed: Data(repeating: 5, count: 32))
    }

    private func open() throws -> Journal {
        let time = time
        return try Journal(directory: scratch.file("agent"), key: key, clock: { time })
    }

    private let name = "agent/journal.jsonl"

    @discardableResult
    private func fill(_ count: Int) throws -> [JournalEntry] {
        let journal = try open()
        return try (0..<count).map {
            try journal.append(kind: "promotion.intent", mission: "m\($0)", body: ["n": .integer(Int64($0))])
        }
    }

    @Test("entries come back in order, signed and chained, also after opening anew")
    func roundTrip() throws {
        let written = try fill(5)
        let journal = try open()
        #expect(journal.cut == nil)
        #expect(journal.count == 5)
        #expect(try journal.verify() == 5)
        #expect(try journal.entries() == written)
        #expect(try journal.entries(after: 2) == Array(written[3...]))
        #expect(try journal.entries(from: 1, limit: 2) == Array(written[1...2]))
        #expect(try journal.entries(after: 4) == [])
        let next = try journal.append(kind: "watch.passed", body: [:])
        #expect(next.index == 5)
        #expect(next.previous == Digest(of: try written[4].line()))
        #expect(try Journal.read(path: scratch.file(name), key: key.publicKey).count == 6)
        let lines = String(decoding: try scratch.read(name), as: UTF8.self).split(separator: "\n")
        #expect(lines[0].contains(#""at":"2025-10-09T08:53:20.250Z""#))
    }

    @Test("a last line cut anywhere is removed and said, and the journal goes on")
    func tornTail() throws {
        try fill(3)
        let whole = try scratch.read(name)
        let lineStart = try #require(whole.dropLast().lastIndex(of: 0x0A)) + 1
        for cut in stride(from: lineStart + 1, to: whole.count, by: 7) {
            try scratch.write(name, Data(whole[..<cut]))
            do {
                let journal = try open()
                #expect(journal.cut?.contains("\(cut - lineStart) bytes") == true)
                #expect(journal.count == 2)
            }
            #expect(try scratch.read(name) == whole[..<lineStart])
        }
        let journal = try open()
        #expect(journal.cut == nil)
        try journal.append(kind: "again", body: [:])
        #expect(try journal.verify() == 3)
    }

    @Test("zeros that a power loss left after the last line are cut")
    func zeros() throws {
        try fill(2)
        try scratch.write(name, try scratch.read(name) + Data(count: 300))
        #expect(try open().count == 2)
    }

    @Test("any other damage is refused with file and line, and nothing is changed")
    func damage() throws {
        try fill(4)
        let whole = try scratch.read(name)
        let lines = whole.split(separator: 0x0A).map { Data($0) }
        func file(_ lines: [Data]) -> Data { lines.reduce(into: Data()) { $0 += $1 + [0x0A] } }
        func changed(_ line: Int, _ from: String, _ to: String) -> Data {
            var copy = lines
            copy[line] = Data(String(decoding: copy[line], as: UTF8.self).replacing(from, with: to).utf8)
            return file(copy)
        }
        let cases: [(String, Data, Int)] = [
            ("a changed body", changed(1, "\"n\":1", "\"n\":9"), 2),
            ("a changed last line", changed(3, "\"n\":3", "\"n\":9"), 4),
            ("spaces", changed(2, "\"n\":2", "\"n\": 2"), 3),
            ("a line taken away", file([lines[0], lines[2], lines[3]]), 2),
            ("the first line taken away", file(Array(lines.dropFirst())), 1),
            ("lines exchanged", file([lines[0], lines[2], lines[1], lines[3]]), 2),
            ("a line twice", file([lines[0], lines[1], lines[1]]), 3),
            ("an empty line", file([lines[0], Data(), lines[1]]), 2),
            ("rubbish with a newline", whole + Data("rubbish\n".utf8), 5),
        ]
        for (what, bytes, line) in cases {
            try scratch.write(name, bytes)
            let said = refusal { _ = try open() }
            #expect(
                said?.hasPrefix("\(scratch.file(name)):\(line) is damaged") == true, "\(what): \(said ?? "accepted")")
            #expect(try scratch.read(name) == bytes, "\(what)")
        }
    }

    @Test("another agent's line is refused though it chains")
    func foreignKey() throws {
        try fill(2)
        let other = try SigningKey(name: "app1.example/agent")
        #expect(
            refusal { _ = try Journal.read(path: scratch.file(name), key: other.publicKey) }?.contains("signature")
                == true)
    }

    @Test("a line the same agent signed in another history is refused")
    func otherHistory() throws {
        try fill(2)
        let one = try scratch.read(name).split(separator: 0x0A)
        try FileManager.default.removeItem(atPath: scratch.file(name))
        do { try open().append(kind: "other", body: [:]) }
        try fill(1)
        let two = try scratch.read(name).split(separator: 0x0A)
        try scratch.write(name, Data(one[0]) + [0x0A] + Data(two[1]) + [0x0A])
        #expect(refusal { _ = try open() }?.contains("does not follow the line before it") == true)
    }

    @Test("only one process writes")
    func locked() throws {
        let journal = try open()
        #expect(throws: LedgerError.locked(directory: scratch.file("agent"))) { try open() }
        try journal.append(kind: "x", body: [:])
    }

    @Test("an entry too long is refused and the journal goes on")
    func tooLong() throws {
        let journal = try open()
        #expect(throws: LedgerError.self) {
            try journal.append(kind: "x", body: .string(String(repeating: "x", count: 1 << 20)))
        }
        try journal.append(kind: "y", body: [:])
        #expect(try journal.verify() == 1)
    }

    @Test("a symbolic link in the journal's place is refused")
    func link() throws {
        try fill(1)
        try FileManager.default.moveItem(atPath: scratch.file(name), toPath: scratch.file("elsewhere"))
        try FileManager.default.createSymbolicLink(
            atPath: scratch.file(name), withDestinationPath: scratch.file("elsewhere"))
        #expect(refusal { _ = try open() }?.contains("ELOOP") == true)
    }

    @Test(
        "a full disk refuses the entry, then every other until the journal is opened anew",
        .enabled(if: getuid() == 0, "mounting needs root"))
    func fullDisk() throws {
        let mount = scratch.file("agent")
        try FileManager.default.createDirectory(atPath: mount, withIntermediateDirectories: true)
        try #require(tool("mount", ["-t", "tmpfs", "-o", "size=16k", "tmpfs", mount]).status == 0)
        defer { _ = try? tool("umount", ["-l", mount]) }
        do {
            let journal = try open()
            var written: UInt64 = 0
            while written < 1000,
                refusal({ try journal.append(kind: "x", body: .string(String(repeating: "x", count: 900))) }) == nil
            {
                written += 1
            }
            #expect((1..<20).contains(written))
            #expect(journal.count == written)
            #expect(refusal { try journal.append(kind: "y", body: [:]) }?.contains("takes no more entries") == true)
            #expect(try journal.verify() == written)
        }
        try #require(tool("mount", ["-o", "remount,size=64k", mount]).status == 0)
        let journal = try open()
        let before = journal.count
        try journal.append(kind: "z", body: [:])
        #expect(try journal.verify() == before + 1)
    }

    @Test("appends from many tasks all land, in one chain")
    func concurrent() async throws {
        let journal = try open()
        await withTaskGroup(of: Void.self) { group in
            for index in 0..<40 {
                group.addTask { _ = try? journal.append(kind: "k", body: ["n": .integer(Int64(index))]) }
            }
        }
        #expect(try journal.verify() == 40)
        #expect(Set(try journal.entries().compactMap { $0.body["n"]?.integer }).count == 40)
    }
}
