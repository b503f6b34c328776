import AsyncHTTPClient
import Documents
import FoundationEssentials
import Ledger
import Linux
import Missions
import NIOCore
import Synchronization
import Testing

@testable import Coordinator

private let missions = RouteTable.missionsPath

private struct Killed: Error {}

@Suite("What survives")
struct DurabilityTests {
    @Test("after a restart everything is there: missions, sessions, votes, pause, tokens, ledger and its key")
    func restart() async throws {
        let state = try Fixture.directory()
        defer { try? Files.removeTree(state) }
        let configuration = Fixture.configuration(state: state)
        var fixture = try await Fixture.start(configuration)
        let agent = try await TestAgent.enrolled(fixture)
        let (mission, session) = try await agent.toConsensus()
        _ = try await fixture.get("\(missions)/\(mission)", token: "ann-token")
        _ = try await fixture.post("/api/parliament/sessions/\(session)/vote", ["vote": "approve"], token: "ann-token")
        _ = try await fixture.post("\(missions)/\(mission)/feedback", ["feedback": "fine"], token: "bob-token")
        _ = try await fixture.post("/api/pause", ["reason": "lunch"], token: "op-token")
        let before = try await fixture.get("\(missions)/\(mission)")
        let log = try await fixture.get("/api/log/verify")
        await fixture.stop()

        fixture = try await Fixture.start(configuration)
        #expect(try await fixture.get("\(missions)/\(mission)").json == before.json)
        #expect(try await fixture.get("/api/parliament/sessions/\(session)")["votes_approve"]?.integer == 1)
        #expect(try await fixture.get("/api/agent/pause", token: "agent-token")["reason"]?.string == "lunch")
        #expect(try await fixture.get("/api/log/verify").json == log.json)
        // What this token fetched before the restart still counts.
        let vote = try await fixture.post(
            "/api/parliament/sessions/\(session)/vote", ["vote": "reject"], token: "ann-token")
        #expect(vote.status == 409 || vote.status == 200)
        await fixture.stop()
    }

    @Test("a kill between the store's commit and the ledger's append loses nothing and doubles nothing")
    func killBeforeAppend() async throws {
        let state = try Fixture.directory()
        defer { try? Files.removeTree(state) }
        let configuration = Fixture.configuration(state: state)
        let flag = Flag()
        var fixture = try await Fixture.start(configuration, interrupt: { if flag.isSet { throw Killed() } })
        let agent = try await TestAgent.enrolled(fixture)
        let before = try await fixture.get("/api/log/verify")["entries"]?.integer ?? 0
        flag.set(true)
        let id = try await agent.propose("while the log is away")
        _ = try await fixture.post("\(missions)/\(id)/feedback", ["feedback": "hm"], token: "ann-token")
        #expect(try await fixture.get("/readyz", token: nil).status == 503)
        #expect(try await fixture.get("/mission-control/status")["status"]?.string == "degraded")
        #expect(try await fixture.get("/api/log/entries?mission=\(id)")["entries"]?.array?.isEmpty == true)
        await fixture.stop()

        fixture = try await Fixture.start(configuration)
        let verified = try await fixture.get("/api/log/verify")
        #expect(verified["intact"]?.bool == true)
        #expect(verified["entries"]?.integer == before + 2)
        let kinds = (try await fixture.get("/api/log/entries?mission=\(id)")["entries"]?.array ?? []).compactMap {
            $0["kind"]?.string
        }
        #expect(kinds == ["mission.created", "mission.feedback"])
        let all = try await fixture.get("/api/log/entries?limit=200")["entries"]?.array ?? []
        #expect(Set(all.compactMap { $0["id"]?.string }).count == all.count)
        await fixture.stop()
    }

    @Test("a ledger that is longer than its store, or not the store's, is refused with a sentence")
    func strangeLedger() async throws {
        let state = try Fixture.directory()
        defer { try? Files.removeTree(state) }
        let configuration = Fixture.configuration(state: state)
        let fixture = try await Fixture.start(configuration)
        await fixture.stop()
        for suffix in ["", "-wal", "-shm"] { try? Files.unlink(state + "/coordinator.sqlite" + suffix) }
        await #expect(throws: StoreError.self) {
            // A fresh store writes its first entries over a log that has others.
            _ = try await Fixture.start(configuration)
        }
    }

    @Test("a hook gets each notice, and one that fails is tried again and holds nothing up")
    func hooks() async throws {
        let clock = TestClock()
        let state = try Fixture.directory()
        defer { try? Files.removeTree(state) }
        var configuration = Fixture.configuration(state: state)
        let file = state + "/told"
        configuration.hooks = [
            HookSettings(target: .command(["/bin/sh", "-c", "cat >> \(file); echo >> \(file)"])),
            HookSettings(
                target: .command(["/bin/sh", "-c", "test -e \(state)/up && cat > \(state)/late"]),
                events: [.sessionOpened]),
            HookSettings(target: .webhook("http://127.0.0.1:9/unreachable")),
        ]
        let fixture = try await Fixture.start(configuration, clock: clock)
        let agent = try await TestAgent.enrolled(fixture)
        let (_, session) = try await agent.toConsensus()
        func told() -> [JSON] {
            ((try? Files.readString(file)) ?? "").split(separator: "\n").compactMap {
                try? JSON(parsing: Data($0.utf8))
            }
        }
        try await eventually {
            told().contains { $0["event"]?.string == "session_opened" && $0["session_id"]?.string == session }
        }
        clock.advance(3500)
        try await eventually { told().contains { $0["event"]?.string == "session_expiring" } }
        clock.advance(200)
        try await eventually { told().contains { $0["event"]?.string == "session_expired" } }
        try Files.writeAtomically(state + "/up", Data())
        clock.advance(3600)
        await fixture.coordinator.hub.notifier.wake()
        try await eventually { (try? Files.status(state + "/late")) != nil }
        #expect(told().count == 3)
        await fixture.stop()
    }
}

/// A switch that a test throws.
final class Flag: Sendable {
    private let value = Mutex(false)
    var isSet: Bool { value.withLock { $0 } }
    func set(_ new: Bool) { value.withLock { $0 = new } }
}

/// Waits until it is so; gives up, with an issue, only after a long time, so that a slow machine decides nothing.
func eventually(sourceLocation: SourceLocation = #_sourceLocation, _ condition: () async throws -> Bool) async throws {
    for _ in 0..<600 {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(100))
    }
    Issue.record("it did not become so", sourceLocation: sourceLocation)
}
