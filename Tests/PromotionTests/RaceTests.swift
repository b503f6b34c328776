import Fork
import FoundationEssentials
import Glibc
import Linux
import Synchronization
import Testing

@testable import Promotion

/// Another program acts between the promoter's last look and its move: nothing of what it made may be lost or taken for Grace's.
@Suite(.enabled(if: isRoot, "needs root: files get owners of their own"))
struct RaceTests {
    enum Kind: String, CaseIterable { case file, link, directory }
    enum Way: String, CaseIterable { case modify, delete, create }

    /// A path with its old and new content for each way; `create` has nothing old, `delete` nothing new.
    private func setUp(_ fixture: Fixture, _ kind: Kind, _ way: Way) throws -> (ChangeSet, Base) {
        try fixture.directory("/d")
        try fixture.file("/d/another", "old")
        if way != .create {
            switch kind {
            case .file: try fixture.file("/d/x", "old")
            case .link: try Files.symlink("old", at: fixture.path("/d/x"))
            case .directory:
                try fixture.directory("/d/x")
                try fixture.file("/d/x/in", "old")
            }
        }
        try fixture.age()
        var changes = [try fixture.change("/d/another", .modify, "new")]
        switch (way, kind) {
        case (.delete, .file): changes.append(Change(path: "/d/x", kind: .delete, type: .file))
        case (.delete, .link): changes.append(Change(path: "/d/x", kind: .delete, type: .symlink))
        case (.delete, .directory): changes.append(Change(path: "/d/x", kind: .delete, type: .directory))
        case (_, .file): changes.append(try fixture.change("/d/x", way == .create ? .create : .modify, "new"))
        case (_, .link):
            changes.append(
                Change(
                    path: "/d/x", kind: way == .create ? .create : .modify, type: .symlink, mode: 0o777,
                    linkTarget: Data("new".utf8)))
        case (.create, .directory):
            changes.append(Change(path: "/d/x", kind: .create, type: .directory, mode: 0o755))
            changes.append(try fixture.change("/d/x/in", .create, "new"))
        case (.modify, .directory): changes.append(try fixture.change("/d/x", .replace, "new"))
        }
        let set = try ChangeSet(changes)
        return (set, try fixture.base(set))
    }

    /// As an editor or a package manager saves: a new file beside it, renamed over the name; whatever was there is out of the way first.
    private func replace(_ fixture: Fixture) throws {
        try fixture.file("/d/.tmp", "somebody's")
        let target = fixture.path("/d/x")
        if try Files.status(target)?.isDirectory == true { try Files.rename(target, fixture.path("/d/moved")) }
        try Files.rename(fixture.path("/d/.tmp"), target)
    }

    @Test("what is renamed over a name right before the move is live afterwards, and nothing is promoted")
    func forward() async throws {
        for kind in Kind.allCases {
            for way in Way.allCases {
                for kills in [false, true] {
                    let fixture = try Fixture(inMemory: true)
                    let (changes, base) = try setUp(fixture, kind, way)
                    let call: FileCall = way == .modify ? .exchange : .rename
                    let subject = way == .delete ? "/d/.grace-" : "/d/x"
                    let edge = Replacer(before: call, of: subject, kills: kills) { try self.replace(fixture) }
                    let note = "\(kind) \(way)\(kills ? ", killed after it" : "")"
                    var ending = "promoted"
                    do { _ = try await fixture.promoter(edge).promote(id: "m", changeSet: changes, base: base) } catch {
                        ending = "\(error)"
                    }
                    #expect(edge.hasActed, "\(note)")
                    let outcomes = try await fixture.promoter().recover()
                    #expect((try? fixture.text("/d/x")) == "somebody's", "\(note): \(ending), \(outcomes)")
                    #expect(try fixture.text("/d/another") == "old", "\(note): \(ending)")
                    #expect(ending != "promoted", "\(note)")
                }
            }
        }
    }

