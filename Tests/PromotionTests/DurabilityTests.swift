import Fork
import FoundationEssentials
import Glibc
import Linux
import Synchronization
import Testing

@testable import Promotion

/// What is told is on disk, and what can't be put on disk is told.
@Suite(.enabled(if: isRoot, "mounts small file systems"))
struct DurabilityTests {
    private func small(_ fixture: Fixture, _ options: String, _ body: (Fixture) async throws -> Void) async throws {
        let path = fixture.directory + "/small"
        try Files.makeDirectory(path, mode: 0o755)
        try #require(mount("tmpfs", path, "tmpfs", 0, options) == 0)
        defer { umount2(path, 2) }
        let inner = try Fixture(on: path)
        try inner.reset()
        try await body(inner)
    }

    /// Takes all the room there is left on a file system.
    private func fill(_ directory: String) throws {
        let file = try Files.open(directory + "/filler", flags: O_WRONLY | O_CREAT, mode: 0o600)
        for piece in [1 << 16, 1] {
            let bytes = [UInt8](repeating: 1, count: piece)
            while (try? Files.write(file, bytes)) != nil {}
        }
    }

    @Test("a promotion is taken back though the disk is full by then", arguments: [false, true])
    func full(isCommit: Bool) async throws {
        let fixture = try Fixture()
        try await small(fixture, "size=8m") { fixture in
            for name in ["a", "b", "gone"] { try fixture.file("/\(name)", "old") }
            try fixture.age()
            let changes = try ChangeSet([
                fixture.change("/a", .modify, "new"), fixture.change("/b", .modify, "new"),
                Change(path: "/gone", kind: .delete, type: .file), fixture.change("/made", .create, "new"),
            ])
            let (base, old) = (try fixture.base(changes), try fixture.picture().tree)
            if isCommit {
                _ = try await fixture.promoter().commit(id: "m", changeSet: changes, base: base)
            } else {
                _ = try await fixture.promoter().promote(id: "m", changeSet: changes, base: base)
            }
            try fill(fixture.directory)
            #expect(try await fixture.promoter().rollback(id: "m") == .rolledBack)
            let (tree, hidden) = try fixture.picture()
            #expect(tree == old && hidden.isEmpty)
        }
    }

    @Test("a commit that can't be recorded as confirmed is taken back, and says so")
    func commit() async throws {
        let fixture = try Fixture(inMemory: true)
        try fixture.file("/a", "old")
        try fixture.age()
        let changes = try ChangeSet([fixture.change("/a", .modify, "new")])
        let (base, old) = (try fixture.base(changes), try fixture.picture().tree)
        // The phases are replaced one after another: preparing, applying, committed, promoted, confirmed.
        let edge = NthCall(.rename, of: "\(fixture.state)/m/phase.json", number: 5) {
            throw SystemError(call: "renameat2", subject: "", code: ENOSPC)
        }
        do {
            _ = try await fixture.promoter(edge).commit(id: "m", changeSet: changes, base: base)
            Issue.record("it was committed")
        } catch PromotionError.failed(let reason) {
            #expect(reason.contains("ENOSPC") || reason.contains("space"), "\(reason)")
        }
        #expect(edge.hasStruck && fixture.promoter().status(id: "m")?.phase == .rolledBack)
        let (tree, hidden) = try fixture.picture()
        #expect(tree == old && hidden.isEmpty)
    }

