import Documents
import FoundationEssentials
import Glibc
import Linux
import Measurement
import Testing

@testable import Agent

@Suite("A mission's folder")
struct MissionFolderTests {
    static func block(_ index: Int, _ latency: Double = 0.1) -> Block {
        // The reason is not ASCII, so that a torn line can end in the middle of a character.
        let arm = ArmMeasurement(
            values: [.latency_p50: latency], notMeasured: [.io_bytes: "wird hier nicht gezählt"], requests: 1, errors: 0
        )
        return Block(
            index: index, order: index % 2 == 0 ? .abba : .baab, baseline: [arm, arm], candidate: [arm, arm])
    }

    @Test(
        "an id with a character that ids never have is refused, and nothing is made",
        arguments: ["", "..", ".", "a/b", "../../etc", "a b", "a\u{0}", "ä", "a.b", "m-1\n", "%2e%2e"])
    func unsafe(id: String) async throws {
        try await Ground.with { ground async throws in
            let root = ground.path("missions")
            let said = refusal { _ = try MissionFolder(root: root, id: id) }
            #expect(said?.contains("not to be trusted") ?? false, "“\(id)” was taken")
            #expect(try Files.status(root) == nil)
        }
    }

    @Test("an id of letters, digits, - and _ gets a folder that only its owner can read")
    func safe() async throws {
        try await Ground.with { ground async throws in
            let folder = try MissionFolder(root: ground.path("missions"), id: "m-1_B")
            #expect(try Files.status(folder.path)?.mode == 0o700)
            try folder.write("x.json", Data("{}".utf8))
            #expect(try Files.status(folder.path + "/x.json")?.mode == 0o600)
            #expect(try MissionFolder(root: ground.path("missions"), id: "m-1_B").data("x.json") == Data("{}".utf8))
        }
    }

    @Test("recorded blocks come back as they were, in order")
    func roundTrip() async throws {
        try await Ground.with { ground async throws in
            let folder = try MissionFolder(root: ground.directory, id: "m")
            #expect(try folder.blocks().isEmpty)
            var all: [Block] = []
            for index in 0..<5 {
                let block = Self.block(index, 0.1 + Double(index))
                try folder.record(block, all: all)
                all.append(block)
                #expect(try folder.blocks() == all)
            }
        }
    }

    @Test("a last line that a kill tore at any byte is dropped, the others stand")
    func torn() async throws {
        try await Ground.with { ground async throws in
            let folder = try MissionFolder(root: ground.directory, id: "m")
            try folder.record(Self.block(1), all: [Self.block(0)])
            let whole = try Files.read(folder.path + "/blocks.jsonl")
            let first = (whole.firstIndex(of: 0x0A) ?? 0) + 1
            for length in first..<(whole.count - 1) {
                try Files.writeAtomically(folder.path + "/blocks.jsonl", whole.prefix(length))
                #expect(try folder.blocks() == [Self.block(0)], "torn at \(length)")
            }
            // Only the newline is missing: the line itself is whole.
            try Files.writeAtomically(folder.path + "/blocks.jsonl", whole.dropLast())
            #expect(try folder.blocks() == [Self.block(0), Self.block(1)])
        }
    }

    @Test("any other damage is refused, never taken for a fresh trial")
    func damage() async throws {
        try await Ground.with { ground async throws in
            let folder = try MissionFolder(root: ground.directory, id: "m")
            try folder.record(Self.block(1), all: [Self.block(0)])
            let path = folder.path + "/blocks.jsonl"
            let whole = try Files.readString(path)
            let lines = whole.split(separator: "\n").map(String.init)
            for (text, line) in [
                ("garbage\n" + lines[1] + "\n", 1), ("garbage\n" + lines[1].dropLast(9), 1),
                (lines[0] + "\n{\"index\":1}\n", 2),
                (String(whole.dropFirst(3)), 1),
                (lines[0].dropLast(2) + "\n" + lines[1] + "\n", 1), (lines[0] + "\n" + lines[1].dropLast(4) + "\n", 2),
            ] as [(String, Int)] {
                try Files.writeAtomically(path, Data(text.utf8))
                let said = refusal { _ = try folder.blocks() }
                #expect(said?.contains("line \(line), is damaged") ?? false, "\(said ?? "taken")")
            }
            // Not a file at all.
            try Files.unlink(path)
            try Files.makeDirectory(path)
            #expect(refusal { _ = try folder.blocks() } != nil)
        }
    }

    @Test("a retest forgets blocks, evidence and change set, and nothing else")
    func forgetting() async throws {
        try await Ground.with { ground async throws in
            let folder = try MissionFolder(root: ground.directory, id: "m")
            let gone = ["blocks.jsonl", "evidence.json", "manifest.json", "base.json", "diff.txt"]
            for name in gone + ["mission.json", "promotion.json"] { try folder.write(name, Data("x".utf8)) }
            try folder.forgetTest()
            for name in gone { #expect(try folder.data(name) == nil) }
            #expect(try folder.data("mission.json") != nil && folder.data("promotion.json") != nil)
        }
    }
}
