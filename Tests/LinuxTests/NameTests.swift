import FoundationEssentials
import Glibc
import Linux
import Testing

@Suite("Files: names, trees and attributes")
struct NameTests {
    @Test("exchange swaps two names; renameNoReplace refuses to replace")
    func renames() async throws {
        try await withDirectory { directory in
            try Files.append("\(directory)/a", data("A"), sync: false)
            try Files.append("\(directory)/b", data("B"), sync: false)
            try Files.exchange("\(directory)/a", "\(directory)/b")
            #expect(try Files.readString("\(directory)/a") == "B")
            #expect(errorName { try Files.renameNoReplace("\(directory)/a", "\(directory)/b") } == "EEXIST")
            #expect(errorName { try Files.exchange("\(directory)/a", "\(directory)/none") } == "ENOENT")
            try Files.rename("\(directory)/a", "\(directory)/b")
            #expect(try Files.readString("\(directory)/b") == "B")
        }
    }

    @Test("names of any bytes come back as they are")
    func rawNames() async throws {
        try await withDirectory { directory in
            let names: [[UInt8]] = [[0xFF, 0xFE], [0x0A], Array(" blank".utf8), Array("é".utf8), Array("...".utf8)]
            for name in names { try Files.append(BytePath(directory).appending(name), data("x"), sync: false) }
            #expect(try Set(Files.entries(directory)) == Set(names))
        }
    }

    @Test("directories are made with their exact mode, and again without complaint")
    func directories() async throws {
        try await withDirectory { directory in
            let old = umask(0o077)
            defer { umask(old) }
            try Files.makeDirectory("\(directory)/a/b/c", mode: 0o775, intermediate: true)
            try Files.makeDirectory("\(directory)/a/b/c", mode: 0o775, intermediate: true)
            #expect(try Files.status("\(directory)/a/b/c")?.mode == 0o775)
            #expect(errorName { try Files.makeDirectory("\(directory)/a") } == "EEXIST")
            try Files.append("\(directory)/file", data(""), sync: false)
            #expect(errorName { try Files.makeDirectory("\(directory)/file", intermediate: true) } == "ENOTDIR")
        }
    }

    @Test("removing a tree removes all of it, and nothing that its links point to")
    func removeTree() async throws {
        try await withDirectory { directory in
            try Files.makeDirectory("\(directory)/outside")
            try Files.append("\(directory)/outside/kept", data("x"), sync: false)
            try Files.makeDirectory("\(directory)/tree/deep/er", mode: 0o700, intermediate: true)
            try Files.symlink("../outside", at: "\(directory)/tree/link")
            try Files.symlink("../../outside/kept", at: "\(directory)/tree/deep/link")
            try Files.append(BytePath("\(directory)/tree/deep").appending([0xFF, 0x0A]), data("x"), sync: false)
            try Files.symlink("tree", at: "\(directory)/toTree")
            try Files.removeTree("\(directory)/toTree")
            #expect(try Files.status("\(directory)/tree") != nil)
            try Files.removeTree("\(directory)/tree")
            #expect(try Files.status("\(directory)/tree") == nil)
            #expect(try Files.readString("\(directory)/outside/kept") == "x")
            try Files.removeTree("\(directory)/tree")
        }
    }

    @Test(
        "removing a tree never crosses into a mount, a bind mount of the same file system included",
        .enabled(if: isRoot))
    func removeTreeAtMount() async throws {
        try await withDirectory { directory in
            try Files.makeDirectory("\(directory)/data")
            try Files.append("\(directory)/data/kept", data("x"), sync: false)
            try Files.makeDirectory("\(directory)/tree/mount", mode: 0o755, intermediate: true)
            let mounted = try await Processes.run(
                "mount", arguments: ["--bind", "\(directory)/data", "\(directory)/tree/mount"])
            try #require(mounted.isSuccess, "\(mounted.errorOutput)")
            let tree = errorName { try Files.removeTree("\(directory)/tree") }
            let point = errorName { try Files.removeTree("\(directory)/tree/mount") }
            let unmounted = try await Processes.run("umount", arguments: ["\(directory)/tree/mount"])
            #expect(unmounted.isSuccess)
            #expect(tree == "EXDEV")
            #expect(point == "EBUSY")
            #expect(try Files.readString("\(directory)/data/kept") == "x")
        }
    }