    @Test("a rollback that met a conflict and went forward again is on disk before it is recorded as whole")
    func whole() async throws {
        let fixture = try Fixture(inMemory: true)
        try fixture.directory("/d")
        for name in ["a", "b", "c"] { try fixture.file("/d/\(name)", "old") }
        try fixture.age()
        let changes = try ChangeSet(["a", "b", "c"].map { try fixture.change("/d/\($0)", .modify, "new") })
        _ = try await fixture.promoter().promote(id: "m", changeSet: changes, base: fixture.base(changes))
        // Going back begins with the last.
        let edge = NthCall(.exchange, of: "/d/a", number: 1) { try fixture.renamedOver("/d/a", "somebody's") }
        #expect(try await fixture.promoter(edge).rollback(id: "m") != .rolledBack)
        #expect(edge.hasStruck && fixture.promoter().status(id: "m")?.phase == .frozen)
        let seen = edge.seen
        let move = try #require(seen.lastIndex { $0 == "exchange /d/c" })
        let record = try #require(seen.lastIndex { $0.hasPrefix("rename") && $0.hasSuffix("phase.json") })
        let between = seen[move..<record]
        #expect(
            between.contains { $0 == "fsync /d" || $0.hasPrefix("syncfs") }, "\(between.joined(separator: "\n"))")
    }

    /// The kernel tells of a write that failed in the background once; another program's sync must not swallow it.
    @Test(
        "a write that fails in the background fails the promotion, though another program asked the kernel before",
        .enabled(
            if: access("/dev/loop-control", F_OK) == 0 && access("/usr/sbin/mkfs.ext4", X_OK) == 0, "needs loop devices"
        ))
    func writeback() async throws {
        let fixture = try Fixture()
        // Of 64 MiB, some are there: more than the file system's own tables need, fewer than the new file takes.
        let backing = fixture.directory + "/backing"
        try Files.makeDirectory(backing, mode: 0o755)
        try #require(mount("tmpfs", backing, "tmpfs", 0, "size=24m") == 0)
        defer { umount2(backing, 2) }
        let disk = try Files.open(backing + "/disk", flags: O_RDWR | O_CREAT, mode: 0o600)
        try Files.truncate(disk, to: 64 << 20)
        let made = try await Processes.run(
            "/usr/sbin/mkfs.ext4",
            arguments: ["-q", "-F", "-b", "4096", "-N", "1024", "-m", "0", "-O", "^has_journal", backing + "/disk"],
            timeout: .seconds(60))
        try #require(made.isSuccess, "\(String(decoding: made.stderr, as: UTF8.self))")
        // The file system's tables and its first blocks are there for good; only the new file's last ones find no room.
        let tables = try Files.pread(disk, count: 8 << 20, offset: 0)
        lseek(disk.raw, 0, SEEK_SET)
        try Files.write(disk, tables)
        let loop = try LoopDevice.attach(disk)
        let live = fixture.path("/live")
        try Files.makeDirectory(live, mode: 0o755)
        try loop.mountExt4(at: live)
        defer { umount2(live, 2) }
        var text = ""
        for number in 0..<2_500_000 { text += "\(number % 10)line \(number)\n" }
        let changes = try ChangeSet([fixture.change("/live/new", .create, text)])
        let base = try fixture.base(changes)
        let edge = NthCall(.write, of: "\(fixture.state)/m/reserve", number: 1) {
            // Everything is staged. Another program's call:
            do { try Files.syncfs(live) } catch { print("another program was told: \(error)") }
        }
        do {
            _ = try await fixture.promoter(edge).promote(id: "m", changeSet: changes, base: base)
            Issue.record("promoted, and lost with the page cache")
        } catch { print("the promoter was told: \(error)") }
        #expect(edge.hasStruck)
    }
}

extension Fixture {
    /// A new file renamed over a name: a lease on the one before does not make this wait, as writing it would.
    func renamedOver(_ path: String, _ text: String) throws {
        try file(path + ".tmp", text)
        try Files.rename(self.path(path + ".tmp"), self.path(path))
    }
}

/// Does something, or fails, at the n-th call of a kind on something, and keeps what was called.
final class NthCall: FileEdge {
    private let call: FileCall
    private let subject: String
    private let number: Int
    private let act: @Sendable () throws -> Void
    private let state = Mutex<(count: Int, seen: [String])>((0, []))

    init(_ call: FileCall, of subject: String, number: Int, _ act: @escaping @Sendable () throws -> Void) {
        (self.call, self.subject, self.number, self.act) = (call, subject, number, act)
    }

    var hasStruck: Bool { state.withLock { $0.count } >= number }
    var seen: [String] { state.withLock { $0.seen } }

    func will(_ call: FileCall, _ subject: String) throws {
        let strikes = state.withLock { state in
            state.seen.append("\(call) \(subject)")
            guard call == self.call, subject == self.subject else { return false }
            state.count += 1
            return state.count == number
        }
        if strikes { try act() }
    }
}
