internal import Documents
internal import FoundationEssentials
internal import Glibc
internal import Linux

/// One entry of a directory, found without following any link and pinned to the directory it was found in.
struct Node: Sendable {
    /// The open directory that holds it.
    let parent: Descriptor
    let name: [UInt8]
    let status: Status
    /// Where it lies, for messages.
    let shown: BytePath

    var type: FileType {
        switch status.kind {
        case .file: .file
        case .directory: .directory
        case .symlink: .symlink
        case .fifo: .fifo
        case .socket: .socket
        case .characterDevice, .blockDevice: .device
        }
    }

    /// A path to it through the pinned directory, for calls that take none but paths.
    var access: BytePath { BytePath("/proc/self/fd/\(parent.raw)").appending(name) }

    /// The entry `name` of `parent`; `nil` where there is none.
    init?(_ name: [UInt8], in parent: Descriptor, shown: BytePath) throws {
        guard let status = try Files.status(BytePath(bytes: name), at: parent) else { return nil }
        self.parent = parent
        self.name = name
        self.status = status
        self.shown = shown
    }

    /// The directory `parent` itself.
    init(root parent: Descriptor, shown: BytePath) throws {
        self.parent = parent
        name = Array(".".utf8)
        status = try Files.status(of: parent)
        self.shown = shown
    }

    /// Every extended attribute, overlayfs's own included.
    func allXattrs() throws -> [String: Data] {
        try withExtendedLifetime(parent) { try Files.xattrs(access) }
    }

    /// The extended attributes that belong to the entry itself.
    func xattrs() throws -> [String: Data] {
        OverlayMarks.own(try allXattrs())
    }

    func linkTarget() throws -> Data {
        try withExtendedLifetime(parent) { Data(try Files.readlink(access).bytes) }
    }

    var device: DeviceNode? {
        guard type == .device else { return nil }
        return DeviceNode(
            isBlock: status.kind == .blockDevice, major: status.special.major, minor: status.special.minor)
    }

    /// Opens a directory for looking into.
    func directory() throws -> Descriptor {
        try Files.open(
            BytePath(bytes: name), flags: Files.Flag.path | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, at: parent,
            resolve: Files.Resolve.noSymlinks | Files.Resolve.beneath)
    }

    /// Opens what is known to be a regular file in a layer that nobody else writes; `nil` where the caller may not.
    func layerFile() throws -> Descriptor? {
        do {
            return try Files.open(
                BytePath(bytes: name), flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, at: parent,
                resolve: Files.Resolve.noSymlinks | Files.Resolve.beneath)
        } catch let error as SystemError where error.code == EACCES {
            return nil
        }
    }

    /// Opens a regular file for reading. Nothing else is ever opened: the place is pinned and looked at first, so that a FIFO
    /// or device put there meanwhile is not touched.
    func contents() throws -> Descriptor {
        let pin = try Files.open(
            BytePath(bytes: name), flags: Files.Flag.path | O_NOFOLLOW | O_CLOEXEC, at: parent,
            resolve: Files.Resolve.noSymlinks | Files.Resolve.beneath)
        guard try Files.status(of: pin).isFile else {
            throw ForkError.unstable(path: shown, reason: "it is no longer a regular file")
        }
        return try pin.withRaw { raw in
            try Files.open("/proc/self/fd/\(raw)", flags: O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        }
    }
}

extension Descriptor {
    /// The names in an open directory, sorted by their bytes.
    func sortedNames() throws -> [[UInt8]] {
        try Files.entries(of: self).sorted { $0.lexicographicallyPrecedes($1) }
    }
}
