import Fork
import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Promotion

extension Fixture {
    /// So many files that several threads move them: exchanged, created, removed, set in place, and linked, in many directories.
    func manyFiles() throws -> (ChangeSet, Base) {
        try reset()
        var changes: [Change] = []
        for folder in 0..<24 {
            try directory("/d\(folder + 10)")
            for number in 0..<25 {
                let path = "/d\(folder + 10)/\(number)"
                try file(path, "old \(path)", mode: number % 2 == 0 ? 0o600 : 0o644)
                switch number % 5 {
                case 0: changes.append(Change(path: BytePath(path), kind: .delete, type: .file))
                case 1: changes.append(Change(path: BytePath(path), kind: .metadata, type: .file, mode: 0o755, uid: 7))
                case 2:
                    changes.append(
                        Change(
                            path: BytePath(path), kind: .replace, type: .symlink, mode: 0o777,
                            linkTarget: Data("x".utf8)))
                default: changes.append(try change(path, .modify, "new \(path)", uid: UInt32(number)))
                }
                changes.append(try change(path + "-made", .create, "made \(path)", mode: 0o640))
            }
            changes.append(try change("/d\(folder + 10)/one", .create, "linked \(folder)", group: folder))
            changes.append(try change("/d\(folder + 10)/other", .create, "linked \(folder)", group: folder))
        }
        try age()
        let set = try ChangeSet(changes)
        return (set, try base(set))
    }
}

@Suite(.enabled(if: isRoot, "needs root: files get owners of their own"))
struct ManyFilesTests {
    @Test("many files moved by several threads end as they do one after another, and go back")
    func sameAsOneAfterAnother() async throws {
        let fixture = try Fixture(inMemory: true)
        // An edge that counts keeps the promoter to one thread.
        var (changes, base) = try fixture.manyFiles()
        _ = try await fixture.promoter(FaultEdge(.kill, at: .max)).promote(id: "m", changeSet: changes, base: base)
        let expected = try fixture.picture().tree
        (changes, base) = try fixture.manyFiles()
        let old = try fixture.picture().tree
        let result = try await fixture.promoter().promote(id: "m", changeSet: changes, base: base)
        #expect(result.outcome == .promoted)
        #expect(try fixture.picture().tree == expected)
        #expect(try await fixture.promoter().rollback(id: "m") == .rolledBack)
        let (tree, hidden) = try fixture.picture()
        #expect(tree == old)
        #expect(hidden.isEmpty)
    }

    @Test("one of many files that somebody has open for writing is a conflict, and all of live is old again")
    func writer() async throws {
        let fixture = try Fixture(inMemory: true)
        let (changes, base) = try fixture.manyFiles()
        let old = try fixture.picture().tree
        let writer = try Files.open(fixture.path("/d17/13"), flags: O_WRONLY)
        defer { writer.close() }
        await #expect(throws: PromotionError.self) {
            try await fixture.promoter().promote(id: "m", changeSet: changes, base: base)
        }
        let (tree, hidden) = try fixture.picture()
        #expect(tree == old)
        #expect(hidden.isEmpty)
    }

    @Test("every one of many files that differs from the base is named in the conflict, in path order")
    func conflicts() async throws {
        let fixture = try Fixture(inMemory: true)
        let (changes, base) = try fixture.manyFiles()
        for path in ["/d13/4", "/d19/13", "/d30/3"] { try fixture.file(path, "somebody else's") }
        do {
            _ = try await fixture.promoter().promote(id: "m", changeSet: changes, base: base)
            Issue.record("promoted over a conflict")
        } catch PromotionError.conflict(let found) {
            #expect(found.map(\.path) == ["/d13/4", "/d19/13", "/d30/3"])
        }
    }
}
