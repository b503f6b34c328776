internal import FoundationEssentials
internal import Glibc
internal import Linux

extension Fork {
    /// Lays what other forks did below this fork, the first of them over the others: what runs here sees it. The change set stays what
    /// this fork's own layers hold beside live. The other forks' files are copied as they are now; nothing may run in them.
    ///
    /// - Parameters:
    ///   - others: The forks.
    ///   - asChange: What they did becomes this fork's own change instead.
    /// - Throws: ``ForkError/outOfOrder(_:)`` where something has run in this fork already; `SystemError`.
    public func lay(_ others: [Fork], asChange: Bool = false) throws {
        guard try !hasBegun() else {
            throw ForkError.outOfOrder(
                "The fork “\(id)” has been used already, and what it lies over can't be changed any more. Make a new one."
            )
        }
        if asChange { _ = try overlays(for: .apply) }
        var done: [(String, String)] = []
        for mount in record.mounts {
            let uppers = try others.map { (path: $0.applyHome(of: mount) + "/upper", fork: $0) }
                .filter { try Files.status($0.path) != nil }
            guard !uppers.isEmpty else { continue }
            let layer = asChange ? applyHome(of: mount) + "/upper" : home(of: mount) + "/lower"
            let place = asChange ? layer : layer + ".merging"
            if !asChange {
                try Files.removeTree(place)
                try Layer.makeRoot(place, like: mount)
            }
            var merger = LayerMerger()
            for upper in uppers.reversed() {
                merger.origins = LaidOrigins(layer: try upper.fork.laidLayer(over: mount))
                try merger.merge(
                    TreeReader(root: BytePath(upper.path)).root, into: BytePath(place), shown: BytePath(mount))
            }
            if !asChange { done.append((place, layer)) }
        }
        for (place, layer) in done { try Files.rename(place, layer) }
    }

    /// What other forks did over `mount`, where they were laid below this one.
    func laidLayer(over mount: String) throws -> String? {
        let path = home(of: mount) + "/lower"
        return try Files.status(path) == nil ? nil : path
    }
}

/// Puts one layer over another into one, so that the result shows what overlayfs shows of both.
struct LayerMerger {
    /// As the kernel marks it, without root for mounts with `userxattr`.
    private let opaque = OverlayMarks.prefix + "opaque"
    /// The places of files with several names, by inode.
    private var linked: [FileIdentity: BytePath] = [:]
    /// What lies between live and the layer that is merged.
    var origins = LaidOrigins(layer: nil)

    mutating func merge(_ upper: Descriptor, into place: BytePath, shown: BytePath) throws {
        for name in try upper.sortedNames() {
            guard let node = try Node(name, in: upper, shown: shown.appending(name)) else { continue }
            let target = place.appending(name)
            let xattrs = try node.allXattrs()
            try OverlayMarks.refuseForeign(xattrs, at: node.shown)
            let known = try Files.status(target)
            guard node.type == .directory else {
                try Files.removeTree(target)
                try make(node, isWhiteout: OverlayMarks.isWhiteout(node.status, xattrs), at: target)
                continue
            }
            let joins = known?.isDirectory == true && !OverlayMarks.isOpaque(xattrs)
            // Over a deletion or another kind of entry it shows nothing of what lies deeper.
            var hides = OverlayMarks.isOpaque(xattrs) || known != nil
            if joins {
                hides = OverlayMarks.isOpaque(try Files.xattrs(target))
            } else {
                try Files.removeTree(target)
                try Files.makeDirectory(target, mode: 0o700)
            }
            try merge(node.directory(), into: target, shown: node.shown)
            try Layer.copyAttributes(from: node, to: target)
            if hides { try Files.setXattr(target, name: opaque, value: Data("y".utf8)) }
        }
    }

    /// That it was copied up from live tells a file that live has deleted since from one that the change made.
    private func copyOrigin(_ node: Node, to target: BytePath) throws {
        for (name, value) in try origins.origin(node.allXattrs()) {
            try Files.setXattr(target, name: name, value: value)
        }
    }

    private mutating func make(_ node: Node, isWhiteout: Bool, at target: BytePath) throws {
        if isWhiteout { return try Files.mknod(target, kind: .characterDevice, mode: 0) }
        let identity = node.status.identity
        if node.status.links > 1, let other = linked[identity], try Files.status(other) != nil {
            return try Files.link(other, target)
        }
        switch node.type {
        case .file:
            let file = FileBytes(try Files.open(target, flags: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600))
            try file.copy(from: FileBytes(node.contents()))
        case .symlink: try Files.symlink(BytePath(bytes: Array(node.linkTarget())), at: target)
        default: try Files.mknod(target, kind: node.status.kind, mode: 0o600, device: node.status.special)
        }
        try Layer.copyAttributes(from: node, to: target)
        try copyOrigin(node, to: target)
        if node.status.links > 1 { linked[identity] = target }
    }
}
