internal import Documents

/// The right edge of a growing tree: per level the hashes of its last, partial tile. Enough to append and to know the root.
struct TreeEdge: Sendable {
    /// How many leaves there are.
    private(set) var size: UInt64
    /// `levels[L]` holds the hashes of the partial tile at level L; fewer than 256.
    private(set) var levels: [[Digest]]

    static let empty = TreeEdge(size: 0, levels: [])

    init(size: UInt64, levels: [[Digest]]) {
        self.size = size
        self.levels = levels
    }

    /// Adds a leaf's hash; `filled` is called for every tile that it completes.
    mutating func append(_ leaf: Digest, filled: (Tile, [Digest]) throws -> Void) rethrows {
        size += 1
        var hash = leaf
        var level = 0
        while true {
            if level == levels.count { levels.append([]) }
            levels[level].append(hash)
            guard levels[level].count == Tile.fullWidth else { return }
            let full = levels[level]
            levels[level] = []
            let index = (size >> UInt64(8 * (level + 1))) - 1
            try filled(Tile(level: level, index: index), full)
            hash = MerkleHash.root(of: full)
            level += 1
        }
    }

    /// The partial tiles as they are now.
    var partials: [(Tile, [Digest])] {
        levels.enumerated().compactMap { level, hashes in
            hashes.isEmpty
                ? nil : (Tile(level: level, index: size >> UInt64(8 * (level + 1)), width: hashes.count), hashes)
        }
    }

    /// The tree head (RFC 6962 section 2.1): the complete subtrees of the edge, folded from the right.
    var root: Digest {
        var subtrees: [Digest] = []
        for hashes in levels.reversed() {
            var start = 0
            for bit in [128, 64, 32, 16, 8, 4, 2, 1] where hashes.count & bit != 0 {
                subtrees.append(MerkleHash.root(of: hashes[start..<start + bit]))
                start += bit
            }
        }
        guard var result = subtrees.popLast() else { return MerkleHash.empty }
        while let left = subtrees.popLast() { result = MerkleHash.node(left, result) }
        return result
    }
}
