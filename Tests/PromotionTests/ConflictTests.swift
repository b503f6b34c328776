import Documents
import Fork
import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Promotion

/// Live moved on: nothing of live is touched.
@Suite(.enabled(if: isRoot, "needs root: files get owners of their own"))
struct ConflictTests {
    /// What happens to live between the test and the promotion, or between the promotion and the rollback.
    enum Meddling: String, CaseIterable {
        case modified, deleted, replacedByLink, parentReplacedByLink, modeChanged, ownerChanged, attributeSet,
            createdMeanwhile
        case filledMeanwhile, parentGone, openForWriting
    }

    private func meddle(_ kind: Meddling, _ fixture: Fixture) throws -> Descriptor? {
        let target = fixture.path("/d/file")
        switch kind {
        case .modified: try fixture.file("/d/file", "somebody else's")
        case .deleted: try Files.unlink(target)
        case .replacedByLink:
            try Files.rename(target, fixture.path("/d/elsewhere"))
            try Files.symlink("elsewhere", at: target)
        case .parentReplacedByLink:
            try Files.rename(fixture.path("/d"), fixture.path("/moved"))
            try Files.symlink("moved", at: fixture.path("/d"))
        case .modeChanged: try Files.chmod(target, 0o666)
        case .ownerChanged: try Files.chown(target, uid: 12, gid: 0)
        case .attributeSet: try Files.setXattr(target, name: "user.mark", value: .init([1]))
        case .createdMeanwhile: try fixture.file("/d/created", "not ours")
        case .filledMeanwhile: try fixture.file("/d/tree/extra", "not ours")
        case .parentGone: try Files.removeTree(fixture.path("/d"))
        case .openForWriting: return try Files.open(target, flags: O_WRONLY)
        }
        return nil
    }

    private func setUp(_ fixture: Fixture) throws -> (ChangeSet, Base) {
        try fixture.directory("/d")
        try fixture.directory("/d/tree")
        try fixture.file("/d/tree/known", "known")
        try fixture.file("/d/file", "old")
        try fixture.file("/d/first", "old")
        try fixture.age()
        let changes = try ChangeSet([
            fixture.change("/d/file", .modify, "new"), fixture.change("/d/first", .modify, "new"),
            fixture.change("/d/created", .create, "created"), Change(path: "/d/tree", kind: .delete, type: .directory),
        ])
        return (changes, try fixture.base(changes))
    }

