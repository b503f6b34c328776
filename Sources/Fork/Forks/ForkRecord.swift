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
    /// See ``now()``.
    var created: FileTime
    /// The live mounts that are overlaid.
    var mounts: [String]
    /// Places where the sandbox mounts something of its own.
    var masks: [String]
    /// Where the change's layers lie when they can't grow past a limit; `nil`: beside the others.
    var bounded: BoundedPlace?

    /// As an encoder would write it, which takes longer than the rest of a fork.
    func json() throws -> JSON {
        var keys: [String: JSON] = [
            "version": .integer(Int64(version)), "id": .string(id),
            "created": .object([
                "seconds": .integer(created.seconds), "nanoseconds": .integer(Int64(created.nanoseconds)),
            ]), "mounts": .array(mounts.map { .string($0) }), "masks": .array(masks.map { .string($0) }),
        ]
        if let bounded { keys["bounded"] = try JSON(encoding: bounded) }
        return .object(keys)
    }

    /// A time that tells earlier changes of files from later ones once ``waitForTick(after:)`` has returned: what is stamped before
    /// it happened before that, what is stamped at or after it happened after this call.
    static func now() -> FileTime { time(CLOCK_REALTIME) }

    /// Waits until every file is stamped with `time` or later. File systems stamp with the kernel's coarse clock, or (multigrain,
    /// Linux 6.13) with the fine one but never before the coarse one; its ticks are at most 10 ms apart.
    static func waitForTick(after time: FileTime) {
        while Self.time(CLOCK_REALTIME_COARSE) < time { usleep(250) }
    }

    private static func time(_ clock: clockid_t) -> FileTime {
        var time = timespec()
        clock_gettime(clock, &time)
        return FileTime(seconds: Int64(time.tv_sec), nanoseconds: UInt32(time.tv_nsec))
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
