public import Documents
public import FoundationEssentials
public import Ledger
public import Missions

/// A person's approval (or rejection, or abstention): what was seen, what it covers, and until when (DESIGN section 7).
///
/// The statement's subject is the change set. Everything else that the promotion depends on is bound here.
public struct ApprovalPredicate: SignedAct {
    public static let predicateType = "https://grace.dev/approval/v1"
    public static let namespace = ActNamespace.approve

    public var decision: VoteChoice
    /// The principal who votes.
    public var voter: String
    public var reason: String?
    public var session: String
    public var mission: String
    /// Digest of the mission file, so that `live.apply`, `undo` and the watch are covered.
    public var missionDigest: Digest
    /// ``Missions/HostIdentity/id`` of the one host it is for.
    public var host: String
    /// SHA-256 of the evidence statement's payload.
    public var evidence: Digest
    /// SHA-256 of the base document: live as it was when tested.
    public var base: Digest
    /// The agent's policy files the voter saw judged by.
    public var policies: PolicyDigests
    /// The nonce inside the evidence; a promotion burns it.
    public var nonce: String
    /// The ledger checkpoint the voter saw, a signed note.
    public var checkpoint: String
    public var issuedAt: Date
    public var expires: Date

    public var by: String { voter }

    /// Puts an approval together; times are rounded to the millisecond.
    public init(
        decision: VoteChoice, voter: String, reason: String? = nil, session: String, mission: String,
        missionDigest: Digest,
        host: String, evidence: Digest, base: Digest, policies: PolicyDigests, nonce: String, checkpoint: String,
        issuedAt: Date, expires: Date
    ) {
        self.decision = decision
        self.voter = voter
        self.reason = reason
        self.session = session
        self.mission = mission
        self.missionDigest = missionDigest
        self.host = host
        self.evidence = evidence
        self.base = base
        self.policies = policies
        self.nonce = nonce
        self.checkpoint = checkpoint
        self.issuedAt = Timestamp.rounded(issuedAt)
        self.expires = Timestamp.rounded(expires)
    }
}

/// The statement a voter signs.
public enum ApprovalStatement {
    /// The payload for a decision on exactly this evidence.
    ///
    /// - Parameters:
    ///   - decision: what the voter decided.
    ///   - voter: the voter's principal, as in allowed_signers.
    ///   - reason: the voter's words.
    ///   - session: the session's id.
    ///   - evidencePayload: the payload of the agent's evidence envelope, byte for byte.
    ///   - checkpoint: the note of the ledger checkpoint that is shown to the voter.
    ///   - now: the voter's clock, or the coordinator's on the voter's behalf.
    ///   - lifetime: seconds until the approval is void; at most ``ActEnvelope/longestLifetime``.
    /// - Returns: canonical JSON, to be signed through ``signedBytes(payload:)``.
    /// - Throws: `LedgerError` when the payload is no evidence.
    public static func make(
        decision: VoteChoice, voter: String, reason: String? = nil, session: String, evidencePayload: Data,
        checkpoint: String,
        now: Date, lifetime: TimeInterval = ActEnvelope.longestLifetime
    ) throws -> Data {
        let evidence = try EvidenceStatement.parse(payload: evidencePayload)
        return try ApprovalPredicate(
            decision: decision, voter: voter, reason: reason, session: session, mission: evidence.missionID,
            missionDigest: evidence.missionDigest, host: evidence.host.id, evidence: Digest(of: evidencePayload),
            base: evidence.base, policies: evidence.policies, nonce: evidence.nonce, checkpoint: checkpoint,
            issuedAt: now,
            expires: now.addingTimeInterval(min(lifetime, ActEnvelope.longestLifetime))
        ).payload(subject: subject(changeSet: evidence.changeSet))
    }

    /// The subject of approvals and overrides: the change set.
    public static func subject(changeSet: Digest) -> [Statement.Subject] {
        [Statement.Subject(name: "change-set", sha256: changeSet)]
    }

    /// What is signed, in the namespace `approve@grace`.
    public static func signedBytes(payload: Data) -> Data { ActEnvelope.signedBytes(payload: payload) }

    /// Puts the armored signature to the payload.
    public static func envelope(payload: Data, armored: String) throws -> Envelope {
        try ActEnvelope.envelope(payload: payload, armored: armored)
    }
}

/// The statement that an agent signs about a trial.
public enum EvidenceStatement {
    /// The payload: the change set is the subject.
    public static func make(_ evidence: Evidence) throws -> Data {
        try Statement(
            subject: ApprovalStatement.subject(changeSet: evidence.changeSet), predicateType: Evidence.predicateType,
            predicate: JSON(encoding: evidence)
        ).payload()
    }

    /// Reads it back; throws for anything but evidence whose subject is its change set.
    public static func parse(payload: Data) throws -> Evidence {
        let statement = try Statement(payload: payload)
        guard statement.predicateType == Evidence.predicateType else {
            throw LedgerError.envelope(
                why: "its predicate is \(statement.predicateType), not \(Evidence.predicateType)")
        }
        let evidence = try statement.predicate.decode(Evidence.self)
        guard statement.subject.map(\.sha256) == [evidence.changeSet] else {
            throw LedgerError.envelope(why: "its subject is not the change set that the evidence is about")
        }
        return evidence
    }
}
