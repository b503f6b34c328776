import Fork
import FoundationEssentials
import Glibc
import Linux
import Synchronization
import Testing

@testable import Promotion

/// A file system that gives no leases, as several of networks do.
struct Leaseless: FileEdge {
    func will(_ call: FileCall, _ subject: String) throws {
        if call == .lease { throw SystemError(call: "fcntl(F_SETLEASE)", subject: subject, code: EINVAL) }
    }
}

/// Another program that appends rows to a file, each by an open, a write and a close of its own, until it is stopped.
private final class Appender: Sendable {
    private let isStopped = Atomic(false)
    private let written = Mutex<[Int]>([])
    private let ended = Gate()

    init(_ path: String, after microseconds: UInt32, pause: UInt32) throws {
        try Threads.start("appender") { [self] in
            usleep(microseconds)
            var number = 0
            while !isStopped.load(ordering: .relaxed) {
                // Waits where a lease holds, for as long as that does.
                if let file = try? Files.open(path, flags: O_WRONLY | O_APPEND) {
                    usleep(pause)
                    number += 1
                    if (try? Files.write(file, Array("+\(number);".utf8))) != nil {
                        written.withLock { $0.append(number) }
                    }
                }
                usleep(pause)
            }
            ended.open()
        }
    }

    /// The rows, in order, that were written.
    func stop() -> String {
        isStopped.store(true, ordering: .relaxed)
        ended.wait()
        return written.withLock { $0 }.map { "+\($0);" }.joined()
    }
}

/// Opened once; whoever waits goes on then.
private final class Gate: Sendable {
    private let isOpen = Atomic(false)
    func open() { isOpen.store(true, ordering: .releasing) }
    func wait() { while !isOpen.load(ordering: .acquiring) { usleep(200) } }
}

@Suite(.enabled(if: isRoot, "needs root: files get owners of their own"))
struct WriterTests {
    private func setUp(_ fixture: Fixture) throws -> (ChangeSet, Base) {
        try fixture.reset()
        try fixture.directory("/d")
        var changes: [Change] = []
        for number in 0..<40 {
            try fixture.file("/d/\(number)", "old")
            changes.append(try fixture.change("/d/\(number)", .modify, "new"))
        }
        try fixture.age()
        let set = try ChangeSet(changes)
        return (set, try fixture.base(set))
    }

    @Test("no row of a program that writes while live is changed, and back again, is lost", arguments: [true, false])
    func rows(withLeases: Bool) async throws {
        let fixture = try Fixture(inMemory: true)
        let edge: any FileEdge = withLeases ? KernelEdge() : Leaseless()
        var ends: [String: Int] = [:]
        for round in 0..<32 {
            let (changes, base) = try setUp(fixture)
            let isBack = round % 2 == 1
            if isBack { _ = try await fixture.promoter(edge).promote(id: "m", changeSet: changes, base: base) }
            let writer = try Appender(
                fixture.path("/d/20"), after: .random(in: 0..<30_000), pause: round % 4 < 2 ? 0 : 300)
            var end: String
            do {
                if isBack {
                    end = try await fixture.promoter(edge).rollback(id: "m") == .rolledBack ? "rolled back" : "kept"
                    let isWhole = try fixture.promoter().store.phase(of: "m")?.isWhole ?? false
                    if end == "kept" && !isWhole { end = "kept, rows in both" }
                } else {
                    end = "\(try await fixture.promoter(edge).promote(id: "m", changeSet: changes, base: base).outcome)"
                }
            } catch PromotionError.conflict {
                end = "conflict"
            } catch PromotionError.frozen {
                end = "frozen"
            }
            let rows = writer.stop()
            let text = try fixture.text("/d/20")
            ends[end, default: 0] += 1
            switch end {
            case "promoted", "kept": #expect(text == "new" + rows, "round \(round), \(end)")
            case "conflict", "rolled back": #expect(text == "old" + rows, "round \(round), \(end)")
            default:
                // Half-done with rows in both: nothing was thrown away, and a person is told.
                let hidden = try fixture.picture().hidden.map { try Files.entries($0) }.flatMap { $0 }
                #expect(!hidden.isEmpty, "round \(round), \(end)")
            }
        }
        print("writers \(withLeases ? "with" : "without") leases: \(ends)")
    }

