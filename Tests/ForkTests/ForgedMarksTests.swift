import FoundationEssentials
import Glibc
import Linux
import Sandbox
import Testing

@testable import Fork

/// A program inside may write `user.overlay.` attributes, which mean nothing to an overlay of root's: the change set shows what the
/// program saw, not what they pretend.
@Suite(.enabled(if: isRoot, "overlays of root's are mounted")) struct ForgedMarksTests {
    static let marks = [("opaque", "y"), ("whiteout", ""), ("origin", "x"), ("redirect", "/etc"), ("metacopy", "")]

    private static func forge(_ mark: (String, String), _ path: String) throws {
        try Files.setXattr(path, name: "user.overlay." + mark.0, value: Data(mark.1.utf8))
    }

    @Test(arguments: marks) func theChangeSetDeletesNothingThatIsThere(_ mark: (String, String)) async throws {
        try await Scene.with { scene in
            try await scene.bash("mkdir d; echo kept >d/kept; echo value >value")
            let fork = try scene.store.create(id: "forged")
            let seen = try await scene.bash("touch d/new; : >value; ls d .", in: .apply, of: fork)
            #expect(seen.contains("kept") && seen.contains("value"))
            let upper = try #require(try fork.overlays(for: .apply).first).upper
            for name in ["d", "value", "d/new"] { try Self.forge(mark, "\(upper)/\(name)") }
            #expect(try await scene.bash("cat d/kept; ls value", in: .apply, of: fork) == "kept\nvalue\n")

            let changes = try fork.changeSet(blobs: scene.blobs).changes
            let paths = changes.map { String($0.path.display.dropFirst(scene.live.count)) }
            #expect(Set(paths).isSubset(of: ["/d", "/d/new", "/value"]) && paths.contains("/d/new"), "\(paths)")
            let value = try #require(changes.first { $0.path.display.hasSuffix("/value") })
            #expect(value.size == 0 && value.content != nil, "\(value)")
        }
    }

    /// A fork that is laid below another one.
    @Test(arguments: marks) func aLaidForkShowsWhatItShowed(_ mark: (String, String)) async throws {
        try await Scene.with { scene in
            try await scene.bash("mkdir d; echo kept >d/kept")
            let first = try scene.store.create(id: "first")
            try await scene.bash("touch d/first", in: .apply, of: first)
            let second = try scene.store.create(id: "second")
            try await scene.bash("touch d/second", in: .apply, of: second)
            let upper = try #require(try second.overlays(for: .apply).first).upper
            try Self.forge(mark, "\(upper)/d")
            let third = try scene.store.create(id: "third", over: [first, second])
            try third.lay([first, second], asChange: true)
            #expect(try await scene.bash("ls d", in: .apply, of: third) == "first\nkept\nsecond\n")
        }
    }

    @Test func aForkOfAnOrdinaryUsersIsRefused() async throws {
        try await Scene.with { scene in
            let fork = try scene.store.create(id: "foreign")
            try Files.chown(fork.directory, uid: 65432, gid: 65432)
            #expect {
                _ = try scene.store.open(id: "foreign")
            } throws: {
                "\($0)".contains("65432") && "\($0)".contains("Run this as that user")
            }
        }
    }
}
