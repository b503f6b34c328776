import FoundationEssentials
import Ledger
import Linux
import Missions
import Testing

@testable import Agent

@Suite("The agent at work", .enabled(if: isRoot, "promotions keep owners, which needs root"))
struct AgentServiceTests {
    /// Waits for something that must come, for at most half a minute.
    static func eventually(_ what: @Sendable () -> Bool) async throws {
        for _ in 0..<3000 where !what() { try await Task.sleep(for: .milliseconds(10)) }
        #expect(what())
    }

    @Test("a mission file that differs from its digest is not tested and not kept")
    func digest() async throws {
        try await Ground.with { ground async throws in
            var site = try await Site(ground)
            site.mission.phase = .detected
            site.mission.file.live.apply.run = ["reboot"]
            await site.service.test(site.mission)
            #expect(site.link.events == [.testFailed])
            #expect(site.link.reasons.first?.contains("does not have the digest") ?? false)
            #expect(try site.folder().data("mission.json") == nil)
            #expect(site.link[\.evidence].isEmpty)
        }
    }

    @Test("a mission id that is a path is refused before anything is written")
    func id() async throws {
        try await Ground.with { ground async throws in
            var site = try await Site(ground)
            site.mission.id = "../../escape"
            await site.service.test(site.mission)
            await site.service.execute(site.mission)
            #expect(site.link.events.contains(.testFailed) && site.link.events.contains(.promotionFailed))
            #expect(try Files.status(ground.path("state/escape")) == nil)
            #expect(site.liveText == Site.old)
        }
    }

    @Test("a paused host begins no test and no promotion, until it is resumed; the pause is on disk")
    func paused() async throws {
        try await Ground.with { ground async throws in
            let site = try await Site(ground)
            try await site.authorize()
            // A second mission whose test is refused at once: that it began is all that is wanted here.
            var other = site.mission
            other.id = "m-2"
            other.phase = .detected
            other.file.title = "Not what the digest says"
            let both = [site.mission, other]
            site.link.set {
                $0.paused = true
                $0.missions = both
            }
            let link = site.link
            let service = site.service
            let running = Task { try await service.run() }
            defer { running.cancel() }
            try await Self.eventually { link[\.polls] >= 3 }
            #expect(link.events.isEmpty)
            #expect(site.liveText == Site.old)
            #expect(try Files.readString(site.places.pauseFile).contains("alice lunch"))

            link.set { $0.paused = false }
            try await Self.eventually { link.events.contains(.promoted) && link.events.contains(.testFailed) }
            #expect(site.liveText == Site.new)
            #expect(try Files.status(site.places.pauseFile) == nil)
            running.cancel()
            _ = try? await running.value
            let kinds = try site.context.journal.entries().map(\.kind)
            #expect(kinds.contains("pause") && kinds.contains("resume"))
        }
    }

    @Test(
        "for live's sake a trial waits: nothing is decided, the reason is said, and no other begins before the rest is over"
    )
    func suffers() async throws {
        try await Ground.with { ground async throws in
            var site = try await Site(ground)
            site.mission.phase = .detected
            site.context.bench.live = LiveGuardTests.guarding { _ in LiveSample(memoryAvailable: 0) }
            let mission = site.mission
            site.link.set { $0.missions = [mission] }
            let service = site.service
            let link = site.link
            let running = Task { try await service.run() }
            defer { running.cancel() }
            try await Self.eventually { link.events.contains(.testInconclusive) }
            let polls = link[\.polls]
            try await Self.eventually { link[\.polls] >= polls + 3 }
            running.cancel()
            _ = try? await running.value
            #expect(link.events == [.testStarted, .testInconclusive], "it rests before it is tried again")
            let reason = link.reasons.last ?? ""
            #expect(reason.hasPrefix("Paused for live's sake: the sandbox may take"), "\(reason)")
            #expect(reason.contains("0 blocks are kept, and the same trial goes on in 1m at the earliest."))
            #expect(MissionPhase.sandboxTesting.next(on: .testInconclusive) == .needsMoreTesting)
            #expect(try site.context.journal.entries().map(\.kind) == ["test.started", "test.paused"])
        }
    }

    @Test("a coordinator with another ledger key gets nothing")
    func pin() async throws {
        try await Ground.with { ground async throws in
            let site = try await Site(ground)
            try await site.authorize()
            site.link.set { $0.ledgerKey = "" }
            let link = site.link
            let service = site.service
            let running = Task { try await service.run() }
            try await Task.sleep(for: .seconds(2))
            running.cancel()
            _ = try? await running.value
            #expect(link[\.polls] == 0 && link.events.isEmpty)
            #expect(site.liveText == Site.old)
        }
    }

    @Test(
        "a detection becomes one proposal, in the journal before it is sent; a coordinator that is away gets it later")
    func detection() async throws {
        try await Ground.with { ground async throws in
            var site = try await Site(ground)
            site.context.remedies = ["cache": Remedy(name: "cache", template: site.mission.file)]
            let service = site.service
            let found = Detection(detector: "users", remedy: "cache", severity: .high, usual: 0.1, observed: 0.3)
            try await service.propose(found)
            #expect(site.link[\.proposals].map(\.proposer) == ["detector:users"])
            #expect(site.link[\.proposals].first?.dedupe_key == "users/cache")
            #expect(site.link[\.proposals].first?.file.severity == .high)
            #expect(try site.context.journal.entries().map(\.kind) == ["detection"])
            site.link.set { $0.createFails = true }
            #expect(await refusal { try await service.propose(found) } != nil)
            let unknown = Detection(detector: "users", remedy: "gone", severity: .high, usual: 0.1, observed: 0.3)
            #expect(await refusal { try await service.propose(unknown) }?.contains("nothing is proposed") ?? false)
            #expect(site.link[\.proposals].count == 1)
        }
    }
}