    @Test(
        "what is renamed over a promoted name right before it goes back is live afterwards, and the rollback is frozen")
    func back() async throws {
        for kind in Kind.allCases {
            for way in [Way.modify, .create] {
                for kills in [false, true] {
                    let fixture = try Fixture(inMemory: true)
                    let (changes, base) = try setUp(fixture, kind, way)
                    _ = try await fixture.promoter().promote(id: "m", changeSet: changes, base: base)
                    let edge = Replacer(
                        before: way == .modify ? .exchange : .rename, of: way == .modify ? "/d/x" : "/d/.grace-",
                        kills: kills
                    ) { try self.replace(fixture) }
                    let note = "\(kind) \(way)\(kills ? ", killed after it" : "")"
                    let result = try? await fixture.promoter(edge).rollback(id: "m")
                    #expect(edge.hasActed, "\(note)")
                    let outcomes = try await fixture.promoter().recover()
                    #expect(
                        (try? fixture.text("/d/x")) == "somebody's",
                        "\(note): \(result.map { "\($0)" } ?? "failed"), \(outcomes)")
                    #expect(result != .rolledBack, "\(note)")
                    #expect(fixture.promoter().status(id: "m")?.phase == .frozen, "\(note)")
                }
            }
        }
    }
}

/// Acts once before a call, and where it `kills` lets no call through after the one it acted before.
final class Replacer: FileEdge {
    private let call: FileCall
    private let subject: String
    private let kills: Bool
    private let act: @Sendable () throws -> Void
    private let state = Mutex<(acted: Bool, dead: Bool, failure: (any Error)?)>((false, false, nil))

    init(before call: FileCall, of subject: String, kills: Bool, _ act: @escaping @Sendable () throws -> Void) {
        (self.call, self.subject, self.kills, self.act) = (call, subject, kills, act)
    }

    var hasActed: Bool { state.withLock { $0.acted && $0.failure == nil } }

    func will(_ call: FileCall, _ subject: String) throws {
        try state.withLock { state in
            if state.dead { throw FaultEdge.Killed() }
            if state.acted {
                state.dead = kills
                if kills { throw FaultEdge.Killed() }
                return
            }
            let isInStash =
                self.subject.hasSuffix(".grace-") && subject.hasPrefix(self.subject) && subject.hasSuffix("/1")
            guard call == self.call, subject == self.subject || isInStash else { return }
            state.acted = true
            do { try act() } catch { state.failure = error }
        }
    }
}

/// The directories in which names move are moved, replaced or not there themselves.
@Suite(.enabled(if: isRoot, "needs root: it mounts"))
struct ParentTests {
    private func setUp(_ fixture: Fixture, _ top: String) throws -> (ChangeSet, Base) {
        for name in ["a", "b", "c", "gone"] { try fixture.file("\(top)/\(name)", "old") }
        try fixture.age()
        let set = try ChangeSet(
            [
                Change(path: BytePath("\(top)/gone"), kind: .delete, type: .file),
                fixture.change("\(top)/made", .create, "new"),
            ]
                + ["a", "b", "c"].map { try fixture.change("\(top)/\($0)", .modify, "new") })
        return (set, try fixture.base(set))
    }

