import Fork
import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Promotion

/// What a promoter must leave alone, wait for and get right at the edges of its types.
@Suite(.enabled(if: isRoot, "needs root: files get owners of their own"))
struct LimitsTests {
    @Test("recovery removes nothing that no promoter wrote, whatever directory it is pointed at")
    func strangers() async throws {
        let fixture = try Fixture(inMemory: true)
        try Files.makeDirectory(fixture.state, mode: 0o700)
        try Files.makeDirectory(fixture.state + "/home", mode: 0o755)
        try Files.writeAtomically(fixture.state + "/home/letter", Data("dear".utf8))
        try Files.writeAtomically(fixture.state + "/notes.txt", Data("mine".utf8))
        // One that was killed at its very beginning.
        try Files.makeDirectory(fixture.state + "/begun", mode: 0o700)
        try Files.writeAtomically(fixture.state + "/begun/changes.json", Data("{".utf8))
        try Files.writeAtomically(fixture.state + "/begun/base.json.new", Data("{".utf8))
        let outcomes = try await fixture.promoter().recover()
        #expect(Set(outcomes.map { "\($0.id) \($0.live)" }) == ["begun old", "home undecided"], "\(outcomes)")
        #expect(try Files.readString(fixture.state + "/home/letter") == "dear")
        #expect(try Files.readString(fixture.state + "/notes.txt") == "mine")
        #expect(try Files.status(fixture.state + "/begun") == nil)
    }

    @Test("what was declared as read and changes while the promotion is staged is a conflict")
    func reads() async throws {
        let fixture = try Fixture(inMemory: true)
        try fixture.file("/x", "old")
        try fixture.file("/library", "as tested")
        try fixture.age()
        let changes = try ChangeSet([fixture.change("/x", .modify, "new")])
        let (base, old) = (try fixture.base(changes, reads: ["/library"]), try fixture.picture().tree)
        let edge = NthCall(.syncfs, of: "/", number: 1) { try fixture.file("/library", "another one") }
        do {
            _ = try await fixture.promoter(edge).promote(id: "m", changeSet: changes, base: base)
            Issue.record("promoted over another library than the tested one")
        } catch PromotionError.conflict(let found) { #expect(found.map(\.path) == ["/library"]) }
        #expect(edge.hasStruck)
        let (tree, hidden) = try fixture.picture()
        #expect(tree["/x"] == old["/x"] && hidden.isEmpty && fixture.promoter().status(id: "m") == nil)
    }

    @Test("going back waits for the locks of other programs on the files, as going forward does")
    func locks() async throws {
        let fixture = try Fixture(inMemory: true)
        try fixture.directory("/etc")
        try fixture.file("/etc/passwd", "old")
        try fixture.file("/etc/.pwd.lock", "")
        let changes = try ChangeSet([fixture.change("/etc/passwd", .modify, "new")])
        _ = try await fixture.promoter().promote(id: "m", changeSet: changes, base: fixture.base(changes))
        let held = try Files.open(fixture.path("/etc/.pwd.lock"), flags: O_RDWR)
        var lock = flock()
        lock.l_type = Int16(F_WRLCK)
        #expect(fcntl(held.raw, 37, &lock) == 0)  // F_OFD_SETLK
        await #expect(throws: PromotionError.self) { try await fixture.promoter().rollback(id: "m") }
        #expect(try fixture.text("/etc/passwd") == "new" && fixture.promoter().status(id: "m")?.phase == .promoted)
        held.close()
        #expect(try await fixture.promoter().rollback(id: "m") == .rolledBack)
        #expect(try fixture.text("/etc/passwd") == "old")
    }

    @Test("times before 1678 and after 2262 come back", arguments: [-12_000_000_000, 11_000_000_000] as [Int64])
    func times(seconds: Int64) async throws {
        let fixture = try Fixture(inMemory: true)
        try fixture.directory("/d")
        for name in ["/d/x", "/d/gone"] { try fixture.file(name, "old") }
        let time = FileTime(seconds: seconds, nanoseconds: 7)
        for path in ["/d/x", "/d/gone", "/d"] { try Files.setTimes(fixture.path(path), accessed: nil, modified: time) }
        try #require(try Files.status(fixture.path("/d"))?.modified == time)
        let changes = try ChangeSet([
            fixture.change("/d/x", .modify, "new"), Change(path: "/d/gone", kind: .delete, type: .file),
        ])
        _ = try await fixture.promoter().promote(id: "m", changeSet: changes, base: fixture.base(changes))
        #expect(try await fixture.promoter().rollback(id: "m") == .rolledBack)
        for path in ["/d/x", "/d/gone", "/d"] {
            #expect(try Files.status(fixture.path(path))?.modified == time, "\(path)")
        }
    }

    @Test("an attribute whose name is not UTF-8 is an error, not left out")
    func attributeNames() throws {
        let fixture = try Fixture()
        try fixture.file("/x", "x")
        // Glibc's module hides setxattr(2).
        typealias Set =
            @convention(c) (UnsafePointer<CChar>, UnsafePointer<CChar>, UnsafePointer<CChar>, Int, Int32) -> Int32
        let set = unsafeBitCast(try #require(dlsym(nil, "setxattr")), to: Set.self)
        let name: [CChar] = Array("user.".utf8CString.dropLast()) + [CChar(bitPattern: 0xff), 0]
        try #require(set(fixture.path("/x"), name, "v", 1, 0) == 0)
        #expect(throws: SystemError.self) { try Files.xattrs(fixture.path("/x")) }
        #expect(throws: (any Error).self) { try Base.capture(paths: ["/x"], root: fixture.root) }
    }
}
