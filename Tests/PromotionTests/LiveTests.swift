import Fork
import FoundationEssentials
import Linux
import Missions
import Synchronization
import Testing

@testable import Promotion

/// What follows once the files are in place: live.apply, the watch, the armed rollback.
@Suite struct LiveTests {
    private func simple(_ fixture: Fixture) throws -> (ChangeSet, Base) {
        try fixture.file("/conf", "old")
        try fixture.age()
        let changes = try ChangeSet([
            fixture.change("/conf", .modify, "new", mode: 0o600), fixture.change("/more", .create, "more"),
        ])
        return (changes, try fixture.base(changes))
    }

    @Test func applySeesTheNewFilesAndAfterAFailureRunsAgainOnTheOld() async throws {
        let fixture = try Fixture()
        let (changes, base) = try simple(fixture)
        let old = try fixture.picture().tree
        let log = fixture.directory + "/log"
        let apply = LiveApply(run: [
            "cat \(fixture.path("/conf")) >> \(log); echo >> \(log); grep -q old \(fixture.path("/conf"))"
        ])
        let result = try await fixture.promoter().promote(id: "m", changeSet: changes, base: base, apply: apply)
        #expect(result.outcome == .rolledBack)
        #expect(result.applied.map(\.succeeded) == [false, true])
        #expect(try Files.readString(log) == "new\nold\n")
        let after = try fixture.picture()
        #expect(after.tree == old && after.hidden.isEmpty)
    }

    @Test func aUnitThatSystemdDoesNotKnowIsASentenceAndTheFilesGoBack() async throws {
        let fixture = try Fixture()
        let (changes, base) = try simple(fixture)
        let result = try await fixture.promoter()
            .promote(id: "m", changeSet: changes, base: base, apply: LiveApply(reload: ["grace-no-such-unit.service"]))
        #expect(result.outcome == .rolledBack)
        #expect(result.reason?.contains("grace-no-such-unit.service") == true)
        #expect(try fixture.text("/conf") == "old")
    }

    @Test func unitsAreReloadedThenRestartedThenCommandsRun() async throws {
        let fixture = try Fixture()
        let (changes, base) = try simple(fixture)
        let fake = fixture.directory + "/systemctl"
        let log = fixture.directory + "/log"
        try Files.writeAtomically(
            fake, Data("#!/bin/sh\n[ \"$1\" = show ] && echo loaded && exit\necho \"$@\" >> \(log)\n".utf8), mode: 0o755
        )
        let promoter = Promoter(
            root: fixture.root, state: fixture.state, blobs: fixture.blobs, record: { _, _ in }, systemctl: fake)
        let apply = LiveApply(reload: ["a.service"], restart: ["b.service"], run: ["echo ran >> \(log)"])
        let result = try await promoter.promote(id: "m", changeSet: changes, base: base, apply: apply)
        #expect(result.outcome == .promoted)
        #expect(try Files.readString(log) == "reload -- a.service\nrestart -- b.service\nran\n")
    }

    @Test func theRollbackIsArmedOnDiskBeforeTheFirstLiveByteChanges() async throws {
        let fixture = try Fixture(inMemory: true)
        var number = 0
        while true {
            number += 1
            try fixture.reset()
            let (changes, base) = try simple(fixture)
            let edge = FaultEdge(.kill, at: number)
            _ = try? await fixture.promoter(edge).promote(id: "m", changeSet: changes, base: base)
            let hasChanged = try fixture.text("/conf") != "old" || Files.status(fixture.path("/more")) != nil
            if hasChanged {
                #expect(try Files.status(fixture.state + "/m/deadman.json") != nil, "killed at \(number)")
                #expect(fixture.records.withLock { $0.contains("promotion.intent") })
            }
            if !edge.hasStruck { break }
        }
    }

    @Test func anUnconfirmedPromotionFallsDueAndAConfirmedOneDoesNot() async throws {
        let fixture = try Fixture()
        let (changes, base) = try simple(fixture)
        let promoter = fixture.promoter()
        _ = try await promoter.promote(id: "m", changeSet: changes, base: base, watch: 3600)
        #expect(try promoter.due() == [])
        try promoter.arm(id: "m", deadline: Date(timeIntervalSinceNow: -1))
        #expect(try promoter.due() == ["m"])
        try promoter.confirm(id: "m")
        #expect(try promoter.due() == [])
        #expect(try await promoter.rollback(id: "m") == .rolledBack)
        #expect(try fixture.text("/conf") == "old")
    }

    @Test func afterARebootTheWallClockDecides() throws {
        let now = Date()
        let deadman = try Deadman(deadline: now + 60, now: now)
        #expect(!deadman.isDue(now: now + 3600, bootID: deadman.bootID, bootSeconds: deadman.bootDeadline - 1))
        #expect(deadman.isDue(now: now, bootID: deadman.bootID, bootSeconds: deadman.bootDeadline))
        #expect(!deadman.isDue(now: now, bootID: "another", bootSeconds: 1e9))
        #expect(deadman.isDue(now: now + 61, bootID: "another", bootSeconds: 1))
    }

    @Test func purgingGivesUpThePreImagesAndLeavesTheDirectoriesAlone() async throws {
        let fixture = try Fixture()
        let (changes, base) = try simple(fixture)
        let promoter = fixture.promoter()
        _ = try await promoter.promote(id: "m", changeSet: changes, base: base)
        #expect(throws: PromotionError.self) { try promoter.purge(id: "m") }
        try promoter.confirm(id: "m")
        let before = try Files.status(fixture.root)?.modified
        try promoter.purge(id: "m")
        #expect(try fixture.picture().hidden.isEmpty)
        #expect(try Files.status(fixture.root)?.modified == before)
        await #expect(throws: PromotionError.self) { try await promoter.rollback(id: "m") }
    }

    @Test func whoStillHasAReplacedFileOpenIsNamed() async throws {
        let fixture = try Fixture()
        let (changes, base) = try simple(fixture)
        let file = try Files.open(fixture.path("/conf"), flags: 0)
        let result = try await fixture.promoter().promote(id: "m", changeSet: changes, base: base)
        #expect(result.holders.contains { $0.pid == ownProcess })
        withExtendedLifetime(file) {}
    }

    @Test func aDirectoryThatSomebodyUsedSinceKeepsItsTimeWhenRolledBack() async throws {
        let fixture = try Fixture()
        let (changes, base) = try simple(fixture)
        _ = try await fixture.promoter().promote(id: "m", changeSet: changes, base: base)
        try fixture.file("/bystander", "x")
        #expect(try await fixture.promoter().rollback(id: "m") == .rolledBack)
        #expect(try #require(try Files.status(fixture.root)).modified.seconds > 1_577_836_800)
        #expect(try fixture.text("/bystander") == "x")
    }
}
