internal import Documents
internal import FoundationEssentials
internal import Glibc
public import Linux

extension Fork {
    /// The pre-images of `changes` and of what it declared to read, as the fork saw them: the snapshot where there is one, live
    /// elsewhere.
    ///
    /// A live path that changed after the fork was made gets ``BaseEntry/State/movedUnderFork``, which every later check
    /// reports as a conflict: nobody knows which of its states the change saw.
    ///
    /// - Parameters:
    ///   - changes: The fork's change set.
    ///   - reads: Absolute paths or patterns (see ``SnapshotSpec/paths``) that the change depends on; directories with
    ///     everything in them.
    ///   - blobs: Where to keep the old contents of changed text files, for ``ChangeSet/unifiedDiff(blobs:base:)``.
    /// - Returns: The base, with an entry for every touched and declared path.
    /// - Throws: ``ForkError``, `SystemError`.
    public func base(of changes: ChangeSet, reads: [String] = [], blobs: BlobStore? = nil) throws -> Base {
        try base(of: changes, reads: reads, keepingIn: blobs, copiedUp: nil)
    }

    /// The same for a change set whose contents lie in the fork's own layers (``changeSetInPlace(tally:)``).
    ///
    /// - Returns: The base.
    /// - Throws: ``ForkError``, `SystemError`.
    public func base(of changes: ChangeSet, in contents: LayerContents) throws -> Base {
        try base(of: changes, reads: [], keepingIn: nil, copiedUp: contents.copiedUp)
    }

    // `copiedUp`: of what nothing is at on live, the paths whose nodes were copied up (``ChangeCollector/copiedUp``), where that is
    // known.
    private func base(of changes: ChangeSet, reads: [String], keepingIn blobs: BlobStore?, copiedUp: Set<BytePath>?)
        throws
        -> Base
    {
        var entries: [BytePath: BaseEntry.State] = [:]
        var waiting: [Subject] = []
        func look() throws {
            let subjects = waiting
            waiting = []
            let states = try Threads.map("pre-images", subjects) {
                try self.state(of: $0, among: changes, keepingIn: blobs, copiedUp)
            }
            for (subject, state) in zip(subjects, states) {
                // A path both deleted and declared as read is taken with its listing.
                if case .present(let known)? = entries[subject.path], known.listing != nil { continue }
                entries[subject.path] = state
            }
        }
        try forEachSubject(of: changes, reads: reads) {
            waiting.append($0)
            // Each may hold a directory open.
            if waiting.count >= 256 { try look() }
        }
        try look()
        try blobs?.flush()
        return try Base(entries.map { BaseEntry(path: $0.key, state: $0.value) })
    }

    /// Which touched or declared paths live has changed since the fork was made, sorted; the snapshot's are never among them. No
    /// content is read.
    public func touchedSinceFork(_ changes: ChangeSet, reads: [String] = []) throws -> [BytePath] {
        var moved: Set<BytePath> = []
        try forEachSubject(of: changes, reads: reads) {
            if try hasMoved($0, among: changes) { moved.insert($0.path) }
        }
        return moved.sorted()
    }

    /// A watch over what a trial depends on on live: the touched and declared paths that no snapshot covers.
    public func watch(_ changes: ChangeSet, reads: [String] = []) throws -> FileWatch {
        var paths: [BytePath] = []
        try forEachSubject(of: changes, reads: reads) { if $0.node?.isSnapshot != true { paths.append($0.path) } }
        return try FileWatch(paths: paths)
    }

    /// A path of a base.
    private struct Subject: Sendable {
        var path: BytePath
        var node: MergedNode?
        /// The directory's names matter.
        var withListing: Bool
    }

    /// Hands out every path of a base, one after another: as many directories are open as the deepest of them lies deep.
    private func forEachSubject(of changes: ChangeSet, reads: [String], _ body: (Subject) throws -> Void) throws {
        var cursors: [String: MergedCursor] = [:]
        // Where nothing was, nothing is below; a change set names a new directory before what is in it.
        var absent: BytePath?
        func find(_ path: BytePath) throws -> MergedNode? {
            if let absent, path.isInside(absent) { return nil }
            let node = try look(path)
            absent = node == nil ? path : nil
            return node
        }
        func look(_ path: BytePath) throws -> MergedNode? {
            guard let mount = mount(of: path) else { return nil }
            if cursors[mount] == nil { cursors[mount] = MergedCursor(try view(of: mount)) }
            return try cursors[mount]?.node(Self.components(of: path, below: mount))
        }
        var count = 0
        func add(_ path: BytePath, _ node: MergedNode?, recursively: Bool, depth: Int = 0) throws {
            let isDirectory = node?.top.type == .directory
            count += 1
            try body(Subject(path: path, node: node, withListing: recursively && isDirectory))
            guard recursively, isDirectory, let below = try node?.directory() else { return }
            guard depth < 2048, count < 2_000_000 else {
                throw ForkError.malformed(
                    "\(path.display) holds too much to be recorded: name the paths that matter instead.")
            }
            for name in try below.names() {
                try add(path.appending(name), below.child(name), recursively: true, depth: depth + 1)
            }
        }
        for change in changes.changes {
            let isRemoved = change.kind == .delete || change.kind == .replace
            try add(change.path, find(change.path), recursively: isRemoved)
        }
        for pattern in reads {
            let glob = try Glob(pattern)
            let matches = try glob.matches()
            let paths = matches.isEmpty ? [BytePath(pattern)] : matches
            for path in paths where ChangeSet.isCanonical(path) { try add(path, find(path), recursively: true) }
        }
    }

