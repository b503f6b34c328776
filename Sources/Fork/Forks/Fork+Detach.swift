internal import FoundationEssentials
internal import Glibc
internal import Linux

extension Fork {
    /// Gives files of the change's own layers that have a name elsewhere, too, an inode of their own again: those that a commit gave
    /// away (``LayerContents/isGivenAway``) before it was cut off. Whatever the commit came to, the fork can be used again, and what
    /// is written in it reaches nothing else. Can be killed and called again. Nothing may run in the fork.
    ///
    /// - Throws: `SystemError`.
    public func detach() throws {
        for mount in record.mounts {
            let home = applyHome(of: mount)
            guard try Files.status(home + "/upper") != nil else { continue }
            var names: [FileIdentity: [Node]] = [:]
            try find(TreeReader(root: BytePath(home + "/upper")).root, BytePath(mount), &names)
            for group in names.values {
                guard let first = group.first, Int(first.status.links) > group.count else { continue }
                try detach(group, by: BytePath(home + "/detached"))
            }
        }
    }

    /// The regular files with several names.
    private func find(_ directory: Descriptor, _ shown: BytePath, _ names: inout [FileIdentity: [Node]]) throws {
        for name in try directory.sortedNames() {
            guard let node = try Node(name, in: directory, shown: shown.appending(name)) else { continue }
            if node.type == .directory {
                try find(node.directory(), node.shown, &names)
            } else if node.type == .file, node.status.links > 1 {
                names[node.status.identity, default: []].append(node)
            }
        }
    }

    private func detach(_ names: [Node], by temporary: BytePath) throws {
        guard let first = names.first else { return }
        try Files.removeTree(temporary)
        let file = FileBytes(try Files.open(temporary, flags: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600))
        try file.copy(from: FileBytes(first.contents()))
        try Layer.copyAttributes(from: first, to: temporary)
        for (name, value) in try first.allXattrs() where OverlayMarks.isOverlays(name) {
            try Files.setXattr(temporary, name: name, value: value)
        }
        for node in names.dropFirst() {
            // Renamed over the old name: at no moment is there nothing.
            let other = temporary.parent.appending("detached-name")
            try Files.removeTree(other)
            try Files.link(temporary, other)
            try Files.rename(other, node.access)
        }
        try Files.rename(temporary, first.access)
    }
}
