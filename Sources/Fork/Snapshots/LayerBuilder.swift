internal import FoundationEssentials
internal import Glibc
internal import Linux

/// Builds the snapshot layers of a fork: one over each mount that has snapshot paths.
struct LayerBuilder {
    private let fork: Fork
    private let live: TreeReader
    /// Directories made like live's, whose attributes are set once their content is complete.
    private var parents: [BytePath: BytePath] = [:]
    private var begun: Set<String> = []

    init(fork: Fork) throws {
        self.fork = fork
        live = try TreeReader(root: "/")
    }

    /// Where in the layers `path` belongs. Throws where no snapshot can be.
    func place(of path: BytePath) throws -> (mount: String, place: BytePath) {
        guard let mount = fork.mount(of: path) else {
            throw ForkError.snapshot(
                "\(path.display) is on no file system that the fork overlays, so it cannot be copied.")
        }
        let shown = path.display
        if let mask = fork.record.masks.first(where: { path.isInside(BytePath($0)) }) {
            throw ForkError.snapshot(
                "\(shown) lies in \(mask), which no sandbox sees, so copying it would be of no use.")
        }
        guard !path.isInside(BytePath(fork.directory)), !BytePath(fork.directory).isInside(path) else {
            throw ForkError.snapshot("\(shown) holds Grace's own forks and cannot be copied. Name narrower paths.")
        }
        let components = Fork.components(of: path, below: mount)
        guard !components.isEmpty else {
            throw ForkError.snapshot("\(shown) is a whole mount. Name the paths in it that matter, such as \(shown)/*.")
        }
        if let nested = fork.record.mounts.first(where: { $0 != mount && BytePath($0).isInside(path) }) {
            throw ForkError.snapshot("\(shown) holds the mount \(nested). Name the paths in it separately.")
        }
        return (mount, components.reduce(BytePath(layer(of: mount))) { $0.appending($1) })
    }

    /// Makes everything of a look at live. Files' contents come from `copies`.
    mutating func add(_ scan: LiveScan, from copies: inout FileCopies, roots: Set<BytePath>) throws {
        var first: [FileIdentity: BytePath] = [:]
        var directories: [(BytePath, LiveScan.Entry)] = []
        for entry in scan.entries {
            let (mount, place) = try self.place(of: entry.path)
            if roots.contains(entry.path) { try makeParents(of: entry.path, mount: mount) }
            switch entry.node.type {
            case .directory:
                try Files.makeDirectory(place, mode: 0o700)
                if roots.contains(entry.path) { try setOpaque(place) }
                directories.append((place, entry))
                continue
            case .file:
                if let other = first[entry.node.status.identity] {
                    try Files.link(other, place)
                    continue
                }
                guard let copy = copies.take(entry.node.status.identity) else {
                    throw ForkError.unstable(path: entry.path, reason: "it was not copied")
                }
                try Files.rename(BytePath(copy), place)
                first[entry.node.status.identity] = place
            case .symlink: try Files.symlink(BytePath(bytes: Array(entry.linkTarget ?? Data())), at: place)
            case .fifo: try Files.mknod(place, kind: .fifo, mode: 0o600)
            case .device:
                try Files.mknod(place, kind: entry.node.status.kind, mode: 0o600, device: entry.node.status.special)
            case .socket: continue
            }
            try setAttributes(of: place, to: entry)
        }
        for (place, entry) in directories.reversed() { try setAttributes(of: place, to: entry) }
    }

    /// Hides `path` of live.
    mutating func whiteout(_ path: BytePath) throws {
        let (mount, place) = try self.place(of: path)
        guard try Files.status(place) == nil else { return }
        try makeParents(of: path, mount: mount)
        try Files.mknod(place, kind: .characterDevice, mode: 0)
    }

    /// Puts what a command made at `made` to where it stands for `path`, with live's attributes where live has it. Directories
    /// that live has are joined with what lies there unless they are among `whole`.
    mutating func adopt(_ made: Node, as path: BytePath, whole: Set<BytePath>) throws {
        let (mount, place) = try self.place(of: path)
        let original = try live.node(at: path).flatMap { $0.type == made.type ? $0 : nil }
        try makeParents(of: path, mount: mount)
        guard made.type == .directory else {
            guard made.type == .file || made.type == .symlink else {
                throw ForkError.snapshot(
                    "The snapshot's command made a \(made.type.rawValue) for \(path.display). Only files, directories and links "
                        + "can be taken.")
            }
            guard try Files.status(place) == nil else { throw Self.twice(path) }
            try Files.rename(made.access, place)
            if let original { try Layer.copyAttributes(from: original, to: place, withTimes: false) }
            return
        }
        if try Files.status(place) == nil {
            try Files.makeDirectory(place, mode: 0o755)
            if whole.contains(path) || original == nil { try setOpaque(place) }
        }
        let directory = try made.directory()
        for name in try directory.sortedNames() {
            guard let child = try Node(name, in: directory, shown: path.appending(name)) else { continue }
            if LiveScan.isDropped(child) { continue }
            try adopt(child, as: path.appending(name), whole: whole)
        }
        try Layer.copyAttributes(from: original ?? made, to: place)
    }

    /// Sets what could not be set while directories were being filled.
    mutating func finish() throws {
        for (path, place) in parents.sorted(by: { $0.key > $1.key }) {
            guard let node = try live.node(at: path) else { continue }
            try Layer.copyAttributes(from: node, to: place)
        }
        for mount in begun { try Files.syncfs(layer(of: mount)) }
    }

    /// Whether something of the snapshot is at `path` already.
    func holds(_ path: BytePath) throws -> Bool {
        try Files.status(place(of: path).place) != nil
    }

    static func twice(_ path: BytePath) -> ForkError {
        .snapshot("\(path.display) belongs to two snapshots of the same mission. Name it in one of them alone.")
    }

    private func layer(of mount: String) -> String { fork.home(of: mount) + "/snapshot" }

    private mutating func makeParents(of path: BytePath, mount: String) throws {
        if begun.insert(mount).inserted, try Files.status(layer(of: mount)) == nil {
            try Layer.makeRoot(layer(of: mount), like: mount)
        }
        var above = BytePath(mount)
        var place = BytePath(layer(of: mount))
        for name in Fork.components(of: path, below: mount).dropLast() {
            above = above.appending(name)
            place = place.appending(name)
            if let status = try Files.status(place) {
                guard status.isDirectory else { throw Self.twice(path) }
                continue
            }
            guard let node = try live.node(at: above), node.type == .directory else {
                throw ForkError.snapshot(
                    "\(path.display) cannot be copied: \(above.display) is no directory on live (any more). Use real paths."
                )
            }
            try Files.makeDirectory(place, mode: 0o700)
            try Layer.copyAttributes(from: node, to: place)
            parents[above] = place
        }
    }

    private func setOpaque(_ place: BytePath) throws {
        try Files.setXattr(place, name: "trusted.overlay.opaque", value: Data("y".utf8))
    }

    private func setAttributes(of place: BytePath, to entry: LiveScan.Entry) throws {
        let status = entry.node.status
        try Files.chown(place, uid: status.uid, gid: status.gid)
        if entry.node.type != .symlink { try Files.chmod(place, status.mode) }
        for (name, value) in entry.xattrs { try Files.setXattr(place, name: name, value: value) }
        try Files.setTimes(place, accessed: status.accessed, modified: status.modified)
    }
}