    /// What a path was; where it is a changed text file its old content is kept in `blobs`.
    private func state(
        of subject: Subject, among changes: ChangeSet, keepingIn blobs: BlobStore?, _ copiedUp: Set<BytePath>?
    ) throws -> BaseEntry.State {
        let state = try state(of: subject, among: changes, copiedUp)
        if let blobs, case .present(let file) = state, let size = file.size, size <= Int64(ChangeSet.diffLimit),
            changes[subject.path].map({ $0.kind != .metadata }) ?? false, let node = subject.node?.top
        {
            try blobs.put(file: node.contents())
        }
        return state
    }

    private func state(of subject: Subject, among changes: ChangeSet, _ copiedUp: Set<BytePath>?) throws
        -> BaseEntry.State
    {
        if try hasMoved(subject, among: changes, copiedUp) { return .movedUnderFork }
        guard let node = subject.node else { return .absent }
        do {
            let names = subject.withListing ? try node.directory().names() : nil
            return .present(try FileState(reading: node.top, listing: names))
        } catch let error as SystemError where [ENOENT, ENOTDIR, ELOOP].contains(error.code) {
            return .movedUnderFork
        } catch ForkError.unstable {
            return .movedUnderFork
        }
    }

    private func hasMoved(_ subject: Subject, among changes: ChangeSet, _ copiedUp: Set<BytePath>? = nil) throws -> Bool
    {
        guard let node = subject.node else {
            if let copiedUp, changes[subject.path]?.kind == .create, !copiedUp.contains(subject.path) { return false }
            return try hasVanished(subject.path, among: changes)
        }
        if node.isSnapshot {
            // What shows through below the snapshot's directory is live's.
            guard subject.withListing, let hidden = node.hidden else { return false }
            return isLater(hidden.status.modified)
        }
        let status = node.top.status
        guard status.isDirectory else { return isLater(status.changed) }
        // A directory's times move with every name that comes or goes in it; that matters only where its listing does.
        return isLater(status.modified) ? subject.withListing : isLater(status.changed)
    }

    /// Whether live deleted a path that the fork had seen, now that nothing is there: the change set knows it, or the upper
    /// layer's node was copied up and live changed the directory it was in. (A node renamed inside the fork was copied up too, but
    /// from a path that the change set deletes.)
    private func hasVanished(_ path: BytePath, among changes: ChangeSet) throws -> Bool {
        guard let change = changes[path], let mount = mount(of: path) else { return false }
        guard change.kind == .create else { return true }
        let upper = applyHome(of: mount) + "/upper"
        let relative = Self.components(of: path, below: mount)
        let below = BytePath(bytes: [UInt8(ascii: "/")] + Array(relative.joined(separator: [UInt8(ascii: "/")])))
        guard let node = try TreeReader(root: BytePath(upper)).node(at: below) else { return false }
        guard OverlayMarks.isCopiedUp(try node.allXattrs()) else { return false }
        let view = try view(of: mount)
        var cursor = MergedCursor(view)
        guard let parent = try cursor.node(relative.dropLast()), !parent.isSnapshot, isLater(parent.top.status.modified)
        else {
            return false
        }
        // What a fork laid below made was never on live.
        let xattrs = try LaidOrigins(layer: laidLayer(over: mount)).origin(node.allXattrs())
        guard OverlayMarks.isCopiedUp(xattrs) else { return false }
        for deleted in changes.changes where deleted.kind == .delete || deleted.kind == .replace {
            guard let home = self.mount(of: deleted.path) else { continue }
            var cursor = MergedCursor(try self.view(of: home))
            let old = try cursor.node(Self.components(of: deleted.path, below: home))
            if let old, OverlayMarks.origin(xattrs, isInode: old.top.status.inode) { return false }
        }
        return true
    }

    /// Whether a stamp of a file is of after the fork. File systems that keep whole seconds are given the whole second.
    private func isLater(_ time: FileTime) -> Bool {
        if time.nanoseconds == 0 { return time.seconds >= created.seconds }
        return time >= created
    }
}
