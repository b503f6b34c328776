import Documents
import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Fork

@Suite(.enabled(if: isRoot, "mounting overlays needs root"))
struct BaseTests {
    @Test("a base finds every way in which live moved on after the test")
    func conflicts() async throws {
        let moves: [(String, String)] = [
            ("echo other >f", "f"), ("chmod 600 f", "f"), ("rm f", "f"), ("rm f; ln -s x f", "f"),
            ("echo x >new", "new"),
            ("echo more >d/more", "d"), ("rm d/in", "d"), ("echo else >d/in", "d/in"), ("chown 5 d", "d"),
            ("ln -sf z l", "l"),
            ("echo changed >read/deep/file", "read/deep/file"), ("echo x >read/extra", "read"),
            ("touch absent", "absent"),
        ]
        for (move, path) in moves {
            try await Scene.with { scene in
                try await scene.bash(
                    "echo f >f; mkdir -p d read/deep; echo in >d/in; ln -s y l; echo r >read/deep/file; echo free >free"
                )
                let (fork, changes) = try await scene.change("echo g >f; rm -r d; echo n >new; ln -sf q l")
                let base = try fork.base(of: changes, reads: [scene.live + "/read", scene.live + "/absent"])
                #expect(try base.conflicts() == [])
                try await scene.bash("touch f; echo beside >beside; echo freely >free")
                #expect(try base.conflicts() == [], "a new time, and files beside, are no conflict")
                try await scene.bash(move)
                #expect(try base.conflicts().map(\.path).contains(scene.path(path)), "\(move)")
                let parsed = try Base.parse(base.document)
                #expect(try parsed.conflicts() == base.conflicts())
                #expect(parsed.digest == base.digest)
            }
        }
    }

    @Test("a change set's digest is that of its manifest, which is canonical JSON")
    func digest() throws {
        let file = Change(
            path: "/a\n\"b", kind: .create, type: .file, mode: 0o644, size: 3, content: Digest(of: Data("abc".utf8)))
        let gone = Change(path: "/b", kind: .delete, type: .directory)
        for changes in [[], [gone], [file, gone]] {
            let set = try ChangeSet(changes)
            #expect(set.digest == Digest(of: set.manifest))
            #expect(try JSON(parsing: set.manifest).canonical == set.manifest)
            #expect(try ChangeSet.parse(manifest: set.manifest) == set)
        }
    }

    @Test("manifest and base document are canonical with every member there is, and are read back")
    func everyMember() throws {
        let digest = Digest(of: Data("x".utf8))
        let attributes = ["user.\u{e9}\"": Data([0, 255]), "security.capability": Data("c".utf8)]
        let odd = BytePath(bytes: Array("/b\n\\".utf8) + [0xff])
        let changes = try ChangeSet([
            Change(
                path: "/a", kind: .create, type: .file, mode: 0o4755, uid: 1, gid: 2, xattrs: attributes, size: 3,
                content: digest, hardLinkGroup: 0, modified: -4),
            Change(
                path: "/a2", kind: .create, type: .file, mode: 0o4755, uid: 1, gid: 2, xattrs: attributes, size: 3,
                content: digest, hardLinkGroup: 0, modified: -4),
            Change(path: odd, kind: .delete, type: .directory),
            Change(path: "/c", kind: .create, type: .symlink, mode: 0o777, linkTarget: Data([0xff, 0x22])),
            Change(
                path: "/d", kind: .create, type: .device, device: DeviceNode(isBlock: true, major: 8, minor: 1)),
        ])
        #expect(try JSON(parsing: changes.manifest).canonical == changes.manifest)
        #expect(try ChangeSet.parse(manifest: changes.manifest) == changes)
        let base = try Base([
            BaseEntry(
                path: odd,
                state: .present(
                    FileState(
                        type: .directory, mode: 0o700, uid: 3, gid: 4, xattrs: attributes,
                        listing: [Data([0xff]), Data("z".utf8)]))),
            BaseEntry(
                path: "/a",
                state: .present(FileState(type: .file, mode: 1, uid: 2, gid: 3, size: 5, content: digest))),
            BaseEntry(
                path: "/c",
                state: .present(FileState(type: .symlink, mode: 0o777, uid: 0, gid: 0, linkTarget: Data("t".utf8)))),
            BaseEntry(
                path: "/d",
                state: .present(
                    FileState(
                        type: .device, mode: 0, uid: 0, gid: 0,
                        device: DeviceNode(isBlock: false, major: 1, minor: 3)))),
            BaseEntry(path: "/e", state: .absent), BaseEntry(path: "/f", state: .movedUnderFork),
        ])
        #expect(try JSON(parsing: base.document).canonical == base.document)
        #expect(try Base.parse(base.document) == base)
    }

    @Test("what live changed while the fork was being tested is a conflict for ever")
    func movedUnderFork() async throws {
        for (move, path) in [
            ("echo other >f", "f"), ("echo old >f", "f"), ("rm f", "f"), ("echo n >new", "new"), ("echo x >d/x", "d"),
            ("rm -r d; mkdir d", "d"), ("chmod 700 m", "m"),
        ] {
            try await Scene.with { scene in
                try await scene.bash("echo old >f; mkdir d m; echo in >d/in; echo s >still")
                let (fork, changes) = try await scene.change(
                    "echo new >f; echo mine >new; rm -r d; chmod 711 m; echo t >still")
                #expect(try fork.touchedSinceFork(changes) == [])
                try await scene.bash(move)
                #expect(try fork.touchedSinceFork(changes).contains(scene.path(path)), "\(move)")
                let base = try fork.base(of: changes)
                #expect(base[scene.path(path)] == .movedUnderFork, "\(move)")
                #expect(try base.conflicts().map(\.path).contains(scene.path(path)), "\(move)")
                #expect(try Base.parse(base.document).conflicts().map(\.path).contains(scene.path(path)))
                guard case .present = base[scene.path("still")] else {
                    Issue.record("an untouched file was taken for a moved one after: \(move)")
                    return
                }
            }
        }
    }

