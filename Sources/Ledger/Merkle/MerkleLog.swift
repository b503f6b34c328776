public import Documents
public import FoundationEssentials
internal import Glibc
internal import Linux
internal import Synchronization

/// An append-only Merkle log on disk: C2SP tlog-tiles, `checkpoint`, `tile/<L>/<N>[.p/<W>]` and `tile/entries/<N>[.p/<W>]`
/// below one directory, so that a plain file server publishes it.
///
/// Every append is on disk before it returns: first the tiles, then the checkpoint, which is replaced in one step. After a
/// kill or power loss at any point the log opens at its last checkpoint; what lies beyond is cut off. One process writes at a
/// time (a lock), any number may read.
public final class MerkleLog: Sendable {
    /// The largest entry the format can hold, in bytes.
    public static let entryLimit = 65_535

    /// Where the log lies.
    public let directory: String
    private let store: LogStore
    private let key: SigningKey
    private let lock: Descriptor
    private let state: Mutex<State>

    private struct State {
        var edge: TreeEdge
        /// The entries of the last, partial bundle.
        var entries: [Data]
        var checkpoint: Checkpoint
        /// Set when a write failed half-way, until the log is opened anew.
        var broken: String?
    }

    /// Opens the log for writing, or begins an empty one where there is none. The key's name is the log's origin.
    ///
    /// Throws ``LedgerError/locked(directory:)`` when another process writes, ``LedgerError/damaged(file:line:why:)`` when the
    /// tiles do not give the checkpoint's root.
    public init(directory: String, key: SigningKey) throws {
        self.directory = directory
        self.key = key
        store = LogStore(directory: directory)
        if try Files.status(directory) == nil {
            try Files.makeDirectory(directory, mode: 0o755, intermediate: true)
        }
        lock = try DirectoryLock.take(directory)
        let checkpoint: Checkpoint
        if let note = try store.checkpoint() {
            checkpoint = try Checkpoint.parse(note, key: key.publicKey)
        } else {
            guard try Files.status(directory + "/tile") == nil else {
                throw LedgerError.damaged(
                    file: store.checkpointPath, line: nil, why: "there are tiles but no checkpoint")
            }
            checkpoint = try Checkpoint.signed(size: 0, root: MerkleHash.empty, by: key)
            try store.write(checkpoint: checkpoint.note)
        }
        try store.cut(beyond: checkpoint.size)
        let edge = try Self.edge(of: checkpoint, in: store)
        let width = Int(checkpoint.size % 256)
        let entries = width == 0 ? [] : try store.entries(Tile(entries: checkpoint.size / 256, width: width))
        guard entries.map(MerkleHash.leaf) == edge.levels.first ?? [] else {
            let file = store.path(Tile(entries: checkpoint.size / 256, width: width))
            throw LedgerError.damaged(
                file: file, line: nil, why: "its entries do not have the hashes in the tile of level 0")
        }
        state = Mutex(State(edge: edge, entries: entries, checkpoint: checkpoint, broken: nil))
    }

    /// The last signed tree head.
    public var checkpoint: Checkpoint { state.withLock { $0.checkpoint } }

    /// How many entries there are.
    public var size: UInt64 { checkpoint.size }

    /// The tree head over them.
    public var root: Digest { checkpoint.root }

    /// The key that checkpoints are verified with.
    public var publicKey: VerifyingKey { key.publicKey }

    /// Adds entries in order and gives the index of the first one and the checkpoint that covers them all.
    ///
    /// All or none: when this throws, none of them is in the log. After a failed write the log takes no more entries until it
    /// is opened anew, since what reached the disk is then unknown.
    @discardableResult
    public func append(_ leaves: [Data]) throws -> (first: UInt64, checkpoint: Checkpoint) {
        for (offset, leaf) in leaves.enumerated() where leaf.count > Self.entryLimit {
            throw LedgerError.tooLarge(what: "The entry \(offset)", size: leaf.count, limit: Self.entryLimit)
        }
        return try state.withLock { state in
            if let why = state.broken { throw LedgerError.unusable(file: directory, why: why) }
            let first = state.checkpoint.size
            guard !leaves.isEmpty else { return (first, state.checkpoint) }
            do {
                try write(leaves, &state)
            } catch {
                state.broken = "an earlier append failed (\(error))"
                throw error
            }
            return (first, state.checkpoint)
        }
    }

