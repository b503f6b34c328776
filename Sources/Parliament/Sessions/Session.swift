public import Documents
public import FoundationEssentials

/// How a session stands.
public enum SessionStatus: String, Codable, Sendable, CaseIterable, Hashable {
    case open, approved, rejected, expired
    /// Newer evidence is there: its own session decides.
    case superseded
}

/// Parliament's record of one decision on one piece of evidence. A pure value: nothing here reads a clock or a disk.
///
/// - Only people of the ``electorate`` count, one vote each; a changed vote replaces the earlier one until the session closes.
/// - The quorum is met when ``quorum_required`` people have voted, abstentions included.
/// - It is approved when the quorum is met and approvals make up at least ``approval_threshold`` of the votes for and against,
///   and there is one; rejected when the quorum is met and approvals no longer can, even if everyone left approved; expired when
///   neither is so at ``expires_at``.
public struct Session: Codable, Sendable, Equatable {
    public let session_id: String
    public let mission_id: String
    public let title: String
    /// SHA-256 of the payload of the evidence this session decides on, and on no other.
    public let evidence: Digest
    public let changeSet: Digest
    /// The people who may vote, sorted.
    public let electorate: [String]
    /// The share of approvals among the votes for and against that is needed: more than 0, at most 1.
    public let approval_threshold: Double
    /// How many people must have voted: at least 1.
    public let quorum_required: Int
    public let opened_at: Date
    public let expires_at: Date
    /// The latest vote of each voter, people and agents, in the order they first voted.
    public private(set) var votes: [Vote]
    /// The evidence that took this session's place.
    public private(set) var superseded_by: Digest?

    /// Opens a session; throws ``SessionError`` with a sentence when it could never decide anything.
    public init(
        session_id: String, mission_id: String, title: String, evidence: Digest, changeSet: Digest,
        electorate: [String],
        approval_threshold: Double, quorum_required: Int, opened_at: Date, expires_at: Date
    ) throws {
        let people = Set(electorate).sorted()
        guard !people.isEmpty, people.allSatisfy({ !$0.isEmpty }) else {
            throw SessionError("A session needs an electorate: name the people who may vote.")
        }
        guard approval_threshold > 0, approval_threshold <= 1 else {
            throw SessionError(
                "An approval threshold of \(approval_threshold) makes no sense: it is a share of more than 0 and at most 1."
            )
        }
        guard quorum_required >= 1, quorum_required <= people.count else {
            throw SessionError(
                "A quorum of \(quorum_required) among \(people.count) people can't be: it must be from 1 to \(people.count)."
            )
        }
        guard expires_at > opened_at else { throw SessionError("A session must expire after it opens.") }
        self.session_id = session_id
        self.mission_id = mission_id
        self.title = title
        self.evidence = evidence
        self.changeSet = changeSet
        self.electorate = people
        self.approval_threshold = approval_threshold
        self.quorum_required = quorum_required
        self.opened_at = Timestamp.rounded(opened_at)
        self.expires_at = Timestamp.rounded(expires_at)
        votes = []
    }

    /// What was said, counted.
    public var counts: VoteCounts {
        let counted = votes.filter { $0.kind == .person && electorate.contains($0.voter) }
        func number(_ choice: VoteChoice) -> Int { counted.count { $0.vote == choice } }
        return VoteCounts(
            approve: number(.approve), reject: number(.reject), abstain: number(.abstain), electorate: electorate.count,
            quorum: quorum_required)
    }

    /// How it stands at `now`.
    public func tally(now: Date) -> SessionStatus {
        if superseded_by != nil { return .superseded }
        let counts = counts
        if counts.quorumMet {
            if counts.approve > 0, counts.reaches(approval_threshold, approve: counts.approve) { return .approved }
            let most = counts.approve + counts.outstanding
            if most == 0 || !counts.reaches(approval_threshold, approve: most) { return .rejected }
        }
        return now < expires_at ? .open : .expired
    }

    /// The session with `vote` in it, or why it isn't taken.
    ///
    /// After approval, a person whose vote stands as `approve` may still bring the signature for it until the session
    /// expires: that changes no decision, and it is what an agent's approvers may still lack.
    public func cast(_ vote: Vote, now: Date) -> Result<Session, VoteRefusal> {
        let status = tally(now: now)
        switch vote.kind {
        case .person:
            guard electorate.contains(vote.voter) else { return .failure(.notInElectorate(voter: vote.voter)) }
        case .agent:
            guard !electorate.contains(vote.voter) else { return .failure(.agentUnderPersonsName(voter: vote.voter)) }
        }
        let lateApproval =
            status == .approved && vote.kind == .person && vote.vote == .approve && vote.signed && now < expires_at
        guard status == .open || lateApproval else { return .failure(.closed(status)) }
        var next = self
        if let place = next.votes.firstIndex(where: { $0.voter == vote.voter && $0.kind == vote.kind }) {
            next.votes[place] = vote
        } else {
            next.votes.append(vote)
        }
        return .success(next)
    }

    /// The session once newer evidence is there. The same evidence leaves it as it is.
    public func superseded(by newer: Digest) -> Session {
        guard newer != evidence, superseded_by == nil else { return self }
        var next = self
        next.superseded_by = newer
        return next
    }
}

/// A session's votes, counted. Agents' are not among them.
public struct VoteCounts: Sendable, Equatable {
    public let approve: Int
    public let reject: Int
    public let abstain: Int
    /// How many people may vote.
    public let electorate: Int
    /// How many must have voted.
    public let quorum: Int

    /// How many people have voted, abstentions included.
    public var voted: Int { approve + reject + abstain }
    /// How many have not.
    public var outstanding: Int { electorate - voted }
    public var quorumMet: Bool { voted >= quorum }

    /// Whether `approve` approvals against the rejections there are make up `threshold`.
    func reaches(_ threshold: Double, approve: Int) -> Bool {
        // 2 of 3 reaches a threshold written 0.6667 no more than it should; a rounding error of the product must not decide.
        Double(approve) >= threshold * Double(approve + reject) - 1e-9
    }
}

/// Why a vote isn't taken.
public enum VoteRefusal: Error, Sendable, Equatable, CustomStringConvertible {
    case closed(SessionStatus)
    case notInElectorate(voter: String)
    case agentUnderPersonsName(voter: String)

    public var description: String {
        switch self {
        case .closed(.superseded):
            "This session is superseded: newer evidence is there, vote in its session."
        case .closed(let status):
            "This session is \(status.rawValue) and takes no more votes."
        case .notInElectorate(let voter):
            "\(voter) may not vote in this session: the electorate is fixed when it opens."
        case .agentUnderPersonsName(let voter):
            "An agent may not vote under the name \(voter), who is a person of the electorate."
        }
    }
}

/// Why a session can't be opened.
public struct SessionError: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}
