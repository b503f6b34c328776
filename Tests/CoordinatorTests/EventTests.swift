import AsyncHTTPClient
import Documents
import FoundationEssentials
import Linux
import Logging
import Missions
import NIOCore
import NIOHTTP1
import ServiceLifecycle
import Testing

@testable import Coordinator

private let missions = RouteTable.missionsPath

@Suite("The trigger mesh")
struct EventTests {
    struct Event: Equatable {
        var id: Int64?
        var name: String
        var data: JSON
    }

    /// Listens until `enough`, then leaves.
    static func listen(
        _ fixture: Fixture, _ query: String = "", last: String? = nil,
        begun: (@Sendable () async throws -> Void)? = nil,
        until enough: ([Event]) -> Bool
    ) async throws -> [Event] {
        var request = HTTPClientRequest(url: fixture.base + "/api/events" + query)
        request.headers.add(name: "Authorization", value: "Bearer viewer-token")
        if let last { request.headers.add(name: "Last-Event-ID", value: last) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        #expect(response.status == .ok)
        #expect(response.headers.first(name: "content-type") == "text/event-stream")
        var text = ""
        var events: [Event] = []
        var told = false
        for try await buffer in response.body {
            if !told {
                told = true
                try await begun?()
            }
            text += String(buffer: buffer)
            while let end = text.firstRange(of: "\n\n") {
                let lines = text[..<end.lowerBound].split(separator: "\n")
                text = String(text[end.upperBound...])
                func value(_ key: String) -> String? {
                    lines.first { $0.hasPrefix(key + ": ") }.map { String($0.dropFirst(key.count + 2)) }
                }
                guard let name = value("event"), let data = value("data") else { continue }
                events.append(
                    Event(id: value("id").flatMap { Int64($0) }, name: name, data: try JSON(parsing: Data(data.utf8))))
            }
            if enough(events) { break }
        }
        return events
    }

    @Test("a listener hears every arrow in order, with rising ids, and progress without one")
    func order() async throws {
        try await Fixture.with { fixture in
            let agent = try await TestAgent.enrolled(fixture)
            let events = try await Self.listen(
                fixture, "?topics=mission.*",
                begun: {
                    let (id, _) = try await agent.toConsensus()
                    let answer = try await fixture.post(
                        "/api/agent/missions/\(id)/progress", ["stage": "trial", "text": "block 3 of 80"],
                        token: "agent-token")
                    #expect(answer.status == 200)
                }, until: { $0.contains { $0.name == "mission.progress" } })
            #expect(
                events.map(\.name) == [
                    "mission.created", "mission.test_started", "mission.evidence", "mission.test_passed",
                    "mission.session_opened",
                    "mission.progress",
                ])
            let ids = events.compactMap(\.id)
            #expect(ids.count == 5 && ids == ids.sorted() && Set(ids).count == 5)
            #expect(events.last?.data["text"]?.string == "block 3 of 80")
        }
    }

    @Test("who comes back with Last-Event-ID gets exactly what was missed, also after a restart")
    func resume() async throws {
        try await Fixture.with { fixture in
            let agent = try await TestAgent.enrolled(fixture)
            _ = try await agent.toConsensus()
            let all = try await Self.listen(fixture, "?topics=mission.*", last: "0") { $0.count >= 5 }
            let third = try #require(all[2].id)
            let rest = try await Self.listen(fixture, "?topics=mission.*", last: "\(third)") { $0.count >= 2 }
            #expect(rest == Array(all[3...]))
            let one = try await Self.listen(fixture, "?topics=mission.session_opened&last_event_id=0") { $0.count >= 1 }
            #expect(one.map(\.name) == ["mission.session_opened"])
            #expect(try await fixture.get("/api/events?topics=Mission.%2A").status == 422)
            #expect(try await fixture.get("/api/events?last_event_id=x").status == 422)
            // Listeners that left are forgotten.
            try await eventually { await fixture.coordinator.hub.mesh.subscriberCount == 0 }
        }
    }

    @Test("a graceful stop does not wait for listeners, and descriptions show no secrets")
    func stopWithListeners() async throws {
        let state = try Fixture.directory()
        defer { try? Files.removeTree(state) }
        var configuration = Fixture.configuration(state: state)
        configuration.hooks = [HookSettings(target: .webhook("https://example.org/secret-in-the-address"))]
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let coordinator = try await Coordinator(configuration: configuration, logger: logger)
        #expect(!"\(coordinator)".contains("secret") && !"\(Housekeeping(hub: coordinator.hub))".contains("secret"))
        let (stream, continuation) = AsyncStream.makeStream(of: String.self)
        let group = ServiceGroup(
            configuration: .init(
                services: [Served(coordinator: coordinator, continuation: continuation)], logger: logger))
        let running = Task { try await group.run() }
        var iterator = stream.makeAsyncIterator()
        let base = try #require(await iterator.next())
        var request = HTTPClientRequest(url: base + "/api/events")
        request.headers.add(name: "Authorization", value: "Bearer viewer-token")
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        #expect(response.status == .ok)
        await group.triggerGracefulShutdown()
        // Ends only because the coordinator ends it.
        for try await _ in response.body {}
        try await running.value
        try await coordinator.close()
    }

    /// The coordinator as a service.
    struct Served: Service {
        let coordinator: Coordinator
        let continuation: AsyncStream<String>.Continuation

        func run() async throws { try await coordinator.run { continuation.yield($0) } }
    }

    @Test(
        "topics fit patterns as they should",
        arguments: [
            ("mission.*", "mission.created", true), ("mission.*", "missions.created", false),
            ("*", "agent.enrolled", true),
            ("mission.frozen,agent.*", "agent.enrolled", true), ("mission.frozen", "mission.frozen.x", false),
        ])
    func patterns(pattern: String, topic: String, fits: Bool) throws {
        #expect(try #require(TopicPattern(pattern)).matches(topic) == fits)
    }

    @Test(
        "what is no pattern is refused",
        arguments: ["", "mission.", ".x", "mission.*.x", "a,,b", "A", "mission.\u{e4}"])
    func noPatterns(text: String) {
        #expect(TopicPattern(text) == nil)
    }
}
