import Documents
import FoundationEssentials
import Linux
import Testing

@testable import Fork

@Suite(.enabled(if: isRoot, "mounting overlays needs root"))
struct RandomChangeTests {
    /// Names that are awkward for somebody: blanks, quotes, newlines, bytes that are not UTF-8, terminal controls, a dash.
    static let names = ["a", "b", "c d", "n\\nl", "\\xff\\xfe", "\\x1b[31m", "-dash", "\\u00e9", "q\\'q", "a.b", ".h"]

    struct Script {
        var random: Seeded

        mutating func path() -> String {
            let depth = Int.random(in: 1...3, using: &random)
            let names = (0..<depth).map { _ in RandomChangeTests.names.randomElement(using: &random) ?? "a" }
            return "$'./\(names.joined(separator: "/"))'"
        }

        mutating func command() -> String {
            let (x, y) = (path(), path())
            let word = Int.random(in: 0..<4, using: &random)
            switch Int.random(in: 0..<20, using: &random) {
            case 0...3: return "[ -d \(x) ] || [ -p \(x) ] || printf 'text \(word)' >\(x)"
            case 4: return "[ -f \(x) ] && printf 'more \(word)' >>\(x)"
            case 5:
                return
                    "[ -f \(x) ] && cp -p \(x) /dev/shm/same-$$ && cat /dev/shm/same-$$ >\(x); rm -f /dev/shm/same-$$"
            case 6: return "rm -f \(x)"
            case 7: return "rm -rf \(x)"
            case 8...10: return "mkdir -p \(x)"
            case 11: return "[ -e \(x) ] || [ -L \(x) ] || ln -s target-\(word) \(x)"
            case 12: return "[ -d \(y) ] || { [ -f \(x) ] && [ ! -L \(x) ] && ln -fT \(x) \(y); }"
            case 13: return "[ -d \(x) ] || [ -d \(y) ] || mv -fT \(x) \(y)"
            case 14: return "[ -L \(x) ] || chmod \(["600", "755", "4755", "2750"][word]) \(x)"
            case 15: return "chown -h \(word):\(word + 1) \(x)"
            case 16: return "mkfifo \(x)"
            case 17: return "[ -d \(x) ] && rm -rf \(x) && mkdir \(x) && echo again >\(x)/a"
            case 18: return "[ -f \(x) ] && [ ! -L \(x) ] && truncate -s \(word * 5000) \(x)"
            default: return "touch -c \(x)"
            }
        }

        mutating func commands(_ count: Int) -> String {
            (0..<count).map { _ in "{ \(command()); } 2>/dev/null" }.joined(separator: "\n") + "\n:"
        }
    }

    static let seeds: [UInt64] = (0..<24).map { _ in .random(in: 0..<1_000_000) }

    @Test("random mutations in a fork are found as on a plain copy", arguments: seeds)
    func random(seed: UInt64) async throws {
        print("random changes: seed \(seed)")
        try await compare(seed)
    }

    /// Seconds for which ``untilTheTimeIsUp()`` goes on.
    static let seconds = Processes.currentEnvironment()["GRACE_RANDOM_SECONDS"].flatMap { Double($0) }
    /// The first of its seeds, to have a run again.
    static let first = Processes.currentEnvironment()["GRACE_RANDOM_SEED"].flatMap { UInt64($0) }

    @Test(
        "the same for as long as GRACE_RANDOM_SECONDS says, from GRACE_RANDOM_SEED on",
        .enabled(if: seconds != nil, "runs where GRACE_RANDOM_SECONDS says for how long"))
    func untilTheTimeIsUp() async throws {
        let end = ContinuousClock.now + .seconds(Self.seconds ?? 0)
        let first = Self.first ?? UInt64.random(in: 0..<1_000_000)
        print("random changes: from seed \(first) on, GRACE_RANDOM_SEED=\(first) has them again")
        var (seed, mutations) = (first, 0)
        repeat {
            // Every tenth with so many that a layer holds whole trees of them.
            let count = seed % 10 == 0 ? 600 : 60
            do {
                try await compare(seed, count)
            } catch {
                Issue.record("seed \(seed): \(error)")
            }
            (seed, mutations) = (seed + 1, mutations + count)
            if (seed - first) % 100 == 0 { print("random changes: \(mutations) mutations, next seed \(seed)") }
        } while ContinuousClock.now < end
        print("random changes: \(mutations) mutations in \(seed - first) forks, seeds \(first) to \(seed - 1)")
    }

    /// The same mutations in a fork and on a plain copy: their change sets must be equal, entry by entry.
    private func compare(_ seed: UInt64, _ count: Int = 60) async throws {
        var script = Script(random: Seeded(state: seed))
        let setup = script.commands(count)
        let mutation = script.commands(count)
        try await Scene.with { scene in
            try await scene.bash(setup)
            // Hard links of live are split by the first write through an overlay: see the collector's own tests.
            try await scene.bash(
                "find . -type f -links +1 -print0 | while IFS= read -r -d '' f; do cp -pT \"$f\" ../one && mv -fT ../one \"$f\"; done"
            )
            let old = try TreeOracle.read(scene.live)
            try await scene.bash("cp -a live copy", in: scene.directory)
            let (fork, changes) = try await scene.change(mutation)
            try await scene.bash(mutation, in: scene.directory + "/copy")
            let expected = try TreeOracle.changes(
                from: old, to: TreeOracle.read(scene.directory + "/copy"), prefix: scene.live)
            #expect(
                changes == expected, "seed \(seed): \(scene.short(changes)) instead of \(scene.short(expected))")

            #expect(try ChangeSet.parse(manifest: changes.manifest) == changes)
            let base = try fork.base(of: changes)
            #expect(try Base.parse(base.document) == base)
            #expect(try base.conflicts() == [])
            #expect(!changes.unifiedDiff(blobs: scene.blobs, base: base).utf8.contains(0x1b))
        }
    }

    @Test("the same change has the same digest on another day, in another fork of a rebuilt host")
    func digest() async throws {
        var script = Script(random: Seeded(state: 4711))
        let setup = script.commands(40)
        let mutation = script.commands(60) + "\ntouch -d 2001-02-03 old-time; mkdir new; echo x >new/x"
        let directory = "/var/tmp/grace-test-fork-same-\(UInt32.random(in: 0 ... .max))"
        var digests: Set<Digest> = []
        for day in ["2020-01-01", "2024-05-05"] {
            let digest = try await Scene.with(at: directory) { scene in
                // Other inodes, other times.
                try await scene.bash("for i in 1 2 3 4 5 6 7; do echo $i >filler-\(day)-$i; done", in: scene.directory)
                try await scene.bash(setup)
                try await scene.bash("find . -exec touch -h -d \(day) {} +")
                return try await scene.change(mutation, id: "fork-\(day)").changes.digest
            }
            digests.insert(digest)
        }
        #expect(digests.count == 1)
    }
}
