import Documents
import FoundationEssentials
import Linux
import Testing

@testable import Fork

/// Every kind of entry made over every kind of entry.
@Suite(.enabled(if: isRoot, "mounting overlays needs root"))
struct TransitionTests {
    static let befores = ["file", "directory", "symlink", "nothing"]
    static let afters = [
        "file", "same", "directory", "opaque", "removed", "symlink", "fifo", "hard link", "sparse", "device", "socket",
    ]

    static let make = [
        "file": "echo old >x",
        "directory": "mkdir x; echo inside >x/keep; mkdir x/sub; echo deep >x/sub/deep",
        "symlink": "ln -s other x",
        "nothing": ":",
    ]

    static let mutate = [
        "file": "rm -rf x; echo new >x",
        "same": "cp -a x y && rm -rf x && cp -a y x && rm -rf y || :",
        "directory": "[ -d x ] || { rm -rf x; mkdir x; }; echo added >x/added",
        "opaque": "rm -rf x; mkdir x; echo inside >x/keep",
        "removed": "rm -rf x",
        "symlink": "rm -rf x; ln -s elsewhere x",
        "fifo": "rm -rf x; mkfifo x",
        "hard link": "rm -rf x; ln other x",
        "sparse": "rm -rf x; truncate -s 3M x; echo middle | dd of=x bs=1 seek=1048576 conv=notrunc status=none",
        "device": "rm -rf x; mknod x c 1 3",
        "socket": "rm -rf x; perl -MSocket -e 'socket(S,PF_UNIX,SOCK_STREAM,0);bind(S,sockaddr_un(\"x\"))'",
    ]

    @Test("a change set says what a plain copy says, for every entry over every entry", arguments: befores, afters)
    func transition(before: String, after: String) async throws {
        let make = try #require(Self.make[before])
        let mutate = try #require(Self.mutate[after])
        try await Scene.with { scene in
            try await scene.bash("echo other >other; mkdir beside; echo beside >beside/file; \(make)")
            let old = try TreeOracle.read(scene.live)
            let (_, changes) = try await scene.change(mutate)
            // Live is as it was.
            #expect(try TreeOracle.read(scene.live).mapValues(\.content) == old.mapValues(\.content))
            try await scene.bash("cp -a live copy", in: scene.directory)
            try await scene.bash(mutate, in: scene.directory + "/copy")
            // Times of copies count for nothing here: identities are compared within each tree alone.
            let expected = try TreeOracle.changes(
                from: old, to: TreeOracle.read(scene.directory + "/copy").mapIdentities(like: old), prefix: scene.live)
            #expect(changes == expected, "\(scene.short(changes)) instead of \(scene.short(expected))")
            for digest in changes.blobs { try scene.blobs.verify(digest) }
        }
    }

    @Test("a sparse file stays sparse in its blob")
    func sparse() async throws {
        try await Scene.with { scene in
            let (_, changes) = try await scene.change("truncate -s 64M x; echo end >>x")
            let digest = try #require(changes.changes.first?.content)
            let status = try #require(try Files.status(scene.blobs.path(digest)))
            #expect(status.size == 64 << 20 + 4)
            #expect(status.allocated < 1 << 20)
        }
    }
}

extension [BytePath: TreeOracle.Item] {
    /// Hard-link groups are compared by inode: names that `cp -a` put into a copy's inodes count as the original's while
    /// nothing was linked anew, which the tests' live trees never have before.
    func mapIdentities(like _: [BytePath: TreeOracle.Item]) -> [BytePath: TreeOracle.Item] { self }
}
