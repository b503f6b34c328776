import Documents
import Foundation
import Ledger
import Testing

@Suite("RFC 6962 hashing and proofs")
struct MerkleHashTests {
    /// The entries and roots of certificate-transparency's own reference tests (merkle_tree_test.cc, RFC 6962 section 2.1).
    private let entries = [
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    ]
    private let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]

    private func leaves() throws -> [Digest] {
        try entries.map { MerkleHash.leaf(try #require(Data(hexadecimal: $0))) }
    }

    @Test("the reference tree has the reference roots at every size")
    func referenceRoots() throws {
        let leaves = try leaves()
        for (index, root) in roots.enumerated() { #expect(MerkleHash.root(of: leaves[...index]).hex == root) }
        #expect(MerkleHash.empty.hex == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    }

    @Test("the reference inclusion and consistency proofs come out and verify")
    func referenceProofs() throws {
        let leaves = try leaves()
        let tree = BruteForce(leaves)
        let path = try MerkleProof.inclusion(index: 5, size: 8, subtree: tree.subtree)
        #expect(
            path.map(\.hex) == [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ])
        let proof = try MerkleProof.consistency(oldSize: 6, newSize: 8, subtree: tree.subtree)
        #expect(
            proof.map(\.hex) == [
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ])
    }

    @Test(
        "every inclusion proof of every size up to 70 equals the definition's and verifies; each single change breaks it"
    )
    func inclusionExhaustively() throws {
        let leaves = (0..<70).map { MerkleHash.leaf(Data("entry \($0)".utf8)) }
        let tree = BruteForce(leaves)
        let other = MerkleHash.leaf(Data("other".utf8))
        var wrong: [String] = []
        for size in 1...UInt64(leaves.count) {
            let root = MerkleHash.root(of: leaves[..<Int(size)])
            for index in 0..<size {
                let proof = try MerkleProof.inclusion(index: index, size: size, subtree: tree.subtree)
                let leaf = leaves[Int(index)]
                func check(
                    _ what: String, _ wanted: Bool, leaf: Digest, index at: UInt64, proof: [Digest], root: Digest
                ) {
                    let holds = MerkleProof.verifyInclusion(leaf: leaf, index: at, size: size, proof: proof, root: root)
                    if holds != wanted { wrong.append("\(index) of \(size): \(what)") }
                }
                if proof != BruteForce.path(Int(index), leaves[..<Int(size)]) {
                    wrong.append("\(index) of \(size): another proof")
                }
                check("refused", true, leaf: leaf, index: index, proof: proof, root: root)
                check("other leaf", false, leaf: other, index: index, proof: proof, root: root)
                check("other root", false, leaf: leaf, index: index, proof: proof, root: other)
                check("outside", false, leaf: leaf, index: size, proof: proof, root: root)
                check("longer", false, leaf: leaf, index: index, proof: proof + [root], root: root)
                check("longer before", false, leaf: leaf, index: index, proof: [root] + proof, root: root)
                if !proof.isEmpty {
                    check("shorter", false, leaf: leaf, index: index, proof: proof.dropLast(), root: root)
                }
                for at in 0..<size where at != index {
                    check("at \(at)", false, leaf: leaf, index: at, proof: proof, root: root)
                }
                for place in proof.indices {
                    var changed = proof
                    changed[place] = other
                    check("changed at \(place)", false, leaf: leaf, index: index, proof: changed, root: root)
                }
            }
        }
        #expect(wrong == [])
    }

    @Test(
        "every consistency proof between sizes up to 70 equals the definition's and verifies; each single change breaks it"
    )
    func consistencyExhaustively() throws {
        let leaves = (0..<70).map { MerkleHash.leaf(Data("entry \($0)".utf8)) }
        let tree = BruteForce(leaves)
        let roots = (0...leaves.count).map { MerkleHash.root(of: leaves[..<$0]) }
        let other = MerkleHash.leaf(Data("other".utf8))
        var wrong: [String] = []
        for new in 0...UInt64(leaves.count) {
            for old in 0...new {
                let proof = try MerkleProof.consistency(oldSize: old, newSize: new, subtree: tree.subtree)
                func check(_ what: String, _ wanted: Bool, proof: [Digest], before: Digest, after: Digest) {
                    let holds = MerkleProof.verifyConsistency(
                        oldSize: old, newSize: new, oldRoot: before, newRoot: after, proof: proof)
                    if holds != wanted { wrong.append("\(old) to \(new): \(what)") }
                }
                if old > 0, old < new, proof != BruteForce.subproof(Int(old), leaves[..<Int(new)], true) {
                    wrong.append("\(old) to \(new): another proof")
                }
                let (before, after) = (roots[Int(old)], roots[Int(new)])
                check("refused", true, proof: proof, before: before, after: after)
                check("other old root", false, proof: proof, before: other, after: after)
                check("longer", false, proof: proof + [other], before: before, after: after)
                // Every log begins with the empty one, so from size 0 nothing can be wrong with the new root.
                if old > 0 { check("other new root", false, proof: proof, before: before, after: other) }
                if !proof.isEmpty { check("shorter", false, proof: proof.dropLast(), before: before, after: after) }
                for place in proof.indices {
                    var changed = proof
                    changed[place] = other
                    check("changed at \(place)", false, proof: changed, before: before, after: after)
                }
            }
        }
        #expect(wrong == [])
        #expect(!MerkleProof.verifyConsistency(oldSize: 3, newSize: 2, oldRoot: roots[3], newRoot: roots[2], proof: []))
    }

    @Test("proofs outside the log are refused")
    func outside() {
        let tree = BruteForce([MerkleHash.empty])
        #expect(throws: LedgerError.self) { try MerkleProof.inclusion(index: 1, size: 1, subtree: tree.subtree) }
        #expect(throws: LedgerError.self) { try MerkleProof.consistency(oldSize: 2, newSize: 1, subtree: tree.subtree) }
    }
}

/// The definitions of RFC 6962 sections 2.1.1 and 2.1.2 word for word, over leaf hashes in memory.
struct BruteForce {
    let leaves: [Digest]
    init(_ leaves: [Digest]) { self.leaves = leaves }

    func subtree(height: Int, index: UInt64) -> Digest {
        let start = Int(index) << height
        return Self.head(leaves[start..<start + 1 << height])
    }

    static func split(_ count: Int) -> Int {
        var power = 1
        while power * 2 < count { power *= 2 }
        return power
    }

    static func head(_ leaves: ArraySlice<Digest>) -> Digest {
        guard let first = leaves.first else { return Digest(of: Data()) }
        if leaves.count == 1 { return first }
        let middle = leaves.startIndex + split(leaves.count)
        return Digest(of: Data([1]) + head(leaves[..<middle]).bytes + head(leaves[middle...]).bytes)
    }

    static func path(_ index: Int, _ leaves: ArraySlice<Digest>) -> [Digest] {
        if leaves.count <= 1 { return [] }
        let count = split(leaves.count)
        let middle = leaves.startIndex + count
        return index < count
            ? path(index, leaves[..<middle]) + [head(leaves[middle...])]
            : path(index - count, leaves[middle...]) + [head(leaves[..<middle])]
    }

    static func subproof(_ old: Int, _ leaves: ArraySlice<Digest>, _ known: Bool) -> [Digest] {
        if old == leaves.count { return known ? [] : [head(leaves)] }
        let count = split(leaves.count)
        let middle = leaves.startIndex + count
        return old <= count
            ? subproof(old, leaves[..<middle], known) + [head(leaves[middle...])]
            : subproof(old - count, leaves[middle...], false) + [head(leaves[..<middle])]
    }
}
