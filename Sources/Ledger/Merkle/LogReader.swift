public import Documents
public import FoundationEssentials

/// Reads a log's directory with nothing but the log's public key; needs no lock and no running daemon.
public struct LogReader: Sendable {
    private let store: LogStore
    /// The tree head everything is read against.
    public let checkpoint: Checkpoint

    /// Opens the log at its current checkpoint; throws ``LedgerError`` when there is none or its signature is not `key`'s.
    public init(directory: String, key: VerifyingKey) throws {
        store = LogStore(directory: directory)
        guard let note = try store.checkpoint() else {
            throw LedgerError.damaged(
                file: store.checkpointPath, line: nil, why: "there is no checkpoint: no log was begun here")
        }
        checkpoint = try Checkpoint.parse(note, key: key)
    }

    init(store: LogStore, checkpoint: Checkpoint) {
        self.store = store
        self.checkpoint = checkpoint
    }

    /// The entries of `range`, as far as there are any.
    public func entries(_ range: Range<UInt64>) throws -> [Data] {
        let wanted = range.clamped(to: 0..<checkpoint.size)
        var found: [Data] = []
        var next = wanted.lowerBound
        while next < wanted.upperBound {
            let tile = next / 256
            let start = Int(next % 256)
            let end = Int(min(256, wanted.upperBound - tile * 256))
            found += try store.entries(Tile(entries: tile, width: width(of: tile, level: 0)))[start..<end]
            next = tile * 256 + UInt64(end)
        }
        return found
    }

    /// The proof that the entry `index` is in the log of `size` entries (by default all).
    public func inclusionProof(index: UInt64, size: UInt64? = nil) throws -> [Digest] {
        let size = try checked(size)
        return try MerkleProof.inclusion(index: index, size: size, subtree: subtree)
    }

    /// The proof that the log of `newSize` entries (by default all) begins with that of `oldSize`.
    public func consistencyProof(from oldSize: UInt64, to newSize: UInt64? = nil) throws -> [Digest] {
        let newSize = try checked(newSize)
        return try MerkleProof.consistency(oldSize: oldSize, newSize: newSize, subtree: subtree)
    }

    /// The tree head over the first `size` entries.
    public func root(at size: UInt64) throws -> Digest {
        try MerkleProof.root(of: 0..<checked(size), subtree: subtree)
    }

    private func checked(_ size: UInt64?) throws -> UInt64 {
        guard let size else { return checkpoint.size }
        guard size <= checkpoint.size else {
            throw LedgerError.outOfRange(what: "The size \(size)", size: checkpoint.size)
        }
        return size
    }

    private func width(of tile: UInt64, level: Int) -> Int {
        let count = checkpoint.size >> UInt64(8 * level)
        return Int(min(256, count - tile * 256))
    }

    private func subtree(height: Int, index: UInt64) throws -> Digest {
        let (level, inside) = (height / 8, height % 8)
        let first = index << UInt64(inside)
        let tile = first / 256
        let hashes = try store.hashes(Tile(level: level, index: tile, width: width(of: tile, level: level)))
        let start = Int(first % 256)
        return MerkleHash.root(of: hashes[start..<start + 1 << inside])
    }

    /// Recomputes the whole log from the directory alone: every entry's hash, every tile of every level, the root, and the
    /// checkpoint's signature. Throws only when the checkpoint itself can't be trusted; all else is in the report.
    public static func verify(directory: String, key: VerifyingKey) throws -> VerificationReport {
        let reader = try LogReader(directory: directory, key: key)
        var report = VerificationReport(checkpoint: reader.checkpoint)
        var edge = TreeEdge.empty
        let size = reader.checkpoint.size
        func compare(_ tile: Tile, _ hashes: [Digest]) {
            report.tiles += 1
            do {
                let stored = try reader.store.hashes(tile)
                guard let wrong = zip(stored, hashes).enumerated().first(where: { $1.0 != $1.1 }) else { return }
                report.problems.append(
                    "\(reader.store.path(tile)): its hash \(wrong.offset) is not the one of the entries below it.")
            } catch {
                report.problems.append("\(error)")
            }
        }
        for tile in 0..<(size + 255) / 256 {
            do {
                for entry in try reader.store.entries(Tile(entries: tile, width: reader.width(of: tile, level: 0))) {
                    edge.append(MerkleHash.leaf(entry)) { compare($0, $1) }
                    report.entries += 1
                }
            } catch {
                // Without these entries nothing after them can be recomputed.
                report.problems.append("\(error)")
                return report
            }
        }
        for (tile, hashes) in edge.partials { compare(tile, hashes) }
        if edge.root != reader.checkpoint.root {
            report.problems.append(
                "\(reader.store.checkpointPath): the entries give the root \(edge.root.hex), the checkpoint says \(reader.checkpoint.root.hex)."
            )
        }
        return report
    }
}

/// What a full recomputation of a log found.
public struct VerificationReport: Sendable, Hashable {
    /// The signed tree head that was checked against.
    public let checkpoint: Checkpoint
    /// How many entries were hashed.
    public var entries: UInt64 = 0
    /// How many tiles of hashes were compared.
    public var tiles = 0
    /// A sentence for everything that is wrong; empty when the log is what was signed.
    public var problems: [String] = []

    /// Whether everything fits.
    public var isIntact: Bool { problems.isEmpty }

    init(checkpoint: Checkpoint) {
        self.checkpoint = checkpoint
    }
}
