import Glibc
import Linux
import Testing

@Suite("The host")
struct HostTests {
    @Test("mountinfo with escapes, optional fields and empty sources is read")
    func mountinfo() throws {
        let text = """
            22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
            40 22 0:35 /sub\\040dir /mnt/a\\040b\\134c\\012 ro,nosuid shared:7 master:2 - overlay  rw,lowerdir=/a\\054b:/c

            """
        let mounts = try MountInfo.parse(Array(text.utf8), from: "test")
        #expect(mounts.count == 2)
        #expect(
            mounts[0].device == DeviceNumber(major: 8, minor: 1) && mounts[0].type == "ext4" && !mounts[0].isReadOnly)
        #expect(mounts[1].mountPoint == "/mnt/a b\\c\n" && mounts[1].root == "/sub dir" && mounts[1].isReadOnly)
        #expect(mounts[1].source == "" && mounts[1].superOptions == ["rw", "lowerdir=/a,b:/c"])
    }

    @Test(
        "what isn't mountinfo is refused with the line's number",
        arguments: ["22 1 8:1 / /", "a b c", "22 1 8 / / rw - x y z"])
    func badMountinfo(line: String) {
        #expect(throws: SystemError(call: "parse line 2", subject: "f", code: EINVAL)) {
            _ = try MountInfo.parse(Array("22 1 8:1 / / rw - ext4 x rw\n\(line)\n".utf8), from: "f")
        }
    }

    @Test("this host's mounts have a root, and its device is that of /")
    func realMounts() throws {
        let root = try #require(try MountInfo.read().last { $0.mountPoint == "/" })
        let status = try #require(try Files.status("/"))
        #expect(root.device == status.device)
        #expect(status.isMountRoot)
    }

    @Test("pressure files are read; ones that aren't are refused")
    func pressure() throws {
        let text =
            "some avg10=1.50 avg60=0.25 avg300=0.00 total=12345\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n"
        let pressure = try Pressure.parse(text, from: "test")
        #expect(pressure.some.total == 12345 && pressure.some.avg10 == 1.5 && pressure.full?.total == 7)
        #expect(try Pressure.parse("some avg10=0 avg60=0 avg300=0 total=1\n", from: "t").full == nil)
        #expect(errorName { _ = try Pressure.parse("hello", from: "t") } == "EINVAL")
        #expect(errorName { _ = try Pressure.parse("some avg10=x avg60=0 avg300=0 total=1", from: "t") } == "EINVAL")
    }

    @Test("users are found by name and number, with their groups")
    func users() throws {
        let root = try #require(try Users.lookup("root"))
        #expect(root.uid == 0 && root.gid == 0 && root.groups.contains(0) && root.home.hasPrefix("/"))
        #expect(try Users.lookup("0") == root)
        #expect(try Users.name(of: 0) == "root")
        #expect(try Users.lookup("no-such-user-here") == nil)
        #expect(try Users.lookup("") == nil)
        #expect(try Users.lookup(uid: 4_000_000_001) == nil)
    }

    @Test("boot id and clocks are this boot's")
    func boot() throws {
        #expect(try BootID.bootID() == BootID.bootID())
        #expect(try BootID.bootID().count == 36)
        let first = BootID.bootTime()
        #expect(BootID.bootTime() >= first && first > .zero)
        #expect(try Kernel.version().major >= 5)
        #expect(Kernel.onlineProcessors() >= 1)
    }

    @Test("a descriptor closes with its last reference, once")
    func descriptors() throws {
        func isOpen(_ raw: Int32) -> Bool { fcntl(raw, F_GETFD) >= 0 }
        var pipe: (read: Descriptor, write: Descriptor)? = try Descriptor.pipe()
        let raw = try #require(pipe?.read.raw)
        #expect(fcntl(raw, F_GETFD) & FD_CLOEXEC != 0)
        let copy = try pipe?.read.duplicate()
        let kept = try #require(copy).raw
        pipe = nil
        // Another test's thread may get the number again at once: what matters is that this pipe has no reader but the copy.
        #expect(isOpen(kept))
        copy?.close()
        copy?.close()
        #expect(copy?.isClosed == true)
    }
}
