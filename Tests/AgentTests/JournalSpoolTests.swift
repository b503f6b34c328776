import Documents
import FoundationEssentials
import Ledger
import Linux
import Testing

@testable import Agent

@Suite("The journal's way to the coordinator")
struct JournalSpoolTests {
    static func journal(_ ground: Ground, _ key: SigningKey, _ count: Int = 0) throws -> Journal {
        let journal = try Journal(directory: ground.path("journal"), key: key, name: "agent")
        for number in 0..<count { _ = try journal.append(kind: "n", body: ["n": .integer(Int64(number))]) }
        return journal
    }

    @Test("everything is sent once, in order, in pieces")
    func order() async throws {
        try await Ground.with { ground async throws in
            let journal = try Self.journal(ground, SigningKey(name: "a"), 450)
            let link = FakeLink()
            let spool = JournalSpool(journal: journal, link: link, state: ground.directory)
            try await spool.flush()
            try await spool.flush()
            #expect(link[\.batches].map(\.count) == [200, 200, 50])
            #expect(link[\.batches].flatMap { $0 }.map(\.index) == Array(0..<450))
        }
    }

    @Test("what was not taken is sent again, and nothing after it before it")
    func again() async throws {
        try await Ground.with { ground async throws in
            let journal = try Self.journal(ground, SigningKey(name: "a"), 3)
            let link = FakeLink { $0.failingAppends = 2 }
            let spool = JournalSpool(journal: journal, link: link, state: ground.directory)
            #expect(await refusal { try await spool.flush() } != nil)
            _ = try journal.append(kind: "later", body: [:])
            #expect(await refusal { try await spool.flush() } != nil)
            #expect(link[\.batches].isEmpty)
            try await spool.flush()
            #expect(link[\.batches].flatMap { $0 }.map(\.index) == [0, 1, 2, 3])
        }
    }

    @Test("a coordinator that confirms less than was sent is not believed to have it")
    func short() async throws {
        try await Ground.with { ground async throws in
            let journal = try Self.journal(ground, SigningKey(name: "a"), 5)
            let link = FakeLink { $0.claimed = 2 }
            let spool = JournalSpool(journal: journal, link: link, state: ground.directory)
            #expect(await refusal { try await spool.flush() }?.contains("up to 2 only") ?? false)
            link.set { $0.claimed = nil }
            try await spool.flush()
            #expect(link[\.batches].last?.map(\.index) == [0, 1, 2, 3, 4])
        }
    }

    @Test("after a restart it goes on where it stopped; a lost or damaged note means from the beginning")
    func restart() async throws {
        try await Ground.with { ground async throws in
            let key = try SigningKey(name: "a")
            let journal = try Self.journal(ground, key, 3)
            try await JournalSpool(journal: journal, link: FakeLink(), state: ground.directory).flush()
            _ = try journal.append(kind: "later", body: [:])
            let link = FakeLink()
            try await JournalSpool(journal: journal, link: link, state: ground.directory).flush()
            #expect(link[\.batches].flatMap { $0 }.map(\.index) == [3])
            for text in ["", "rubbish\n", "-4\n"] {
                try ground.write("journal.sent", text)
                let link = FakeLink()
                try await JournalSpool(journal: journal, link: link, state: ground.directory).flush()
                #expect(link[\.batches].flatMap { $0 }.map(\.index) == [0, 1, 2, 3])
            }
        }
    }

    @Test("a journal shorter than what was confirmed is refused, not skipped")
    func shortened() async throws {
        try await Ground.with { ground async throws in
            let journal = try Self.journal(ground, SigningKey(name: "a"), 2)
            try ground.write("journal.sent", "7\n")
            let link = FakeLink()
            let spool = JournalSpool(journal: journal, link: link, state: ground.directory)
            #expect(await refusal { try await spool.flush() }?.contains("lines were taken away") ?? false)
            #expect(link[\.attempts] == 0)
        }
    }

    @Test(
        "for any failures every entry arrives, and none before the one ahead of it",
        arguments: 1...12 as ClosedRange<UInt64>)
    func property(seed: UInt64) async throws {
        print("seed \(seed)")
        try await Ground.with { ground async throws in
            var random = Seeded(seed)
            let key = try SigningKey(name: "a")
            let journal = try Self.journal(ground, key)
            let link = FakeLink()
            var spool = JournalSpool(journal: journal, link: link, state: ground.directory)
            for _ in 0..<40 {
                switch Int.random(in: 0..<4, using: &random) {
                case 0:
                    let failures = Int.random(in: 0...2, using: &random)
                    link.set { $0.failingAppends = failures }
                case 1: spool = JournalSpool(journal: journal, link: link, state: ground.directory)
                default: _ = try journal.append(kind: "n", body: [:])
                }
                try? await spool.flush()
            }
            link.set { $0.failingAppends = 0 }
            try await spool.flush()
            #expect(link[\.batches].flatMap { $0 }.map(\.index) == Array(0..<journal.count))
        }
    }
}
