internal import Documents
internal import FoundationEssentials
internal import Glibc
internal import Linux

/// Compares an upper layer with what the fork saw without it, and says what the change did.
///
/// What equals the base is left out: parents copied up, files only touched, content rewritten as it was. Modification times
/// count only where they were set on purpose: where one lies more than a day before the fork was made (packages, archives and
/// `touch -d` do that; everything written in the fork has a later one) and is not the base's. The day keeps times out that
/// come from preparing the change on this host just before, so that the same change has the same digest tomorrow.
struct ChangeCollector {
    /// Takes the content of a changed file, and names it.
    typealias Keep = @Sendable (_ file: Descriptor, _ hasMarks: Bool) throws -> Digest
    /// Is told whether the file carries marks of overlayfs's.
    let keep: Keep
    /// When the fork was made.
    let created: FileTime
    /// Places where the sandbox mounts something of its own. It may have made them; that is no part of the change.
    let mountPoints: Set<BytePath>

    private(set) var changes: [Change] = []
    /// Paths that nothing is at on live though their nodes were copied up from there: a rename brought them, or live deleted them.
    private(set) var copiedUp: Set<BytePath> = []
    /// Files whose contents are still to be looked at, many at once.
    private var waiting: [Waiting] = []
    /// Everything of the upper layers with more than one name: by inode, the names with their changes.
    private var linked: [FileIdentity: [LinkedName]] = [:]

    /// How many files wait before their contents are looked at: enough to keep every processor busy, few enough that the
    /// directories they pin stay far below the limit of open files.
    private static let batch = 256

    /// A node of the layer.
    private struct Upper: Sendable {
        var node: Node
        /// A regular file, open, where the caller may open it.
        var file: Descriptor?
        /// All it has.
        var xattrs: [String: Data]

        func contents() throws -> Descriptor { try file ?? node.contents() }
    }

    private struct Waiting: Sendable {
        var node: Node
        var before: MergedNode?
        /// Its place among the names of its inode, where there are several.
        var link: Int?
    }

    private struct LinkedName {
        var path: BytePath
        var upper: Node
        var base: MergedNode?
        /// Its place in `changes`; `nil` where it equals the base.
        var index: Int?
    }

    init(created: FileTime, mountPoints: Set<BytePath>, keep: @escaping Keep) {
        self.keep = keep
        self.created = created
        self.mountPoints = mountPoints
    }

    /// Adds what the upper layer `upper` of the mount at `mountPoint` changed.
    mutating func collect(upper: BytePath, mountPoint: BytePath, base: MergedView) throws {
        let root = try TreeReader(root: upper).root
        let node = try Node(root: root, shown: mountPoint)
        let xattrs = try node.allXattrs()
        try OverlayMarks.refuseForeign(xattrs, at: mountPoint)
        _ = try compare(node, xattrs, with: base.rootNode())
        try walk(root, base: base.root, path: mountPoint, isOpaque: OverlayMarks.isOpaque(xattrs), depth: 0)
    }

    /// The change set of everything collected.
    mutating func finish() throws -> ChangeSet {
        try lookAtContents()
        try groupHardLinks()
        let found = changes
        changes = []
        return try ChangeSet(found)
    }

