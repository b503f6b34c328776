internal import Documents
internal import Fork
internal import FoundationEssentials
internal import Linux
internal import Missions

/// What a promotion of files is going to do, complete before anything is staged: recovery and rollback work from this alone.
struct PromotionJournal: Codable, Equatable, Sendable {
    var id: String
    /// Names the hidden directories: no other promotion has the same.
    var tag: String
    var root: String
    var changeSet: Digest
    var base: Digest
    var steps: [PromotionStep]
    var parents: [ParentDirectory]
    /// Base64url of the mount points below the root on which names move: where one is not mounted, what is seen there is not live.
    var mounts: [String]?
    var apply: LiveApply?

    var stashName: [UInt8] { Array(".grace-\(tag)".utf8) }

    /// Hands out the canonical form (RFC 8785) piece by piece: `JSON(encoding: self).canonical`, without a value of all of it in memory.
    func forEachPiece(_ body: (Data) throws -> Void) throws {
        func list(_ name: String, _ items: [some Encodable]) throws {
            try body(Data(",\"\(name)\":[".utf8))
            for (index, item) in items.enumerated() {
                if index > 0 { try body(Data(",".utf8)) }
                try body(JSON(encoding: item).canonical)
            }
            try body(Data("]".utf8))
        }
        try body(Data("{".utf8))
        if let apply { try body(Data("\"apply\":".utf8) + JSON(encoding: apply).canonical + Data(",".utf8)) }
        try body(Data("\"base\":".utf8) + JSON(encoding: base).canonical)
        try body(Data(",\"changeSet\":".utf8) + JSON(encoding: changeSet).canonical)
        try body(Data(",\"id\":".utf8) + JSON.string(id).canonical)
        if let mounts { try body(Data(",\"mounts\":".utf8) + JSON(encoding: mounts).canonical) }
        try list("parents", parents)
        try body(Data(",\"root\":".utf8) + JSON.string(root).canonical)
        try list("steps", steps)
        try body(Data(",\"tag\":".utf8) + JSON.string(tag).canonical + Data("}".utf8))
    }
}

/// One move on live.
struct PromotionStep: Codable, Equatable, Sendable {
    enum Action: String, Codable, Sendable {
        /// The new inode and the old one change places.
        case exchange
        /// The new inode is moved to where nothing is.
        case create
        /// The old inode is moved away.
        case remove
        /// Owner, mode, attributes and times are set on the inode that is there.
        case metadata
    }

    /// Base64url of the path's bytes.
    var encodedPath: String
    var action: Action
    /// Its place among ``PromotionJournal/parents``.
    var parent: Int
    /// The inode that is there before, as text since JSON's numbers are doubles; `nil` where nothing is.
    var oldInode: String?
    /// Nanoseconds, as text.
    var oldModified: String?
    /// Bytes of an old regular file.
    var oldSize: String?
    /// Places in the change set: the entry itself first, then what is built below it before the move.
    var changes: [Int]

    var path: BytePath { BytePath(encoded: encodedPath) }
    var old: UInt64? { oldInode.flatMap(UInt64.init) }
    var isStaged: Bool { action == .exchange || action == .create }
}

/// A directory in which names move.
struct ParentDirectory: Codable, Equatable, Sendable {
    var encodedPath: String
    /// Nanoseconds before the promotion, as text.
    var modified: String
    /// Whether a name comes or goes: then the directory's time moves, as it would by any other hand.
    var changesNames: Bool
    /// Its own inode, as text: another directory under its name is not the one in which names were moved. `nil` in journals of before.
    var inode: String?

    var path: BytePath { BytePath(encoded: encodedPath) }
}

/// The inodes that were staged, step by step; written after staging, before the first move.
struct StagedInodes: Codable, Equatable, Sendable {
    var inodes: [String?]
}

/// Where a promotion stands. Replaced as a whole at every transition.
struct PhaseRecord: Codable, Equatable, Sendable {
    var kind: PromotionKind
    var phase: PromotionPhase
    var since: Date
    var reason: String?
    var conflicts: [String] = []
    var applied: [ApplyReport] = []
    var commands: [CommandReport] = []
    /// Nanoseconds, as text, of every parent directory after the promotion; a rollback restores the times of those alone that
    /// nobody touched since. While
    /// rolling back: “untouched” for those.
    var parentTimes: [String]?
    /// Frozen, though live is entirely new: the rollback can be tried again.
    var isWhole = false
    /// The pre-images were given up.
    var isPurged = false
    /// The hidden directories were moved, or are being moved, into the promotion's own directory.
    var isStowed: Bool?
}

extension BytePath {
    init(encoded: String) { self.init(bytes: Array(Data(base64URL: encoded) ?? Data())) }
    var encoded: String { Data(bytes).base64URL }
}
