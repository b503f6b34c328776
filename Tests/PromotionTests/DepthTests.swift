import Documents
import Fork
import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Promotion

/// Directories nested a thousand deep, by names of which a path is far longer than the kernel takes at once (PATH_MAX).
@Suite(.enabled(if: isRoot, "needs root: files get owners of their own"))
struct DepthTests {
    private static let depth = 1000

    private func path(_ top: String, _ depth: Int, _ name: String) -> BytePath {
        BytePath("/" + top + String(repeating: "/" + name, count: depth))
    }

    /// Makes the directories one in another, with a file in every hundredth.
    private func make(_ fixture: Fixture, _ top: String, _ name: String) throws {
        try fixture.directory("/" + top)
        var directory = try Files.open(fixture.path("/" + top), flags: O_RDONLY | O_DIRECTORY)
        for level in 1...Self.depth {
            let place = BytePath("/proc/self/fd/\(directory.raw)").appending(name)
            try Files.makeDirectory(place, mode: 0o755)
            directory = try Files.open(place, flags: O_RDONLY | O_DIRECTORY)
            guard level % 100 == 0 else { continue }
            let file = try Files.open(
                BytePath("/proc/self/fd/\(directory.raw)").appending("f"), flags: O_WRONLY | O_CREAT, mode: 0o644)
            try Files.write(file, Array("old".utf8))
        }
    }

    /// The base of everything in a tree that goes away.
    private func whole(_ fixture: Fixture, _ top: String, _ name: String) throws -> [BaseEntry] {
        let paths = (0...Self.depth).map { path(top, $0, name) }
        let files = (1...(Self.depth / 100)).map { path(top, $0 * 100, name).appending("f") }
        var entries = try Base.capture(paths: paths + files, root: fixture.root).entries
        for (index, entry) in entries.enumerated() {
            guard case .present(var state) = entry.state, state.type == .directory else { continue }
            let level = paths.firstIndex(of: entry.path) ?? 0
            state.listing =
                (level % 100 == 0 && level > 0 ? [Data("f".utf8)] : []) + (level < Self.depth ? [Data(name.utf8)] : [])
            state.listing?.sort { $0.lexicographicallyPrecedes($1) }
            entries[index].state = .present(state)
        }
        return entries
    }

    /// What is at the paths, by the fork's own eyes.
    private func picture(_ fixture: Fixture, _ paths: [BytePath]) throws -> [BaseEntry] {
        try Base.capture(paths: paths, root: fixture.root).entries
    }

    private static let isLong = Processes.currentEnvironment()["GRACE_DEPTH"] == "1"

    @Test("a file below a thousand levels, at a path longer than PATH_MAX, is promoted and taken back")
    func file() async throws {
        let fixture = try Fixture(inMemory: true)
        try make(fixture, "kept", "directory-")
        let last = path("kept", Self.depth, "directory-").appending("f")
        let other = last.parent.appending("g")
        let (content, size) = try fixture.put("new")
        let changes = try ChangeSet([
            Change(path: last, kind: .modify, type: .file, mode: 0o600, size: size, content: content),
            Change(path: other, kind: .create, type: .file, mode: 0o600, size: size, content: content),
        ])
        let base = try fixture.base(changes)
        let old = try picture(fixture, [last, other])
        _ = try await fixture.promoter().promote(id: "m", changeSet: changes, base: base)
        #expect(try Base.postImages(of: changes, base: base).conflicts(root: fixture.root).isEmpty)
        #expect(try await fixture.promoter().rollback(id: "m") == .rolledBack)
        #expect(try picture(fixture, [last, other]) == old)
    }

    /// `GRACE_DEPTH=1` takes names whose paths are longer than PATH_MAX, and kills, commits and purges too.
    @Test("trees of a thousand levels are promoted and taken back, with few open files")
    func trees() async throws {
        let name = Self.isLong ? "deep" : "d"
        let fixture = try Fixture(inMemory: true)
        try make(fixture, "gone", name)
        let (content, size) = try fixture.put("new")
        let made = (0...Self.depth).map { path("made", $0, name) }
        let file = path("made", Self.depth, name).appending("f")
        let changes = try ChangeSet(
            [
                Change(path: "/gone", kind: .delete, type: .directory),
                Change(path: file, kind: .create, type: .file, mode: 0o600, size: size, content: content),
            ] + made.map { Change(path: $0, kind: .create, type: .directory, mode: 0o750) })
        let base = try Base(
            whole(fixture, "gone", name) + (made + [file]).map { BaseEntry(path: $0, state: .absent) })
        let looked = [file, path("gone", Self.depth, name).appending("f"), path("made", Self.depth, name)]
        let old = try picture(fixture, looked)

        var limit = rlimit()
        getrlimit(__rlimit_resource_t(7), &limit)  // RLIMIT_NOFILE
        var few = limit
        few.rlim_cur = 256
        setrlimit(__rlimit_resource_t(7), &few)
        defer { setrlimit(__rlimit_resource_t(7), &limit) }

        _ = try await fixture.promoter().promote(id: "m", changeSet: changes, base: base)
        #expect(try Base.postImages(of: changes, base: base).conflicts(root: fixture.root).isEmpty)
        #expect(try picture(fixture, looked) != old)
        #expect(try await fixture.promoter().rollback(id: "m") == .rolledBack)
        #expect(try picture(fixture, looked) == old)
        #expect(try Files.entries(fixture.root).count == 1)
        guard Self.isLong else { return }

        let kill = Replacer(before: .rename, of: "/made", kills: true) {}
        _ = try? await fixture.promoter(kill).promote(id: "n", changeSet: changes, base: base)
        #expect(kill.hasActed)
        #expect(try await fixture.promoter().recover().map(\.live) == [.old])
        #expect(try picture(fixture, looked) == old)
        #expect(try Files.entries(fixture.root).count == 1)

        _ = try await fixture.promoter().commit(id: "o", changeSet: changes, base: base)
        try fixture.promoter().purge(id: "o")
        #expect(try Files.entries(fixture.root).count == 1)
    }
}
