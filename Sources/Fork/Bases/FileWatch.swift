internal import Glibc
public import Linux

/// Notices, cheaply, that live changed one of a set of paths: no content is read.
///
/// During a trial it is asked between blocks: a change on live makes the arms before and after it two different hosts.
/// A file counts as changed when its inode, size, mode, owner, or time of modification or change differ; a directory when its
/// inode, mode or owner do (what comes and goes in it does not matter unless those paths are watched too).
public struct FileWatch: Sendable {
    private struct Stamp: Sendable, Equatable {
        var identity: FileIdentity
        var mode: UInt32
        var uid: UInt32
        var gid: UInt32
        /// `nil` for directories.
        var content: Content?

        struct Content: Sendable, Equatable {
            var size: Int64
            var modified: FileTime
            var changed: FileTime
        }
    }

    private let root: String
    private var stamps: [BytePath: Stamp?]

    /// Looks at `paths` below `root` now.
    public init(paths: some Sequence<BytePath>, root: String = "/") throws {
        self.root = root
        stamps = [:]
        let tree = try TreeReader(root: BytePath(root))
        for path in paths { stamps.updateValue(try Self.stamp(path, tree), forKey: path) }
    }

    /// The watched paths, sorted by their bytes.
    public var paths: [BytePath] { stamps.keys.sorted() }

    /// The watched paths that are no longer what they were when the watch was made, sorted.
    public func changed() throws -> [BytePath] {
        let tree = try TreeReader(root: BytePath(root))
        return try stamps.filter { try Self.stamp($0.key, tree) != $0.value }.keys.sorted()
    }

    private static func stamp(_ path: BytePath, _ tree: TreeReader) throws -> Stamp? {
        guard let status = try tree.node(at: path)?.status else { return nil }
        return Stamp(
            identity: status.identity, mode: status.mode, uid: status.uid, gid: status.gid,
            content: status.isDirectory
                ? nil : .init(size: status.size, modified: status.modified, changed: status.changed))
    }
}
