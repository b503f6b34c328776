public import Documents
public import FoundationEssentials
public import Linux

/// What an entry of the file system is.
public enum FileType: String, Codable, Sendable, CaseIterable {
    case file, directory, symlink, fifo, socket, device
}

/// A character or block device. Devices are recorded in change sets so that a reviewer sees them; promotion
/// refuses them.
public struct DeviceNode: Codable, Sendable, Hashable {
    /// Whether it is a block device; otherwise a character device.
    public var isBlock: Bool
    public var major: UInt32
    public var minor: UInt32

    public init(isBlock: Bool, major: UInt32, minor: UInt32) {
        self.isBlock = isBlock
        self.major = major
        self.minor = minor
    }
}

/// One entry of a change set: what the change did to one path.
public struct Change: Sendable, Equatable {
    /// How the path differs from what the fork saw before.
    public enum Kind: String, Codable, Sendable, CaseIterable {
        /// Nothing was at the path.
        case create
        /// The same type of entry with other content (or another link target). A file whose bytes are the same but which
        /// was joined to a hard-link group by the change is a `modify` too, since its inode is another one.
        case modify
        /// The path is gone. A deleted directory is one entry; what was in it is listed in the ``Base``.
        case delete
        /// The type of the entry is another one.
        case replace
        /// Content as before; mode, owner, extended attributes or a purposely set modification time differ.
        case metadata
    }

    /// The absolute path on the host.
    public var path: BytePath
    public var kind: Kind
    /// What the path is afterwards; for `delete`, what it was.
    public var type: FileType
    /// Permission bits with set-uid, set-gid and sticky (07777). 0 for `delete`.
    public var mode: UInt32
    /// Owner. 0 for `delete`.
    public var uid: UInt32
    /// Group. 0 for `delete`.
    public var gid: UInt32
    /// Every extended attribute afterwards, access control lists and file capabilities included; never overlayfs's own.
    public var xattrs: [String: Data]
    /// A symbolic link's target as it is stored.
    public var linkTarget: Data?
    /// A regular file's length in bytes; `nil` for other types and for `metadata`.
    public var size: Int64?
    /// The SHA-256 of a regular file's content, the blob's name; `nil` for other types and for `metadata`.
    public var content: Digest?
    /// Files of the change set with the same number are names of one inode. Numbers count up from 0 in path order.
    public var hardLinkGroup: Int?
    /// Nanoseconds since the epoch, only where the change set the time on purpose: see ``ChangeCollector``.
    public var modified: Int64?
    /// A device's number.
    public var device: DeviceNode?

    public init(
        path: BytePath, kind: Kind, type: FileType, mode: UInt32 = 0, uid: UInt32 = 0, gid: UInt32 = 0,
        xattrs: [String: Data] = [:], linkTarget: Data? = nil, size: Int64? = nil, content: Digest? = nil,
        hardLinkGroup: Int? = nil, modified: Int64? = nil, device: DeviceNode? = nil
    ) {
        self.path = path
        self.kind = kind
        self.type = type
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.xattrs = xattrs
        self.linkTarget = linkTarget
        self.size = size
        self.content = content
        self.hardLinkGroup = hardLinkGroup
        self.modified = modified
        self.device = device
    }
}

extension Change: Codable {
    /// The form of a manifest's entry; see `ChangeSet+Manifest.swift`.
    public init(from decoder: any Decoder) throws {
        try self.init(reading: ManifestReader(document: "change", json: JSON(from: decoder)))
    }

    public func encode(to encoder: any Encoder) throws {
        try JSON(parsing: Data(canonicalManifest)).encode(to: encoder)
    }
}