    @Test(
        "a directory that is moved away in the midst of a promotion, and replaced, does not stay half new while success is told",
        arguments: [false, true])
    func movedAway(isCopied: Bool) async throws {
        let fixture = try Fixture(inMemory: true)
        try fixture.directory("/d")
        let (changes, base) = try setUp(fixture, "/d")
        let old = try fixture.picture().tree
        let edge = Replacer(before: .exchange, of: "/d/b", kills: false) {
            try Files.rename(fixture.path("/d"), fixture.path("/elsewhere"))
            if isCopied {
                // As cp -a does, the hidden directory with what is in it included.
                try fixture.directory("/d")
                for name in try Files.entries(fixture.path("/elsewhere")) {
                    try Self.copy(
                        BytePath(fixture.path("/elsewhere")).appending(name),
                        BytePath(fixture.path("/d")).appending(name))
                }
            } else {
                try fixture.directory("/d")
            }
        }
        var ending = "promoted"
        do { _ = try await fixture.promoter(edge).promote(id: "m", changeSet: changes, base: base) } catch {
            ending = "\(error)"
        }
        #expect(edge.hasActed)
        #expect(fixture.promoter().status(id: "m")?.phase == .frozen, "\(ending)")
        #expect(try await fixture.promoter().rollback(id: "m") != .rolledBack)
        // A person puts it right.
        try Files.removeTree(fixture.path("/d"))
        try Files.rename(fixture.path("/elsewhere"), fixture.path("/d"))
        #expect(try await fixture.promoter().rollback(id: "m") == .rolledBack)
        let (tree, hidden) = try fixture.picture()
        #expect(tree.filter { $0.key != "" } == old.filter { $0.key != "" } && hidden.isEmpty)
    }

    private static func copy(_ from: BytePath, _ to: BytePath) throws {
        if try Files.status(from)?.isDirectory == true {
            try Files.makeDirectory(to, mode: 0o700)
            for name in try Files.entries(from) { try copy(from.appending(name), to.appending(name)) }
        } else {
            try Files.write(try Files.open(to, flags: O_WRONLY | O_CREAT, mode: 0o644), try Files.read(from))
        }
    }

    @Test("recovery and rollback leave a promotion open while what it moved names on is not mounted")
    func notMounted() async throws {
        let fixture = try Fixture(inMemory: true)
        try fixture.directory("/srv")
        try Files.makeDirectory(fixture.directory + "/disk", mode: 0o755)
        func mountDisk() {
            #expect(mount(fixture.directory + "/disk", fixture.path("/srv"), nil, UInt(MS_BIND), nil) == 0)
        }
        func unmountDisk() { #expect(umount2(fixture.path("/srv"), 0) == 0) }
        mountDisk()
        defer { umount2(fixture.path("/srv"), 2) }
        let (changes, base) = try setUp(fixture, "/srv")
        let old = try fixture.picture().tree
        // Half-done, in the midst of the moves.
        let kill = Replacer(before: .exchange, of: "/srv/b", kills: true) {}
        _ = try? await fixture.promoter(kill).promote(id: "m", changeSet: changes, base: base)
        #expect(kill.hasActed)
        unmountDisk()
        let outcomes = try await fixture.promoter().recover()
        #expect(outcomes.map(\.live) == [.undecided], "\(outcomes)")
        #expect(outcomes.first?.reason.contains("/srv") == true)
        mountDisk()
        #expect(try await fixture.promoter().recover().map(\.live) == [.old])
        var (tree, hidden) = try fixture.picture()
        #expect(tree == old && hidden.isEmpty)
        // Whole, and to be taken back.
        _ = try await fixture.promoter().promote(id: "n", changeSet: changes, base: base)
        unmountDisk()
        await #expect(throws: PromotionError.self) { try await fixture.promoter().rollback(id: "n") }
        #expect(fixture.promoter().status(id: "n")?.phase == .promoted)
        mountDisk()
        #expect(try await fixture.promoter().rollback(id: "n") == .rolledBack)
        (tree, hidden) = try fixture.picture()
        #expect(tree == old && hidden.isEmpty)
    }
}

/// Attributes, and what comes into a directory, between a look and an act.
@Suite(.enabled(if: isRoot, "needs root: files get owners of their own"))
struct AttributeRaceTests {
    @Test("attributes go to the file they were meant for, not to what was renamed over its name meanwhile")
    func attributes() async throws {
        let fixture = try Fixture(inMemory: true)
        try fixture.file("/x", "ours")
        let changes = try ChangeSet([
            Change(
                path: "/x", kind: .metadata, type: .file, mode: 0o755,
                xattrs: ["security.capability": Data([1, 0, 0, 2, 0, 4, 0, 0] + [UInt8](repeating: 0, count: 12))])
        ])
        let base = try fixture.base(changes)
        let edge = NthCall(.xattr, of: "/x", number: 1) {
            try fixture.file("/stranger", "a stranger's")
            try Files.rename(fixture.path("/stranger"), fixture.path("/x"))
        }
        await #expect(throws: PromotionError.self) {
            try await fixture.promoter(edge).promote(id: "m", changeSet: changes, base: base)
        }
        #expect(edge.hasStruck)
        #expect(try fixture.text("/x") == "a stranger's")
        #expect(try Files.xattrs(fixture.path("/x")).isEmpty)
        #expect(try Files.status(fixture.path("/x"))?.mode == 0o644)
    }

