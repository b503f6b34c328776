internal import FoundationEssentials
internal import Glibc
internal import Linux

/// Makes what lies in layers look like what it stands for.
enum Layer {
    /// Makes the directory `path` with the owner, mode, extended attributes and times of the directory `model`. The root of
    /// the topmost layer is what a process sees as the mount's root.
    static func makeRoot(_ path: String, like model: String) throws {
        // Under another name first: a root that is there is complete.
        let unfinished = path + ".new"
        try Files.removeTree(unfinished)
        try Files.makeDirectory(unfinished, mode: 0o700)
        let node = try Node(root: TreeReader(root: BytePath(model)).root, shown: BytePath(model))
        try copyAttributes(from: node, to: BytePath(unfinished))
        try Files.rename(unfinished, path)
    }

    /// Gives `path` everything of `node` but content and type. `path` must be the entry itself in a directory that nobody else
    /// writes.
    static func copyAttributes(from node: Node, to path: BytePath, withTimes: Bool = true) throws {
        let status = node.status
        do {
            try Files.chown(path, uid: status.uid, gid: status.gid)
        } catch let error as SystemError where error.code == EPERM && geteuid() != 0 {
            // Who is not root can't give files away; the comparison knows (``ChangeCollector``).
        }
        if node.type != .symlink { try Files.chmod(path, status.mode) }
        for (name, value) in try node.xattrs() { try Files.setXattr(path, name: name, value: value) }
        if withTimes { try Files.setTimes(path, accessed: status.accessed, modified: status.modified) }
    }
}
