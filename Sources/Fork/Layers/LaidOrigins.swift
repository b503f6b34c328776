internal import FoundationEssentials
internal import Linux

/// From what live file a node was copied up, where other forks lie between live and its layer: a node that was copied up from such
/// a fork's file has its origin there, and that file one on live or, where that fork made it, none.
final class LaidOrigins {
    private let layer: String?
    /// By the file's handle, the origin that it has itself; made when it is first needed.
    private var known: [[UInt8]: [String: Data]]?

    /// - Parameter layer: What lies between; `nil` where nothing does.
    init(layer: String?) { self.layer = layer }

    /// The `origin` attributes among `xattrs`, or those of the laid file that they name.
    func origin(_ xattrs: [String: Data]) throws -> [String: Data] {
        let own = xattrs.filter { OverlayMarks.isOrigin($0.key) }
        guard let layer, let handle = OverlayMarks.originHandle(own) else { return own }
        if known == nil {
            var found: [[UInt8]: [String: Data]] = [:]
            try Self.read(TreeReader(root: BytePath(layer)).root, BytePath(layer), &found)
            known = found
        }
        return known?[handle] ?? own
    }

    private static func read(_ directory: Descriptor, _ shown: BytePath, _ found: inout [[UInt8]: [String: Data]])
        throws
    {
        for name in try directory.sortedNames() {
            guard let node = try Node(name, in: directory, shown: shown.appending(name)) else { continue }
            if let handle = try Files.handle(node.access) {
                found[handle] = try node.allXattrs().filter { OverlayMarks.isOrigin($0.key) }
            }
            if node.type == .directory { try read(node.directory(), node.shown, &found) }
        }
    }
}
