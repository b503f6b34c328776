public import Documents
public import FoundationEssentials
public import Linux

/// What was at a path: everything that a later change could have changed, and no times.
public struct FileState: Sendable, Equatable {
    public var type: FileType
    /// Permission bits with set-uid, set-gid and sticky (07777).
    public var mode: UInt32
    public var uid: UInt32
    public var gid: UInt32
    public var xattrs: [String: Data]
    /// A symbolic link's target.
    public var linkTarget: Data?
    /// A regular file's length in bytes.
    public var size: Int64?
    /// The SHA-256 of a regular file's content.
    public var content: Digest?
    public var device: DeviceNode?
    /// The names in a directory, sorted, where they matter: the directory is deleted or replaced, or was declared as
    /// read. `nil` where they do not: files that come and go beside a changed file are no conflict.
    public var listing: [Data]?

    public init(
        type: FileType, mode: UInt32, uid: UInt32, gid: UInt32, xattrs: [String: Data] = [:], linkTarget: Data? = nil,
        size: Int64? = nil, content: Digest? = nil, device: DeviceNode? = nil, listing: [Data]? = nil
    ) {
        self.type = type
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.xattrs = xattrs
        self.linkTarget = linkTarget
        self.size = size
        self.content = content
        self.device = device
        self.listing = listing
    }
}

/// One path's pre-image.
public struct BaseEntry: Sendable, Equatable {
    public enum State: Sendable, Equatable {
        case absent
        case present(FileState)
        /// Live changed the path after the fork was made, so nobody can say what the tested change saw there. Never equal
        /// to anything that a host has: a promotion over it is a conflict.
        case movedUnderFork
    }

    public var path: BytePath
    public var state: State

    public init(path: BytePath, state: State) {
        self.path = path
        self.state = state
    }
}

/// A path that is no longer what the base says.
public struct Conflict: Sendable, Equatable, CustomStringConvertible {
    public let path: BytePath
    public let expected: BaseEntry.State
    public let found: BaseEntry.State
    /// What was there before that which is expected: for a rollback, before the promotion. `nil` where it does not matter.
    public var before: BaseEntry.State?

    public init(path: BytePath, expected: BaseEntry.State, found: BaseEntry.State) {
        self.path = path
        self.expected = expected
        self.found = found
    }

    /// “/etc/x: the content is another one (was 1234…, is 5678…)”; with ``before`` the account of all three states follows.
    public var description: String {
        guard let before else { return what }
        return "\(what) [before: \(before.account); promoted: \(expected.account); now: \(found.account)]"
    }

    private var what: String {
        let shown = TextEscaping.path(path)
        switch (expected, found) {
        case (.movedUnderFork, _): return "\(shown): changed on live after the fork was made"
        case (_, .movedUnderFork): return "\(shown): is changing on live"
        case (.absent, .present(let now)): return "\(shown): did not exist, is now a \(now.type.rawValue)"
        case (.present(let old), .absent): return "\(shown): was a \(old.type.rawValue), is gone"
        case (.absent, .absent): return "\(shown): absent"
        case (.present(let old), .present(let now)): return "\(shown): \(Self.difference(old, now))"
        }
    }

    private static func difference(_ old: FileState, _ now: FileState) -> String {
        if old.type != now.type { return "was a \(old.type.rawValue), is a \(now.type.rawValue)" }
        var parts: [String] = []
        if old.content != now.content || old.size != now.size {
            parts.append(
                "the content is another one (was \(old.content?.short ?? "-"), is \(now.content?.short ?? "-"))")
        }
        if old.linkTarget != now.linkTarget { parts.append("the link points elsewhere") }
        if old.device != now.device { parts.append("the device number is another one") }
        if old.mode != now.mode {
            parts.append("mode was \(String(old.mode, radix: 8)), is \(String(now.mode, radix: 8))")
        }
        if (old.uid, old.gid) != (now.uid, now.gid) {
            parts.append("owner was \(old.uid):\(old.gid), is \(now.uid):\(now.gid)")
        }
        if old.xattrs != now.xattrs { parts.append("extended attributes differ") }
        if old.listing != now.listing {
            let (was, has) = (Set(old.listing ?? []), Set(now.listing ?? []))
            let names = [("new", has.subtracting(was)), ("gone", was.subtracting(has))].flatMap { word, names in
                names.sorted { $0.lexicographicallyPrecedes($1) }.prefix(5).map {
                    "\(word): \(TextEscaping.path(BytePath(bytes: Array($0))))"
                }
            }
            parts.append("other names are in the directory (\(names.joined(separator: ", ")))")
        }
        return parts.joined(separator: "; ")
    }
}

extension BaseEntry.State {
    /// “a file of 640 bytes (1234…), mode 0644, owner 0:0”, for people.
    public var account: String {
        switch self {
        case .absent: return "nothing"
        case .movedUnderFork: return "something that changes"
        case .present(let state):
            var text = "a \(state.type.rawValue)"
            if let size = state.size { text += " of \(ChangeSet.text(bytes: size))" }
            if let content = state.content { text += " (\(content.short))" }
            if let target = state.linkTarget { text += " to \(TextEscaping.path(BytePath(bytes: Array(target))))" }
            if state.type != .symlink { text += ", mode \(ChangeSet.octal(state.mode))" }
            text += ", owner \(state.uid):\(state.gid)"
            if !state.xattrs.isEmpty { text += ", attributes \(state.xattrs.keys.sorted().joined(separator: " "))" }
            return text
        }
    }
}
