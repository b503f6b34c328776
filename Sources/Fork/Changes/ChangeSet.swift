public import Documents
public import FoundationEssentials
public import Linux

/// What a change did to the file system: entries in the order of their paths' bytes.
///
/// Its ``digest`` names it. The same change gives the same digest on another day and host, because nothing of the day
/// or host is in the ``manifest``; what was there before is in the ``Base``, a document of its own.
public struct ChangeSet: Sendable, Equatable {
    /// Sorted by path bytes, each path once; a directory so comes before what is in it.
    public let changes: [Change]

    /// Sorts `changes`. Throws where two entries name one path or an entry contradicts itself.
    public init(_ changes: consuming [Change]) throws {
        // In place where the caller gives the array away: a large change set is not held twice.
        var sorted = changes
        sorted.sort { $0.path < $1.path }
        try Self.check(sorted)
        self.changes = sorted
    }

    public var isEmpty: Bool { changes.isEmpty }

    /// The canonical JSON (RFC 8785) of the change set; see `ChangeSet+Manifest.swift` for its members.
    public var manifest: Data {
        var data = Data()
        forEachManifestPiece { data.append($0) }
        return data
    }

    /// The SHA-256 of ``manifest``.
    public var digest: Digest {
        var digest = StreamingDigest()
        forEachManifestPiece { piece in piece.withUnsafeBytes { digest.update($0) } }
        return digest.finish()
    }

    /// The blobs that the change set needs, each once.
    public var blobs: Set<Digest> { Set(changes.compactMap(\.content)) }

    /// The entry at `path`, if the change touched it.
    public subscript(path: BytePath) -> Change? {
        var low = 0
        var high = changes.count
        while low < high {
            let middle = (low + high) / 2
            if changes[middle].path < path { low = middle + 1 } else { high = middle }
        }
        guard low < changes.count, changes[low].path == path else { return nil }
        return changes[low]
    }
}

extension ChangeSet {
    /// The rules that every change set keeps, whether it was computed here or came in as a manifest.
    static func check(_ changes: [Change]) throws {
        var previous: BytePath?
        var groups: [Int: Change] = [:]
        var nextGroup = 0
        for change in changes {
            let shown = change.path.display
            func refuse(_ reason: String) -> ForkError {
                .malformed(
                    "The change set is not valid at \(shown): \(reason). It was not made by Grace, or was altered.")
            }
            guard isCanonical(change.path) else { throw refuse("the path is not absolute and in its shortest form") }
            if let previous, !(previous < change.path) {
                throw refuse("the paths are not in order, or one occurs twice")
            }
            previous = change.path
            guard change.mode <= 0o7777 else { throw refuse("the mode has bits beyond 07777") }
            let bytes = change.kind != .metadata && change.kind != .delete && change.type == .file
            guard (change.content != nil) == bytes, (change.size != nil) == bytes else {
                throw refuse(
                    "a \(change.kind.rawValue) of a \(change.type.rawValue) has content where it may not, or lacks it")
            }
            guard (change.size ?? 0) >= 0 else { throw refuse("the size is negative") }
            guard
                (change.linkTarget != nil)
                    == (change.type == .symlink && change.kind != .delete && change.kind != .metadata)
            else { throw refuse("a link target is missing or does not belong there") }
            guard
                (change.device != nil) == (change.type == .device && change.kind != .delete && change.kind != .metadata)
            else { throw refuse("a device number is missing or does not belong there") }
            if change.kind == .delete {
                guard change.mode == 0, change.uid == 0, change.gid == 0, change.xattrs.isEmpty, change.modified == nil,
                    change.hardLinkGroup == nil
                else { throw refuse("a deletion carries metadata") }
            }
            guard let group = change.hardLinkGroup else { continue }
            guard bytes || change.type != .directory && change.kind != .delete && change.kind != .metadata else {
                throw refuse("a \(change.kind.rawValue) of a \(change.type.rawValue) cannot be in a hard-link group")
            }
            if let first = groups[group] {
                guard first.content == change.content, first.mode == change.mode, first.uid == change.uid,
                    first.gid == change.gid, first.xattrs == change.xattrs, first.type == change.type,
                    first.linkTarget == change.linkTarget, first.device == change.device
                else { throw refuse("the names of hard-link group \(group) differ") }
            } else {
                guard group == nextGroup else { throw refuse("hard-link groups are not numbered in path order") }
                nextGroup += 1
                groups[group] = change
            }
        }
    }

    /// Whether a path is absolute, without empty, “.” or “..” components and without NUL.
    static func isCanonical(_ path: BytePath) -> Bool {
        let (slash, dot) = (UInt8(ascii: "/"), UInt8(ascii: "."))
        return path.bytes.withUnsafeBufferPointer { bytes in
            let count = bytes.count
            guard count > 0, bytes[0] == slash, count < 1 << 20 else { return false }
            if count == 1 { return true }
            var (start, index) = (1, 1)
            while index <= count {
                if index < count, bytes[index] == 0 { return false }
                if index == count || bytes[index] == slash {
                    let length = index - start
                    if length == 0 || length == 1 && bytes[start] == dot { return false }
                    if length == 2 && bytes[start] == dot && bytes[start + 1] == dot { return false }
                    start = index + 1
                }
                index += 1
            }
            return true
        }
    }
}