    @Test("device nodes, fifos and whiteouts are made with exact modes", .enabled(if: isRoot))
    func nodes() async throws {
        try await withDirectory { directory in
            try Files.mknod("\(directory)/white", kind: .characterDevice, mode: 0)
            #expect(try Files.status("\(directory)/white")?.isWhiteout == true)
            try Files.mknod(
                "\(directory)/null", kind: .characterDevice, mode: 0o666, device: DeviceNumber(major: 1, minor: 3))
            let null = try #require(try Files.status("\(directory)/null"))
            #expect(null.special == DeviceNumber(major: 1, minor: 3) && null.mode == 0o666 && !null.isWhiteout)
            try Files.mknod("\(directory)/fifo", kind: .fifo, mode: 0o620)
            #expect(try Files.status("\(directory)/fifo")?.kind == .fifo)
        }
    }

    @Test("links share an inode; symbolic ones read back byte for byte")
    func links() async throws {
        try await withDirectory { directory in
            try Files.append("\(directory)/a", data("A"), sync: false)
            try Files.link("\(directory)/a", "\(directory)/b")
            let (a, b) = (try Files.status("\(directory)/a"), try Files.status("\(directory)/b"))
            #expect(a?.identity == b?.identity && a?.links == 2)
            let target = BytePath(bytes: [0xFF] + Array(repeating: 0x61, count: 4000))
            try Files.symlink(target, at: "\(directory)/l")
            #expect(try Files.readlink("\(directory)/l") == target)
        }
    }

    @Test(
        "owner, mode, times to the nanosecond and extended attributes are set and read; a link's are its own",
        .enabled(if: isRoot))
    func attributes() async throws {
        try await withDirectory { directory in
            let file = "\(directory)/f"
            try Files.append(file, data("x"), sync: false)
            try Files.symlink("f", at: "\(directory)/l")
            try Files.chown(file, uid: 33, gid: 34)
            try Files.chmod(file, 0o4755)
            try Files.chown("\(directory)/l", uid: 7, gid: 8)
            let time = FileTime(seconds: 1_000_000_007, nanoseconds: 123_456_789)
            try Files.setTimes(file, accessed: nil, modified: time)
            try Files.setTimes("\(directory)/l", accessed: time, modified: nil)
            let status = try #require(try Files.status(file))
            #expect(status.uid == 33 && status.gid == 34 && status.mode == 0o4755 && status.modified == time)
            let link = try #require(try Files.status("\(directory)/l"))
            #expect(link.uid == 7 && link.gid == 8 && link.accessed == time && link.modified != time)

            #expect(try Files.xattrs(file).isEmpty)
            try Files.setXattr(file, name: "user.note", value: Data([0, 255, 1]))
            try Files.setXattr(file, name: "user.empty", value: Data())
            try Files.setXattr("\(directory)/l", name: "trusted.note", value: data("link"))
            #expect(try Files.xattrs(file) == ["user.note": Data([0, 255, 1]), "user.empty": Data()])
            #expect(try Files.xattrs("\(directory)/l") == ["trusted.note": data("link")])
            #expect(try Files.xattr(file, name: "user.none") == nil)
            try Files.removeXattr(file, name: "user.note")
            #expect(errorName { try Files.removeXattr(file, name: "user.note") } == "ENODATA")
        }
    }

    @Test("an error says which call, on what, why, and what to do")
    func sentences() {
        do {
            _ = try Files.read("/nowhere/at/all")
            Issue.record("read a file that isn't there")
        } catch {
            #expect("\(error)" == "open of /nowhere/at/all failed: No such file or directory (ENOENT); check the path")
        }
    }
}
