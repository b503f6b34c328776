import Fork
import FoundationEssentials
import Linux
import Testing

@testable import Promotion

/// Random trees, random changes, random kills.
@Suite(.enabled(if: isRoot, "needs root: files get owners of their own"))
struct PropertyTests {
    private func randomTree(_ fixture: Fixture, _ random: inout SeededRandom) throws -> [String] {
        var directories = [""]
        var paths: [String] = []
        for number in 0..<Int.random(in: 3...14, using: &random) {
            let parent = directories.randomElement(using: &random) ?? ""
            let path = "\(parent)/\(["a", "b-", "ü", "z z"].randomElement(using: &random) ?? "n")\(number)"
            switch Int.random(in: 0..<5, using: &random) {
            case 0, 1:
                try fixture.directory(path)
                directories.append(path)
            case 2: try Files.symlink("target\(number)", at: fixture.path(path))
            case 3: try Files.mknod(fixture.path(path), kind: .fifo, mode: 0o640)
            default:
                try fixture.file(
                    path, String(repeating: "x", count: number),
                    mode: [0o644, 0o600, 0o4755].randomElement(using: &random) ?? 0o644)
            }
            paths.append(path)
        }
        try fixture.age()
        return paths
    }

    private func entry(
        _ fixture: Fixture, _ path: String, _ kind: Change.Kind, type: FileType, _ random: inout SeededRandom
    ) throws -> Change {
        let (mode, uid): (UInt32, UInt32) = (
            [0o600, 0o755, 0o2711].randomElement(using: &random) ?? 0o700, UInt32.random(in: 0...3, using: &random)
        )
        switch type {
        case .file: return try fixture.change(path, kind, "new \(random.next() % 5)", mode: mode, uid: uid)
        case .symlink:
            return Change(
                path: BytePath(path), kind: kind, type: .symlink, mode: 0o777, uid: uid,
                linkTarget: Data("to\(random.next() % 9)".utf8))
        default: return Change(path: BytePath(path), kind: kind, type: type, mode: mode, uid: uid)
        }
    }

    private func randomChanges(_ fixture: Fixture, _ paths: [String], _ random: inout SeededRandom) throws -> ChangeSet
    {
        var changes: [Change] = []
        var closed: [String] = []
        for path in paths where !closed.contains(where: { path.hasPrefix($0 + "/") }) {
            guard let status = try Files.status(fixture.path(path)) else { continue }
            let type: FileType =
                status.isDirectory ? .directory : status.isSymlink ? .symlink : status.isFile ? .file : .fifo
            switch Int.random(in: 0..<7, using: &random) {
            case 0:
                changes.append(Change(path: BytePath(path), kind: .delete, type: type))
                closed.append(path)
            case 1:
                let other =
                    [FileType.file, .symlink, .directory, .fifo].filter { $0 != type }.randomElement(using: &random)
                    ?? .file
                changes.append(try entry(fixture, path, .replace, type: other, &random))
                closed.append(path)
                if other == .directory {
                    changes.append(try entry(fixture, path + "/in", .create, type: .file, &random))
                }
            case 2 where type == .file || type == .symlink:
                changes.append(try entry(fixture, path, .modify, type: type, &random))
            case 3:
                changes.append(
                    Change(
                        path: BytePath(path), kind: .metadata, type: type, mode: type == .symlink ? 0o777 : 0o710,
                        uid: UInt32.random(in: 0...9, using: &random)))
            case 4 where type == .directory:
                changes.append(try entry(fixture, path + "/zz", .create, type: .file, &random))
            default: break
            }
        }
        changes.append(try entry(fixture, "/created", .create, type: .directory, &random))
        changes.append(try entry(fixture, "/created/x", .create, type: .symlink, &random))
        return try ChangeSet(changes)
    }

    @Test func anyChangeSetIsPromotedRolledBackAndSurvivesAKillAnywhere() async throws {
        let fixture = try Fixture(inMemory: true)
        let seed = UInt64.random(in: .min ... .max)
        print("seed \(seed)")
        for round in 0..<80 {
            let shape = SeededRandom(state: seed &+ UInt64(round))
            func prepare() throws -> (ChangeSet, Base) {
                var random = shape
                try fixture.reset()
                let changes = try randomChanges(fixture, randomTree(fixture, &random), &random)
                return (changes, try fixture.base(changes))
            }
            let (changes, base) = try prepare()
            let old = try fixture.picture().tree
            let count = FaultEdge(.kill, at: .max)
            _ = try await fixture.promoter(count).promote(id: "m", changeSet: changes, base: base)
            let new = try fixture.picture().tree
            // What is live is what the change set says, seen by the fork's own eyes.
            #expect(
                try Base.postImages(of: changes, base: base).conflicts(root: fixture.root).isEmpty,
                "seed \(seed), round \(round)")
            #expect(try await fixture.promoter().rollback(id: "m") == .rolledBack)
            #expect(try fixture.picture().tree == old, "seed \(seed), round \(round)")

            var random = SeededRandom(state: seed ^ UInt64(round))
            for _ in 0..<3 {
                let (changes, base) = try prepare()
                let number = Int.random(in: 1...count.calls, using: &random)
                _ = try? await fixture.promoter(FaultEdge(.kill, at: number)).promote(
                    id: "m", changeSet: changes, base: base)
                _ = try await fixture.promoter().recover()
                let found = try fixture.picture()
                let isNew = fixture.promoter().status(id: "m")?.phase == .promoted
                #expect(found.tree == (isNew ? new : old), "seed \(seed), round \(round), killed at \(number)")
                #expect(isNew || found.hidden.isEmpty, "seed \(seed), round \(round), killed at \(number)")
            }
        }
    }
}
