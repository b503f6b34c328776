public import Documents
public import FoundationEssentials
public import Ledger
public import Missions

/// A session as the store keeps it: the whole of it as a document, and beside it what the store itself searches by.
public struct SessionRecord: Sendable, Equatable {
    public var id: String
    public var missionID: String
    public var status: String
    public var openedAt: Date
    public var expiresAt: Date
    /// Whether somebody was told that it expires soon.
    public var warned: Bool
    /// Parliament's own form.
    public var document: JSON

    public init(
        id: String, missionID: String, status: String, openedAt: Date, expiresAt: Date, warned: Bool, document: JSON
    ) {
        self.id = id
        self.missionID = missionID
        self.status = status
        self.openedAt = openedAt
        self.expiresAt = expiresAt
        self.warned = warned
        self.document = document
    }
}

/// One page of sessions, newest first.
public struct SessionPage: Sendable {
    public var total: Int
    public var sessions: [SessionRecord]
    public var next: Int64?

    public init(total: Int, sessions: [SessionRecord], next: Int64?) {
        self.total = total
        self.sessions = sessions
        self.next = next
    }
}

/// The agent-signed report as it came, and the digest it is known by: SHA-256 of the envelope's payload.
public struct EvidenceRecord: Sendable, Equatable {
    public var missionID: String
    public var digest: Digest
    public var envelope: Envelope
    public var at: Date

    public init(missionID: String, digest: Digest, envelope: Envelope, at: Date) {
        self.missionID = missionID
        self.digest = digest
        self.envelope = envelope
        self.at = at
    }
}

/// What a mission changes: the change set's manifest, the host's base, and a diff for people.
public struct ChangesRecord: Sendable, Equatable {
    public var missionID: String
    public var manifest: Data
    public var base: Data
    public var diff: String
    public var at: Date

    public init(missionID: String, manifest: Data, base: Data, diff: String, at: Date) {
        self.missionID = missionID
        self.manifest = manifest
        self.base = base
        self.diff = diff
        self.at = at
    }

    /// The change set's digest.
    public var digest: Digest { Digest(of: manifest) }
    /// The base's digest.
    public var baseDigest: Digest { Digest(of: base) }
}

/// A blob whose bytes lie on disk.
public struct BlobRecord: Sendable, Equatable {
    public var digest: Digest
    public var size: Int64
    public var at: Date

    public init(digest: Digest, size: Int64, at: Date) {
        self.digest = digest
        self.size = size
        self.at = at
    }
}

/// A signed act of a person: an approval, an override, a rollback, a revocation, a policy.
public struct ActRecord: Sendable, Equatable {
    /// SHA-256 of the envelope's canonical JSON.
    public var id: Digest
    /// The SSH namespace without `@grace`: `approve`, `override`, `rollback`, `policy`, `keys`.
    public var kind: String
    public var missionID: String?
    public var sessionID: String?
    /// Whose token sent it; who signed it is the agent's to find out.
    public var principal: String
    public var at: Date
    public var envelope: Envelope

    public init(
        id: Digest, kind: String, missionID: String?, sessionID: String?, principal: String, at: Date,
        envelope: Envelope
    ) {
        self.id = id
        self.kind = kind
        self.missionID = missionID
        self.sessionID = sessionID
        self.principal = principal
        self.at = at
        self.envelope = envelope
    }
}

/// Who may do what. Ordered from least to most, `agent` aside.
public enum Role: String, Sendable, Codable, CaseIterable {
    case viewer, approver, `operator`, admin, agent

    /// Whether a token of this role may do what `needed` may. Agents may do what agents do and nothing else, and nobody
    /// else may do that.
    public func covers(_ needed: Role) -> Bool {
        if self == .agent || needed == .agent { return self == needed }
        let order: [Role] = [.viewer, .approver, .operator, .admin]
        return (order.firstIndex(of: self) ?? -1) >= (order.firstIndex(of: needed) ?? order.count)
    }
}

/// A bearer token; of the token itself only the SHA-256 is kept.
public struct TokenRecord: Sendable, Equatable {
    /// Where a token came from; those of the configuration file go when they go from the file.
    public enum Source: String, Sendable, Codable { case configuration, api }

