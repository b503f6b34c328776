import Documents
import FoundationEssentials
import Linux
import Sandbox
import Testing

@testable import Fork

@Suite(.enabled(if: isRoot, "mounting overlays needs root"))
struct CollectorTests {
    @Test("touched files, rewritten content and copied-up parents are no changes")
    func nothing() async throws {
        try await Scene.with { scene in
            try await scene.bash("mkdir -p d/e; echo same >d/e/f; echo t >t; ln -s t l; mkfifo p")
            let (_, changes) = try await scene.change(
                "echo same >d/e/f; touch t d; touch -h l; touch p; chmod 600 t; chmod 644 t; echo x >d/new; rm d/new")
            #expect(scene.short(changes) == [])
        }
    }

    @Test("a file with its mode or owner alone changed is a metadata entry without content")
    func metadata() async throws {
        try await Scene.with { scene in
            try await scene.bash("echo f >f; mkdir d; echo g >g")
            let (_, changes) = try await scene.change(
                "chmod 4711 f; chown 33:34 d; chmod g-w,o-r g; chmod 644 g; chmod 700 .")
            #expect(scene.short(changes) == ["metadata directory ", "metadata directory d", "metadata file f"])
            #expect(changes[scene.path("f")]?.mode == 0o4711)
            #expect(changes[scene.path("f")]?.content == nil)
            #expect(changes[scene.path("d")]?.uid == 33)
        }
    }

    @Test("extended attributes and capabilities are compared, overlayfs's own never shown")
    func xattrs() async throws {
        try await Scene.with { scene in
            try await scene.bash("echo a >a; echo b >b; mkdir d; cp /bin/true ../tool")
            try Files.setXattr(scene.live + "/a", name: "user.kept", value: Data("1".utf8))
            let donor = scene.directory + "/donor"
            try Files.writeAtomically(donor, Data("b\n".utf8), mode: 0o644)
            try Files.setXattr(donor, name: "user.new", value: Data([0, 255]))
            let capability = Data([1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
            try Files.setXattr(donor, name: "security.capability", value: capability)
            let (_, changes) = try await scene.change("cp -a '\(donor)' b; echo more >>a; rm -r d; mkdir d")
            #expect(scene.short(changes) == ["modify file a", "metadata file b"])
            #expect(changes[scene.path("a")]?.xattrs == ["user.kept": Data("1".utf8)])
            #expect(
                changes[scene.path("b")]?.xattrs == ["user.new": Data([0, 255]), "security.capability": capability])
            #expect(!String(decoding: changes.manifest, as: UTF8.self).contains("overlay."))
        }
    }

    @Test("a time counts where it was set on purpose: more than a day before the fork and not the base's")
    func times() async throws {
        try await Scene.with { scene in
            try await scene.bash("echo a >a; echo b >b; echo c >c; touch -d 2011-01-01 a; touch -d 2012-01-01 b")
            let (_, changes) = try await scene.change(
                "chmod 600 a; touch -d 2001-02-03T04:05:06.789Z b; touch -d '1 hour ago' c; cp -p b e; echo y >>b; touch -d 2002-01-01Z b"
            )
            #expect(scene.short(changes) == ["metadata file a", "modify file b", "create file e"])
            #expect(changes[scene.path("a")]?.modified == nil)
            #expect(changes[scene.path("b")]?.modified == 1_009_843_200_000_000_000)
            #expect(changes[scene.path("e")]?.modified == 981_173_106_789_000_000)
        }
    }

    @Test("names of one inode form a group, an untouched name that was linked included")
    func hardLinks() async throws {
        try await Scene.with { scene in
            try await scene.bash("echo one >one; echo two >two; ln two three")
            let (_, changes) = try await scene.change("ln one zwei; echo n >n; ln n m; ln m o; touch two")
            #expect(
                scene.short(changes)
                    == ["create file m", "create file n", "create file o", "modify file one", "create file zwei"])
            #expect(changes.changes.map(\.hardLinkGroup) == [0, 0, 0, 1, 1])
            #expect(try ChangeSet.parse(manifest: changes.manifest) == changes)
        }
    }

    @Test("what the sandbox makes to mount on is no part of the change, what the change puts there is")
    func mountPoints() async throws {
        try await Scene.with { scene in
            let (_, empty) = try await scene.change("mkdir masked; echo x >other")
            #expect(scene.short(empty) == ["create file other"])
            let (_, full) = try await scene.change("mkdir masked; echo x >masked/hidden", id: "second")
            #expect(scene.short(full) == ["create directory masked", "create file masked/hidden"])
        }
    }

    @Test("a fork over several mounts has one change set with the paths of all")
    func mounts() async throws {
        try await Scene.with { scene in
            let other = scene.directory + "/other"
            try Files.makeDirectory(other, mode: 0o755)
            let store = ForkStore(root: scene.directory + "/state/two", mountPoints: [scene.live, other])
            let fork = try store.create(id: "two")
            try await scene.bash("echo a >a; echo b >'\(other)/b'", in: .apply, of: fork)
            let reopened = try store.open(id: "two")
            let changes = try reopened.changeSet(blobs: scene.blobs)
            #expect(changes.changes.map(\.path) == [BytePath(scene.live + "/a"), BytePath(other + "/b")])
        }
    }

    @Test("an upper layer that was written with redirect_dir is refused")
    func redirect() async throws {
        try await Scene.with { scene in
            try await scene.bash("mkdir d; echo x >d/x")
            let fork = try scene.store.create(id: "fork")
            let upper = try fork.overlays(for: .apply)[0].upper
            try Files.makeDirectory(upper + "/moved", mode: 0o755)
            try Files.setXattr(upper + "/moved", name: "trusted.overlay.redirect", value: Data("d".utf8))
            #expect(throws: ForkError.self) { try fork.changeSet(blobs: scene.blobs) }
        }
    }

    @Test("arms see what they should: baselines the host, candidates the change, and none another's writes")
    func arms() async throws {
        try await Scene.with { scene in
            try await scene.bash("echo old >f; mkdir d; echo gone >d/gone; chmod 751 .; chown 12:13 .")
            let (fork, changes) = try await scene.change("echo new >f; rm -r d; mkdir d; echo in >d/in; chmod 750 .")
            let look = "cat f; ls d; stat -c '%a %u' .; ls; echo trace >trace"
            #expect(try await scene.bash(look, in: .baseline(instance: "1"), of: fork) == "old\ngone\n751 12\nd\nf\n")
            #expect(try await scene.bash(look, in: .candidate(instance: "1"), of: fork) == "new\nin\n750 12\nd\nf\n")
            #expect(try await scene.bash(look, in: .candidate(instance: "2"), of: fork) == "new\nin\n750 12\nd\nf\n")
            try fork.discardInstance(.candidate(instance: "1"))
            try fork.discardInstance(.baseline(instance: "1"))
            try fork.discardInstance(.candidate(instance: "2"))
            #expect(throws: ForkError.self) { try fork.discardInstance(.apply) }
            #expect(try fork.changeSet(blobs: scene.blobs) == changes)
            #expect(try await scene.bash("cat f; ls d; ls", in: scene.live) == "old\ngone\nd\nf\n")
            try scene.store.discard(id: "fork")
            #expect(try scene.store.list() == [])
        }
    }
}
