public import Documents
public import FoundationEssentials

/// The hashes of RFC 6962 section 2.1: SHA-256 with a byte in front that tells leaves from inner nodes.
public enum MerkleHash {
    /// The root of a log without entries: SHA-256 of nothing.
    public static let empty = Digest(of: Data())

    /// A leaf's hash.
    public static func leaf(_ entry: Data) -> Digest {
        var state = StreamingDigest()
        state.update(Data([0x00]))
        state.update(entry)
        return state.finish()
    }

    /// An inner node's hash.
    public static func node(_ left: Digest, _ right: Digest) -> Digest {
        var state = StreamingDigest()
        state.update(Data([0x01]))
        state.update(left.bytes)
        state.update(right.bytes)
        return state.finish()
    }

    /// The tree head over leaf (or subtree) hashes, straight from the definition.
    public static func root(of leaves: ArraySlice<Digest>) -> Digest {
        guard let first = leaves.first else { return empty }
        guard leaves.count > 1 else { return first }
        let split = leaves.startIndex + largestPowerOfTwo(below: leaves.count)
        return node(root(of: leaves[..<split]), root(of: leaves[split...]))
    }

    /// As ``root(of:)-slice``.
    public static func root(of leaves: [Digest]) -> Digest { root(of: leaves[...]) }

    /// The largest power of two smaller than `count`, which is at least 2.
    static func largestPowerOfTwo<Number: FixedWidthInteger>(below count: Number) -> Number {
        1 << (Number(Number.bitWidth - 1) - Number((count - 1).leadingZeroBitCount))
    }
}
