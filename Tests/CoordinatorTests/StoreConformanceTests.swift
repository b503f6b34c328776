import Documents
import FoundationEssentials
import Ledger
import Linux
import Missions
import Testing

@testable import Coordinator

/// What any ``Store`` must do, written against the protocol alone: another database is added to `kinds`, and nothing else.
@Suite("Every store")
struct StoreConformanceTests {
    enum Kind: String, CaseIterable, Sendable {
        case sqlite

        func open(_ directory: String) throws -> any Store {
            switch self {
            case .sqlite: try SQLiteStore(path: directory + "/store.sqlite")
            }
        }
    }

    private let now = Timestamp.rounded(Date(timeIntervalSince1970: 1_790_000_000.125))

    private func with(_ kind: Kind, _ body: (any Store, String) async throws -> Void) async throws {
        let directory = try Fixture.directory()
        defer { try? Files.removeTree(directory) }
        let store = try kind.open(directory)
        do {
            try await body(store, directory)
        } catch {
            try? store.close()
            throw error
        }
        try store.close()
    }

    private func mission(_ id: String, phase: MissionPhase = .detected, host: String? = nil) throws -> Mission {
        let file = try TestAgent.mission(id)
        return Mission(
            id: id, file: file, digest: try file.digest, phase: phase, host: host, proposer: "ann", createdAt: now)
    }

