internal import FoundationEssentials
internal import Glibc
internal import Linux

/// What one look at live found below the paths of a snapshot.
struct LiveScan {
    /// One entry with all that is copied of it but a regular file's content.
    struct Entry {
        var path: BytePath
        var node: Node
        var xattrs: [String: Data]
        var linkTarget: Data?
    }

    /// What the patterns stand for: real paths, none below another.
    private(set) var roots: [BytePath] = []
    /// Roots and everything below them, each directory before what is in it.
    private(set) var entries: [Entry] = []
    /// Left out, with the directory they are in: see ``isDropped(_:)``.
    private(set) var dropped: [BytePath] = []

    /// Looks at what `globs` match now and at `extra`.
    ///
    /// - Parameters:
    ///   - globs: The patterns.
    ///   - extra: Further paths, there or not.
    ///   - live: The host.
    ///   - tick: Called often; throws to give up.
    /// - Throws: What `tick` throws, `SystemError`, ``ForkError/snapshot(_:)``.
    init(globs: [Glob], extra: Set<BytePath>, live: TreeReader, tick: () throws -> Void = {}) throws {
        var found = extra
        for glob in globs { found.formUnion(try glob.matches(withLinks: false)) }
        var known: Set<BytePath> = []
        // A pattern may match thousands in one directory, and each entry holds that directory open.
        var cursor = TreeCursor(live)
        for path in found.sorted() where !path.isInside(anyOf: known) {
            guard let node = try cursor.node(at: path) else { continue }
            roots.append(path)
            known.insert(path)
            try add(node, depth: 0, tick: tick)
        }
    }

    /// Looks at what a command made below `directory`, with paths as if that were `/`.
    init(made directory: Descriptor) throws {
        for name in try directory.sortedNames() {
            guard let node = try Node(name, in: directory, shown: BytePath("/").appending(name)) else { continue }
            roots.append(node.shown)
            try add(node, depth: 0, tick: {})
        }
    }

    private mutating func add(_ node: Node, depth: Int, tick: () throws -> Void) throws {
        try tick()
        guard depth < 2048 else {
            throw ForkError.snapshot(
                "\(node.shown.display) lies too deep to be copied: name the paths that matter instead.")
        }
        if Self.isDropped(node) {
            dropped.append(node.shown)
            return
        }
        let xattrs: [String: Data]
        let target: Data?
        do {
            xattrs = try node.xattrs()
            target = node.type == .symlink ? try node.linkTarget() : nil
        } catch let error as SystemError where error.code == ENOENT {
            return  // It went away; where that matters, another look follows.
        }
        entries.append(Entry(path: node.shown, node: node, xattrs: xattrs, linkTarget: target))
        guard node.type == .directory else { return }
        if depth > 0 && node.status.isMountRoot {
            throw ForkError.snapshot(
                "\(node.shown.display) is a mount of its own inside a directory to be copied. Name the paths in it separately."
            )
        }
        let directory: Descriptor
        do {
            directory = try node.directory()
        } catch let error as SystemError where [ENOENT, ENOTDIR, ELOOP].contains(error.code) {
            return
        }
        for name in try directory.sortedNames() {
            guard let child = try Node(name, in: directory, shown: node.shown.appending(name)) else { continue }
            try add(child, depth: depth + 1, tick: tick)
        }
    }

    /// Process-id and lock files tell of processes that the fork does not have, and keep a service from starting there; sockets
    /// have nobody behind them. Lock files of package managers (`Gemfile.lock`) are content: they are longer.
    static func isDropped(_ node: Node) -> Bool {
        if node.type == .socket { return true }
        guard node.type == .file || node.type == .symlink else { return false }
        let name = String(decoding: node.name, as: UTF8.self)
        return name.hasSuffix(".pid") || name.hasSuffix(".lock") && node.status.size <= 256
    }
}

extension BytePath {
    /// Whether this is one of `places` or lies below one; its cost does not depend on how many they are.
    func isInside(anyOf places: Set<BytePath>) -> Bool {
        var path = self
        while true {
            if places.contains(path) { return true }
            let parent = path.parent
            if parent == path { return false }
            path = parent
        }
    }
}

/// SQLite keeps its newest rows beside the database. Copied without them, or seen with another's, it is corrupt or old.
enum SQLiteFiles {
    static let suffixes = ["-wal", "-journal", "-shm"]

    /// The three files beside a database.
    static func companions(of path: BytePath) -> [BytePath] {
        suffixes.map { BytePath(bytes: path.bytes + Array($0.utf8)) }
    }

    /// Whether a regular file begins as a database does (https://www.sqlite.org/fileformat.html, 1.3.1), or is empty: a
    /// database whose first transaction is still in its journal.
    static func isDatabase(_ node: Node) throws -> Bool {
        guard node.type == .file else { return false }
        if node.status.size == 0 { return true }
        let head = try Files.pread(node.contents(), count: 16, offset: 0)
        return head == Data("SQLite format 3\0".utf8)
    }
}