    private func write(_ leaves: [Data], _ state: inout State) throws {
        var (edge, entries) = (state.edge, state.entries)
        var full: [Tile] = []
        for leaf in leaves {
            entries.append(leaf)
            if entries.count == Tile.fullWidth {
                let bundle = Tile(entries: edge.size / 256)
                try store.write(bundle, Self.bundle(entries))
                full.append(bundle)
                entries = []
            }
            try edge.append(MerkleHash.leaf(leaf)) { tile, hashes in
                try store.write(tile, Self.bytes(hashes))
                full.append(tile)
            }
        }
        if !entries.isEmpty {
            try store.write(Tile(entries: edge.size / 256, width: entries.count), Self.bundle(entries))
        }
        // A level that did not change keeps the partial tile it has.
        for (tile, hashes) in edge.partials
        where tile.level.map({ state.edge.levels.indices.contains($0) && state.edge.levels[$0] == hashes }) != true {
            try store.write(tile, Self.bytes(hashes))
        }
        let checkpoint = try Checkpoint.signed(size: edge.size, root: edge.root, by: key)
        try store.write(checkpoint: checkpoint.note)
        (state.edge, state.entries, state.checkpoint) = (edge, entries, checkpoint)
        // Not needed any more, and nothing is lost when a kill leaves them.
        for tile in full { try? store.removePartials(of: tile) }
    }

    /// The entry at `index`.
    public func entry(_ index: UInt64) throws -> Data {
        guard let entry = try entries(index..<index + 1).first else {
            throw LedgerError.outOfRange(what: "The entry \(index)", size: size)
        }
        return entry
    }

    /// The entries of `range`, as far as there are any.
    public func entries(_ range: Range<UInt64>) throws -> [Data] {
        try LogReader(store: store, checkpoint: checkpoint).entries(range)
    }

    /// The proof that the entry `index` is in the log of `size` entries (by default all).
    public func inclusionProof(index: UInt64, size: UInt64? = nil) throws -> [Digest] {
        try LogReader(store: store, checkpoint: checkpoint).inclusionProof(index: index, size: size)
    }

    /// The proof that the log of `newSize` entries (by default all) begins with that of `oldSize`.
    public func consistencyProof(from oldSize: UInt64, to newSize: UInt64? = nil) throws -> [Digest] {
        try LogReader(store: store, checkpoint: checkpoint).consistencyProof(from: oldSize, to: newSize)
    }

    /// The tree head over the first `size` entries.
    public func root(at size: UInt64) throws -> Digest {
        try LogReader(store: store, checkpoint: checkpoint).root(at: size)
    }

    /// Recomputes everything from the files: see ``LogReader/verify(directory:key:)``.
    public func verify() throws -> VerificationReport {
        try LogReader.verify(directory: directory, key: key.publicKey)
    }

    private static func edge(of checkpoint: Checkpoint, in store: LogStore) throws -> TreeEdge {
        var levels: [[Digest]] = []
        var count = checkpoint.size
        while count > 0 {
            let width = Int(count % 256)
            levels.append(
                width == 0 ? [] : try store.hashes(Tile(level: levels.count, index: count / 256, width: width)))
            count /= 256
        }
        let edge = TreeEdge(size: checkpoint.size, levels: levels)
        guard edge.root == checkpoint.root else {
            throw LedgerError.damaged(
                file: store.directory, line: nil,
                why: "its tiles give the root \(edge.root.hex), its checkpoint says \(checkpoint.root.hex)")
        }
        return edge
    }

    private static func bytes(_ hashes: [Digest]) -> Data {
        hashes.reduce(into: Data(capacity: hashes.count * 32)) { $0.append($1.bytes) }
    }

    private static func bundle(_ entries: [Data]) -> Data {
        entries.reduce(into: Data()) { data, entry in
            data.append(UInt16(entry.count).bigEndianBytes)
            data.append(entry)
        }
    }
}
