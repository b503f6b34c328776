import Fork
import FoundationEssentials
import Linux
import Missions
import Synchronization
import Testing

@testable import Promotion

/// The process that takes a promotion back when nobody confirms it, started for real.
@Suite(.enabled(if: isRoot, "needs root: files get owners of their own"))
struct DeadmanTests {
    private func simple(_ fixture: Fixture) throws -> (ChangeSet, Base) {
        try fixture.file("/conf", "old")
        let changes = try ChangeSet([
            fixture.change("/conf", .modify, "new"), fixture.change("/more", .create, "more"),
        ])
        return (changes, try fixture.base(changes))
    }

    private func launcher(_ fixture: Fixture) throws -> GuardLauncher {
        GuardLauncher(
            state: fixture.state, blobs: fixture.directory + "/blobs", root: fixture.root,
            program: try Products.path("grace-deadman"),
            systemd: "/nowhere")
    }

    private func guarded(_ fixture: Fixture) throws -> Promoter {
        let launcher = try launcher(fixture)
        return Promoter(
            root: fixture.root, state: fixture.state, blobs: fixture.blobs, record: { _, _ in },
            guardian: { try launcher.start($0) })
    }

    private func run(_ fixture: Fixture, _ arguments: [String]) async throws -> ProcessOutput {
        try await Processes.run(
            try Products.path("grace-deadman"),
            arguments: Array(arguments.prefix(1)) + [
                "--state", fixture.state, "--blobs", fixture.directory + "/blobs", "--root", fixture.root,
            ] + arguments.dropFirst(), timeout: .seconds(60))
    }

