import Fork
import FoundationEssentials
import Linux

@testable import Promotion

extension Fixture {
    /// A tree and a change set that covers every kind of entry and every transition that is promoted.
    func everyTransition() throws -> (ChangeSet, Base) {
        try reset()
        for path in [
            "/etc", "/srv", "/srv/tree", "/srv/tree/sub", "/srv/tofile", "/srv/metadir", "/srv/quiet", "/srv/still",
        ] {
            try directory(path)
        }
        try file("/etc/app.conf", "old", mode: 0o640)
        try Files.chown(path("/etc/app.conf"), uid: 33, gid: 33)
        try Files.setXattr(path("/etc/app.conf"), name: "user.keep", value: Data("1".utf8))
        for name in ["gone.conf", "tolink", "todir", "stays", "-odd"] { try file("/etc/" + name, name) }
        try Files.symlink("app.conf", at: path("/etc/link"))
        try file("/srv/tree/sub/deep", "deep", mode: 0o4755)
        try Files.symlink("/nowhere", at: path("/srv/tree/dangling"))
        try file("/srv/tofile/inside", "inside")
        try file("/srv/meta", "same content", mode: 0o600)
        try Files.setXattr(path("/srv/meta"), name: "user.old", value: Data("o".utf8))
        try file("/srv/metadir/child", "child")
        try file("/srv/h1", "linked")
        try Files.link(path("/srv/h1"), path("/srv/h2"))
        try file("/srv/still/kept", "no name comes or goes beside it")
        try file("/srv/quiet/untouched", "untouched", mode: 0o444)
        try Files.mknod(path("/srv/oldfifo"), kind: .fifo, mode: 0o622)
        let odd = BytePath(bytes: Array("/srv/new\nline".utf8) + [0xff, 0xfe])
        try age()

        var strange = try change("/x", .create, "strange name")
        strange.path = odd
        let sparse = String(repeating: "\0", count: 600_000) + "end"
        let changes = try ChangeSet([
            change("/etc/app.conf", .modify, "new", mode: 0o600, uid: 1, gid: 2, xattrs: ["user.new": Data("n".utf8)]),
            change("/etc/new.conf", .create, "brand new", mode: 0o4711, modified: 1_234_567_890_123_456_789),
            Change(path: "/etc/gone.conf", kind: .delete, type: .file),
            Change(path: "/etc/link", kind: .modify, type: .symlink, mode: 0o777, linkTarget: Data("stays".utf8)),
            Change(
                path: "/etc/tolink", kind: .replace, type: .symlink, mode: 0o777, uid: 5, linkTarget: Data("link".utf8)),
            Change(path: "/etc/todir", kind: .replace, type: .directory, mode: 0o711),
            change("/etc/todir/inner", .create, "inner"),
            Change(path: "/srv/tree", kind: .delete, type: .directory),
            change("/srv/tofile", .replace, "was a directory"),
            Change(
                path: "/srv/newdir", kind: .create, type: .directory, mode: 0o2770, gid: 9,
                modified: 1_111_111_111_000_000_001),
            Change(path: "/srv/newdir/sub", kind: .create, type: .directory, mode: 0o700),
            change("/srv/newdir/sub/x", .create, "x"),
            Change(path: "/srv/newdir/pipe", kind: .create, type: .fifo, mode: 0o620),
            Change(path: "/srv/newdir/socket", kind: .create, type: .socket, mode: 0o755),
            change("/srv/newdir-beside", .create, "sorts between the directory and what is in it"),
            Change(
                path: "/srv/meta", kind: .metadata, type: .file, mode: 0o4755, uid: 7, gid: 8,
                xattrs: ["user.fresh": Data("f".utf8)],
                modified: 999_999_999_000_000_009),
            Change(path: "/srv/metadir", kind: .metadata, type: .directory, mode: 0o750, uid: 3, gid: 4),
            change("/srv/metadir/added", .create, "added"),
            change("/srv/h1", .modify, "both", group: 0),
            change("/srv/h2", .modify, "both", group: 0),
            change("/srv/h3", .create, "both", group: 0),
            change("/srv/still/kept", .modify, "new"),
            Change(path: "/srv/oldfifo", kind: .delete, type: .fifo),
            change("/srv/sparse", .create, sparse),
            strange,
        ])
        return (changes, try base(changes))
    }
}
