public import Documents
public import FoundationEssentials
public import Ledger

/// What a coordinator shows of its ledger, to be checked against the key the agent keeps.
public struct LedgerProof: Sendable {
    /// One leaf and its way to the root.
    public struct Inclusion: Sendable {
        public var index: UInt64
        /// The leaf's bytes.
        public var leaf: Data
        /// RFC 6962 audit path for ``LedgerProof/checkpoint``.
        public var proof: [Digest]

        public init(index: UInt64, leaf: Data, proof: [Digest]) {
            self.index = index
            self.leaf = leaf
            self.proof = proof
        }
    }

    /// The ledger's key, as the agent keeps it.
    public var key: VerifyingKey
    /// The newest tree head, a signed note.
    public var checkpoint: String
    /// The session's opening and the votes.
    public var entries: [Inclusion]
    /// Consistency proofs from older sizes to ``checkpoint``, by the older size.
    public var consistency: [UInt64: [Digest]]
    /// The newest tree head the agent has seen before, if any: a ledger that shrank or forked is refused.
    public var known: Checkpoint?

    public init(
        key: VerifyingKey, checkpoint: String, entries: [Inclusion], consistency: [UInt64: [Digest]] = [:],
        known: Checkpoint? = nil
    ) {
        self.key = key
        self.checkpoint = checkpoint
        self.entries = entries
        self.consistency = consistency
        self.known = known
    }
}

/// The ledger's entries about sessions and votes: coordinators write them, agents look for them.
public enum ParliamentRecord {
    public static let sessionOpened = "session.opened"
    public static let vote = "vote"

    /// The entry of a session's opening.
    public static func opened(_ session: Session, id: String, at: Date, actor: String) -> LedgerEntry {
        LedgerEntry(
            id: id, kind: sessionOpened, mission: session.mission_id, at: at, actor: actor,
            body: [
                "session": .string(session.session_id), "evidence": .string(session.evidence.hex),
                "change_set": .string(session.changeSet.hex), "expires_at": .string(Timestamp.text(session.expires_at)),
            ])
    }

    /// The entry of a vote; its reason stays out, only a commitment to it goes in.
    public static func cast(_ vote: Vote, in session: Session, id: String, at: Date, reason: Digest? = nil)
        -> LedgerEntry
    {
        var body: [String: JSON] = [
            "session": .string(session.session_id), "voter": .string(vote.voter), "kind": .string(vote.kind.rawValue),
            "vote": .string(vote.vote.rawValue),
        ]
        if let approval = vote.approval { body["approval"] = .string(ActEnvelope.id(approval).hex) }
        return LedgerEntry(
            id: id, kind: Self.vote, mission: session.mission_id, at: at, actor: vote.voter, body: .object(body),
            text: reason)
    }
}

/// A proof's checkpoint, verified, and what is proven to be below it.
struct ProvenLedger {
    let checkpoint: Checkpoint
    private let proof: LedgerProof
    private let entries: [LedgerEntry]
    /// Entries whose proof does not fit, as far as they can be read.
    private let unproven: [LedgerEntry]

    /// Throws a sentence's middle when the checkpoint is not the ledger's.
    init(_ proof: LedgerProof) throws {
        let checkpoint = try Checkpoint.parse(proof.checkpoint, key: proof.key)
        var proven: [LedgerEntry] = []
        var unproven: [LedgerEntry] = []
        for item in proof.entries {
            guard let entry = try? LedgerEntry(leaf: item.leaf) else { continue }
            let holds = MerkleProof.verifyInclusion(
                leaf: MerkleHash.leaf(item.leaf), index: item.index, size: checkpoint.size, proof: item.proof,
                root: checkpoint.root)
            if holds { proven.append(entry) } else { unproven.append(entry) }
        }
        self.checkpoint = checkpoint
        self.proof = proof
        entries = proven
        self.unproven = unproven
    }

    /// Why no proven entry fits; nil when one does.
    func absence(_ what: String, _ fits: (LedgerEntry) -> Bool) -> String? {
        if entries.contains(where: fits) { return nil }
        if unproven.contains(where: fits) { return "the proof that \(what) is in the ledger does not hold" }
        return "the coordinator shows no entry of \(what)"
    }

    /// Why the ledger does not go on from an older tree head; nil when it does.
    func fork(from older: Checkpoint) -> String? {
        guard older.size <= checkpoint.size else {
            return "it had \(older.size) entries and now shows \(checkpoint.size)"
        }
        // Equal sizes and the empty log need no proof.
        let path = proof.consistency[older.size] ?? []
        let holds = MerkleProof.verifyConsistency(
            oldSize: older.size, newSize: checkpoint.size, oldRoot: older.root, newRoot: checkpoint.root,
            proof: older.size == checkpoint.size ? [] : path)
        return holds ? nil : "the tree of \(checkpoint.size) entries is not shown to go on from that of \(older.size)"
    }
}
