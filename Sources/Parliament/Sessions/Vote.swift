internal import Documents
public import FoundationEssentials
public import Ledger

/// What a voter says.
public enum VoteChoice: String, Codable, Sendable, CaseIterable, Hashable {
    case approve, reject, abstain
}

/// One voter's word in a session; casting again replaces it until the session closes.
public struct Vote: Codable, Sendable, Equatable {
    /// Who votes. Agents may speak, but never count.
    public enum Kind: String, Codable, Sendable, CaseIterable, Hashable {
        case person, agent
    }

    /// The principal, as in the electorate and in allowed_signers.
    public var voter: String
    public var kind: Kind
    public var vote: VoteChoice
    /// Why, in the voter's words.
    public var reason: String?
    public var at: Date
    /// Whether ``approval`` holds the voter's signed statement. An unsigned vote counts in the session, but never moves an
    /// agent to promote.
    public var signed: Bool { approval != nil }
    /// The voter's signed statement, see ``ApprovalPredicate``.
    public var approval: Envelope?

    /// A vote; `at` is rounded to the millisecond.
    public init(
        voter: String, kind: Kind = .person, vote: VoteChoice, reason: String? = nil, at: Date,
        approval: Envelope? = nil
    ) {
        self.voter = voter
        self.kind = kind
        self.vote = vote
        self.reason = reason
        self.at = Timestamp.rounded(at)
        self.approval = approval
    }

    private enum CodingKeys: String, CodingKey { case voter, kind, vote, reason, at, signed, approval }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        voter = try container.decode(String.self, forKey: .voter)
        kind = try container.decode(Kind.self, forKey: .kind)
        vote = try container.decode(VoteChoice.self, forKey: .vote)
        reason = try container.decodeIfPresent(String.self, forKey: .reason)
        at = try container.decode(Date.self, forKey: .at)
        approval = try container.decodeIfPresent(Envelope.self, forKey: .approval)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(voter, forKey: .voter)
        try container.encode(kind, forKey: .kind)
        try container.encode(vote, forKey: .vote)
        try container.encodeIfPresent(reason, forKey: .reason)
        try container.encode(at, forKey: .at)
        try container.encode(signed, forKey: .signed)
        try container.encodeIfPresent(approval, forKey: .approval)
    }
}