    private mutating func walk(
        _ upper: Descriptor, base: MergedDirectory?, path: BytePath, isOpaque: Bool, depth: Int
    ) throws {
        guard depth < 2048 else {
            throw ForkError.foreignLayer(path: path, reason: "directories lie deeper than 2048 levels")
        }
        let names = try upper.sortedNames()
        for name in names {
            let place = path.appending(name)
            guard let node = try Node(name, in: upper, shown: place) else { continue }
            let before = try base?.child(name)
            if try mountPoints.contains(place) && isBare(node, before) { continue }
            if node.type == .file, node.status.size > 0 {
                // Nothing that is a deletion; the rest is looked at with its content.
                try wait(for: node, before)
                continue
            }
            let xattrs = try node.allXattrs()
            if OverlayMarks.isWhiteout(node.status, xattrs) {
                if let before { delete(place, before) }
                continue
            }
            try OverlayMarks.refuseForeign(xattrs, at: place)
            if before == nil, OverlayMarks.isCopiedUp(xattrs) { copiedUp.insert(place) }
            if node.type == .file {
                try wait(for: node, before)
                continue
            }
            let index = try compare(node, xattrs, with: before)
            if node.type == .directory {
                let opaque = isOpaque || OverlayMarks.isOpaque(xattrs)
                let below = before?.top.type == .directory ? try before?.directory() : nil
                try walk(node.directory(), base: below, path: place, isOpaque: opaque, depth: depth + 1)
            } else if node.status.links > 1 {
                linked[node.status.identity, default: []].append(
                    LinkedName(path: place, upper: node, base: before, index: index))
            }
        }
        // An opaque directory hides whatever was there: all names that did not come back are gone.
        guard isOpaque, let base else { return }
        let kept = Set(names)
        for name in try base.names() where !kept.contains(name) {
            if let before = try base.child(name) { delete(path.appending(name), before) }
        }
    }

    /// Whether a node is nothing but a place to mount on.
    private func isBare(_ node: Node, _ before: MergedNode?) throws -> Bool {
        switch node.type {
        case .directory: try node.directory().sortedNames().isEmpty
        case .file:
            node.status.size == 0 && (before == nil || before?.top.type == .file && before?.top.status.size == 0)
        default: false
        }
    }

    private mutating func wait(for node: Node, _ before: MergedNode?) throws {
        var link: Int?
        if node.status.links > 1 {
            link = linked[node.status.identity, default: []].count
            linked[node.status.identity, default: []].append(
                LinkedName(path: node.shown, upper: node, base: before, index: nil))
        }
        waiting.append(Waiting(node: node, before: before, link: link))
        if waiting.count >= Self.batch { try lookAtContents() }
    }

    /// Compares and stores the contents of the files that wait, on every processor.
    private mutating func lookAtContents() throws {
        let files = waiting
        waiting = []
        // Without what was collected so far: shared with the threads, it would be copied whole at the first entry of every batch.
        var bare = self
        (bare.changes, bare.linked, bare.copiedUp) = ([], [:], [])
        let collector = bare
        let found = try Threads.map("contents", files) { try collector.look(at: $0) }
        for (file, (change, isCopiedUp)) in zip(files, found) {
            if isCopiedUp, file.before == nil { copiedUp.insert(file.node.shown) }
            guard let change else { continue }
            changes.append(change)
            if let link = file.link { linked[file.node.status.identity]?[link].index = changes.count - 1 }
        }
    }

    private func look(at waiting: Waiting) throws -> (change: Change?, isCopiedUp: Bool) {
        let node = waiting.node
        let file = try node.layerFile()
        let xattrs = try file.map { try Files.xattrs(of: $0) } ?? node.allXattrs()
        try OverlayMarks.refuseForeign(xattrs, at: node.shown)
        let change = try change(of: Upper(node: node, file: file, xattrs: xattrs), before: waiting.before)
        return (change, OverlayMarks.isCopiedUp(xattrs))
    }

    private mutating func delete(_ path: BytePath, _ before: MergedNode) {
        changes.append(Change(path: path, kind: .delete, type: before.top.type))
    }

    /// Adds the entry for one node, where it differs. Returns its place.
    private mutating func compare(_ node: Node, _ xattrs: [String: Data], with before: MergedNode?) throws -> Int? {
        guard let change = try change(of: Upper(node: node, xattrs: xattrs), before: before) else { return nil }
        changes.append(change)
        return changes.count - 1
    }

