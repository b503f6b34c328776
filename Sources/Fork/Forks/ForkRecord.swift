internal import Documents
internal import FoundationEssentials
internal import Glibc
internal import Linux
internal import Sandbox

/// What lies in a fork's `fork.json`.
struct ForkRecord: Codable {
    static let version = 1

    var version = Self.version
    var id: String
    /// See ``instant()``.
    var created: FileTime
    /// The live mounts that are overlaid.
    var mounts: [String]
    /// Places where the sandbox mounts something of its own.
    var masks: [String]
    /// Where the change's layers lie when they can't grow past a limit; `nil`: beside the others.
    var bounded: BoundedPlace?

    /// A time that tells earlier changes of files from later ones, whatever the file system's clock does: everything stamped
    /// before it happened before the call, everything stamped at or after it happened afterwards.
    ///
    /// File systems stamp with the kernel's coarse clock, or (multigrain, Linux 6.13) with the fine one but never before the
    /// coarse one. So the instant is the first coarse tick after the fine time of the call, at most 10 ms away.
    static func instant() -> FileTime {
        var fine = timespec()
        clock_gettime(CLOCK_REALTIME, &fine)
        while true {
            var coarse = timespec()
            clock_gettime(CLOCK_REALTIME_COARSE, &coarse)
            if (coarse.tv_sec, coarse.tv_nsec) > (fine.tv_sec, fine.tv_nsec) {
                return FileTime(seconds: Int64(coarse.tv_sec), nanoseconds: UInt32(coarse.tv_nsec))
            }
            usleep(500)
        }
    }

    /// A directory name that stands for a mount point: everything but letters, digits, `.`, `_` and `-` as `%HH`, so that
    /// neither `/` nor overlayfs's `:` and `,` are in it. Too long ones are told apart by their hash.
    static func directoryName(of mountPoint: String) -> String {
        let trimmed = mountPoint.utf8.drop { $0 == UInt8(ascii: "/") }
        if trimmed.isEmpty { return "root" }
        let digits = Array("0123456789ABCDEF")
        var name = "mount-"
        for byte in trimmed {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                name.unicodeScalars.append(Unicode.Scalar(byte))
            default: name += "%" + String(digits[Int(byte >> 4)]) + String(digits[Int(byte & 15)])
            }
        }
        return name.utf8.count <= 200 ? name : "long-" + Digest(of: Data(mountPoint.utf8)).hex
    }
}
