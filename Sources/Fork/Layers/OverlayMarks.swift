internal import FoundationEssentials
internal import Glibc
internal import Linux

/// What overlayfs writes beside a layer's own content (Linux, Documentation/filesystems/overlayfs.rst).
enum OverlayMarks {
    /// How the attributes begin that overlayfs goes by in layers of this caller's: without root they are mounted with `userxattr`.
    ///
    /// With the other beginning they say nothing about the layer. In root's overlays `user.overlay.` is whatever a program inside, or a
    /// container engine on live, wrote there: believed, it would turn a file that is there into a deletion.
    static let prefix = geteuid() == 0 ? "trusted.overlay." : "user.overlay."

    /// Whether an extended attribute is overlayfs's, be it another overlay's. None of them is part of a change.
    static func isOverlays(_ name: String) -> Bool {
        name.hasPrefix("trusted.overlay.") || name.hasPrefix("user.overlay.")
    }

    /// The attributes among `xattrs` that are the entry's own.
    static func own(_ xattrs: [String: Data]) -> [String: Data] {
        xattrs.isEmpty ? xattrs : xattrs.filter { !isOverlays($0.key) }
    }

    /// The value of overlayfs's attribute `name` among `xattrs`.
    static func value(_ name: String, in xattrs: [String: Data]) -> Data? {
        xattrs[prefix + name]
    }

    /// Whether a directory hides what lies below it in lower layers.
    static func isOpaque(_ xattrs: [String: Data]) -> Bool {
        value("opaque", in: xattrs) == Data("y".utf8)
    }

    /// Whether a node marks a deletion: a character device 0:0, or (Linux 6.7) an empty file with the attribute.
    static func isWhiteout(_ status: Status, _ xattrs: @autoclosure () throws -> [String: Data]) rethrows -> Bool {
        if status.isWhiteout { return true }
        guard status.isFile, status.size == 0 else { return false }
        return try value("whiteout", in: xattrs()) != nil
    }

    /// Whether an extended attribute tells from what a node was copied up.
    static func isOrigin(_ name: String) -> Bool { name == prefix + "origin" }

    /// Whether the node was copied up from a lower layer, rather than made new.
    static func isCopiedUp(_ xattrs: [String: Data]) -> Bool {
        guard let origin = value("origin", in: xattrs) else { return false }
        return !origin.isEmpty
    }

    /// Refuses what only options write that make a layer's diff wrong: renamed directories and files without their data.
    static func refuseForeign(_ xattrs: [String: Data], at path: BytePath) throws {
        if value("redirect", in: xattrs) != nil {
            throw ForkError.foreignLayer(path: path, reason: "a directory was renamed by redirect_dir")
        }
        if value("metacopy", in: xattrs) != nil {
            throw ForkError.foreignLayer(path: path, reason: "a file holds metadata without its data (metacopy)")
        }
    }
}

extension OverlayMarks {
    /// Whether the file handle in the `origin` attribute (struct ovl_fb of the kernel's fs/overlayfs/overlayfs.h: 21 bytes before
    /// the handle, which begins with the inode's number, 32 or 64 bits wide) names the inode.
    static func origin(_ xattrs: [String: Data], isInode inode: UInt64) -> Bool {
        guard let origin = value("origin", in: xattrs), origin.count >= 25 else { return false }
        let handle = Array(origin.dropFirst(21))
        func number(_ count: Int) -> UInt64? {
            guard handle.count >= count else { return nil }
            return handle[..<count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        return number(4) == inode || number(8) == inode
    }
}

extension OverlayMarks {
    /// The bytes of the file handle in the `origin` attribute; `nil` where there is none.
    static func originHandle(_ xattrs: [String: Data]) -> [UInt8]? {
        guard let origin = value("origin", in: xattrs), origin.count > 21 else { return nil }
        return Array(origin.dropFirst(21))
    }
}