    @Test("a rollback overwrites no mode that somebody set after it had looked at everything")
    func mode() async throws {
        let fixture = try Fixture(inMemory: true)
        try fixture.directory("/d")
        for name in ["a", "b"] { try fixture.file("/d/\(name)", "same") }
        try fixture.file("/d/c", "old")
        let changes = try ChangeSet(
            ["a", "b"].map { Change(path: BytePath("/d/\($0)"), kind: .metadata, type: .file, mode: 0o600) }
                + [fixture.change("/d/c", .modify, "new")])
        _ = try await fixture.promoter().promote(id: "m", changeSet: changes, base: fixture.base(changes))
        // The last goes back first.
        let edge = NthCall(.chmod, of: "/d/b", number: 1) { try Files.chmod(fixture.path("/d/a"), 0o640) }
        #expect(try await fixture.promoter(edge).rollback(id: "m") != .rolledBack)
        #expect(edge.hasStruck)
        #expect(try Files.status(fixture.path("/d/a"))?.mode == 0o640)
        // And what went back is as promoted again.
        #expect(try Files.status(fixture.path("/d/b"))?.mode == 0o600)
        #expect(try fixture.text("/d/c") == "new")
        let again = NthCall(.exchange, of: "/d/c", number: 1) {
            try Files.chmod(fixture.path("/d/b"), 0o444)
            try fixture.renamedOver("/d/c", "somebody's")
        }
        try Files.chmod(fixture.path("/d/a"), 0o600)
        #expect(try await fixture.promoter(again).rollback(id: "m") != .rolledBack)
        #expect(try Files.status(fixture.path("/d/b"))?.mode == 0o444, "set after it went back")
    }

    @Test("what comes into a new directory as recovery takes it away is live, and stays whatever a person does next")
    func filled() async throws {
        let fixture = try Fixture(inMemory: true)
        for name in ["a", "z"] { try fixture.file("/\(name)", "old") }
        try fixture.age()
        let changes = try ChangeSet([
            fixture.change("/a", .modify, "new"), Change(path: "/made", kind: .create, type: .directory, mode: 0o755),
            fixture.change("/made/in", .create, "new"), fixture.change("/z", .modify, "new"),
        ])
        let (base, old) = (try fixture.base(changes), try fixture.picture().tree)
        let kill = Replacer(before: .exchange, of: "/z", kills: true) {}
        _ = try? await fixture.promoter(kill).promote(id: "m", changeSet: changes, base: base)
        #expect(try Files.status(fixture.path("/made")) != nil && kill.hasActed)
        let edge = Replacer(before: .rename, of: "/.grace-", kills: false) {
            try fixture.file("/made/row", "somebody's")
        }
        _ = try await fixture.promoter(edge).recover()
        #expect(edge.hasActed && fixture.promoter().status(id: "m")?.phase == .frozen)
        #expect(try fixture.text("/made/row") == "somebody's")
        #expect(try await fixture.promoter().rollback(id: "m") != .rolledBack)
        #expect(try fixture.text("/made/row") == "somebody's")
        try Files.unlink(fixture.path("/made/row"))
        #expect(try await fixture.promoter().rollback(id: "m") == .rolledBack)
        let (tree, hidden) = try fixture.picture()
        #expect(tree == old && hidden.isEmpty)
    }
}
