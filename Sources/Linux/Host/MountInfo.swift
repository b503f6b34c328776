/// The mount table of a process, from `/proc/PID/mountinfo` (proc_pid_mountinfo(5)).
public struct MountInfo: Sendable {
    /// One mount.
    public struct Mount: Sendable, Hashable {
        /// The mount's number.
        public let id: Int
        /// The mount it lies on.
        public let parent: Int
        /// The file system's device.
        public let device: DeviceNumber
        /// Which directory of the file system is mounted: `/`, or deeper for a bind mount.
        public let root: BytePath
        /// Where it lies, as this process sees it.
        public let mountPoint: BytePath
        /// Options of the mount: `ro`, `nosuid`.
        public let options: [String]
        /// The file system's type: `ext4`.
        public let type: String
        /// What is mounted: a device, or a name without meaning.
        public let source: BytePath
        /// Options of the file system: for an overlay its layers.
        public let superOptions: [String]

        /// Whether nothing can be written through it.
        public var isReadOnly: Bool { options.contains("ro") || superOptions.contains("ro") }
    }

    /// The mounts that the process `pid` sees, in the kernel's order.
    public static func read(pid: String = "self") throws -> [Mount] {
        let path = "/proc/\(pid)/mountinfo"
        return try parse(Array(try Files.read(path)), from: path)
    }

    /// Parses mountinfo text; octal escapes are decoded.
    ///
    /// - Throws: EINVAL naming the line where it isn't mountinfo.
    public static func parse(_ text: [UInt8], from file: String) throws -> [Mount] {
        var mounts: [Mount] = []
        for (number, line) in text.split(separator: UInt8(ascii: "\n")).enumerated() {
            guard let mount = parse(line) else {
                throw SystemError(call: "parse line \(number + 1)", subject: file, code: 22 /* EINVAL */)
            }
            mounts.append(mount)
        }
        return mounts
    }

    private static func parse(_ line: ArraySlice<UInt8>) -> Mount? {
        // Empty fields stay: a source may be empty.
        let fields = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard let dash = fields.indices.dropFirst(6).first(where: { fields[$0].elementsEqual("-".utf8) }),
            fields.count >= dash + 4, let id = integer(fields[0]), let parent = integer(fields[1])
        else { return nil }
        let numbers = fields[2].split(separator: UInt8(ascii: ":")).compactMap(integer)
        guard numbers.count == 2 else { return nil }
        return Mount(
            id: id, parent: parent,
            device: DeviceNumber(major: UInt32(clamping: numbers[0]), minor: UInt32(clamping: numbers[1])),
            root: BytePath(bytes: unescape(fields[3])), mountPoint: BytePath(bytes: unescape(fields[4])),
            options: options(fields[5]), type: String(decoding: unescape(fields[dash + 1]), as: UTF8.self),
            source: BytePath(bytes: unescape(fields[dash + 2])),
            superOptions: options(fields[(dash + 3)...].joined(separator: [UInt8(ascii: " ")])))
    }

    private static func integer(_ field: ArraySlice<UInt8>) -> Int? { Int(String(decoding: field, as: UTF8.self)) }

    private static func options(_ field: some Sequence<UInt8>) -> [String] {
        Array(field).split(separator: UInt8(ascii: ",")).map { String(decoding: unescape($0), as: UTF8.self) }
    }

    /// Decodes a field of a table of the kernel's that is written like this one; `nil` when it is not UTF-8.
    public static func unescaped(_ text: String) -> String? {
        String(validating: unescape(Array(text.utf8)[...]), as: UTF8.self)
    }

    /// `\040` and its kin: a backslash and three octal digits.
    static func unescape(_ field: ArraySlice<UInt8>) -> [UInt8] {
        guard field.contains(UInt8(ascii: "\\")) else { return Array(field) }
        var result: [UInt8] = []
        var index = field.startIndex
        while index < field.endIndex {
            let digits = field[index...].dropFirst().prefix(3)
            if field[index] == UInt8(ascii: "\\"), digits.count == 3,
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
            {
                result.append(value)
                index += 4
            } else {
                result.append(field[index])
                index += 1
            }
        }
        return result
    }
}
