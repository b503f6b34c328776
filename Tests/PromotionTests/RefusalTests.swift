import Fork
import FoundationEssentials
import Glibc
import Linux
import Synchronization
import Testing

@testable import Promotion

/// Does something just before the n-th call, as another process would.
final class ActingEdge: FileEdge {
    private let number: Int
    private let act: @Sendable () -> Void
    private let count = Mutex(0)

    init(at number: Int, _ act: @escaping @Sendable () -> Void) {
        self.number = number
        self.act = act
    }

    var hasActed: Bool { count.withLock { $0 } >= number }

    func will(_ call: FileCall, _ subject: String) throws {
        let isNow = count.withLock { count in
            count += 1
            return count == number
        }
        if isNow { act() }
    }
}

/// What can't be exchanged is refused before anything moves.
@Suite(.enabled(if: isRoot, "needs root: mounts and immutable files"))
struct RefusalTests {
    private func expectRefused(_ fixture: Fixture, _ changes: ChangeSet, _ words: String) async throws {
        let base = try fixture.base(changes)
        let before = try fixture.picture()
        let error = await #expect(throws: PromotionError.self) {
            try await fixture.promoter().promote(id: "m", changeSet: changes, base: base)
        }
        guard case .refused? = error else {
            Issue.record("\(error.map { "\($0)" } ?? "nothing thrown")")
            return
        }
        #expect("\(error.map { "\($0)" } ?? "")".contains(words))
        let after = try fixture.picture()
        #expect(after.tree == before.tree && after.hidden.isEmpty)
        #expect(fixture.promoter().status(id: "m") == nil)
    }

    @Test func aDeviceNodeIsRefused() async throws {
        let fixture = try Fixture()
        let null = Change(
            path: "/null", kind: .create, type: .device, mode: 0o666,
            device: DeviceNode(isBlock: false, major: 1, minor: 3))
        try await expectRefused(fixture, try ChangeSet([null]), "device node")
    }

    @Test func oneNameOfAHardLinkedFileIsRefused() async throws {
        let fixture = try Fixture()
        try fixture.file("/a", "x")
        try Files.link(fixture.path("/a"), fixture.path("/b"))
        try await expectRefused(fixture, try ChangeSet([fixture.change("/a", .modify, "y")]), "hard links")
    }

    @Test func aBindMountTargetIsRefusedAndSoIsADirectoryThatHoldsOne() async throws {
        let fixture = try Fixture()
        try fixture.directory("/d")
        try fixture.file("/d/target", "below")
        try fixture.file("/source", "bound")
        try #require(mount(fixture.path("/source"), fixture.path("/d/target"), nil, UInt(4096), nil) == 0)
        defer { umount2(fixture.path("/d/target"), 2) }
        try await expectRefused(fixture, try ChangeSet([fixture.change("/d/target", .modify, "y")]), "mounted there")
        try await expectRefused(
            fixture, try ChangeSet([Change(path: "/d", kind: .delete, type: .directory)]), "mounted there")
    }

    @Test func anImmutableFileIsRefused() async throws {
        let fixture = try Fixture()
        try fixture.file("/a", "x")
        let set = try await Processes.run("chattr", arguments: ["+i", fixture.path("/a")])
        try #require(set.isSuccess, "this file system has no immutable flag: \(set.errorOutput)")
        do { try await expectRefused(fixture, try ChangeSet([fixture.change("/a", .modify, "y")]), "immutable") } catch
        { Issue.record(error) }
        _ = try await Processes.run("chattr", arguments: ["-i", fixture.path("/a")])
    }

    @Test func graceOwnStateIsRefused() async throws {
        let fixture = try Fixture()
        let promoter = Promoter(
            root: fixture.directory, state: fixture.state, blobs: fixture.blobs, record: { _, _ in })
        let changes = try ChangeSet([fixture.change("/state/m/phase.json", .create, "{}")])
        let base = try Base([BaseEntry(path: "/state/m/phase.json", state: .absent)])
        #expect(throws: PromotionError.self) { try promoter.plan(changeSet: changes, base: base) }
    }

    @Test func aBlobThatWasAlteredIsRefusedAndNothingStays() async throws {
        let fixture = try Fixture()
        try fixture.age()
        let changes = try ChangeSet([fixture.change("/a", .create, "tested")])
        let base = try fixture.base(changes)
        let digest = try #require(changes.changes.first?.content)
        try Data("forged".utf8).write(toBlob: fixture.blobs.path(digest))
        await #expect(throws: PromotionError.self) {
            try await fixture.promoter().promote(id: "m", changeSet: changes, base: base)
        }
        let after = try fixture.picture()
        #expect(after.tree.count == 1 && after.hidden.isEmpty)
    }

    @Test func nothingHappensWhenTheAgentsJournalRefusesTheIntent() async throws {
        let fixture = try Fixture()
        struct Full: Error {}
        let promoter = Promoter(
            root: fixture.root, state: fixture.state, blobs: fixture.blobs, record: { _, _ in throw Full() })
        let changes = try ChangeSet([fixture.change("/a", .create, "x")])
        let base = try fixture.base(changes)
        await #expect(throws: PromotionError.self) {
            try await promoter.promote(id: "m", changeSet: changes, base: base)
        }
        #expect(try fixture.picture().tree.count == 1)
        #expect(promoter.status(id: "m") == nil)
    }

    /// Kill, thaw and rollback never wait for a journal (DESIGN section 8.6).
    @Test func aRollbackHappensThoughTheAgentsJournalTakesNothing() async throws {
        let fixture = try Fixture()
        struct Full: Error {}
        try fixture.file("/a", "old")
        let changes = try ChangeSet([fixture.change("/a", .modify, "new")])
        let base = try fixture.base(changes)
        _ = try await fixture.promoter().promote(id: "m", changeSet: changes, base: base)
        let promoter = Promoter(
            root: fixture.root, state: fixture.state, blobs: fixture.blobs, record: { _, _ in throw Full() })
        #expect(try await promoter.rollback(id: "m") == .rolledBack)
        #expect(try fixture.text("/a") == "old")
    }

    @Test func twoPromotionsAtATimeAreOneTooMany() async throws {
        let fixture = try Fixture()
        let held = try fixture.promoter().store.lock()
        let changes = try ChangeSet([fixture.change("/a", .create, "x")])
        let base = try fixture.base(changes)
        await #expect(throws: PromotionError.self) {
            try await fixture.promoter().promote(id: "m", changeSet: changes, base: base)
        }
        held.close()
        _ = try await fixture.promoter().promote(id: "m", changeSet: changes, base: base)
        #expect(try fixture.text("/a") == "x")
    }

    @Test func aJournalThatWasAlteredIsLeftAlone() async throws {
        let fixture = try Fixture()
        try fixture.file("/a", "old")
        let changes = try ChangeSet([fixture.change("/a", .modify, "new")])
        let base = try fixture.base(changes)
        _ = try await fixture.promoter().promote(id: "m", changeSet: changes, base: base)
        let file = fixture.state + "/m/journal.json"
        let text = try Files.readString(file)
        try Data(text.replacing("exchange", with: "create").utf8).write(toBlob: file)
        await #expect(throws: PromotionError.self) { try await fixture.promoter().rollback(id: "m") }
        #expect(try fixture.text("/a") == "new")
    }
}

extension Data {
    /// Overwrites a file in place.
    func write(toBlob path: String) throws {
        try Files.write(try Files.open(path, flags: O_WRONLY | O_TRUNC), self)
    }
}
