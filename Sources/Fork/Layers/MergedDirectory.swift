internal import Linux

/// A directory as a fork saw it before its change: the snapshot layer over live.
struct MergedDirectory {
    /// The snapshot layer's part.
    let snapshot: Descriptor?
    /// Live's part; `nil` where the snapshot hides it.
    let live: Descriptor?
    let shown: BytePath

    /// The entry `name`, or `nil` where the fork saw none.
    func child(_ name: [UInt8]) throws -> MergedNode? {
        let path = shown.appending(name)
        let below = try live.flatMap { try Node(name, in: $0, shown: path) }
        guard let snapshot, let above = try Node(name, in: snapshot, shown: path) else {
            return below.map { MergedNode(top: $0, isSnapshot: false, hidden: nil) }
        }
        if try OverlayMarks.isWhiteout(above.status, try above.allXattrs()) { return nil }
        let merges =
            try above.type == .directory && below?.type == .directory && !OverlayMarks.isOpaque(above.allXattrs())
        return MergedNode(top: above, isSnapshot: true, hidden: merges ? below : nil)
    }

    /// Every name that the fork saw, sorted by its bytes.
    func names() throws -> [[UInt8]] {
        var names = Set(try live?.sortedNames() ?? [])
        for name in try snapshot?.sortedNames() ?? [] {
            guard let snapshot, let node = try Node(name, in: snapshot, shown: shown) else { continue }
            if try OverlayMarks.isWhiteout(node.status, try node.allXattrs()) {
                names.remove(name)
            } else {
                names.insert(name)
            }
        }
        return names.sorted { $0.lexicographicallyPrecedes($1) }
    }
}

/// An entry as a fork saw it before its change.
struct MergedNode: Sendable {
    /// What is to be seen.
    let top: Node
    /// Whether it is the snapshot's, and so can't be changed by live.
    let isSnapshot: Bool
    /// For a directory of the snapshot: live's, which shows through.
    let hidden: Node?

    func directory() throws -> MergedDirectory {
        let above = try top.directory()
        return MergedDirectory(
            snapshot: isSnapshot ? above : nil, live: isSnapshot ? try hidden?.directory() : above, shown: top.shown)
    }
}

/// One live mount as a fork sees it without its own changes.
struct MergedView {
    let root: MergedDirectory

    /// - Parameters:
    ///   - mountPoint: The live mount's place.
    ///   - snapshot: The snapshot layer, where there is one.
    /// - Throws: `SystemError` where one can't be opened.
    init(mountPoint: BytePath, snapshot: BytePath?) throws {
        root = MergedDirectory(
            snapshot: try snapshot.map { try TreeReader(root: $0).root }, live: try TreeReader(root: mountPoint).root,
            shown: mountPoint)
    }

    /// The mount's own root.
    func rootNode() throws -> MergedNode {
        guard let live = root.live else {
            throw ForkError.malformed("The mount \(root.shown.display) has no live directory.")
        }
        let below = try Node(root: live, shown: root.shown)
        guard let snapshot = root.snapshot else { return MergedNode(top: below, isSnapshot: false, hidden: nil) }
        return MergedNode(top: try Node(root: snapshot, shown: root.shown), isSnapshot: true, hidden: below)
    }
}

/// Finds entries of a view one after another. The directories that consecutive paths share are opened once, and no others are held.
struct MergedCursor {
    private let view: MergedView
    private var names: [[UInt8]] = []
    private var directories: [MergedDirectory] = []

    init(_ view: MergedView) { self.view = view }

    /// The entry with these names one below the other.
    mutating func node(_ components: some BidirectionalCollection<[UInt8]>) throws -> MergedNode? {
        guard let last = components.last else { return try view.rootNode() }
        let above = Array(components.dropLast())
        let shared = zip(names, above).prefix { $0 == $1 }.count
        names.removeLast(names.count - shared)
        directories.removeLast(directories.count - shared)
        for name in above[shared...] {
            guard let next = try (directories.last ?? view.root).child(name), next.top.type == .directory else {
                return nil
            }
            directories.append(try next.directory())
            names.append(name)
        }
        return try (directories.last ?? view.root).child(last)
    }
}
