import Documents
import FoundationEssentials
import Glibc
import Linux
import Sandbox
import Testing

@testable import Fork

@Suite(.enabled(if: isRoot, "mounting overlays needs root"))
struct LayerContentsTests {
    private static func change(
        _ scene: Scene, _ script: String
    ) async throws -> (fork: Fork, changes: ChangeSet, contents: LayerContents) {
        let opened = try Files.open(scene.directory, flags: O_RDONLY | O_DIRECTORY)
        let fork = try scene.store.create(id: "fork")
        try await scene.bash(script, in: .apply, of: fork)
        var (changes, contents) = try fork.changeSetInPlace()
        try contents.giveAway(since: opened)
        return (fork, changes, contents)
    }

    private static func upper(_ fork: Fork, _ name: String) throws -> String {
        try fork.overlays(for: .apply)[0].upper + "/" + name
    }

    @Test("contents in place are those that blobs would be, and the change set and its base are the same")
    func same() async throws {
        try await Scene.with { scene in
            try await scene.bash("echo f >f; echo g >g; mkdir d; echo in >d/in; mkfifo pipe; ln -s y l; : >empty")
            let (fork, changes, contents) = try await Self.change(
                scene,
                "echo more >>f; rm g; rm -r d; mkdir -p n/m; echo x >n/m/x; : >n/e; ln n/m/x n/y; chmod 600 empty; mv l n/l; mkfifo n/p"
            )
            #expect(try fork.changeSet(blobs: scene.blobs) == changes)
            #expect(try fork.base(of: changes) == fork.base(of: changes, in: contents))
            for change in changes.changes where change.content != nil {
                let file = try contents.open(change)
                #expect(Digest(of: try Files.read(file)) == change.content, "\(change.path)")
                #expect(try contents.allocated(change) != nil)
            }
            // A second name of the blobs' inodes.
            for change in changes.changes where change.content != nil {
                #expect(try contents.whole(change) == nil, "\(change.path) has more than one name")
            }
        }
    }

    @Test("a file that the change made is given away as a whole, and only if asked for")
    func given() async throws {
        try await Scene.with { scene in
            var (fork, changes, contents) = try await Self.change(
                scene, "mkdir d; echo x >d/x; chmod 4751 d/x; setfattr -n user.a -v b d/x; touch -d 2001-01-01 d/x")
            let change = try #require(changes[scene.path("d/x")])
            let file = try #require(try contents.whole(change))
            #expect(try Files.status(of: file).inode == Files.status(Self.upper(fork, "d/x"))?.inode)
            try contents.settle()
            (changes, contents) = try fork.changeSetInPlace()
            #expect(try contents.whole(change) == nil)
            try contents.giveAway(since: Files.open("/proc", flags: O_RDONLY | O_DIRECTORY))
            #expect(try contents.whole(change) == nil, "what lies elsewhere says nothing of this file system")
        }
    }

    @Test(
        "what would not be a copy, or could still be written, is not given away",
        arguments: [
            "copied up", "several names", "written since", "mode since", "open", "open for writing", "mapped",
            "a time to come",
        ])
    func kept(why: String) async throws {
        try await Scene.with { scene in
            try await scene.bash("echo old >old")
            let fork = try scene.store.create(id: "fork")
            try await scene.bash(
                "echo more >>old; echo x >x\(why == "several names" ? "; ln x y" : why == "a time to come" ? "; touch -d 2100-01-01 x" : "")",
                in: .apply, of: fork)
            let file = try Self.upper(fork, why == "copied up" ? "old" : "x")
            var open: Descriptor?
            switch why {
            case "open": open = try Files.open(file, flags: O_RDONLY)
            case "open for writing", "mapped": open = try Files.open(file, flags: O_RDWR)
            default: break
            }
            var map: UnsafeMutableRawPointer?
            if why == "mapped" {
                map = mmap(nil, 1, PROT_READ | PROT_WRITE, MAP_SHARED, open?.raw ?? -1, 0)
                open?.close()
            }
            defer { if let map { munmap(map, 1) } }
            var (changes, contents) = try fork.changeSetInPlace()
            try contents.giveAway(since: Files.open(scene.directory, flags: O_RDONLY | O_DIRECTORY))
            open?.close()
            if why == "written since" { try Files.append(file, Data("y".utf8)) }
            if why == "mode since" {
                try Files.chmod(file, 0o600)
                try Files.chmod(file, 0o644)
            }
            let change = try #require(changes[scene.path(why == "copied up" ? "old" : "x")])
            #expect(try contents.whole(change) == nil)
        }
    }

    @Test("a fork whose files were given away has its own again: what is written in it reaches none of them")
    func detached() async throws {
        try await Scene.with { scene in
            let (fork, changes, _) = try await Self.change(
                scene, "mkdir d; echo x >d/x; chmod 4751 d/x; chown 7:8 d/x; echo y >y; ln y z; echo alone >alone")
            try Files.link(Self.upper(fork, "d/x"), scene.path("live-x"))
            try Files.link(Self.upper(fork, "y"), scene.path("live-y"))
            let alone = try Files.status(Self.upper(fork, "alone"))?.inode
            try fork.detach()
            try fork.detach()
            #expect(try fork.changeSetInPlace().0 == changes)
            #expect(try Files.status(Self.upper(fork, "alone"))?.inode == alone)
            try await scene.bash("echo more >>d/x; echo more >>z", in: .apply, of: fork)
            #expect(try await scene.bash("cat live-x live-y") == "x\ny\n")
            #expect(try Files.status(Self.upper(fork, "y"))?.identity == Files.status(Self.upper(fork, "z"))?.identity)
            let home = BytePath(try Self.upper(fork, "")).parent.parent
            #expect(try Files.entries(home.appending("apply")).count == 2, "nothing is left but upper and work")
        }
    }
}
