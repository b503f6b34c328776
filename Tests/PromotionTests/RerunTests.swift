import Fork
import FoundationEssentials
import Linux
import Missions
import Testing

@testable import Promotion

/// A command run again on live: at most once, and its effect decides.
@Suite struct RerunTests {
    private func intent(
        _ fixture: Fixture, run: String, undo: String = "rm -f done", effect: String = "test -e done",
        reads: Base? = nil,
        timeout: Double = 20, apply: LiveApply? = nil
    ) throws -> RerunIntent {
        RerunIntent(
            run: run, undo: undo, effect: effect, directory: fixture.root, reads: try reads ?? Base([]),
            timeout: timeout, apply: apply)
    }

    @Test func aCommandWhoseEffectIsThereIsPromotedAndCanBeUndone() async throws {
        let fixture = try Fixture()
        let result = try await fixture.promoter().rerun(
            id: "r", intent: intent(fixture, run: "echo ran; echo x >> count; touch done"))
        #expect(result.outcome == .promoted)
        #expect(result.commands.first?.output.contains("ran") == true)
        #expect(fixture.promoter().status(id: "r")?.deadman != nil)
        #expect(try await fixture.promoter().rollback(id: "r") == .rolledBack)
        #expect(try Files.status(fixture.path("/done")) == nil)
        #expect(try fixture.text("/count") == "x\n")
    }

    @Test(arguments: [
        ("touch done; exit 3", "exit code 3"), ("true", "not there"), ("touch done; sleep 60", "time was up"),
    ])
    func aCommandThatFailsOrHasNoEffectIsUndone(run: String, words: String) async throws {
        let fixture = try Fixture()
        let result = try await fixture.promoter().rerun(id: "r", intent: intent(fixture, run: run, timeout: 1))
        #expect(result.outcome == .rolledBack)
        #expect(result.reason?.contains(words) == true, "\(result.reason ?? "-")")
        #expect(result.commands.map(\.role) == ["run", "undo"])
        #expect(try Files.status(fixture.path("/done")) == nil)
    }

    @Test(arguments: ["exit 127", "kill -9 $$", "sleep 60"])
    func anEffectThatCannotBeToldIsFrozenAndUndoDoesNotRun(effect: String) async throws {
        let fixture = try Fixture()
        let result = try await fixture.promoter()
            .rerun(id: "r", intent: intent(fixture, run: "touch done", effect: effect, timeout: 1))
        #expect(result.outcome == .frozen)
        #expect(result.commands.map(\.role) == ["run"])
        #expect(try Files.status(fixture.path("/done")) != nil)
    }

    @Test func anUndoThatFailsIsFrozen() async throws {
        let fixture = try Fixture()
        let result = try await fixture.promoter().rerun(id: "r", intent: intent(fixture, run: "exit 1", undo: "exit 9"))
        #expect(result.outcome == .frozen)
        #expect(result.reason?.contains("exit code 9") == true)
    }

    @Test func anExecutableThatIsNoLongerTheTestedOneIsAConflictAndNothingRuns() async throws {
        let fixture = try Fixture()
        try fixture.file("/tool", "#!/bin/sh\n", mode: 0o755)
        let reads = try Base.capture(paths: ["/tool"], root: fixture.root)
        try fixture.file("/tool", "#!/bin/sh\nexit 0\n", mode: 0o755)
        await #expect(throws: PromotionError.self) {
            try await fixture.promoter().rerun(id: "r", intent: intent(fixture, run: "touch done", reads: reads))
        }
        #expect(try Files.status(fixture.path("/done")) == nil)
        #expect(fixture.promoter().status(id: "r") == nil)
    }

    @Test func aFailingApplyTakesTheCommandBack() async throws {
        let fixture = try Fixture()
        let apply = LiveApply(run: ["echo applied >> \(fixture.path("/log")); test ! -e \(fixture.path("/done"))"])
        let result = try await fixture.promoter().rerun(
            id: "r", intent: intent(fixture, run: "touch done", apply: apply))
        #expect(result.outcome == .rolledBack)
        #expect(try fixture.text("/log") == "applied\napplied\n")
    }

    @Test(arguments: [true, false])
    func killedAtAnyCallItRanAtMostOnceAndRecoveryAgreesWithItsEffect(works: Bool) async throws {
        let fixture = try Fixture(inMemory: true)
        var number = 0
        while true {
            number += 1
            try fixture.reset()
            let edge = FaultEdge(.kill, at: number)
            let command = try intent(fixture, run: works ? "echo x >> count; touch done" : "echo x >> count; exit 1")
            _ = try? await fixture.promoter(edge).rerun(id: "r", intent: command)
            let outcomes = try await fixture.promoter().recover()
            let count = (try? fixture.text("/count")) ?? ""
            #expect(count == "" || count == "x\n", "killed at \(number), \(edge.last): ran \(count.count / 2) times")
            let isDone = try Files.status(fixture.path("/done")) != nil
            let phase = fixture.promoter().status(id: "r")?.phase
            #expect(
                isDone ? phase == .promoted : phase == nil || phase == .rolledBack,
                "killed at \(number), \(edge.last): \(phase.map(\.rawValue) ?? "-"), done \(isDone), \(outcomes)")
            if !edge.hasStruck { break }
        }
        #expect(number > 10)
    }

    @Test func anOrphanedCommandIsWaitedForAndOneThatHasNotBegunNeverBegins() async throws {
        let fixture = try Fixture()
        // As if the agent had been killed just after starting the command: the phase says running, the shell holds the lock.
        let promoter = fixture.promoter()
        let command = try intent(fixture, run: "touch begun; sleep 0.5; touch done")
        try promoter.store.lock().close()
        try promoter.store.create("r")
        try promoter.store.write(command.document, as: JournalStore.intent, of: "r")
        try promoter.setPhase(.running, of: "r") { $0.kind = .rerun }
        let runner = CommandRunner(directory: promoter.store.path("r"), calls: promoter.calls)
        try runner.permit(.run)
        let orphan = Task { try await runner.run(.run, command.run, of: command) }
        for _ in 0..<1000 where try Files.status(fixture.path("/begun")) == nil {
            try await Task.sleep(for: .milliseconds(10))
        }
        let outcomes = try await promoter.recover()
        #expect(outcomes.map(\.live) == [.new])
        #expect(try await orphan.value.exitCode == 0)
        // The token is gone: a shell that comes late does not run its command.
        #expect(try await runner.run(.run, "touch late", of: command).exitCode == 125)
        #expect(try Files.status(fixture.path("/late")) == nil)
    }
}
