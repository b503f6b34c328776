import Documents
import FoundationEssentials
import HTTPTypes
import Ledger
import Measurement
import Missions
import NIOHTTP1
import Testing

@testable import Coordinator

private let missions = RouteTable.missionsPath

@Suite("What the coordinator refuses, and how")
struct RefusalTests {
    @Test("every route is in the OpenAPI document and answers with a documented status, with and without a token")
    func everyRoute() async throws {
        try await Fixture.with { fixture in
            let document = try await fixture.get("/openapi.json", token: nil)
            #expect(document["openapi"]?.string == "3.1.0")
            for route in RouteTable.all where route.name != "listen" {
                let path = route.path.replacing("...}", with: "}")
                #expect(
                    document["paths"]?[path]?[route.method.rawValue.lowercased()]?["operationId"]?.string == route.name)
                let target = route.segments.map { $0.hasPrefix("{") ? "nothing-of-that-name" : String($0) }.joined(
                    separator: "/")
                let method = HTTPMethod(rawValue: route.method.rawValue)
                let open = try await fixture.send(method, "/" + target, token: nil)
                #expect(
                    open.status == (route.access == .everyone ? 200 : 401),
                    "\(route.name) without a token: \(open.status)")
                for token in ["viewer-token", "admin-token", "agent-token"] {
                    let answer = try await fixture.send(method, "/" + target, token: token)
                    #expect(answer.status != 500, "\(route.name) with \(token)")
                    if case .role(let role) = route.access, !(Fixture.tokens[token] ?? .viewer).covers(role) {
                        #expect(answer.status == 403, "\(route.name) with \(token): \(answer.status)")
                    }
                }
            }
            // Everything a schema is referred to by exists.
            let text = String(decoding: document.data, as: UTF8.self)
            for part in text.split(separator: "#/components/schemas/").dropFirst() {
                let name = String(part.prefix { $0.isLetter })
                #expect(Schemas.all[name] != nil, "no schema \(name)")
            }
        }
    }

    @Test("clients' mistakes are 4xx with problem details, never 500")
    func mistakes() async throws {
        try await Fixture.with { fixture in
            let agent = try await TestAgent.enrolled(fixture)
            let id = try await agent.propose()
            let cases: [(HTTPMethod, String, String?, String, Int)] = [
                (.POST, missions, "{", "op-token", 400),
                (.POST, missions, "[1]", "op-token", 422),
                (.POST, missions, "{}", "op-token", 422),
                (.POST, missions, nil, "op-token", 422),
                (.POST, missions, String(repeating: "[", count: 100_000), "op-token", 400),
                (.POST, missions, "\u{FF}", "op-token", 400),
                (.POST, missions, "{\"change\":{\"action\":3}}", "op-token", 422),
                (.POST, "\(missions)?remedy=none&title=a&description=b&rationale=c", nil, "op-token", 422),
                (.GET, "\(missions)?phase=nope", nil, "viewer-token", 422),
                (.GET, "\(missions)?limit=0", nil, "viewer-token", 422),
                (.GET, "\(missions)?limit=5&limit=6", nil, "viewer-token", 400),
                (.GET, "\(missions)?after=x", nil, "viewer-token", 422),
                (.GET, "\(missions)?nonsense=1", nil, "viewer-token", 400),
                (.GET, "\(missions)/m-nope", nil, "viewer-token", 404),
                (.GET, "\(missions)/\(id)/evidence", nil, "viewer-token", 409),
                (.GET, "\(missions)/\(id)/changes", nil, "viewer-token", 409),
                (.GET, "\(missions)/\(id)/statement", nil, "viewer-token", 409),
                (.GET, "\(missions)/\(id)/blobs/abc", nil, "viewer-token", 404),
                (.POST, "\(missions)/\(id)/consensus?approved=maybe", nil, "ann-token", 422),
                (.POST, "\(missions)/\(id)/consensus?approved=true", nil, "ann-token", 409),
                (.POST, "\(missions)/\(id)/feedback", "{}", "ann-token", 422),
                (.POST, "\(missions)/\(id)/feedback", "{\"feedback\":7}", "ann-token", 422),
                (.POST, "\(missions)/\(id)/rollback", "{\"reason\":\"x\"}", "ann-token", 409),
                (.POST, "\(missions)/\(id)/retest", nil, "op-token", 409),
                (.DELETE, missions, nil, "op-token", 405),
                (.GET, "/nowhere", nil, "op-token", 404),
                (.POST, "/api/parliament/sessions", "{\"mission_id\":\"\(id)\"}", "op-token", 409),
                (.POST, "/api/parliament/sessions/s-no/vote", "{\"vote\":\"approve\"}", "ann-token", 404),
                (.POST, "/api/parliament/sessions/s-no/vote", "{\"vote\":\"maybe\"}", "ann-token", 422),
                (.GET, "/ledger/../ledger.key", nil, "viewer-token", 404),
                (.GET, "/ledger/%2e%2e/ledger.key", nil, "viewer-token", 404),
                (.GET, "/ledger/tile/0/..%2f..%2fledger.key", nil, "viewer-token", 404),
                (.GET, "/api/log/prove/999999", nil, "viewer-token", 404),
                (.GET, "/api/log/prove/-1", nil, "viewer-token", 404),
                (.POST, "/api/tokens", "{\"principal\":\"x\",\"role\":\"king\"}", "admin-token", 422),
                (.DELETE, "/api/tokens/t-nope", nil, "admin-token", 404),
                (.PUT, "/api/trust/threshold", "{\"threshold\":2}", "admin-token", 422),
                (.PUT, "/api/trust/threshold", "{\"threshold\":0.9}", "admin-token", 422),
                (.POST, "/api/pause", "{}", "op-token", 422),
                (.POST, "/api/acts", "{\"signature\":{}}", "ann-token", 422),
                (
                    .POST, "/api/agent/missions/\(id)/events", "{\"event_id\":\"a\",\"event\":\"approved\"}",
                    "agent-token", 409
                ),
                (
                    .POST, "/api/agent/missions/\(id)/events", "{\"event_id\":\"b\",\"event\":\"promoted\"}",
                    "agent-token", 409
                ),
                (
                    .POST, "/api/agent/missions/\(id)/events", "{\"event_id\":\"c\",\"event\":\"nope\"}", "agent-token",
                    422
                ),
                (.GET, "/api/agent/missions/\(id)/authorization", nil, "agent-token", 409),
                (.GET, "/api/agent/missions?host=other", nil, "agent-token", 403),
                (.POST, "/api/agent/journal", "{\"entries\":[{}]}", "agent-token", 422),
                (.PUT, "/api/agent/blobs/xyz", "x", "agent-token", 404),
            ]
            for (method, path, body, token, status) in cases {
                let answer = try await fixture.send(
                    method, path, token: token, body: body.map { $0 == "\u{FF}" ? Data([0xFF]) : Data($0.utf8) })
                #expect(
                    answer.status == status,
                    "\(method.rawValue) \(path) \(body?.prefix(60) ?? ""): \(answer.status) \(answer["detail"]?.string ?? "")"
                )
                #expect(answer.headers.first(name: "content-type") == "application/problem+json")
                #expect(answer["status"]?.integer == Int64(status))
                #expect(answer["detail"]?.string?.isEmpty == false)
            }
            #expect(try await fixture.get("\(missions)/\(id)")["phase"]?.string == "detected")
        }
    }

    @Test(
        "bad percent-encoding and bytes that are not UTF-8 are malformed", arguments: ["%zz", "%f", "%ff", "%00", "a%"])
    func percent(text: String) {
        #expect(throws: Refusal.self) { try Query.decode(text, plus: false) }
        #expect(throws: Refusal.self) { try Query("a=" + text) }
    }

    @Test("a query is decoded as forms are: a plus is a space")
    func query() throws {
        let query = try Query("title=Optimize+database%20queries&flag&x=%2B")
        #expect(query.values == ["title": "Optimize database queries", "flag": "", "x": "+"])
    }

    @Test("a mission file's every mistake is told at once, and files of the server can't be named")
    func missionMistakes() async throws {
        try await Fixture.with { fixture in
            let answer = try await fixture.post(
                missions,
                [
                    "title": "t", "description": "d", "rationale": "r", "colour": "red",
                    "change": ["files": [["path": "/etc/x", "source": "/etc/shadow"]]],
                ], token: "op-token")
            #expect(answer.status == 422)
            let errors = answer["errors"]?.array ?? []
            #expect(errors.count >= 2)
            #expect(errors.contains { $0["path"]?.string?.contains("source") == true })
            #expect(!String(decoding: answer.data, as: UTF8.self).contains("root:"))
        }
    }

    @Test("bodies are bounded: declared or streamed, JSON or blob, and what was refused is not kept")
    func limits() async throws {
        try await Fixture.with({
            $0.bodyLimit = 4096; $0.blobLimit = 10_000
        }) { fixture in
            _ = try await TestAgent.enrolled(fixture)
            let large = Data("{\"reason\":\"\(String(repeating: "x", count: 9000))\"}".utf8)
            #expect(try await fixture.send(.POST, "/api/pause", token: "op-token", body: large).status == 413)
            #expect(try await fixture.get("/api/pause")["paused"]?.bool == false)
            let blob = Data((0..<10_000).map { UInt8($0 % 251) })
            let path = "/api/agent/blobs/\(Digest(of: blob))"
            #expect(try await fixture.send(.PUT, path, token: "agent-token", body: blob).status == 200)
            #expect(try await fixture.send(.PUT, path, token: "agent-token", body: blob).status == 200)
            let wrong = try await fixture.send(.PUT, path, token: "agent-token", body: Data("other".utf8))
            #expect(wrong.status == 422)
            let more = blob + Data([1])
            let refused = try await fixture.send(
                .PUT, "/api/agent/blobs/\(Digest(of: more))", token: "agent-token", body: more)
            #expect(refused.status == 413)
            #expect(try fixture.coordinator.hub.blobs.contains(Digest(of: blob)))
            #expect(try !fixture.coordinator.hub.blobs.contains(Digest(of: more)))
        }
    }

    @Test(
        "agents are kept apart: another host's mission is not there, another key is refused, evidence must be the host's own"
    )
    func agentsApart() async throws {
        try await Fixture.with { fixture in
            let agent = try await TestAgent.enrolled(fixture)
            let id = try await agent.propose()
            let other = try await TestAgent.enrolled(fixture, token: "agent2-token")
            #expect(try await other.mission(id).status == 404)
            #expect(try await other.report(.testStarted, id).status == 404)
            #expect(try await agent.enrol().status == 200)
            #expect(try await agent.enrol(key: other.key).status == 409)
            #expect(try await agent.report(.testStarted, id, id: "one").status == 200)
            #expect(try await agent.report(.testStarted, id, id: "one").status == 200)
            #expect(try await agent.report(.testFailed, id, id: "one").status == 409)
            let evidence = try await agent.evidence(id)
            #expect(try await agent.upload(evidence, key: other.key).status == 422)
            var elsewhere = evidence
            elsewhere.missionDigest = Digest(of: Data())
            #expect(try await agent.upload(elsewhere).status == 422)
            #expect(try await agent.upload(evidence).status == 200)
            #expect(try await agent.report(.testPassed, id).status == 409)
            #expect(try await agent.uploadChanges(id).status == 200)
            #expect(try await agent.report(.testPassed, id).status == 200)
        }
    }

    @Test("a REGRESSION opens no session, whatever the agent reports")
    func regression() async throws {
        try await Fixture.with { fixture in
            let agent = try await TestAgent.enrolled(fixture)
            let id = try await agent.propose()
            _ = try await agent.report(.testStarted, id)
            _ = try await agent.uploadChanges(id)
            _ = try await agent.upload(try await agent.evidence(id, verdict: .REGRESSION))
            #expect(try await agent.report(.testPassed, id).status == 409)
            #expect(try await agent.report(.testBlocked, id)["phase"]?.string == "blocked")
        }
    }

    @Test("a signed vote is checked for form: another decision, other evidence, another person, a broken signature")
    func signedVotes() async throws {
        try await Fixture.with { fixture in
            let agent = try await TestAgent.enrolled(fixture)
            let ann = try await Person.make("ann", in: fixture.state)
            let (mission, session) = try await agent.toConsensus()
            let path = "/api/parliament/sessions/\(session)/vote"
            let (armored, envelope) = try await ann.sign(fixture, mission)
            func vote(_ choice: String, _ signature: JSON, _ token: String = "ann-token") async throws -> Int {
                try await fixture.post(path, ["vote": .string(choice), "signature": signature], token: token).status
            }
            #expect(try await vote("reject", envelope) == 422)
            #expect(try await vote("approve", envelope, "bob-token") == 422)
            #expect(try await vote("approve", .string(armored), "bob-token") == 422)
            #expect(try await vote("approve", "nonsense") == 422)
            var broken = try envelope.decode(Envelope.self)
            broken = Envelope(
                payloadType: broken.payloadType, payload: broken.payload + Data([10]), signatures: broken.signatures)
            #expect(try await vote("approve", try JSON(encoding: broken)) == 422)
            #expect(try await fixture.post(path, ["vote": "approve"], token: "op-token").status == 409)
            _ = try await fixture.get("\(missions)/\(mission)", token: "op-token")
            #expect(try await fixture.post(path, ["vote": "approve"], token: "op-token").status == 403)
            #expect(try await vote("approve", envelope) == 200)
        }
    }

    @Test("a token that an administrator made works until it is revoked")
    func tokens() async throws {
        try await Fixture.with { fixture in
            let made = try await fixture.post("/api/tokens", ["principal": "eve", "role": "viewer"])
            #expect(made.status == 201)
            let token = try #require(made["token"]?.string)
            let id = try #require(made["token_id"]?.string)
            #expect(try await fixture.get("/api/whoami", token: token)["principal"]?.string == "eve")
            #expect(try await fixture.post("/api/pause", ["reason": "x"], token: token).status == 403)
            #expect(try await fixture.send(.DELETE, "/api/tokens/\(id)").status == 200)
            #expect(try await fixture.get("/api/whoami", token: token).status == 401)
            let shown = String(decoding: try await fixture.get("/api/tokens").data, as: UTF8.self)
            #expect(!shown.contains(token) && !shown.contains(Digest(of: Array(token.utf8)).hex))
        }
    }
}
