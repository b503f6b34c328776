import Documents
import FoundationEssentials
import Linux
import Missions
import Testing

@testable import Coordinator

/// One way to be told: notices really come over HTTP, and whoever is told holds nothing up.
@Suite("Webhooks")
struct WebhookTests {
    static func hook(_ receiver: Receiver, _ path: String = "/hook", _ events: Set<NoticeKind>? = nil) -> HookSettings {
        HookSettings(target: .webhook(receiver.url + path), events: events ?? Set(NoticeKind.allCases))
    }

    /// A person signs an approval; then the mission is promoted and comes to that end.
    static func approve(
        _ mission: String, _ session: String, by person: Person, then end: MissionEvent, _ agent: TestAgent,
        _ fixture: Fixture
    ) async throws {
        let (_, envelope) = try await person.sign(fixture, mission)
        let vote = try await fixture.post(
            "/api/parliament/sessions/\(session)/vote", ["vote": "approve", "reason": "good", "signature": envelope],
            token: person.token)
        #expect(vote["phase"]?.string == "live_execution", "\(vote.json.canonicalText)")
        for event in [MissionEvent.promoted, .rollbackStarted, end] {
            #expect(try await agent.report(event, mission).status == 200)
        }
    }

    @Test("that a session waits, is about to expire, has expired, and that a change was rolled back or froze is posted")
    func told() async throws {
        let clock = TestClock()
        try await Receiver.with { receiver in
            try await Fixture.with({ $0.hooks = [Self.hook(receiver)] }, clock: clock) { fixture in
                let agent = try await TestAgent.enrolled(fixture)
                let (mission, session) = try await agent.toConsensus()
                try await eventually { receiver.events() == ["session_opened"] }
                let first = try #require(receiver.posted.first)
                #expect(first.contentType == "application/json")
                #expect(first.body["mission_id"]?.string == mission && first.body["session_id"]?.string == session)
                #expect(first.body["title"]?.string == "Optimize database queries")
                #expect(first.body["phase"]?.string == "consensus" && first.body["expires_at"]?.string != nil)
                let key = try #require(first.key)
                #expect(key == first.body["notice_id"]?.string)
                clock.advance(3500)
                try await eventually { receiver.events().last == "session_expiring" }
                clock.advance(200)
                try await eventually { receiver.events().last == "session_expired" }

                let ann = try await Person.make("ann", in: fixture.state)
                for (title, end, notice) in [
                    ("Another", MissionEvent.rolledBack, "rolled_back"), ("A third", .rollbackFrozen, "frozen"),
                ] {
                    let (other, waiting) = try await agent.toConsensus(title)
                    try await Self.approve(other, waiting, by: ann, then: end, agent, fixture)
                    try await eventually { receiver.events().last == notice }
                    #expect(receiver.posted.last?.body["mission_id"]?.string == other)
                }
                #expect(
                    receiver.events() == [
                        "session_opened", "session_expiring", "session_expired", "session_opened", "rolled_back",
                        "session_opened", "frozen",
                    ])
                #expect(Set(receiver.posted.compactMap(\.key)).count == receiver.posted.count)
            }
        }
    }

    @Test("a hook is posted what it asked for, and nothing else")
    func filtered() async throws {
        try await Receiver.with { receiver in
            let hooks = [Self.hook(receiver, "/frozen", [.frozen]), Self.hook(receiver, "/all")]
            try await Fixture.with({ $0.hooks = hooks }) { fixture in
                _ = try await TestAgent.enrolled(fixture).toConsensus()
                try await eventually { receiver.events("/all") == ["session_opened"] }
                #expect(receiver.events("/frozen").isEmpty)
            }
        }
    }

    @Test(
        "what the receiver did not take is posted again later, in order, under the same key",
        arguments: [500, 404, 302])
    func retried(code: Int) async throws {
        let clock = TestClock()
        let refusing: Receiver.Behaviour = code == 302 ? .redirect("/elsewhere") : .answer(code)
        try await Receiver.with(refusing) { receiver in
            try await Fixture.with({ $0.hooks = [Self.hook(receiver)] }, clock: clock) { fixture in
                let agent = try await TestAgent.enrolled(fixture)
                _ = try await agent.toConsensus()
                try await eventually { receiver.posted.count == 1 }
                // 15 s later, then twice as long after each try.
                clock.advance(16)
                await fixture.coordinator.hub.notifier.wake()
                try await eventually { receiver.posted.count == 2 }
                clock.advance(3500)
                try await eventually {
                    try await fixture.coordinator.hub.store.read { try $0.noticeCount(hook: nil) } >= 2
                }
                receiver.behave(.answer(204))
                clock.advance(120)
                await fixture.coordinator.hub.notifier.wake()
                try await eventually {
                    try await fixture.coordinator.hub.store.read { try $0.noticeCount(hook: nil) } == 0
                }
                #expect(!receiver.posted.contains { $0.path == "/elsewhere" }, "a redirect was followed")
                let opened = receiver.posted.filter { $0.body["event"]?.string == "session_opened" }
                #expect(opened.count >= 3 && Set(opened.map(\.key)).count == 1)
                #expect(receiver.events().contains("session_expiring"))
            }
        }
    }

    @Test("a receiver that never answers holds up neither the mission, nor the people, nor another hook")
    func silent() async throws {
        try await Receiver.with(.silence) { silent in
            try await Receiver.with { other in
                let hooks = [Self.hook(silent), Self.hook(other)]
                try await Fixture.with({
                    $0.hooks = hooks
                    $0.hookPatience = 3600
                }) { fixture in
                    let agent = try await TestAgent.enrolled(fixture)
                    let (mission, session) = try await agent.toConsensus()
                    try await eventually { silent.posted.count == 1 }
                    // From here on the silent one is being told, all the time.
                    let ann = try await Person.make("ann", in: fixture.state)
                    try await Self.approve(mission, session, by: ann, then: .rolledBack, agent, fixture)
                    try await eventually { other.events() == ["session_opened", "rolled_back"] }
                    #expect(silent.posted.count == 1)
                }
            }
        }
    }

    @Test("what could not be posted survives a restart")
    func restart() async throws {
        let state = try Fixture.directory()
        defer { try? Files.removeTree(state) }
        let clock = TestClock()
        try await Receiver.with(.answer(503)) { receiver in
            var configuration = Fixture.configuration(state: state)
            configuration.hooks = [Self.hook(receiver)]
            let first = try await Fixture.start(configuration, clock: clock)
            _ = try await TestAgent.enrolled(first).toConsensus()
            try await eventually { receiver.posted.count == 1 }
            await first.stop()
            receiver.behave(.answer(200))
            clock.advance(60)
            let second = try await Fixture.start(configuration, clock: clock)
            try await eventually { receiver.posted.count == 2 }
            await second.stop()
            #expect(receiver.posted[0].key == receiver.posted[1].key)
        }
    }
}
