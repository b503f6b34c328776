internal import Documents
internal import FoundationEssentials
internal import Glibc
internal import Linux

/// Reads a directory tree by absolute paths as if its root were `/`, never following a link and never leaving it.
struct TreeReader {
    let root: Descriptor
    private let shown: BytePath

    init(root: BytePath) throws {
        self.root = try Files.open(root, flags: Files.Flag.path | O_DIRECTORY | O_CLOEXEC)
        shown = root
    }

    /// The entry at `path`; `nil` where there is none, also because something above it is missing, no directory or a link.
    func node(at path: BytePath) throws -> Node? {
        guard let name = path.components.last else { return try Node(root: root, shown: path) }
        guard let parent = try directory(path.components.dropLast()) else { return nil }
        return try Node(name, in: parent, shown: path)
    }

    /// The directory with these names one below the other; `nil` where it is none.
    func directory(_ components: some Collection<[UInt8]>) throws -> Descriptor? {
        guard !components.isEmpty else { return root }
        let relative = BytePath(bytes: Array(components.joined(separator: [UInt8(ascii: "/")])))
        do {
            return try Files.open(
                relative, flags: Files.Flag.path | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, at: root,
                resolve: Files.Resolve.noSymlinks | Files.Resolve.beneath)
        } catch let error as SystemError where [ENOENT, ENOTDIR, ELOOP].contains(error.code) {
            return nil
        }
    }
}

/// Looks at entries of a tree one after another; the directory that consecutive paths share is opened once.
struct TreeCursor {
    private let tree: TreeReader
    private var shared: (path: BytePath, directory: Descriptor?)?

    init(_ tree: TreeReader) { self.tree = tree }

    /// The entry at `path`; see ``TreeReader/node(at:)``.
    mutating func node(at path: BytePath) throws -> Node? {
        let name = path.last
        guard !name.isEmpty else { return try tree.node(at: path) }
        let parent = path.parent
        if shared?.path != parent {
            shared = (parent, try tree.directory(parent.components))
        }
        guard let directory = shared?.directory else { return nil }
        return try Node(name, in: directory, shown: path)
    }

    /// What is at `path`.
    mutating func state(at path: BytePath, withListing: Bool) throws -> BaseEntry.State {
        for _ in 0..<5 {
            do {
                guard let node = try node(at: path) else { return .absent }
                let names = withListing && node.type == .directory ? try node.directory().sortedNames() : nil
                return .present(try FileState(reading: node, listing: names))
            } catch let error as SystemError where [ENOENT, ENOTDIR, ELOOP].contains(error.code) {
                shared = nil  // It went away between two calls: look again.
            } catch ForkError.unstable {
                continue
            }
        }
        return .movedUnderFork
    }
}

extension FileState {
    /// Reads everything about an entry. Throws ``ForkError/unstable(path:reason:)`` where it changes meanwhile.
    init(reading node: Node, listing: [[UInt8]]? = nil) throws {
        self.init(
            type: node.type, mode: node.status.mode, uid: node.status.uid, gid: node.status.gid,
            xattrs: try node.xattrs(),
            device: node.device, listing: listing.map { $0.map { Data($0) } })
        switch node.type {
        case .symlink: linkTarget = try node.linkTarget()
        case .file:
            let file = try node.contents()
            content = try FileBytes(file).digest()
            let after = try Files.status(of: file)
            guard after.identity == node.status.identity, after.size == node.status.size,
                after.modified == node.status.modified, after.changed == node.status.changed
            else { throw ForkError.unstable(path: node.shown, reason: "someone writes it") }
            size = after.size
        case .directory, .fifo, .socket, .device: break
        }
        if type == .symlink { mode = 0o777 }
    }
}
