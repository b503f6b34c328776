public import Documents

/// Inclusion and consistency proofs (RFC 6962 section 2.1; verification as in RFC 9162 sections 2.1.3.2 and 2.1.4.2).
public enum MerkleProof {
    /// Gives the hash of the complete subtree of 2^height leaves that begins at leaf `index << height`.
    public typealias Subtree = (_ height: Int, _ index: UInt64) throws -> Digest

    /// Whether `proof` shows that the entry with hash `leaf` stands at `index` in the log of `size` entries with that root.
    public static func verifyInclusion(leaf: Digest, index: UInt64, size: UInt64, proof: [Digest], root: Digest) -> Bool
    {
        guard index < size else { return false }
        var (node, last) = (index, size - 1)
        var result = leaf
        for sibling in proof {
            guard last != 0 else { return false }
            if node & 1 == 1 || node == last {
                result = MerkleHash.node(sibling, result)
                while node & 1 == 0, node != 0 {
                    node >>= 1
                    last >>= 1
                }
            } else {
                result = MerkleHash.node(result, sibling)
            }
            node >>= 1
            last >>= 1
        }
        return last == 0 && result == root
    }

    /// Whether `proof` shows that the log of `newSize` entries begins with the log of `oldSize` entries.
    ///
    /// Equal sizes need an empty proof and equal roots; every log begins with the empty one.
    public static func verifyConsistency(
        oldSize: UInt64, newSize: UInt64, oldRoot: Digest, newRoot: Digest, proof: [Digest]
    ) -> Bool {
        guard oldSize <= newSize else { return false }
        if oldSize == newSize { return proof.isEmpty && oldRoot == newRoot }
        if oldSize == 0 { return proof.isEmpty && oldRoot == MerkleHash.empty }
        var path = proof
        if oldSize & (oldSize - 1) == 0 { path.insert(oldRoot, at: 0) }
        guard let first = path.first else { return false }
        var (node, last) = (oldSize - 1, newSize - 1)
        while node & 1 == 1 {
            node >>= 1
            last >>= 1
        }
        var (old, new) = (first, first)
        for sibling in path.dropFirst() {
            guard last != 0 else { return false }
            if node & 1 == 1 || node == last {
                old = MerkleHash.node(sibling, old)
                new = MerkleHash.node(sibling, new)
                while node & 1 == 0, node != 0 {
                    node >>= 1
                    last >>= 1
                }
            } else {
                new = MerkleHash.node(new, sibling)
            }
            node >>= 1
            last >>= 1
        }
        return last == 0 && old == oldRoot && new == newRoot
    }

    /// PATH(index, D[size]): the proof that `index` is in the log of `size` entries.
    public static func inclusion(index: UInt64, size: UInt64, subtree: Subtree) throws -> [Digest] {
        guard index < size else { throw LedgerError.outOfRange(what: "The entry \(index)", size: size) }
        return try path(index, 0..<size, subtree)
    }

    /// PROOF(oldSize, D[newSize]): the proof that the log of `newSize` entries begins with that of `oldSize`.
    public static func consistency(oldSize: UInt64, newSize: UInt64, subtree: Subtree) throws -> [Digest] {
        guard oldSize <= newSize else { throw LedgerError.outOfRange(what: "The old size \(oldSize)", size: newSize) }
        guard oldSize > 0, oldSize < newSize else { return [] }
        return try subproof(oldSize, 0..<newSize, true, subtree)
    }

    /// The tree head over `range`, whose lower bound lies where a subtree of its size may begin.
    public static func root(of range: Range<UInt64>, subtree: Subtree) throws -> Digest {
        let count = UInt64(range.count)
        guard count > 0 else { return MerkleHash.empty }
        if count & (count - 1) == 0 {
            let height = count.trailingZeroBitCount
            return try subtree(height, range.lowerBound >> UInt64(height))
        }
        let split = range.lowerBound + MerkleHash.largestPowerOfTwo(below: count)
        return try MerkleHash.node(
            root(of: range.lowerBound..<split, subtree: subtree), root(of: split..<range.upperBound, subtree: subtree))
    }

    private static func path(_ index: UInt64, _ range: Range<UInt64>, _ subtree: Subtree) throws -> [Digest] {
        guard range.count > 1 else { return [] }
        let split = range.lowerBound + MerkleHash.largestPowerOfTwo(below: UInt64(range.count))
        let (left, right) = (range.lowerBound..<split, split..<range.upperBound)
        return index < split
            ? try path(index, left, subtree) + [root(of: right, subtree: subtree)]
            : try path(index, right, subtree) + [root(of: left, subtree: subtree)]
    }

    /// SUBPROOF(m, D[n], b): `known` is b, whether the verifier knows the old root to be this subtree's.
    private static func subproof(_ old: UInt64, _ range: Range<UInt64>, _ known: Bool, _ subtree: Subtree) throws
        -> [Digest]
    {
        if range.upperBound == old { return known ? [] : [try root(of: range, subtree: subtree)] }
        let split = range.lowerBound + MerkleHash.largestPowerOfTwo(below: UInt64(range.count))
        let (left, right) = (range.lowerBound..<split, split..<range.upperBound)
        return old <= split
            ? try subproof(old, left, known, subtree) + [root(of: right, subtree: subtree)]
            : try subproof(old, right, false, subtree) + [root(of: left, subtree: subtree)]
    }
}
