internal import Glibc
public import Linux

extension Fork {
    /// Makes `paths` look as if nothing were there, by whiteouts in a layer below the change's own. Before anything has run in the fork;
    /// root alone can make that layer.
    ///
    /// Each path is taken through the links that lead to its directory; the last component is hidden itself, link or not.
    ///
    /// - Throws: ``ForkError/outOfOrder(_:)``; ``ForkError/malformed(_:)`` for `/` and mount points.
    public func hide(_ paths: [BytePath]) throws {
        guard try !hasBegun() else {
            throw ForkError.outOfOrder(
                "The fork “\(id)” has been used already, and what is hidden in it can't be changed any more. Make a new one."
            )
        }
        for path in paths {
            guard ChangeSet.isCanonical(path), let name = path.components.last, let mount = mount(of: path),
                BytePath(mount) != path
            else {
                throw ForkError.malformed(
                    "\(path.display) can't be hidden: give an absolute path below “/” that is no mount point.")
            }
            let components = Array(Self.components(of: path, below: mount))
            let layer = home(of: mount) + "/snapshot"
            if try Files.status(layer) == nil { try Layer.makeRoot(layer, like: mount) }
            let live = try TreeReader(root: BytePath(mount))
            var (above, seen) = (BytePath(layer), BytePath(mount))
            for part in components.dropLast() {
                let parent = try live.directory(seen.components.dropFirst(BytePath(mount).components.count))
                seen = seen.appending(part)
                above = above.appending(part)
                guard let parent, let node = try Node(part, in: parent, shown: seen), node.type == .directory else {
                    throw ForkError.malformed("\(path.display) can't be hidden: \(seen.display) is no directory.")
                }
                if try Files.status(above) != nil { continue }
                try Files.makeDirectory(above, mode: 0o700)
                try Layer.copyAttributes(from: node, to: above)
            }
            let whiteout = above.appending(name)
            if try Files.status(whiteout) == nil {
                try Files.mknod(whiteout, kind: .characterDevice, mode: 0)
            }
        }
    }
}
