import Documents
import Fork
import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Promotion

/// A real process, killed with SIGKILL right after its n-th system call.
///
/// `GRACE_KILLS=all` takes every call that changes files, a number that many of them in each test; without it a small sample. Samples
/// are from a printed seed.
@Suite(.enabled(if: isRoot, "needs root: files get owners of their own"))
struct KillTests {
    private struct End {
        var calls: Int
        var last: Int
        var isKilled: Bool
        var status: Int
    }

    private func run(_ what: String, _ fixture: Fixture, killAfter number: Int, all: Bool = false) async throws -> End {
        let output = try await Processes.run(
            try Products.path("syscall-killer"),
            arguments: (all ? [] : ["--changing"]) + [
                String(number), try Products.path("promotion-victim"), what, fixture.directory,
            ], timeout: .seconds(120))
        let text = String(decoding: output.stdout, as: UTF8.self)
        var values: [String: Int] = [:]
        for word in text.split(whereSeparator: \.isWhitespace) {
            let parts = word.split(separator: "=")
            if parts.count == 2 { values[String(parts[0])] = Int(parts[1]) }
        }
        return End(
            calls: try #require(values["calls"], "\(text)"), last: try #require(values["last"]),
            isKilled: values["killed"] == 1, status: try #require(values["status"]))
    }

    /// A fresh tree with a change set over every transition, its documents where the victim reads them.
    private func prepare(_ fixture: Fixture, many: Bool = false) throws {
        let (changes, base) = try many ? fixture.manyFiles() : fixture.everyTransition()
        try Files.writeAtomically(fixture.directory + "/changes.json", changes.manifest)
        try Files.writeAtomically(fixture.directory + "/base.json", base.document)
    }

    /// The numbers to kill at: all of them, or some spread over the whole.
    private func numbers(_ count: Int, _ name: String, sample: Int = 40) -> [Int] {
        let asked = Processes.currentEnvironment()["GRACE_KILLS"]
        if asked == "all" { return Array(1...count) }
        let sample = asked.flatMap { Int($0) } ?? sample
        let seed = UInt64.random(in: .min ... .max)
        print("\(name): seed \(seed), \(count) calls")
        var random = SeededRandom(state: seed)
        let width = max(1, count / sample)
        return stride(from: 1, through: count, by: width).map {
            min(count, $0 + Int.random(in: 0..<width, using: &random))
        }
    }

    private func expectWhole(
        _ fixture: Fixture, _ old: [String: String], _ new: [String: String], _ note: String
    ) throws -> Bool {
        let (tree, hidden) = try fixture.picture()
        let phase = fixture.promoter().status(id: "m")?.phase
        let isNew = phase == .promoted
        let wanted = isNew ? new : old
        expectSame(tree, wanted, "\(note), \(phase.map(\.rawValue) ?? "nothing")")
        if !isNew {
            #expect(phase == nil || phase == .rolledBack, "\(note): \(phase.map(\.rawValue) ?? "-")")
            #expect(hidden.isEmpty, "\(note): left behind \(hidden)")
        }
        // The journal agrees: live is never new without its intent there first.
        let journal = (try? Files.readString(fixture.directory + "/journal")) ?? ""
        if isNew { #expect(journal.contains("promotion.intent\n"), "\(note)") }
        return isNew
    }

    @Test func aPromoterKilledAfterAnySystemCallLeavesLiveEntirelyOldOrEntirelyNew() async throws {
        let fixture = try Fixture(inMemory: true)
        try prepare(fixture)
        let old = try fixture.picture().tree
        let whole = try await run("promote", fixture, killAfter: 0)
        #expect(whole.status == 0 && !whole.isKilled && whole.calls > 200)
        let new = try fixture.picture().tree
        var ends: Set<Bool> = []
        for number in numbers(whole.calls, "promote") + [whole.calls] {
            try prepare(fixture)
            try? Files.removeTree(fixture.directory + "/journal")
            let end = try await run("promote", fixture, killAfter: number)
            _ = try await fixture.promoter().recover()
            let note = "killed after call \(number) of \(whole.calls) (system call \(end.last))"
            ends.insert(try expectWhole(fixture, old, new, note))
            #expect(try await fixture.promoter().recover().isEmpty, "\(note): recovered twice")
        }
        #expect(ends == [true, false], "kills before and after the commit were both tried")
    }

    @Test func aPromotionOfManyFilesBySeveralThreadsKilledAnywhereIsEntirelyOldOrEntirelyNew() async throws {
        let fixture = try Fixture(inMemory: true)
        try prepare(fixture, many: true)
        let old = try fixture.picture().tree
        let whole = try await run("promote", fixture, killAfter: 0)
        #expect(whole.status == 0 && whole.calls > 1000)
        let new = try fixture.picture().tree
        var ends: Set<Bool> = []
        for number in numbers(whole.calls, "promote many", sample: 12) + [whole.calls] {
            try prepare(fixture, many: true)
            try? Files.removeTree(fixture.directory + "/journal")
            let end = try await run("promote", fixture, killAfter: number)
            _ = try await fixture.promoter().recover()
            ends.insert(
                try expectWhole(
                    fixture, old, new, "killed after call \(number) of \(whole.calls) (system call \(end.last))"))
        }
        #expect(ends == [true, false], "kills before and after the commit were both tried")
    }

    @Test func aCommitOfAForksOwnFilesKilledAnywhereIsWholeAndTheForkHasThemStill() async throws {
        let fixture = try Fixture(inMemory: true)
        let given = fixture.directory + "/given"
        func begin() throws -> [String: String] {
            try prepare(fixture)
            let changes = try ChangeSet.parse(manifest: Files.read(fixture.directory + "/changes.json"))
            try Files.removeTree(given)
            for change in changes.changes {
                guard let content = change.content else { continue }
                let path = BytePath(bytes: Array(given.utf8) + change.path.bytes)
                try Files.makeDirectory(path.parent, intermediate: true)
                try Files.writeAtomically(path, try fixture.blobs.read(content))
                try Files.chown(path, uid: change.uid, gid: change.gid)
                try Files.chmod(path, change.mode)
                for (name, value) in change.xattrs { try Files.setXattr(path, name: name, value: value) }
                if let modified = change.modified {
                    try Files.setTimes(path, accessed: nil, modified: FileTime(total: Int128(modified)))
                }
            }
            return try contents()
        }
        /// Every file, with its content and every attribute but its links.
        func contents() throws -> [String: String] {
            var found: [String: String] = [:]
            func walk(_ path: BytePath) throws {
                guard let status = try Files.status(path) else { return }
                if status.isDirectory {
                    for name in try Files.entries(path) { try walk(path.appending(name)) }
                } else {
                    found[path.display] =
                        "\(status.mode) \(status.uid) \(status.gid) \(status.modified.total) \(try Files.xattrs(path).keys.sorted()) \(Digest(of: try Files.read(path)).short)"
                }
            }
            try walk(BytePath(given))
            return found
        }
        _ = try begin()
        let old = try fixture.picture().tree
        let whole = try await run("give", fixture, killAfter: 0)
        #expect(whole.status == 0 && whole.calls > 200)
        let new = try fixture.picture().tree
        #expect(try Files.status(given + "/etc/new.conf")?.links == 2, "live is the fork's own")
        var ends: Set<Bool> = []
        for number in numbers(whole.calls, "give") + [whole.calls] {
            let before = try begin()
            try? Files.removeTree(fixture.directory + "/journal")
            let end = try await run("give", fixture, killAfter: number)
            _ = try await fixture.promoter().recover()
            let note = "killed after call \(number) of \(whole.calls) (system call \(end.last))"
            let (tree, hidden) = try fixture.picture()
            let phase = fixture.promoter().status(id: "m")?.phase
            let isNew = phase == .promoted || phase == .confirmed
            ends.insert(isNew)
            expectSame(tree, isNew ? new : old, "\(note), \(phase.map(\.rawValue) ?? "nothing")")
            if !isNew { #expect(hidden.isEmpty, "\(note): left behind \(hidden)") }
            expectSame(try contents(), before, "\(note): the fork")
            guard isNew else { continue }
            #expect(try await fixture.promoter().rollback(id: "m") == .rolledBack, "\(note)")
            expectSame(try fixture.picture().tree, old, "\(note), taken back")
            expectSame(try contents(), before, "\(note): the fork, after a rollback")
        }
        #expect(ends == [true, false], "kills before and after the commit were both tried")
    }

    @Test func aRollbackKilledAfterAnySystemCallEndsEntirelyOldOrIsStillEntirelyNew() async throws {
        let fixture = try Fixture(inMemory: true)
        try prepare(fixture)
        let old = try fixture.picture().tree
        _ = try await run("promote", fixture, killAfter: 0)
        let new = try fixture.picture().tree
        let whole = try await run("rollback", fixture, killAfter: 0)
        #expect(whole.status == 0 && whole.calls > 50)
        #expect(try fixture.picture().tree == old)
        for number in numbers(whole.calls, "rollback", sample: 25) {
            try prepare(fixture)
            _ = try await run("promote", fixture, killAfter: 0)
            let end = try await run("rollback", fixture, killAfter: number)
            _ = try await fixture.promoter().recover()
            _ = try expectWhole(
                fixture, old, new, "rollback killed after call \(number) of \(whole.calls) (system call \(end.last))")
        }
    }

    /// What a commit leaves in the promotion's own directory and a purge gives up, killed at any moment of its way there, back and
    /// out.
    @Test(arguments: ["stow", "unstow", "purge", "purge of a promotion"])
    func displacedFilesKilledOnTheirWayAreThereForARollbackOrGoneOnPurpose(what: String) async throws {
        let fixture = try Fixture(inMemory: true)
        try prepare(fixture)
        let old = try fixture.picture().tree
        _ = try await run("commit", fixture, killAfter: 0)
        let new = try fixture.picture()
        #expect(new.hidden.isEmpty && new.tree != old)
        let act = what == "stow" ? "commit" : what == "unstow" ? "rollback" : "purge"
        func begin() async throws {
            try prepare(fixture)
            switch what {
            case "stow": break
            case "purge of a promotion":
                _ = try await run("promote", fixture, killAfter: 0)
                try fixture.promoter().confirm(id: "m")
            default: _ = try await run("commit", fixture, killAfter: 0)
            }
        }
        try await begin()
        let whole = try await run(act, fixture, killAfter: 0)
        #expect(whole.status == 0 && whole.calls > 10)
        for number in numbers(whole.calls, what, sample: 25) + [whole.calls] {
            try await begin()
            let end = try await run(act, fixture, killAfter: number)
            let note = "\(what) killed after call \(number) of \(whole.calls) (system call \(end.last))"
            _ = try await fixture.promoter().recover()
            let phase = try #require(fixture.promoter().status(id: "m")?.phase, "\(note)")
            if phase == .rolledBack {
                #expect(what == "unstow", "\(note)")
            } else {
                #expect(phase == .confirmed || what == "stow" && phase == .promoted, "\(note): \(phase)")
                expectSame(try fixture.picture().tree, new.tree, note)
                if act == "purge" {
                    try fixture.promoter().purge(id: "m")
                } else {
                    let result = try await fixture.promoter().rollback(id: "m")
                    #expect(result == .rolledBack, "\(note): \(result)")
                }
            }
            let (tree, hidden) = try fixture.picture()
            expectSame(tree, act == "purge" ? new.tree : old, note + ", and ended after that")
            #expect(hidden.isEmpty, "\(note): left behind \(hidden)")
            #expect(try stowed(fixture).isEmpty, "\(note)")
        }
    }

    private func stowed(_ fixture: Fixture) throws -> [String] {
        try Files.entries(fixture.state + "/m").map { BytePath.display($0) }.filter { $0.hasPrefix("stash-") }
    }

    private func expectSame(_ tree: [String: String], _ wanted: [String: String], _ note: String) {
        let wrong = Set(tree.keys).union(wanted.keys).sorted().filter { tree[$0] != wanted[$0] }
        #expect(
            wrong.isEmpty,
            "\(note): \(wrong.map { "\($0): \(tree[$0] ?? "absent") instead of \(wanted[$0] ?? "absent")" })")
    }

    @Test func aRecoveryKilledAfterAnySystemCallIsFinishedByTheNext() async throws {
        let fixture = try Fixture(inMemory: true)
        try prepare(fixture)
        let old = try fixture.picture().tree
        let whole = try await run("promote", fixture, killAfter: 0)
        let new = try fixture.picture().tree
        // Half-way through the moves, so that there is something to recover.
        let half = whole.calls * 3 / 4
        try prepare(fixture)
        _ = try await run("promote", fixture, killAfter: half)
        let recovery = try await run("recover", fixture, killAfter: 0)
        #expect(recovery.calls > 20)
        for number in numbers(recovery.calls, "recover", sample: 20) {
            try prepare(fixture)
            _ = try await run("promote", fixture, killAfter: half)
            _ = try await run("recover", fixture, killAfter: number)
            _ = try await fixture.promoter().recover()
            _ = try expectWhole(
                fixture, old, new, "promotion killed after call \(half), recovery after \(number) of \(recovery.calls)")
        }
    }

    @Test func aRerunKilledAfterAnySystemCallHasRunAtMostOnceAndItsEffectDecides() async throws {
        let fixture = try Fixture(inMemory: true)
        let whole = try await run("rerun", fixture, killAfter: 0)
        #expect(whole.status == 0 && whole.calls > 30)
        for number in numbers(whole.calls, "rerun", sample: 25) {
            try fixture.reset()
            let end = try await run("rerun", fixture, killAfter: number)
            _ = try await fixture.promoter().recover()
            let note = "killed after call \(number) of \(whole.calls) (system call \(end.last))"
            let lines = (try? Files.readString(fixture.path("/ran")))?.split(separator: "\n").count ?? 0
            #expect(lines <= 1, "\(note): the command ran \(lines) times")
            switch fixture.promoter().status(id: "m")?.phase {
            case .promoted: #expect(lines == 1, "\(note)")
            case nil, .rolledBack: #expect(lines == 0, "\(note)")
            case let other: Issue.record("\(note): \(other.map(\.rawValue) ?? "-")")
            }
        }
    }
}
