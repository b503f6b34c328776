import Documents
import FoundationEssentials
import Glibc
import Linux

@testable import Fork

/// Says what changed between two plain directory trees, by reading both whole: slow, simple and without any overlay. What
/// the collector finds in a fork must be what this finds after the same commands on a copy.
struct TreeOracle {
    struct Item {
        var type: FileType
        var mode: UInt32
        var uid: UInt32
        var gid: UInt32
        var xattrs: [String: Data]
        var target: Data?
        var content: Data?
        var device: DeviceNode?
        var identity: FileIdentity
    }

    static func read(_ root: String) throws -> [BytePath: Item] {
        var items: [BytePath: Item] = [:]
        func visit(_ path: BytePath, _ relative: BytePath) throws {
            guard let status = try Files.status(path) else { return }
            let isDevice = status.kind == .characterDevice || status.kind == .blockDevice
            let type: FileType = isDevice ? .device : FileType(rawValue: status.kind.rawValue) ?? .file
            items[relative] = Item(
                type: type, mode: status.mode, uid: status.uid, gid: status.gid, xattrs: try Files.xattrs(path),
                target: type == .symlink ? Data(try Files.readlink(path).bytes) : nil,
                content: type == .file ? try Files.read(path) : nil,
                device: isDevice
                    ? DeviceNode(
                        isBlock: status.kind == .blockDevice, major: status.special.major, minor: status.special.minor)
                    : nil,
                identity: status.identity)
            guard status.isDirectory else { return }
            for name in try Files.entries(path) { try visit(path.appending(name), relative.appending(name)) }
        }
        try visit(BytePath(root), "/")
        return items
    }

    /// The changes from `before` to `after`, with `prefix` before every path.
    static func changes(from before: [BytePath: Item], to after: [BytePath: Item], prefix: String) throws -> ChangeSet {
        var result: [BytePath: Change] = [:]
        for (path, old) in before where after[path] == nil {
            // Only the topmost of what is gone; and a replaced directory took its content with it.
            if path != "/", let parent = after[path.parent], parent.type == .directory {
                result[path] = Change(path: path, kind: .delete, type: old.type)
            }
        }
        for (path, new) in after {
            let kind: Change.Kind?
            if let old = before[path] {
                if old.type != new.type {
                    kind = .replace
                } else if old.content != new.content || old.target != new.target || old.device != new.device {
                    kind = .modify
                } else if old.mode != new.mode || old.uid != new.uid || old.gid != new.gid || old.xattrs != new.xattrs {
                    kind = .metadata
                } else {
                    kind = nil
                }
            } else {
                kind = .create
            }
            if let kind { result[path] = change(path, kind, new) }
        }
        let names = Dictionary(grouping: after.filter { $0.value.type != .directory }.keys, by: { after[$0]?.identity })
        var groups: [[BytePath]] = []
        for paths in names.values where paths.count > 1 {
            let old = Set(paths.map { before[$0]?.identity })
            let same = old.count == 1 && !old.contains(nil)
            if same && paths.allSatisfy({ result[$0] == nil }) { continue }
            for path in paths where result[path] == nil || result[path]?.kind == .metadata {
                if let item = after[path] { result[path] = change(path, .modify, item) }
            }
            groups.append(paths.sorted())
        }
        for (number, group) in groups.sorted(by: { $0[0] < $1[0] }).enumerated() {
            for path in group { result[path]?.hardLinkGroup = number }
        }
        return try ChangeSet(
            result.values.map { change in
                var change = change
                let relative = change.path == "/" ? [] : change.path.bytes
                change.path = BytePath(bytes: Array(prefix.utf8) + relative)
                return change
            })
    }

    private static func change(_ path: BytePath, _ kind: Change.Kind, _ item: Item) -> Change {
        var change = Change(
            path: path, kind: kind, type: item.type, mode: item.mode, uid: item.uid, gid: item.gid, xattrs: item.xattrs)
        guard kind != .metadata else { return change }
        change.linkTarget = item.target
        change.device = item.device
        change.size = item.content.map { Int64($0.count) }
        change.content = item.content.map { Digest(of: $0) }
        return change
    }
}
