public import Documents
public import FoundationEssentials
public import Ledger
public import Missions
public import Parliament

/// What the agent needs of a coordinator. The agent trusts nothing that comes back: approvals are verified by themselves,
/// and inclusion proofs are checked (DESIGN section 8.1).
public protocol CoordinatorLink: Sendable {
    func enrol(_ enrolment: Enrolment) async throws -> EnrolmentAnswer
    func work(host: String) async throws -> WorkList
    func mission(_ id: String) async throws -> MissionView
    func create(_ proposal: Proposal) async throws -> ProposalAnswer
    func report(_ event: EventReport, mission: String) async throws -> MissionPhase
    func progress(_ progress: ProgressReport, mission: String) async throws
    func upload(evidence: Envelope, mission: String) async throws
    func upload(changes: ChangesUpload, mission: String) async throws
    func upload(blob: Data, digest: Digest) async throws
    func authorization(mission: String, known: UInt64?) async throws -> AuthorizationAnswer
    func append(_ entries: [JournalEntry]) async throws -> JournalAnswer
    func pause() async throws -> PauseAnswer
}

public struct Enrolment: Sendable, Codable {
    public var identity: HostIdentity
    /// The agent's verifier key in signed-note form.
    public var public_key: String
    /// Missions that people may ask for by name.
    public var remedies: [String: MissionFile]
}

public struct EnrolmentAnswer: Sendable, Codable {
    public var ledger_origin: String
    /// The ledger's verifier key in signed-note form; the agent keeps the first one it sees.
    public var ledger_key: String
    public var trust_threshold: Double
    public var server_time: Date
}

public struct WorkRequest: Sendable, Codable {
    public var mission_id: String
    /// `cancel`, `rollback` or `retest`.
    public var kind: String
    public var by: String
    public var reason: String
    public var act: Envelope?
}

public struct WorkList: Sendable, Codable {
    public var missions: [Mission]
    public var requests: [WorkRequest]
}

public struct MissionView: Sendable, Codable {
    public var mission: Mission
    public var session: Session?
}

public struct Proposal: Sendable, Codable {
    public var file: MissionFile
    public var proposer: String
    public var dedupe_key: String
}

public struct ProposalAnswer: Sendable, Codable {
    public var mission_id: String
    public var created: Bool
}

public struct EventReport: Sendable, Codable {
    /// Chosen by the agent and kept until answered, so that a repeated report changes nothing.
    public var event_id: String
    public var event: MissionEvent
    public var reason: String
    public var body: JSON
}

public struct PhaseAnswer: Sendable, Codable {
    public var phase: MissionPhase
}

public struct ProgressReport: Sendable, Codable {
    public var stage: String
    public var text: String
    public var body: JSON
}

public struct ChangesUpload: Sendable, Codable {
    /// The canonical manifest, base64.
    public var manifest: String
    /// The canonical base document, base64.
    public var base: String
    /// Unified diffs and a readable account, escaped for terminals.
    public var diff: String
}

public struct ProvenEntry: Sendable, Codable {
    public var index: UInt64
    /// The leaf's bytes, base64.
    public var leaf: String
    /// The inclusion proof against the answer's checkpoint, hexadecimal.
    public var proof: [String]
}

public struct AuthorizationAnswer: Sendable, Codable {
    public var session: Session
    public var approvals: [Envelope]
    public var overrides: [Envelope]
    /// Acts that make an approval void; verified like everything else.
    public var revocations: [Envelope]?
    public var entries: [ProvenEntry]
    /// A signed note.
    public var checkpoint: String
    /// From each tree size that a voter saw to the checkpoint's, hexadecimal hashes.
    public var consistency: [String: [String]]
}

public struct JournalAnswer: Sendable, Codable {
    /// The last sequence number the coordinator holds of this agent's journal.
    public var last_sequence: UInt64
    public var index: UInt64?
    public var checkpoint: String?
}

public struct PauseAnswer: Sendable, Codable {
    public var paused: Bool
    public var by: String?
    public var reason: String?
}