    @Test("a file renamed inside the fork is not taken for one that live deleted")
    func renamed() async throws {
        try await Scene.with { scene in
            try await scene.bash("echo f >f")
            let (fork, changes) = try await scene.change("mv f g; echo more >>g")
            try await scene.bash("echo busy >busy")
            #expect(try fork.touchedSinceFork(changes) == [])
            #expect(try fork.base(of: changes)[scene.path("g")] == .absent)
        }
    }

    @Test(
        "a file that a fork below made, changed or renamed in this one, is not taken for one that live deleted",
        arguments: [false, true])
    func madeBelow(isMerged: Bool) async throws {
        try await Scene.with { scene in
            try await scene.bash("echo keep >keep; echo gone >gone")
            let first = try scene.store.create(id: "first")
            try await scene.bash("echo made >made; echo other >other; echo x >>gone", in: .apply, of: first)
            let second = try scene.store.create(id: "second", over: [first])
            try second.lay([first])
            try await scene.bash(
                "echo more >>made; mv other renamed; echo y >>renamed; echo y >>gone", in: .apply, of: second)
            var fork = second
            if isMerged {
                fork = try scene.store.create(id: "third", over: [first, second])
                try fork.lay([second, first], asChange: true)
            }
            let changes = try fork.changeSet(blobs: scene.blobs)
            // Another name in the directory moves its time.
            try await scene.bash("echo busy >busy")
            #expect(try fork.touchedSinceFork(changes) == [])
            #expect(try fork.base(of: changes)[scene.path("made")] == .absent)
            #expect(try fork.base(of: changes)[scene.path("renamed")] == .absent)
            // What live had and deletes is still seen.
            try await scene.bash("rm gone")
            let later = try fork.changeSet(blobs: scene.blobs)
            #expect(try fork.touchedSinceFork(later) == [scene.path("gone")])
        }
    }

    @Test("a path below a link is absent: links are not followed")
    func links() async throws {
        try await Scene.with { scene in
            try await scene.bash("mkdir real; echo secret >real/file; ln -s real link")
            let path = scene.path("link/file")
            #expect(try Base.capture(paths: [path]).entries == [BaseEntry(path: path, state: .absent)])
            let inside = try Base.capture(paths: ["/real/file", "/link"], root: scene.live)
            guard case .present(let link) = inside["/link"] else { throw Failure("the link is missing") }
            #expect(link.linkTarget == Data("real".utf8))
        }
    }

    @Test("a FIFO is recorded, never opened")
    func fifo() async throws {
        try await Scene.with { scene in
            try await scene.bash("mkfifo p")
            guard case .present(let state) = try Base.capture(paths: [scene.path("p")])[scene.path("p")] else {
                throw Failure("the FIFO is missing")
            }
            #expect(state.type == .fifo)
        }
    }

    @Test("a watch tells which paths changed, and nothing of files that only came beside them")
    func watch() async throws {
        try await Scene.with { scene in
            try await scene.bash("echo f >f; mkdir d; echo g >g")
            let watch = try FileWatch(paths: ["f", "d", "g", "none"].map { scene.path($0) })
            #expect(try watch.changed() == [])
            try await scene.bash("echo x >d/x; echo h >g; echo n >none")
            #expect(try watch.changed() == [scene.path("g"), scene.path("none")])
        }
    }

    @Test("a base document or manifest with one byte altered is refused or stands for something else")
    func altered() async throws {
        try await Scene.with { scene in
            try await scene.bash("echo f >f; ln -s a l")
            let (fork, changes) = try await scene.change(
                "echo g >f; ln -sf b l; mkdir d; mkfifo d/p; mknod d/n c 1 3; ln f h")
            let base = try fork.base(of: changes)
            for document in [changes.manifest, base.document] {
                for index in stride(from: 0, to: document.count, by: 3) {
                    var altered = document
                    altered[index] ^= 1
                    if let set = try? ChangeSet.parse(manifest: altered) { #expect(set.digest != changes.digest) }
                    if let other = try? Base.parse(altered) { #expect(other.digest != base.digest) }
                }
                #expect(throws: (any Error).self) { try ChangeSet.parse(manifest: Data(" ".utf8) + document) }
            }
        }
    }

    @Test("manifests whose paths leave their place, repeat or are out of order are refused")
    func hostile() throws {
        func manifest(_ paths: [String]) -> Data {
            JSON.object([
                "format": "grace.change-set.v1",
                "changes": .array(
                    paths.map { path in
                        .object([
                            "kind": "delete", "type": "file", "path": .string(Data(path.utf8).base64URL),
                            "display": .string(path),
                        ])
                    }),
            ]).canonical
        }
        #expect(try ChangeSet.parse(manifest: manifest(["/a", "/b"])).changes.count == 2)
        for paths in [["/a/../b"], ["a"], ["/a/"], ["//a"], ["/./a"], ["/b", "/a"], ["/a", "/a"], [""], ["/a\0b"]] {
            #expect(throws: (any Error).self, "\(paths)") { try ChangeSet.parse(manifest: manifest(paths)) }
        }
    }
}