    public var id: String
    public var principal: String
    public var role: Role
    public var sha256: Digest
    public var source: Source
    public var createdAt: Date
    public var revokedAt: Date?
    /// For an agent's token, the host that enrolled with it.
    public var hostID: String?

    public init(
        id: String, principal: String, role: Role, sha256: Digest, source: Source, createdAt: Date,
        revokedAt: Date? = nil, hostID: String? = nil
    ) {
        self.id = id
        self.principal = principal
        self.role = role
        self.sha256 = sha256
        self.source = source
        self.createdAt = createdAt
        self.revokedAt = revokedAt
        self.hostID = hostID
    }
}

/// A host whose agent enrolled.
public struct HostRecord: Sendable, Equatable {
    public var id: String
    public var identity: HostIdentity
    /// The agent's public key, as a verifier string.
    public var key: String
    public var tokenID: String
    public var enrolledAt: Date
    public var lastSeen: Date
    /// Mission templates by name that this host's agent can carry out.
    public var remedies: [String: MissionFile]

    public init(
        id: String, identity: HostIdentity, key: String, tokenID: String, enrolledAt: Date, lastSeen: Date,
        remedies: [String: MissionFile]
    ) {
        self.id = id
        self.identity = identity
        self.key = key
        self.tokenID = tokenID
        self.enrolledAt = enrolledAt
        self.lastSeen = lastSeen
        self.remedies = remedies
    }
}

/// What a person asked of an agent.
public struct RequestRecord: Sendable, Equatable {
    public var id: String
    public var missionID: String
    public var hostID: String?
    /// `cancel`, `rollback`, `retest`.
    public var kind: String
    public var by: String
    public var reason: String
    public var act: Envelope?
    public var at: Date
    public var doneAt: Date?

    public init(
        id: String, missionID: String, hostID: String?, kind: String, by: String, reason: String, act: Envelope?,
        at: Date, doneAt: Date? = nil
    ) {
        self.id = id
        self.missionID = missionID
        self.hostID = hostID
        self.kind = kind
        self.by = by
        self.reason = reason
        self.act = act
        self.at = at
        self.doneAt = doneAt
    }
}

/// One event of the trigger mesh.
public struct EventRecord: Sendable, Equatable {
    /// 0 for an event that is not kept, such as progress.
    public var id: Int64
    /// Dotted, as in `mission.test_passed`.
    public var topic: String
    public var missionID: String?
    public var at: Date
    public var body: JSON

    public init(id: Int64, topic: String, missionID: String?, at: Date, body: JSON) {
        self.id = id
        self.topic = topic
        self.missionID = missionID
        self.at = at
        self.body = body
    }
}

/// A ledger entry on its way to the log, or in it: the log's size tells which.
public struct LedgerRow: Sendable, Equatable {
    /// Its index in the log, from 0, without gaps.
    public var index: Int64
    public var id: String
    public var kind: String
    public var missionID: String?
    public var leaf: Data

    public init(index: Int64, id: String, kind: String, missionID: String?, leaf: Data) {
        self.index = index
        self.id = id
        self.kind = kind
        self.missionID = missionID
        self.leaf = leaf
    }
}

/// A line of an agent's journal that is in the ledger.
public struct JournalRecord: Sendable, Equatable {
    public var hostID: String
    public var index: Int64
    /// SHA-256 of the line.
    public var digest: Digest
    public var logIndex: Int64

    public init(hostID: String, index: Int64, digest: Digest, logIndex: Int64) {
        self.hostID = hostID
        self.index = index
        self.digest = digest
        self.logIndex = logIndex
    }
}

/// Something a hook has to be told.
public struct NoticeRecord: Sendable, Equatable {
    public var id: String
    /// Names the hook: a digest of its configuration.
    public var hook: String
    public var event: String
    public var body: JSON
    public var attempts: Int
    public var nextAt: Date

    public init(id: String, hook: String, event: String, body: JSON, attempts: Int, nextAt: Date) {
        self.id = id
        self.hook = hook
        self.event = event
        self.body = body
        self.attempts = attempts
        self.nextAt = nextAt
    }
}
