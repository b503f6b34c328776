public import Documents
internal import FoundationEssentials
public import Linux

/// The pre-images of a change set on one host: what every touched path, and every path declared as read, was when the
/// change was tested.
///
/// A promotion may only happen where ``conflicts(root:)`` is empty: then live is what the fork was.
public struct Base: Sendable, Equatable {
    /// Sorted by path bytes, each path once.
    public let entries: [BaseEntry]

    /// Sorts `entries`; throws where a path occurs twice or is not absolute and in its shortest form.
    public init(_ entries: [BaseEntry]) throws {
        let sorted = entries.sorted { $0.path < $1.path }
        try Self.check(sorted)
        self.entries = sorted
    }

    init(inOrder entries: [BaseEntry]) throws {
        try Self.check(entries)
        self.entries = entries
    }

    private static func check(_ entries: [BaseEntry]) throws {
        var previous: BytePath?
        for entry in entries {
            guard ChangeSet.isCanonical(entry.path), previous.map({ $0 < entry.path }) ?? true else {
                throw ForkError.malformed(
                    "The base document is not valid at \(entry.path.display): its paths must be absolute, in their shortest "
                        + "form, in order and each there once. It was not made by Grace, or was altered.")
            }
            previous = entry.path
        }
    }

    /// The SHA-256 of ``document``.
    public var digest: Digest {
        var digest = StreamingDigest()
        forEachDocumentPiece { piece in piece.withUnsafeBytes { digest.update($0) } }
        return digest.finish()
    }

    /// What was at `path`; `nil` when the base says nothing about it.
    public subscript(path: BytePath) -> BaseEntry.State? {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].path < path { low = middle + 1 } else { high = middle }
        }
        guard low < entries.count, entries[low].path == path else { return nil }
        return entries[low].state
    }

    /// Reads what is at `paths` below `root` now. Symbolic links are never followed, below `root` not even in the middle of
    /// a path: such a path is absent. Directories are taken without their listing.
    public static func capture(paths: [BytePath], root: String = "/") throws -> Base {
        var tree = TreeCursor(try TreeReader(root: BytePath(root)))
        return try Base(
            Set(paths).sorted().map { BaseEntry(path: $0, state: try tree.state(at: $0, withListing: false)) })
    }

    /// Every path below `root` that is no longer what this base says, in path order. Many are looked at on every processor.
    public func conflicts(root: String = "/") throws -> [Conflict] {
        let tree = try TreeReader(root: BytePath(root))
        let parts = stride(from: 0, to: entries.count, by: Self.part).map {
            entries[$0..<min($0 + Self.part, entries.count)]
        }
        return try Threads.map("conflicts", parts) { try Self.conflicts($0, tree) }.flatMap { $0 }
    }

    private static let part = 64

    private static func conflicts(_ entries: ArraySlice<BaseEntry>, _ tree: TreeReader) throws -> [Conflict] {
        var cursor = TreeCursor(tree)
        return try entries.compactMap { entry in
            var listed = false
            if case .present(let state) = entry.state { listed = state.listing != nil }
            let found = try cursor.state(at: entry.path, withListing: listed)
            guard found != entry.state || entry.state == .movedUnderFork else { return nil }
            return Conflict(path: entry.path, expected: entry.state, found: found)
        }
    }
}
