import Fork
import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Promotion

/// How many entries `GRACE_MILLION` asks for.
private let asked: Int? = Processes.currentEnvironment()["GRACE_MILLION"].flatMap { Int($0) }.map {
    $0 == 1 ? 1_000_000 : $0
}

/// Very many entries: by `GRACE_MILLION=1` a million, by `GRACE_MILLION=N` as many. It prints times and the peak of memory.
@Suite(.enabled(if: isRoot && asked != nil, "takes long; asked for by GRACE_MILLION=1"))
struct MillionTests {
    private func peak() -> String {
        let status = (try? Files.readString("/proc/self/status")) ?? ""
        return status.split(separator: "\n").first { $0.hasPrefix("VmHWM") }.map { String($0.dropFirst(6)) } ?? "?"
    }

    private func timed<T>(_ what: String, _ body: () async throws -> T) async throws -> T {
        // The peak counts from here on (proc(5), clear_refs).
        try? Files.write(Files.open("/proc/self/clear_refs", flags: O_WRONLY), Array("5".utf8))
        let clock = ContinuousClock()
        let start = clock.now
        let result = try await body()
        print("\(what): \(clock.now - start), peak \(peak().filter { $0 != " " && $0 != "\t" })")
        return result
    }

    @Test("very many new files are promoted, taken back, and recovered after a kill")
    func files() async throws {
        let count = asked ?? 1000
        let fixture = try Fixture(inMemory: true)
        let (content, size) = try fixture.put("")
        var changes: [Change] = []
        for folder in 0..<((count + 999) / 1000) {
            try fixture.directory("/\(folder)")
            for number in 0..<min(1000, count - folder * 1000) {
                changes.append(
                    Change(
                        path: BytePath("/\(folder)/\(number)"), kind: .create, type: .file, mode: 0o644, size: size,
                        content: content))
            }
        }
        let set = try ChangeSet(changes)
        let base = try Base(set.changes.map { BaseEntry(path: $0.path, state: .absent) })
        func files() throws -> Int {
            try Files.entries(fixture.root).map { try Files.entries(BytePath(fixture.root).appending($0)) }
                .reduce(0) { $0 + $1.count { !$0.starts(with: ".grace-".utf8) } }
        }
        let result = try await timed("promotion of \(count) files") {
            try await fixture.promoter().promote(id: "m", changeSet: set, base: base)
        }
        #expect(try result.outcome == .promoted && files() == count)
        let back = try await timed("its rollback") { try await fixture.promoter().rollback(id: "m") }
        #expect(try back == .rolledBack && files() == 0)
        let path = "/\(count / 2000)/7"
        _ = try? await fixture.promoter(Killer(at: path)).promote(id: "n", changeSet: set, base: base)
        let half = try files()
        #expect(half > 0 && half < count)
        let outcomes = try await timed("recovery with \(half) of them made") { try await fixture.promoter().recover() }
        #expect(try outcomes.map(\.live) == [.old] && files() == 0)
    }
}

/// Lets no call through from a move on: dear where there are many calls, so it looks at moves alone until then.
private struct Killer: FileEdge {
    let path: String
    private let isDead = Flag()
    init(at path: String) { self.path = path }
    func will(_ call: FileCall, _ subject: String) throws {
        if isDead.isSet { throw FaultEdge.Killed() }
        guard call == .rename, subject == path else { return }
        isDead.set()
        throw FaultEdge.Killed()
    }
}

private final class Flag: @unchecked Sendable {
    private(set) var isSet = false
    func set() { isSet = true }
}