    /// The entry for one node, where it differs.
    private func change(of upper: Upper, before: MergedNode?) throws -> Change? {
        guard let before else { return try entry(upper, .create, before: nil) }
        guard before.top.type == upper.node.type else { return try entry(upper, .replace, before: before) }
        if try !hasSameContent(upper, before.top) { return try entry(upper, .modify, before: before) }
        let old = before.top.status
        let node = upper.node
        let new = node.status
        // Without root, other users' directories stand in the layer as the caller's; nothing about them could be changed.
        if geteuid() != 0, node.type == .directory, old.uid != geteuid() { return nil }
        let isSame =
            try (old.mode == new.mode || node.type == .symlink) && old.uid == new.uid && old.gid == new.gid
            && before.top.xattrs() == OverlayMarks.own(upper.xattrs) && setTime(node, before: before) == nil
        return isSame ? nil : try entry(upper, .metadata, before: before)
    }

    private func hasSameContent(_ upper: Upper, _ old: Node) throws -> Bool {
        let node = upper.node
        switch node.type {
        case .directory, .fifo, .socket: return true
        case .device: return node.device == old.device
        case .symlink: return try node.linkTarget() == old.linkTarget()
        case .file:
            guard node.status.size == old.status.size else { return false }
            if node.status.size == 0 { return true }
            let file = try old.contents()
            guard try Files.status(of: file).identity == old.status.identity else { return false }
            return try FileBytes(upper.contents()).equals(FileBytes(file))
        }
    }

    private func setTime(_ node: Node, before: MergedNode?) -> Int64? {
        let time = node.status.modified
        guard time.seconds < created.seconds - 86_400 else { return nil }
        if let before, before.top.type == node.type, before.top.status.modified == time { return nil }
        return time.nanosecondsSince1970
    }

    private func entry(_ upper: Upper, _ kind: Change.Kind, before: MergedNode?) throws -> Change {
        let node = upper.node
        var change = Change(
            path: node.shown, kind: kind, type: node.type, mode: node.type == .symlink ? 0o777 : node.status.mode,
            uid: node.status.uid, gid: node.status.gid, xattrs: OverlayMarks.own(upper.xattrs),
            modified: setTime(node, before: before))
        if kind != .metadata { try fill(&change, from: upper) }
        return change
    }

    /// Adds what only entries with content have.
    private func fill(_ change: inout Change, from upper: Upper) throws {
        let node = upper.node
        change.linkTarget = node.type == .symlink ? try node.linkTarget() : nil
        change.device = node.device
        guard node.type == .file else { return }
        let file = try upper.contents()
        change.content = try keep(file, OverlayMarks.own(upper.xattrs).count < upper.xattrs.count)
        change.size = try FileBytes(file).size()
        guard change.size == node.status.size else {
            throw ForkError.unstable(path: node.shown, reason: "the fork's sandbox still writes it; end it first")
        }
    }

    /// Numbers the inodes that have several names among the changes, in path order.
    ///
    /// Where the change linked a file that it otherwise left alone, that name belongs to the change too: its inode is
    /// another one afterwards. Where the names were one inode before and nothing else differs, nothing happened.
    private mutating func groupHardLinks() throws {
        var groups: [[Int]] = []
        for names in linked.values where names.count > 1 {
            let inodes = Set(names.map { $0.base?.top.status.identity })
            let wasOneInode = inodes.count == 1 && !inodes.contains(nil)
            if wasOneInode && names.allSatisfy({ $0.index == nil }) { continue }
            groups.append(
                try names.map { name in
                    guard let index = name.index else {
                        changes.append(
                            try entry(
                                Upper(node: name.upper, xattrs: name.upper.allXattrs()), .modify, before: name.base))
                        return changes.count - 1
                    }
                    if changes[index].kind == .metadata {
                        changes[index].kind = .modify
                        try fill(&changes[index], from: Upper(node: name.upper, xattrs: name.upper.allXattrs()))
                    }
                    return index
                })
        }
        let ordered = groups.sorted { left, right in
            guard let first = left.map({ changes[$0].path }).min(), let second = right.map({ changes[$0].path }).min()
            else {
                return false
            }
            return first < second
        }
        for (number, group) in ordered.enumerated() {
            for index in group { changes[index].hardLinkGroup = number }
        }
    }
}
