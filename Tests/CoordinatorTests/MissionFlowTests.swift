import Documents
import FoundationEssentials
import Ledger
import Missions
import NIOHTTP1
import Parliament
import Testing

@testable import Coordinator

private let missions = RouteTable.missionsPath

@Suite("A mission's way through the coordinator")
struct MissionFlowTests {
    @Test("a signed approval brings a mission from detected to complete, all of it in the ledger")
    func wholeWay() async throws {
        try await Fixture.with { fixture in
            let agent = try await TestAgent.enrolled(fixture)
            let ann = try await Person.make("ann", in: fixture.state)
            let (mission, session) = try await agent.toConsensus()
            let (_, envelope) = try await ann.sign(fixture, mission)
            let vote = try await fixture.post(
                "/api/parliament/sessions/\(session)/vote",
                ["vote": "approve", "reason": "good", "signature": envelope],
                token: "ann-token")
            #expect(vote.status == 200)
            #expect(vote["decision"]?.string == "approved")
            #expect(vote["will_execute_to_live"]?.bool == true)
            #expect(vote["phase"]?.string == "live_execution")

            let leave = try await fixture.get("/api/agent/missions/\(mission)/authorization", token: "agent-token")
            #expect(leave.status == 200)
            #expect(leave["approvals"]?.array?.count == 1)
            let key = fixture.coordinator.hub.ledger.publicKey
            let head = try Checkpoint.parse(try #require(leave["checkpoint"]?.string), key: key)
            var kinds: [String] = []
            for entry in leave["entries"]?.array ?? [] {
                let leaf = try #require(entry["leaf"]?.string.flatMap { Data(base64Encoded: $0) })
                let proof = try (entry["proof"]?.array ?? []).map { try #require(Digest(hex: $0.string ?? "")) }
                #expect(
                    MerkleProof.verifyInclusion(
                        leaf: MerkleHash.leaf(leaf), index: UInt64(entry["index"]?.integer ?? -1), size: head.size,
                        proof: proof,
                        root: head.root))
                kinds.append(try LedgerEntry(leaf: leaf).kind)
            }
            #expect(kinds == [ParliamentRecord.sessionOpened, ParliamentRecord.vote])
            #expect(leave["consistency"]?.object?.count == 1)

            for (event, phase) in [
                (MissionEvent.promoted, "monitoring"), (.watchPassed, "complete"), (.rollbackStarted, "rolling_back"),
                (.rolledBack, "rolled_back"),
            ] {
                #expect(try await agent.report(event, mission)["phase"]?.string == phase)
            }
            let shown = try await fixture.get("\(missions)/\(mission)", token: "viewer-token")
            #expect(shown["kpi_metrics"]?["latency_improvement"]?.number == 100)
            #expect(shown["kpi_metrics"]?["test_coverage"]?.isNull == true)
            #expect(shown["sandbox_results"]?["tests_passed"]?.integer == 3)
            #expect(
                shown["executed_at"]?.string != nil && shown["consensus_at"]?.string != nil
                    && shown["tested_at"]?.string != nil)
            let verified = try await fixture.get("/api/log/verify", token: "viewer-token")
            #expect(verified["intact"]?.bool == true)
            #expect((verified["entries"]?.integer ?? 0) > 10)
            let log = try await fixture.get("/api/log/entries?mission=\(mission)&limit=200", token: "viewer-token")
            let transitions = (log["entries"]?.array ?? []).filter { $0["kind"]?.string == "mission.transition" }
            #expect(
                transitions.compactMap { $0["body"]?["to"]?.string } == [
                    "sandbox_testing", "discussion", "consensus", "live_execution", "monitoring", "complete",
                    "rolling_back", "rolled_back",
                ])
        }
    }

    @Test("a token alone is not a signature: consensus and unsigned votes are recorded, and nothing goes to live")
    func tokenIsNoSignature() async throws {
        try await Fixture.with { fixture in
            let agent = try await TestAgent.enrolled(fixture)
            let (mission, session) = try await agent.toConsensus()
            let unseen = try await fixture.post("\(missions)/\(mission)/consensus?approved=true", token: "ann-token")
            #expect(unseen.status == 409)
            #expect(unseen["type"]?.string?.hasSuffix("evidence-not-seen") == true)
            #expect(try await fixture.post("\(missions)/\(mission)/consensus", token: "ann-token").status == 422)
            #expect(try await fixture.get("\(missions)/\(mission)/evidence", token: "ann-token").status == 200)
            let decided = try await fixture.post("\(missions)/\(mission)/consensus?approved=true", token: "ann-token")
            #expect(decided.status == 200)
            #expect(decided["will_execute_to_live"]?.bool == false)
            #expect(decided["message"]?.string?.contains("grace vote \(session) approve --key") == true)
            let shown = try await fixture.get("/api/parliament/sessions/\(session)/status", token: "viewer-token")
            #expect(shown["status"]?.string == "approved")
            #expect(shown["votes_approve"]?.integer == 1)
            #expect(try await fixture.get("\(missions)/\(mission)")["phase"]?.string == "consensus")

            // The signature may follow, here as an armored SSHSIG over the statement this token fetched.
            let ann = try await Person.make("ann", in: fixture.state)
            let (armored, _) = try await ann.sign(fixture, mission)
            let signed = try await fixture.post(
                "/api/parliament/sessions/\(session)/vote", ["vote": "approve", "signature": .string(armored)],
                token: "ann-token")
            #expect(signed.status == 200)
            #expect(signed["phase"]?.string == "live_execution")
        }
    }

    @Test("a rejection ends the mission, and the same detector stays quiet for the cool-down")
    func rejection() async throws {
        let clock = TestClock()
        try await Fixture.with(clock: clock) { fixture in
            let agent = try await TestAgent.enrolled(fixture)
            let proposal: JSON = [
                "file": try TestAgent.mission().document, "proposer": "detector:latency", "dedupe_key": "latency/users",
            ]
            let first = try await fixture.post("/api/agent/missions", proposal, token: "agent-token")
            #expect(first["created"]?.bool == true)
            let id = try #require(first["mission_id"]?.string)
            let second = try await fixture.post("/api/agent/missions", proposal, token: "agent-token")
            #expect(second["created"]?.bool == false && second["mission_id"]?.string == id)
            _ = try await agent.report(.testStarted, id)
            _ = try await agent.uploadChanges(id)
            _ = try await agent.upload(try await agent.evidence(id))
            _ = try await agent.report(.testPassed, id)
            for name in ["ann", "bob"] {
                _ = try await fixture.get("\(missions)/\(id)", token: "\(name)-token")
                let answer = try await fixture.post(
                    "\(missions)/\(id)/consensus?approved=false&reason=no", token: "\(name)-token")
                #expect(answer.status == 200)
            }
            #expect(try await fixture.get("\(missions)/\(id)")["phase"]?.string == "rejected")
            #expect(
                try await fixture.post("/api/agent/missions", proposal, token: "agent-token")["created"]?.bool == false)
            clock.advance(7 * 3600)
            #expect(
                try await fixture.post("/api/agent/missions", proposal, token: "agent-token")["created"]?.bool == true)
        }
    }

    @Test("a session that nobody decides expires, also when only a read notices")
    func expiry() async throws {
        let clock = TestClock()
        try await Fixture.with(clock: clock) { fixture in
            let agent = try await TestAgent.enrolled(fixture)
            let (mission, session) = try await agent.toConsensus()
            clock.advance(3601)
            #expect(try await fixture.get("/api/parliament/sessions/\(session)")["status"]?.string == "expired")
            #expect(try await fixture.get("\(missions)/\(mission)")["phase"]?.string == "expired")
            let late = try await fixture.post(
                "/api/parliament/sessions/\(session)/vote", ["vote": "approve"], token: "ann-token")
            #expect(late.status == 409)
            #expect(try await fixture.post("\(missions)/\(mission)/retest", token: "op-token").status == 200)
            let work = try await fixture.get("/api/agent/missions?host=\(agent.host.id)", token: "agent-token")
            #expect(work["missions"]?.array?.first?["phase"]?.string == "detected")
        }
    }

    @Test("approval with trust short for want of data sends the mission back to testing")
    func shortOfData() async throws {
        try await Fixture.with { fixture in
            let agent = try await TestAgent.enrolled(fixture)
            let ann = try await Person.make("ann", in: fixture.state)
            let (mission, session) = try await agent.toConsensus(trust: 0.94, moreBlocks: true)
            let (_, envelope) = try await ann.sign(fixture, mission)
            let vote = try await fixture.post(
                "/api/parliament/sessions/\(session)/vote", ["vote": "approve", "signature": envelope],
                token: "ann-token")
            #expect(vote["phase"]?.string == "needs_more_testing")
            #expect(vote["will_execute_to_live"]?.bool == false)
        }
    }

    @Test("two people voting at the same moment are both counted, and the mission moves once")
    func concurrentVotes() async throws {
        try await Fixture.with({
            $0.parliament.approvalThreshold = 1; $0.parliament.quorum = 2
        }) { fixture in
            let agent = try await TestAgent.enrolled(fixture)
            let people = [
                try await Person.make("ann", in: fixture.state), try await Person.make("bob", in: fixture.state),
            ]
            let (mission, session) = try await agent.toConsensus()
            var papers: [(String, JSON)] = []
            for person in people { papers.append((person.token, try await person.sign(fixture, mission).1)) }
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for (token, envelope) in papers {
                    for _ in 0..<4 {
                        group.addTask {
                            try await fixture.post(
                                "/api/parliament/sessions/\(session)/vote", ["vote": "approve", "signature": envelope],
                                token: token
                            ).status
                        }
                    }
                }
                return try await group.reduce(into: [Int]()) { $0.append($1) }
            }
            #expect(statuses.allSatisfy { $0 == 200 || $0 == 409 })
            let shown = try await fixture.get("/api/parliament/sessions/\(session)")
            #expect(shown["votes_approve"]?.integer == 2)
            #expect(shown["quorum_met"]?.bool == true)
            let log = try await fixture.get("/api/log/entries?mission=\(mission)&limit=200")
            let approvals = (log["entries"]?.array ?? []).filter { $0["body"]?["event"]?.string == "approved" }
            #expect(approvals.count == 1)
        }
    }

    @Test("an agent's journal goes into the ledger once, in order, and a forked one is refused")
    func journal() async throws {
        try await Fixture.with { fixture in
            let agent = try await TestAgent.enrolled(fixture)
            let journal = try Journal(directory: fixture.state + "/journal", key: agent.key)
            for number in 0..<5 {
                _ = try journal.append(kind: "promotion.intent", mission: nil, body: ["n": .integer(Int64(number))])
            }
            func send(_ entries: [JournalEntry]) async throws -> Answer {
                try await fixture.post(
                    "/api/agent/journal", ["entries": try JSON(encoding: entries)], token: "agent-token")
            }
            let all = try journal.entries(from: 0)
            let first = try await send(Array(all[0..<3]))
            #expect(first.status == 200 && first["last_sequence"]?.integer == 2)
            let size = try await fixture.get("/api/log/verify")["entries"]?.integer
            #expect(try await send(Array(all[0..<3]))["last_sequence"]?.integer == 2)
            #expect(try await fixture.get("/api/log/verify")["entries"]?.integer == size)
            #expect(try await send([all[4]]).status == 409)
            #expect(try await send(Array(all[1...]))["last_sequence"]?.integer == 4)
            let other = try Journal(directory: fixture.state + "/forked", key: agent.key)
            _ = try other.append(kind: "something.else", mission: nil, body: [:])
            #expect(try await send(try other.entries(from: 0)).status == 409)
        }
    }
}
