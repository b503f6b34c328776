import Fork
import FoundationEssentials
import Glibc
import Linux
import Synchronization
import Testing

@testable import Promotion

@Suite(.enabled(if: isRoot, "mounts small file systems"))
struct RoomTests {
    /// Mounts a small file system at `path` while `body` runs.
    private func small(_ path: String, _ options: String, _ body: () async throws -> Void) async throws {
        try Files.makeDirectory(path, mode: 0o755, intermediate: true)
        try #require(mount("tmpfs", path, "tmpfs", 0, options) == 0)
        let result: Result<Void, any Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        umount2(path, 2)
        try result.get()
    }

    private func refusal(_ fixture: Fixture, _ changes: ChangeSet) async throws -> String {
        let base = try fixture.base(changes)
        let before = try fixture.picture()
        let error = await #expect(throws: PromotionError.self) {
            try await fixture.promoter().promote(id: "m", changeSet: changes, base: base)
        }
        guard case .refused(let reasons)? = error else { return "\(error.map { "\($0)" } ?? "nothing thrown")" }
        let after = try fixture.picture()
        #expect(after.tree == before.tree && after.hidden.isEmpty && fixture.promoter().status(id: "m") == nil)
        return reasons.joined(separator: "; ")
    }

    @Test("a change that the file system has no room for is refused with figures, and one that fits is not")
    func bytes() async throws {
        let fixture = try Fixture(inMemory: true)
        try await small(fixture.root + "/srv", "size=2m") {
            try fixture.file("/srv/old", String(repeating: "o", count: 900_000))
            let big = try ChangeSet([
                fixture.change("/srv/old", .modify, String(repeating: "n", count: 900_000)),
                fixture.change("/srv/new", .create, String(repeating: "m", count: 900_000)),
            ])
            let said = try await refusal(fixture, big)
            #expect(said.hasPrefix("/srv: up to 1 MiB and 3 inodes are needed on its file system"), "\(said)")
            #expect(said.contains("1 MiB and ") && said.hasSuffix("Make room first"), "\(said)")
            // Four MiB, of which a block is there, as the fork's own file has it.
            let sparse = try Files.open(fixture.directory + "/sparse", flags: O_RDWR | O_CREAT, mode: 0o600)
            try Files.truncate(sparse, to: 4 << 20)
            lseek(sparse.raw, 0, SEEK_END)
            try Files.write(sparse, Array("end".utf8))
            let fits = try ChangeSet([
                fixture.change("/srv/old", .modify, String(repeating: "n", count: 900_000)),
                fixture.change("/srv/sparse", .create, String(repeating: "\0", count: 4 << 20) + "end"),
            ])
            try fixture.blobs.put(file: sparse)
            let result = try await fixture.promoter().promote(id: "n", changeSet: fits, base: fixture.base(fits))
            #expect(result.outcome == .promoted)
            #expect(try await fixture.promoter().rollback(id: "n") == .rolledBack)
        }
    }

    @Test("a change that the file system has no inodes for is refused with figures")
    func inodes() async throws {
        let fixture = try Fixture(inMemory: true)
        try await small(fixture.root + "/srv", "size=2m,nr_inodes=10") {
            let many = try ChangeSet((0..<12).map { try fixture.change("/srv/\($0)", .create, "x") })
            let said = try await refusal(fixture, many)
            #expect(said.contains("13 inodes are needed") && said.contains(" and 9 inodes are free"), "\(said)")
            let few = try ChangeSet((0..<5).map { try fixture.change("/srv/\($0)", .create, "x") })
            _ = try await fixture.promoter().promote(id: "n", changeSet: few, base: fixture.base(few))
        }
    }

    @Test("a journal that has no room is refused before anything is staged")
    func journal() async throws {
        let fixture = try Fixture(inMemory: true)
        try await small(fixture.state, "size=64k") {
            let changes = try ChangeSet((0..<100).map { try fixture.change("/\($0)", .create, "x") })
            let said = try await refusal(fixture, changes)
            #expect(said.hasPrefix(BytePath(fixture.state).display), "\(said)")
        }
    }

    @Test(
        "where the disk of the journal fills up while live changes, the promotion is taken back and its record closed")
    func fullMeanwhile() async throws {
        let fixture = try Fixture(inMemory: true)
        try await small(fixture.state, "size=256k") {
            try fixture.file("/a", "old")
            try fixture.file("/b", "old")
            let changes = try ChangeSet([
                fixture.change("/a", .modify, "new"), fixture.change("/b", .modify, "new"),
            ])
            let base = try fixture.base(changes)
            let edge = Filler(fixture)
            await #expect(throws: PromotionError.self) {
                try await fixture.promoter(edge).promote(id: "m", changeSet: changes, base: base)
            }
            #expect(edge.hasFilled)
            #expect(fixture.promoter().status(id: "m")?.phase == .rolledBack)
            #expect(try fixture.text("/a") == "old" && fixture.text("/b") == "old")
            #expect(try fixture.picture().hidden.isEmpty)
        }
    }
}

/// Fills the disk of the journal at the first exchange, and changes a file that is still to be exchanged.
private final class Filler: FileEdge {
    private let fixture: Fixture
    private let isDone = Mutex(false)

    init(_ fixture: Fixture) { self.fixture = fixture }

    var hasFilled: Bool { isDone.withLock { $0 } }

    func will(_ call: FileCall, _ subject: String) throws {
        guard call == .exchange, !hasFilled else { return }
        isDone.withLock { $0 = true }
        try fixture.file("/b", "somebody else's")
        try fixture.file("/b", "old")
        try Files.chmod(fixture.path("/b"), 0o600)
        let file = try Files.open(fixture.state + "/filler", flags: O_WRONLY | O_CREAT, mode: 0o600)
        while (try? Files.write(file, Array(repeating: UInt8(ascii: "f"), count: 4096))) != nil {}
    }
}
