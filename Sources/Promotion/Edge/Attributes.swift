internal import Fork
internal import FoundationEssentials
internal import Glibc
internal import Linux

/// Everything about an inode but its content.
struct Attributes: Equatable, Sendable {
    var isLink: Bool
    var mode: UInt32
    var uid: UInt32
    var gid: UInt32
    var xattrs: [String: Data]
    /// Nanoseconds since 1970; `nil` leaves the time alone.
    var modified: Int128?

    /// What a change set asks for.
    init(_ change: Change) {
        isLink = change.type == .symlink
        mode = change.mode
        uid = change.uid
        gid = change.gid
        xattrs = change.xattrs
        modified = change.modified.map { Int128($0) }
    }

    /// What was there before.
    init(_ state: FileState, modified: Int128?) {
        isLink = state.type == .symlink
        mode = state.mode
        uid = state.uid
        gid = state.gid
        xattrs = state.xattrs
        self.modified = modified
    }
}

extension FileTime {
    /// Nanoseconds since 1970; beyond the year 2262, which file systems know, 64 bits don't hold them.
    var total: Int128 { Int128(seconds) * 1_000_000_000 + Int128(nanoseconds) }

    init(total: Int128) {
        let whole = total >= 0 ? total / 1_000_000_000 : (total - 999_999_999) / 1_000_000_000
        self.init(seconds: Int64(clamping: whole), nanoseconds: UInt32(total - whole * 1_000_000_000))
    }
}

extension FileCalls {
    /// Gives the inode at `place` these attributes; only what differs is set, so that doing it again does nothing.
    ///
    /// - Parameters:
    ///   - attributes: What it must have.
    ///   - place: Where.
    ///   - inode: Its number, where it is known: another one is ESTALE, and nothing is touched.
    /// - Throws: `SystemError`; what was set by then stays set, and setting it all again is harmless.
    func apply(_ attributes: Attributes, to place: Place, inode: UInt64? = nil) throws {
        let flags = Files.Flag.path | O_NOFOLLOW
        let file = try call(.open, place.shown) {
            place.name.isEmpty
                ? try Files.open(".", flags: flags, at: place.directory)
                : try Files.open(BytePath(bytes: place.name), flags: flags, at: place.directory)
        }
        _ = try apply(attributes, to: file, at: place, inode: inode)
    }

    /// The same for an inode that is open, in any way; `place` is where it lies.
    ///
    /// - Returns: The number of the inode.
    func apply(_ attributes: Attributes, to file: Descriptor, at place: Place, inode: UInt64? = nil) throws -> UInt64 {
        defer { withExtendedLifetime(file) {} }
        var now = try status(of: file, shown: place.shown)
        guard inode == nil || now.inode == inode else {
            throw SystemError(call: "chown", subject: place.shown.display, code: ESTALE)
        }
        let isOwned = now.uid == attributes.uid && now.gid == attributes.gid
        // chown first: it clears setuid bits and file capabilities.
        if !isOwned {
            try call(.chown, place.shown) {
                guard fchownat(file.raw, "", attributes.uid, attributes.gid, Self.emptyPath) == 0 else {
                    throw SystemError(call: "fchownat", subject: "", code: errno)
                }
            }
        }
        let hasSet = try setXattrs(attributes.xattrs, of: file, shown: place.shown)
        // Access control lists are part of the mode, and a new owner clears bits of it.
        if !isOwned || hasSet { now = try status(of: file, shown: place.shown) }
        if !attributes.isLink && now.mode != attributes.mode {
            try call(.chmod, place.shown) { try Files.chmod("/proc/self/fd/\(file.raw)", attributes.mode) }
        }
        if let modified = attributes.modified, now.modified.total != modified {
            try setModified(modified, of: file, shown: place.shown)
        }
        return now.inode
    }

    /// Sets the time of modification of an open file or directory, opened in any way.
    func setModified(_ modified: Int128, of file: Descriptor, shown: BytePath) throws {
        try call(.times, shown) {
            let time = FileTime(total: modified)
            let times = [
                timespec(tv_sec: 0, tv_nsec: Self.omit),
                timespec(tv_sec: Int(time.seconds), tv_nsec: Int(time.nanoseconds)),
            ]
            guard utimensat(file.raw, "", times, Self.emptyPath) == 0 else {
                throw SystemError(call: "utimensat", subject: "", code: errno)
            }
        }
    }

    /// Of the open inode, not of what its name stands for by now: file capabilities would make a stranger's program root's.
    ///
    /// - Returns: Whether anything was set or removed.
    private func setXattrs(_ wanted: [String: Data], of file: Descriptor, shown: BytePath) throws -> Bool {
        var hasSet = false
        let present = try call(.status, shown) { try Files.xattrs(of: file) }
        for name in present.keys.sorted() where wanted[name] == nil && !Self.isKept(name) {
            try call(.xattr, shown) { try Files.removeXattr(of: file, name: name) }
            hasSet = true
        }
        for (name, value) in wanted.sorted(by: { $0.key < $1.key }) where present[name] != value {
            try call(.xattr, shown) { try Files.setXattr(of: file, name: name, value: value) }
            hasSet = true
        }
        return hasSet
    }

    /// Attributes that are the kernel's own: overlayfs's marks, and labels that a security module gives to every inode.
    private static func isKept(_ name: String) -> Bool {
        name.hasPrefix("trusted.overlay.") || name.hasPrefix("user.overlay.") || name == "security.selinux"
    }

    private static let emptyPath: Int32 = 0x1000  // AT_EMPTY_PATH, which Glibc's module hides
    private static let omit = 0x3fff_fffe  // UTIME_OMIT
}