    @Test("a transaction that throws leaves nothing", arguments: Kind.allCases)
    func atomic(kind: Kind) async throws {
        struct Stop: Error {}
        try await with(kind) { store, _ in
            await #expect(throws: Stop.self) {
                try await store.write { writer in
                    try writer.save(try mission("m-1"), dedupeKey: nil)
                    try writer.addEvent(topic: "a", mission: nil, at: now, body: [:])
                    try writer.addLedger(
                        LedgerEntry(id: "1", kind: "k", at: now, actor: "x", body: [:]), leaf: Data("leaf".utf8))
                    throw Stop()
                }
            }
            let (found, events, ledger) = try await store.read {
                (try $0.mission("m-1"), try $0.events(after: 0, limit: 10), try $0.ledgerCount())
            }
            #expect(found == nil && events.isEmpty && ledger == 0)
        }
    }

    @Test("what was written is there after it is opened anew", arguments: Kind.allCases)
    func durable(kind: Kind) async throws {
        let directory = try Fixture.directory()
        defer { try? Files.removeTree(directory) }
        var store = try kind.open(directory)
        let wanted = try mission("m-1", host: "h")
        try await store.write { try $0.save(wanted, dedupeKey: "k") }
        try store.close()
        store = try kind.open(directory)
        #expect(try await store.read { try $0.mission("m-1") } == wanted)
        #expect(try await store.read { try $0.mission(dedupeKey: "k", host: "h")?.id } == "m-1")
        try store.close()
    }

    @Test("missions come newest first, in pages that miss and double none", arguments: Kind.allCases)
    func pages(kind: Kind) async throws {
        try await with(kind) { store, _ in
            for number in 0..<25 {
                let one = try mission("m-\(number)", phase: number % 5 == 0 ? .complete : .detected)
                try await store.write { try $0.save(one, dedupeKey: nil) }
            }
            var seen: [String] = []
            var after: Int64?
            repeat {
                let from = after
                let page = try await store.read { try $0.missions(phase: nil, limit: 4, after: from) }
                #expect(page.total == 25)
                seen += page.missions.map(\.id)
                after = page.next
            } while after != nil
            #expect(seen == (0..<25).reversed().map { "m-\($0)" })
            let complete = try await store.read { try $0.missions(phase: .complete, limit: 50, after: nil) }
            #expect(complete.total == 5 && complete.next == nil)
            #expect(try await store.read { try $0.openMissions().count } == 20)
            #expect(try await store.read { try $0.missionCounts() } == [.complete: 5, .detected: 20])
        }
    }

    @Test("ids of events rise and ledger indexes have no gaps, whoever writes at once", arguments: Kind.allCases)
    func sequences(kind: Kind) async throws {
        try await with(kind) { store, _ in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<8 {
                    group.addTask {
                        for number in 0..<10 {
                            try await store.write { writer in
                                try writer.addEvent(
                                    topic: "t.x", mission: nil, at: now, body: ["n": .integer(Int64(number))])
                                let entry = LedgerEntry(
                                    id: "\(task)/\(number)", kind: "k", at: now, actor: "x", body: [:])
                                try writer.addLedger(entry, leaf: try entry.leaf())
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            let (events, rows) = try await store.read {
                (try $0.events(after: 0, limit: 1000), try $0.ledgerRows(from: 0, limit: 1000))
            }
            #expect(
                events.count == 80 && Set(events.map(\.id)).count == 80 && events.map(\.id) == events.map(\.id).sorted()
            )
            #expect(rows.map(\.index) == Array(0..<80))
            #expect(try await store.read { try $0.ledgerRow(id: "3/4") } == rows.first { $0.id == "3/4" })
        }
    }

    @Test("an entry's id and an idempotency key can be used once", arguments: Kind.allCases)
    func unique(kind: Kind) async throws {
        try await with(kind) { store, _ in
            let entry = LedgerEntry(id: "one", kind: "k", at: now, actor: "x", body: [:])
            try await store.write { writer in
                try writer.addLedger(entry, leaf: try entry.leaf())
                try writer.recordAnswer(scope: "s", key: "k", answer: ["a": 1], at: now)
            }
            await #expect(throws: (any Error).self) {
                try await store.write { try $0.addLedger(entry, leaf: try entry.leaf()) }
            }
            await #expect(throws: (any Error).self) {
                try await store.write { try $0.recordAnswer(scope: "s", key: "k", answer: [:], at: now) }
            }
            #expect(try await store.read { try $0.answer(scope: "s", key: "k") } == ["a": 1])
            #expect(try await store.read { try $0.answer(scope: "t", key: "k") } == nil)
        }
    }

    @Test("records come back as they were", arguments: Kind.allCases)
    func records(kind: Kind) async throws {
        try await with(kind) { store, _ in
            let digest = Digest(of: Data("x".utf8))
            let envelope = Envelope(
                payloadType: "t", payload: Data([1, 2]), signatures: [.init(keyid: "k", sig: Data([3]))])
            let token = TokenRecord(
                id: "t1", principal: "ann", role: .approver, sha256: digest, source: .api, createdAt: now,
                revokedAt: now,
                hostID: "h")
            let host = HostRecord(
                id: "h", identity: HostIdentity(id: "h", name: "web", labels: ["a": "b"], kernel: "6.1"), key: "k",
                tokenID: "t1",
                enrolledAt: now, lastSeen: now, remedies: ["index": try TestAgent.mission()])
            let session = SessionRecord(
                id: "s", missionID: "m", status: "open", openedAt: now, expiresAt: now.addingTimeInterval(60),
                warned: false,
                document: ["a": [1, 2]])
            let evidence = EvidenceRecord(missionID: "m", digest: digest, envelope: envelope, at: now)
            let changes = ChangesRecord(missionID: "m", manifest: Data([1]), base: Data([2]), diff: "d", at: now)
            let act = ActRecord(
                id: digest, kind: "override", missionID: "m", sessionID: "s", principal: "ann", at: now,
                envelope: envelope)
            let request = RequestRecord(
                id: "r", missionID: "m", hostID: "h", kind: "cancel", by: "ann", reason: "why", act: envelope, at: now)
            let one = try mission("m", host: "h")
            try await store.write { writer in
                try writer.save(one, dedupeKey: nil)
                try writer.save(token)
                try writer.save(host)
                try writer.save(session)
                try writer.save(evidence)
                try writer.save(changes)
                try writer.add(act)
                try writer.add(act)
                try writer.save(request)
                try writer.save(BlobRecord(digest: digest, size: 7, at: now))
                try writer.set("k", ["v": true])
                try writer.recordFetch(token: "t1", mission: "m", evidence: digest, at: now)
                try writer.add(JournalRecord(hostID: "h", index: 0, digest: digest, logIndex: 4))
            }
            try await store.read { (reader: any StoreReader) throws -> Void in
                #expect(try reader.token(sha256: digest) == token)
                #expect(try reader.hosts() == [host])
                #expect(try reader.session("s") == session)
                #expect(try reader.evidence(mission: "m") == evidence)
                #expect(try reader.changes(mission: "m") == changes)
                #expect(try reader.acts(mission: "m") == [act])
                #expect(try reader.acts(mission: nil).isEmpty)
                #expect(try reader.requests(host: "h", since: now) == [request])
                #expect(try reader.requests(host: "other", since: now).isEmpty)
                #expect(try reader.blob(digest)?.size == 7)
                #expect(try reader.setting("k") == ["v": true])
                #expect(try reader.fetchedEvidence(token: "t1", mission: "m") == digest)
                #expect(try reader.lastJournal(host: "h")?.logIndex == 4)
                #expect(try reader.sessionsDue(at: now).isEmpty)
                #expect(try reader.sessionsDue(at: now.addingTimeInterval(60)) == [session])
            }
            try await store.write { writer in
                try writer.finishRequests(mission: "m", kinds: ["cancel"], at: now)
                try writer.set("k", nil)
            }
            #expect(try await store.read { try $0.requests(host: "h", since: now).isEmpty })
            #expect(try await store.read { try $0.setting("k") } == nil)
        }
    }

    @Test("the outbox of a hook is bounded and keeps the newest", arguments: Kind.allCases)
    func bounded(kind: Kind) async throws {
        try await with(kind) { store, _ in
            try await store.write { writer in
                for number in 0..<20 {
                    try writer.add(
                        NoticeRecord(id: "\(number)", hook: "h", event: "e", body: [:], attempts: 0, nextAt: now))
                }
                #expect(try writer.trimNotices(hook: "h", keep: 5) == 15)
            }
            #expect(
                try await store.read { try $0.noticesDue(at: now, limit: 50).map(\.id) } == [
                    "15", "16", "17", "18", "19",
                ])
        }
    }
}