    @Test(arguments: Meddling.allCases)
    func aPromotionOverALiveThatMovedOnIsAConflictAndTouchesNothing(kind: Meddling) async throws {
        let fixture = try Fixture()
        let (changes, base) = try setUp(fixture)
        let writer = try meddle(kind, fixture)
        let before = try fixture.picture()
        let error = await #expect(throws: PromotionError.self) {
            try await fixture.promoter().promote(id: "m", changeSet: changes, base: base)
        }
        guard case .conflict(let conflicts)? = error else {
            Issue.record("\(kind): \(error.map { "\($0)" } ?? "nothing thrown")")
            return
        }
        #expect(!conflicts.isEmpty && conflicts.allSatisfy { $0.path.isInside("/d") })
        let after = try fixture.picture()
        #expect(after.tree == before.tree && after.hidden.isEmpty)
        withExtendedLifetime(writer) {}
    }

    @Test(arguments: Meddling.allCases)
    func aRollbackOverALiveThatMovedOnIsFrozenAndTouchesNothing(kind: Meddling) async throws {
        let fixture = try Fixture()
        let (changes, base) = try setUp(fixture)
        _ = try await fixture.promoter().promote(id: "m", changeSet: changes, base: base)
        if kind == .filledMeanwhile { try fixture.directory("/d/tree") }
        let writer = try meddle(kind, fixture)
        let before = try fixture.picture()
        guard case .frozen(let conflicts) = try await fixture.promoter().rollback(id: "m") else {
            Issue.record("\(kind) was overwritten")
            return
        }
        #expect(!conflicts.isEmpty)
        #expect(try fixture.picture().tree == before.tree)
        #expect(fixture.promoter().status(id: "m")?.phase == .frozen)
        withExtendedLifetime(writer) {}
    }

    @Test func aFrozenRollbackSucceedsOnceAPersonHasPutTheFileRight() async throws {
        let fixture = try Fixture()
        let (changes, base) = try setUp(fixture)
        let old = try fixture.picture().tree
        _ = try await fixture.promoter().promote(id: "m", changeSet: changes, base: base)
        try Files.chmod(fixture.path("/d/file"), 0o600)
        #expect(try await fixture.promoter().rollback(id: "m") != .rolledBack)
        try Files.chmod(fixture.path("/d/file"), 0o644)
        #expect(try await fixture.promoter().rollback(id: "m") == .rolledBack)
        #expect(try fixture.picture().tree == old)
    }

    @Test func aRollbackThatWouldOverwriteTellsAllThreeStates() async throws {
        let fixture = try Fixture()
        try fixture.directory("/d")
        try fixture.file("/d/file", "old", mode: 0o600)
        try fixture.file("/d/gone", "here")
        let changes = try ChangeSet([
            fixture.change("/d/file", .modify, "promoted"), fixture.change("/d/made", .create, "made"),
            Change(path: "/d/gone", kind: .delete, type: .file),
            Change(path: "/d/tree", kind: .create, type: .directory, mode: 0o755),
        ])
        _ = try await fixture.promoter().promote(id: "m", changeSet: changes, base: fixture.base(changes))
        try fixture.file("/d/file", "somebody's", mode: 0o644)
        try Files.unlink(fixture.path("/d/made"))
        try Files.symlink("x", at: fixture.path("/d/gone"))
        try fixture.file("/d/tree/extra", "somebody's")
        guard case .frozen(let conflicts) = try await fixture.promoter().rollback(id: "m") else {
            Issue.record("it was overwritten")
            return
        }
        func short(_ text: String) -> String { Digest(of: Data(text.utf8)).short }
        let said = [
            "/d/file: the content is another one (was \(short("promoted")), is \(short("somebody's"))) [before: a file of 3 bytes "
                + "(\(short("old"))), mode 0600, owner 0:0; promoted: a file of 8 bytes (\(short("promoted"))), mode 0644, owner 0:0; "
                + "now: a file of 10 bytes (\(short("somebody's"))), mode 0644, owner 0:0]",
            "/d/gone: did not exist, is now a symlink [before: a file of 4 bytes (\(short("here"))), mode 0644, owner 0:0; "
                + "promoted: nothing; now: a symlink to x, owner 0:0]",
            "/d/made: was a file, is gone [before: nothing; promoted: a file of 4 bytes (\(short("made"))), mode 0644, owner 0:0; "
                + "now: nothing]",
            "/d/tree: other names are in the directory (new: extra) [before: nothing; promoted: a directory, mode 0755, "
                + "owner 0:0; now: a directory, mode 0755, owner 0:0]",
        ]
        #expect(conflicts.map(\.description).sorted() == said)
        #expect(fixture.promoter().status(id: "m")?.conflicts.sorted() == said)
    }

    @Test func aDeclaredInputThatChangedIsAConflict() async throws {
        let fixture = try Fixture()
        try fixture.file("/input", "1")
        let changes = try ChangeSet([fixture.change("/new", .create, "new")])
        let base = try fixture.base(changes, reads: ["/input"])
        try fixture.file("/input", "2")
        await #expect(throws: PromotionError.self) {
            try await fixture.promoter().promote(id: "m", changeSet: changes, base: base)
        }
        #expect(try Files.status(fixture.path("/new")) == nil)
    }

    /// A writer that comes between any two calls of the promotion: what it wrote is never lost.
    @Test func aWriterAtAnyMomentMakesAConflictOrMeetsTheNewFile() async throws {
        let fixture = try Fixture(inMemory: true)
        var number = 0
        var seen: Set<Bool> = []
        while true {
            number += 1
            try fixture.reset()
            let (changes, base) = try setUp(fixture)
            let edge = ActingEdge(at: number) {
                // Non-blocking: where a lease holds, the writer is told to wait and comes back later.
                if let file = try? Files.open(fixture.path("/d/file"), flags: O_WRONLY | O_APPEND | O_NONBLOCK) {
                    try? Files.write(file, Array("+row".utf8))
                }
            }
            do {
                _ = try await fixture.promoter(edge).promote(id: "m", changeSet: changes, base: base)
                let text = try fixture.text("/d/file")
                #expect(text == "new" || text == "new+row", "written at call \(number): \(text)")
                seen.insert(true)
            } catch PromotionError.conflict {
                let text = try fixture.text("/d/file")
                #expect(text == "old+row" || text == "old", "written at call \(number): \(text)")
                seen.insert(false)
            } catch PromotionError.frozen {
                let text = try fixture.text("/d/file")
                #expect(text == "new+row", "written at call \(number): \(text)")
            }
            if !edge.hasActed { break }
        }
        #expect(seen == [true, false])
    }
}
