internal import Fork
internal import FoundationEssentials
internal import Linux

extension Base {
    /// What this base says about `path` and everything below it.
    func part(_ path: BytePath) throws -> Base {
        var low = entries.partitionPoint { $0.path < path }
        var found: [BaseEntry] = []
        if low < entries.count, entries[low].path == path { found.append(entries[low]) }
        if path.last.isEmpty { return try Base(found) }  // The root itself is never moved.
        let prefix = path.bytes + [UInt8(ascii: "/")]
        low = entries.partitionPoint { $0.path < BytePath(bytes: prefix) }
        while low < entries.count, entries[low].path.bytes.starts(with: prefix) {
            found.append(entries[low])
            low += 1
        }
        return try Base(found)
    }

    /// What this base says about `path` itself, whatever is in it.
    func alone(_ path: BytePath) throws -> Base {
        guard let known = self[path] else { return try Base([]) }
        guard case .present(var state) = known else { return try Base([BaseEntry(path: path, state: known)]) }
        state.listing = nil
        return try Base([BaseEntry(path: path, state: .present(state))])
    }

    /// The same with every path moved from below `from` to below `to`.
    func moved(from: BytePath, to: BytePath) throws -> Base {
        try Base(
            entries.map {
                BaseEntry(path: BytePath(bytes: to.bytes + $0.path.bytes.dropFirst(from.bytes.count)), state: $0.state)
            }
        )
    }

    /// What live must be at every touched path once `changeSet` is promoted: the pre-images of going back.
    static func postImages(of changeSet: ChangeSet, base: Base) throws -> Base {
        var listings: [BytePath: [Data]] = [:]
        for change in changeSet.changes where change.kind != .delete {
            if change.type == .directory && (change.kind == .create || change.kind == .replace) {
                listings[change.path] = []
            }
            listings[change.path.parent]?.append(Data(change.path.last))
        }
        return try Base(
            changeSet.changes.map { change in
                guard change.kind != .delete else { return BaseEntry(path: change.path, state: .absent) }
                var state = FileState(
                    type: change.type, mode: change.mode, uid: change.uid, gid: change.gid, xattrs: change.xattrs,
                    linkTarget: change.linkTarget, size: change.size, content: change.content, device: change.device,
                    listing: listings[change.path]?.sorted { $0.lexicographicallyPrecedes($1) })
                if change.kind == .metadata, case .present(let old)? = base[change.path] {
                    (state.linkTarget, state.size, state.content, state.device) = (
                        old.linkTarget, old.size, old.content, old.device
                    )
                }
                if change.type == .symlink { state.mode = 0o777 }
                return BaseEntry(path: change.path, state: .present(state))
            })
    }
}

extension RandomAccessCollection where Index == Int {
    /// The first place whose element does not satisfy `before`, by bisection.
    func partitionPoint(_ before: (Element) -> Bool) -> Int {
        var (low, high) = (startIndex, endIndex)
        while low < high {
            let middle = (low + high) / 2
            if before(self[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension BaseEntry.State {
    var isDirectory: Bool {
        if case .present(let state) = self { return state.type == .directory }
        return false
    }
}