    private func eventually(_ what: String, _ holds: () throws -> Bool) async throws {
        for _ in 0..<1200 {
            if try holds() { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        Issue.record("never came: \(what)")
    }

    @Test func itWatchesBeforeTheFirstLiveByteChangesAndEndsOnceTheWatchConfirms() async throws {
        let fixture = try Fixture()
        let (changes, base) = try simple(fixture)
        let launcher = try launcher(fixture)
        let seen = Mutex<[String]>([])
        let promoter = Promoter(
            root: fixture.root, state: fixture.state, blobs: fixture.blobs, record: { _, _ in },
            guardian: { id in
                let text = try fixture.text("/conf")
                let isArmed = try Files.status(fixture.state + "/\(id)/deadman.json") != nil
                try launcher.start(id)
                seen.withLock { $0.append("\(text) \(isArmed) \(GuardMark.isWatched(state: fixture.state, id: id))") }
            })
        _ = try await promoter.promote(id: "m", changeSet: changes, base: base)
        #expect(seen.withLock { $0 } == ["old true true"])
        #expect(GuardMark.isWatched(state: fixture.state, id: "m"))
        try promoter.confirm(id: "m")
        try await eventually("the guard's end") { !GuardMark.isWatched(state: fixture.state, id: "m") }
        #expect(try fixture.text("/conf") == "new")
    }

    @Test func nothingIsPromotedWhenNoProcessWouldTakeItBack() async throws {
        let fixture = try Fixture()
        let (changes, base) = try simple(fixture)
        for program in [nil, "/bin/false", fixture.directory + "/no-such-program"] {
            let launcher = GuardLauncher(
                state: fixture.state, blobs: fixture.directory + "/blobs", root: fixture.root, program: program,
                systemd: "/nowhere", patience: .milliseconds(300))
            let promoter = Promoter(
                root: fixture.root, state: fixture.state, blobs: fixture.blobs, record: { _, _ in },
                guardian: { try launcher.start($0) })
            await #expect(throws: PromotionError.self, "\(program ?? "none")") {
                try await promoter.promote(id: "m", changeSet: changes, base: base)
            }
            let picture = try fixture.picture()
            #expect(try fixture.text("/conf") == "old" && picture.hidden.isEmpty && picture.tree["/more"] == nil)
            #expect(promoter.status(id: "m") == nil)
        }
    }

    @Test func aRerunIsNotStartedEitherWhenNoProcessWouldTakeItBack() async throws {
        let fixture = try Fixture()
        let promoter = Promoter(
            root: fixture.root, state: fixture.state, blobs: fixture.blobs, record: { _, _ in },
            guardian: { _ in throw GuardError("no.") })
        let intent = RerunIntent(
            run: "touch \(fixture.path("/ran"))", undo: "rm \(fixture.path("/ran"))",
            effect: "test -e \(fixture.path("/ran"))", reads: try Base([]))
        await #expect(throws: PromotionError.self) { try await promoter.rerun(id: "r", intent: intent) }
        #expect(try Files.status(fixture.path("/ran")) == nil)
        #expect(promoter.status(id: "r") == nil)
    }

    @Test func withoutAgentAndCoordinatorAnOverduePromotionIsTakenBackAndLiveApplyRunsAgain() async throws {
        let fixture = try Fixture()
        let (changes, base) = try simple(fixture)
        let log = fixture.directory + "/applied"
        _ = try await guarded(fixture).promote(
            id: "m", changeSet: changes, base: base, apply: LiveApply(run: ["cat \(fixture.path("/conf")) >> \(log)"]),
            watch: 0.5)
        #expect(try fixture.text("/conf") == "new")
        // This process stands for the agent, and does nothing any more.
        try await eventually("the rollback") { fixture.promoter().status(id: "m")?.phase == .rolledBack }
        try await eventually("the guard's end") { !GuardMark.isWatched(state: fixture.state, id: "m") }
        #expect(try fixture.text("/conf") == "old")
        #expect(try Files.status(fixture.path("/more")) == nil)
        #expect(try Files.readString(log) == "newold")
    }

    @Test func aPromotionWhoseProcessDiedHalfWayIsTakenBackByIt() async throws {
        let fixture = try Fixture()
        let (changes, base) = try fixture.everyTransition()
        let old = try fixture.picture().tree
        let whole = FaultEdge(.kill, at: .max)
        _ = try await fixture.promoter(whole).promote(id: "m", changeSet: changes, base: base)
        for number in stride(from: whole.calls / 4, to: whole.calls - 1, by: 9) {
            let (changes, base) = try fixture.everyTransition()
            _ = try? await fixture.promoter(FaultEdge(.kill, at: number)).promote(
                id: "m", changeSet: changes, base: base, watch: -10)
            guard fixture.promoter().status(id: "m") != nil else { continue }
            let output = try await run(fixture, ["guard", "m"])
            #expect(output.isSuccess, "\(number): \(String(decoding: output.stderr, as: UTF8.self))")
            #expect(try fixture.picture().tree == old, "killed at \(number)")
        }
    }

    @Test func aChangeThatDeclaresARollbackHarmfulStaysAndIsFrozen() async throws {
        let fixture = try Fixture()
        let (changes, base) = try simple(fixture)
        _ = try await fixture.promoter().promote(id: "m", changeSet: changes, base: base, watch: -10, keeps: true)
        let output = try await run(fixture, ["guard", "m"])
        #expect(output.isSuccess)
        let status = try #require(fixture.promoter().status(id: "m"))
        #expect(status.phase == .frozen)
        #expect(status.reason?.contains("harmful") == true)
        #expect(try fixture.text("/conf") == "new")
        // A person may decide otherwise.
        #expect(try await fixture.promoter().rollback(id: "m") == .rolledBack)
        #expect(try fixture.text("/conf") == "old")
    }

    @Test func liveThatMovedOnIsNeverOverwrittenByIt() async throws {
        let fixture = try Fixture()
        let (changes, base) = try simple(fixture)
        _ = try await fixture.promoter().promote(id: "m", changeSet: changes, base: base, watch: -10)
        try fixture.file("/conf", "by hand")
        #expect(try await run(fixture, ["guard", "m"]).isSuccess)
        #expect(fixture.promoter().status(id: "m")?.phase == .frozen)
        #expect(try fixture.text("/conf") == "by hand")
    }

    @Test func atBootWhatIsOverdueIsTakenBackWithoutReloadingAnythingAndWhatIsNotIsGuarded() async throws {
        let fixture = try Fixture()
        try fixture.file("/other", "old")
        let (changes, base) = try simple(fixture)
        let log = fixture.directory + "/applied"
        let apply = LiveApply(run: ["echo applied >> \(log)"])
        _ = try await fixture.promoter().promote(id: "due", changeSet: changes, base: base, apply: apply, watch: -10)
        let more = try ChangeSet([fixture.change("/other", .modify, "new")])
        _ = try await fixture.promoter().promote(
            id: "later", changeSet: more, base: try fixture.base(more), apply: apply, watch: 3600)
        let output = try await run(fixture, ["boot"])
        #expect(output.isSuccess, "\(String(decoding: output.stderr, as: UTF8.self))")
        #expect(try fixture.text("/conf") == "old")
        #expect(try fixture.text("/other") == "new")
        #expect(try Files.readString(log) == "applied\napplied\n", "only the two promotions applied it")
        #expect(fixture.promoter().status(id: "due")?.phase == .rolledBack)
        #expect(GuardMark.isWatched(state: fixture.state, id: "later"))
        try fixture.promoter().confirm(id: "later")
        try await eventually("the guard's end") { !GuardMark.isWatched(state: fixture.state, id: "later") }
    }

    @Test func withoutAnyPromotionBootDoesNothing() async throws {
        let fixture = try Fixture()
        #expect(try await run(fixture, ["boot"]).isSuccess)
        #expect(try Files.status(fixture.state) == nil)
    }

    // MARK: the clock

    @Test func itActsAfterTheDeadlineAndItsGraceByBootTimeAndNotBefore() async throws {
        let fixture = try Fixture()
        let (changes, base) = try simple(fixture)
        _ = try await fixture.promoter().promote(id: "m", changeSet: changes, base: base, watch: 100)
        let deadman = try #require(fixture.promoter().status(id: "m")?.deadman)
        let now = Mutex(deadman.bootDeadline - 100)
        let slept = Mutex<[Double]>([])
        let guardian = Guardian(
            promoter: fixture.promoter(), grace: 5, boot: { (deadman.bootID, now.withLock { $0 }) },
            sleep: { seconds in
                slept.withLock { $0.append(seconds) }
                now.withLock { $0 += seconds }
            })
        #expect(try await guardian.watch(id: "m") { _ in } == .fired(.rolledBack))
        let total = slept.withLock { $0.reduce(0, +) }
        #expect(total >= 105 && total < 107)
        #expect(slept.withLock { $0.allSatisfy { $0 <= 2 } }, "a watch made shorter is noticed within two seconds")
    }

    @Test func aLongerWatchIsNoticed() async throws {
        let fixture = try Fixture()
        let (changes, base) = try simple(fixture)
        let promoter = fixture.promoter()
        _ = try await promoter.promote(id: "m", changeSet: changes, base: base, watch: 1)
        let first = try #require(promoter.status(id: "m")?.deadman)
        let now = Mutex(first.bootDeadline - 1)
        let guardian = Guardian(
            promoter: promoter, grace: 0, boot: { (first.bootID, now.withLock { $0 }) },
            sleep: { seconds in
                if now.withLock({ $0 }) < first.bootDeadline { try promoter.arm(id: "m", deadline: Date() + 1000) }
                if now.withLock({ $0 }) > first.bootDeadline + 500 { try promoter.confirm(id: "m") }
                now.withLock { $0 += seconds }
            })
        #expect(try await guardian.watch(id: "m") { _ in } == .settled(.confirmed))
        #expect(try fixture.text("/conf") == "new")
    }
}
