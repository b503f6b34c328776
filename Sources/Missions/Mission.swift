public import Documents
public import FoundationEssentials

/// A mission as the coordinator keeps it and the API shows it.
public struct Mission: Sendable, Codable, Equatable {
    public var id: String
    public var file: MissionFile
    public var digest: Digest
    public var phase: MissionPhase
    /// The host that tests and promotes it; `nil` until an agent takes it.
    public var host: String?
    /// Who proposed it: a token's principal, or `detector:NAME` through an agent.
    public var proposer: String
    public var createdAt: Date
    public var updatedAt: Date
    public var testedAt: Date?
    public var consensusAt: Date?
    public var executedAt: Date?
    public var sessionID: String?
    public var evidence: Evidence?
    public var feedback: [Feedback]
    /// Why it is in this phase, for people.
    public var reason: String

    public init(
        id: String, file: MissionFile, digest: Digest, phase: MissionPhase = .detected, host: String?, proposer: String,
        createdAt: Date
    ) {
        self.id = id
        self.file = file
        self.digest = digest
        self.phase = phase
        self.host = host
        self.proposer = proposer
        self.createdAt = createdAt
        self.updatedAt = createdAt
        self.feedback = []
        self.reason = "created"
    }
}

public struct Feedback: Sendable, Codable, Equatable {
    public var by: String
    public var at: Date
    public var text: String

    public init(by: String, at: Date, text: String) {
        self.by = by
        self.at = at
        self.text = text
    }
}
