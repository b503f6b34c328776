public import Documents
public import Fork
public import FoundationEssentials
public import Ledger
public import Missions
public import Trust

/// What became of the nonce inside the evidence, by the agent's own records.
public enum NonceState: Sendable, Equatable {
    /// This agent never issued it.
    case unknown
    /// Issued, and good until then.
    case issued(expires: Date)
    /// Used by a promotion.
    case burned
}

/// Everything that decides whether a mission may be promoted here and now. Whatever needs a disk or a network was done by
/// the caller and comes in as a value; whatever can be recomputed is recomputed by the verifier.
public struct ApprovalInput: Sendable {
    // The agent's own: clock, identity, switches.
    public var now: Date
    public var host: HostIdentity
    public var agentKey: VerifyingKey
    public var paused: Bool
    /// The trust threshold in force on this host, 0…1.
    public var threshold: Double

    // The mission and what was tested, from the agent's own store.
    public var missionID: String
    public var mission: MissionFile
    /// Who proposed it, if known.
    public var proposer: String?
    /// The agent's own copy of its evidence.
    public var evidence: Envelope
    /// The stored change set, parsed from its bytes.
    public var changeSet: ChangeSet
    /// The stored base, parsed from its bytes.
    public var base: Base
    public var completeness: EvidenceCompleteness
    public var gracePaths: [String]

    // What was looked up just now.
    public var nonce: NonceState
    /// Contents whose bytes are missing or hash to something else.
    public var damagedBlobs: [Digest]
    /// What of live is no longer its recorded base, as sentences.
    public var conflicts: [String]
    /// Ids of approvals and overrides that were revoked, see ``ActEnvelope/id(_:)``.
    public var revoked: Set<Digest>

    // The agent's policy files, as they are now.
    public var governance: Governance
    public var constitution: Constitution
    public var approvers: Approvers
    public var allowedSigners: AllowedSigners

    // From the coordinator; nothing of it is believed.
    public var sessionID: String
    public var approvals: [Envelope]
    public var overrides: [Envelope]
    public var ledger: LedgerProof

    public init(
        now: Date, host: HostIdentity, agentKey: VerifyingKey, paused: Bool, threshold: Double, missionID: String,
        mission: MissionFile, proposer: String?, evidence: Envelope, changeSet: ChangeSet, base: Base,
        completeness: EvidenceCompleteness, gracePaths: [String], nonce: NonceState, damagedBlobs: [Digest],
        conflicts: [String],
        revoked: Set<Digest>, governance: Governance, constitution: Constitution, approvers: Approvers,
        allowedSigners: AllowedSigners, sessionID: String, approvals: [Envelope], overrides: [Envelope],
        ledger: LedgerProof
    ) {
        self.now = now
        self.host = host
        self.agentKey = agentKey
        self.paused = paused
        self.threshold = threshold
        self.missionID = missionID
        self.mission = mission
        self.proposer = proposer
        self.evidence = evidence
        self.changeSet = changeSet
        self.base = base
        self.completeness = completeness
        self.gracePaths = gracePaths
        self.nonce = nonce
        self.damagedBlobs = damagedBlobs
        self.conflicts = conflicts
        self.revoked = revoked
        self.governance = governance
        self.constitution = constitution
        self.approvers = approvers
        self.allowedSigners = allowedSigners
        self.sessionID = sessionID
        self.approvals = approvals
        self.overrides = overrides
        self.ledger = ledger
    }
}

/// The leave to promote once. Only ``ApprovalVerifier`` makes one; burn ``nonce`` before using it.
public struct AuthorizedPromotion: Sendable, Equatable {
    public let missionID: String
    public let sessionID: String
    public let evidence: Digest
    public let changeSet: Digest
    public let base: Digest
    public let nonce: String
    /// The distinct people whose approvals count, sorted.
    public let people: [String]
    /// Ids of their approvals.
    public let approvals: [Digest]
    /// What was overridden, and ids of the overrides that count.
    public let overridden: [OverridePredicate.Item]
    public let overrides: [Digest]
    /// When the first of the counted acts expires: promote before.
    public let expires: Date
    public let trust: TrustScore
    /// The ledger's tree head, for the agent to remember.
    public let checkpoint: Checkpoint
    /// Acts that were not accepted and were not needed either.
    public let ignored: [Refusal]
}