    @Test("without leases, a file that somebody holds open for writing is a conflict all the same")
    func open() async throws {
        let fixture = try Fixture()
        let (changes, base) = try setUp(fixture)
        var writer = try Files.open(fixture.path("/d/7"), flags: O_WRONLY)
        await #expect(throws: PromotionError.self) {
            try await fixture.promoter(Leaseless()).promote(id: "m", changeSet: changes, base: base)
        }
        #expect(try fixture.text("/d/7") == "old" && fixture.picture().hidden.isEmpty)
        writer.close()
        let result = try await fixture.promoter(Leaseless()).promote(id: "n", changeSet: changes, base: base)
        #expect(result.outcome == .promoted && result.unleased == 40)
        writer = try Files.open(fixture.path("/d/7"), flags: O_WRONLY)
        #expect(try await fixture.promoter(Leaseless()).rollback(id: "n") != .rolledBack)
        #expect(try fixture.text("/d/7") == "new")
        try Files.write(writer, Array("row".utf8))
        #expect(try fixture.text("/d/7") == "row")
    }

    @Test(
        "without leases, what was written into a displaced file is found out by its bytes, whatever its size and time say"
    )
    func displaced() async throws {
        let fixture = try Fixture(inMemory: true)
        let (changes, base) = try setUp(fixture)
        let old = try fixture.picture().tree
        let edge = DisplacedWriter(fixture.path("/d/7"))
        await #expect(throws: PromotionError.self) {
            try await fixture.promoter(edge).promote(id: "m", changeSet: changes, base: base)
        }
        #expect(edge.hasWritten)
        #expect(try fixture.text("/d/7") == "row")
        var after = try fixture.picture().tree
        after["/d/7"] = old["/d/7"]
        #expect(after == old)
    }

    @Test("a file that somebody writes in a directory that goes away, or that a rollback takes away, is a conflict")
    func inATree() async throws {
        let fixture = try Fixture()
        try fixture.reset()
        try fixture.directory("/gone")
        try fixture.directory("/gone/sub")
        try fixture.file("/gone/sub/log", "old")
        try fixture.age()
        let changes = try ChangeSet([
            Change(path: "/gone", kind: .delete, type: .directory),
            Change(path: "/made", kind: .create, type: .directory, mode: 0o755),
            fixture.change("/made/log", .create, "new"),
        ])
        let base = try fixture.base(changes)
        let before = try fixture.picture()
        var writer = try Files.open(fixture.path("/gone/sub/log"), flags: O_WRONLY)
        await #expect(throws: PromotionError.self) {
            try await fixture.promoter().promote(id: "m", changeSet: changes, base: base)
        }
        let after = try fixture.picture()
        #expect(after.tree == before.tree && after.hidden.isEmpty)
        writer.close()
        _ = try await fixture.promoter().promote(id: "n", changeSet: changes, base: base)
        writer = try Files.open(fixture.path("/made/log"), flags: O_WRONLY)
        #expect(try await fixture.promoter().rollback(id: "n") != .rolledBack)
        try Files.write(writer, Array("row".utf8))
        #expect(try fixture.text("/made/log") == "row")
    }
}

/// Writes into a file once it was displaced, at the moment when its step is over, keeps its size and time, and closes it.
private final class DisplacedWriter: FileEdge {
    private let file: Mutex<Descriptor?>
    private let isDone = Mutex(false)

    init(_ path: String) {
        file = Mutex(try? Files.open(path, flags: O_RDWR))
    }

    var hasWritten: Bool { isDone.withLock { $0 } }

    func will(_ call: FileCall, _ subject: String) throws {
        if call == .exchange, subject == "/d/8" {
            // The one before is done.
            file.withLock { file in
                guard let open = file, let status = try? Files.status(of: open) else { return }
                try? Files.write(open, Array("row".utf8))
                var times = [
                    timespec(tv_sec: 0, tv_nsec: 0x3fff_fffe),
                    timespec(tv_sec: Int(status.modified.seconds), tv_nsec: Int(status.modified.nanoseconds)),
                ]
                _ = futimens(open.raw, &times)
                open.close()
                file = nil
                isDone.withLock { $0 = true }
            }
        }
        if call == .lease { throw SystemError(call: "fcntl(F_SETLEASE)", subject: subject, code: EINVAL) }
    }
}
