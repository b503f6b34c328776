internal import CLinux

/// A time of a file: whole seconds and nanoseconds since 1970.
public struct FileTime: Sendable, Hashable, Comparable, Codable {
    /// Whole seconds since 1970, UTC.
    public var seconds: Int64
    /// 0 ..< 1,000,000,000.
    public var nanoseconds: UInt32

    /// A time.
    public init(seconds: Int64, nanoseconds: UInt32) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    /// Earlier first.
    public static func < (left: FileTime, right: FileTime) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }
}

/// A device's numbers.
public struct DeviceNumber: Sendable, Hashable, Codable, CustomStringConvertible {
    /// The driver.
    public var major: UInt32
    /// The device of that driver.
    public var minor: UInt32

    /// A device number.
    public init(major: UInt32, minor: UInt32) {
        self.major = major
        self.minor = minor
    }

    /// `8:1`, as mountinfo writes it.
    public var description: String { "\(major):\(minor)" }
}

/// One inode, as `statx(2)` tells it without following a link.
public struct Status: Sendable, Hashable {
    /// What kind of inode it is.
    public enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
        case file, directory, symlink, fifo, socket, characterDevice, blockDevice
    }

    /// The file system's device.
    public let device: DeviceNumber
    /// The inode's number.
    public let inode: UInt64
    /// How many names it has.
    public let links: UInt32
    /// Kind.
    public let kind: Kind
    /// Permission bits with setuid, setgid and sticky: `0o7777` at most.
    public let mode: UInt32
    /// Owner.
    public let uid: UInt32
    /// Group.
    public let gid: UInt32
    /// Bytes; of a link: the target's length.
    public let size: Int64
    /// Bytes taken on disk.
    public let allocated: Int64
    /// For device nodes: which device it stands for; 0:0 else.
    public let special: DeviceNumber
    /// Last read.
    public let accessed: FileTime
    /// Last change of content.
    public let modified: FileTime
    /// Last change of anything, set by the kernel alone.
    public let changed: FileTime
    /// The mount it was found on (Linux 5.8; else 0).
    public let mountID: UInt64
    /// Whether it is the root of a mount (Linux 5.8; else `false`).
    public let isMountRoot: Bool
    /// Whether it carries the immutable or append-only flag, which makes a rename EPERM.
    public let isImmutable: Bool

    /// Whether it is a directory.
    public var isDirectory: Bool { kind == .directory }
    /// Whether it is a regular file.
    public var isFile: Bool { kind == .file }
    /// Whether it is a symbolic link.
    public var isSymlink: Bool { kind == .symlink }
    /// Whether it is overlayfs's mark of a deletion: a character device 0:0.
    public var isWhiteout: Bool { kind == .characterDevice && special == DeviceNumber(major: 0, minor: 0) }
    /// Device and inode: the same for all names of one file.
    public var identity: FileIdentity { FileIdentity(device: device, inode: inode) }

    init(_ raw: clinux_status) {
        device = DeviceNumber(major: raw.device_major, minor: raw.device_minor)
        inode = raw.inode
        links = raw.links
        switch raw.mode & 0o170000 {
        case 0o040000: kind = .directory
        case 0o120000: kind = .symlink
        case 0o010000: kind = .fifo
        case 0o140000: kind = .socket
        case 0o020000: kind = .characterDevice
        case 0o060000: kind = .blockDevice
        default: kind = .file
        }
        mode = raw.mode & 0o7777
        uid = raw.uid
        gid = raw.gid
        size = Int64(clamping: raw.size)
        allocated = Int64(clamping: raw.blocks.multipliedReportingOverflow(by: 512).partialValue)
        special = DeviceNumber(major: raw.special_major, minor: raw.special_minor)
        accessed = FileTime(seconds: raw.accessed_seconds, nanoseconds: raw.accessed_nanoseconds)
        modified = FileTime(seconds: raw.modified_seconds, nanoseconds: raw.modified_nanoseconds)
        changed = FileTime(seconds: raw.changed_seconds, nanoseconds: raw.changed_nanoseconds)
        mountID = raw.mount_id
        isMountRoot = raw.attributes & 0x2000 != 0  // STATX_ATTR_MOUNT_ROOT
        isImmutable = raw.attributes & 0x30 != 0  // STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND
    }
}

/// Which inode of which file system.
public struct FileIdentity: Sendable, Hashable {
    /// The file system's device.
    public let device: DeviceNumber
    /// The inode's number.
    public let inode: UInt64
}

/// Room on a file system.
public struct FileSystemStatus: Sendable, Hashable {
    /// Its magic number (`linux/magic.h`): 0x794c7630 is overlayfs, 0x01021994 tmpfs.
    public let magic: UInt64
    /// Bytes in all.
    public let size: Int64
    /// Bytes an unprivileged user may still take.
    public let available: Int64
    /// Inodes still free; 0 of 0 where the file system doesn't count them.
    public let inodesAvailable: UInt64
    /// Inodes in all.
    public let inodes: UInt64
}
