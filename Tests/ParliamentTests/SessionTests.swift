import Documents
import Foundation
import Ledger
import Parliament
import Testing

@Suite("Sessions")
struct SessionTests {
    private let opened = Date(timeIntervalSince1970: 1_795_000_000)

    private func session(_ people: [String] = ["alice", "bob", "carol"], threshold: Double = 1, quorum: Int = 2) throws
        -> Session
    {
        try Session(
            session_id: "s", mission_id: "m", title: "t", evidence: Digest(of: Data("e".utf8)),
            changeSet: Digest(of: Data("c".utf8)),
            electorate: people, approval_threshold: threshold, quorum_required: quorum, opened_at: opened,
            expires_at: opened + 3600)
    }

    private func vote(_ voter: String, _ choice: VoteChoice, _ kind: Vote.Kind = .person) -> Vote {
        Vote(voter: voter, kind: kind, vote: choice, at: opened)
    }

    private func after(_ session: Session, _ votes: [Vote]) throws -> Session {
        try votes.reduce(session) { try $0.cast($1, now: opened + 1).get() }
    }

    /// a, b, c are people; the letter's case: A approve, R reject, S abstain.
    static let tallies: [(String, threshold: Double, quorum: Int, SessionStatus)] = [
        ("", 1, 1, .open), ("A", 1, 1, .approved), ("A", 1, 2, .open), ("AA", 1, 2, .approved), ("R", 1, 1, .rejected),
        ("R", 1, 2, .open), ("AR", 1, 2, .rejected), ("RA", 1, 3, .open), ("S", 1, 1, .open), ("SA", 1, 2, .approved),
        ("SS", 1, 2, .open), ("SSS", 1, 3, .rejected), ("AR", 0.5, 2, .approved), ("R", 0.5, 1, .open),
        ("RR", 0.5, 2, .rejected),
        ("RRA", 0.5, 3, .rejected), ("ARA", 2.0 / 3, 3, .approved), ("ARR", 1.0 / 3, 3, .approved),
        ("AAR", 0.67, 3, .rejected),
        ("RSS", 0.1, 3, .rejected),
    ]

    @Test("votes, threshold and quorum decide as they should", arguments: tallies.indices)
    func decides(index: Int) throws {
        let (votes, threshold, quorum, status) = Self.tallies[index]
        // The last vote may not be needed any more: the value is built from the votes alone.
        var open = try session(threshold: threshold, quorum: quorum)
        for (voter, letter) in zip(["alice", "bob", "carol"], votes) {
            open = try open.cast(
                vote(voter, letter == "A" ? .approve : letter == "R" ? .reject : .abstain), now: opened + 1
            ).get()
        }
        #expect(open.tally(now: opened + 1) == status, "\(votes) threshold \(threshold) quorum \(quorum)")
    }

    @Test("nobody decides alone, whatever they vote, as long as the quorum is larger", arguments: VoteChoice.allCases)
    func quorum(choice: VoteChoice) throws {
        #expect(try after(session(), [vote("alice", choice)]).tally(now: opened + 1) == .open)
    }

    @Test("a changed vote replaces the earlier one, and counts once")
    func changedVote() throws {
        let changed = try after(session(), [vote("alice", .reject), vote("alice", .approve), vote("alice", .approve)])
        #expect(changed.votes.count == 1)
        #expect(changed.counts.approve == 1 && changed.counts.voted == 1 && changed.counts.outstanding == 2)
        #expect(changed.tally(now: opened + 1) == .open)
    }

    @Test("agents may speak but never count, and never under a person's name")
    func agents() throws {
        let spoken = try after(
            session(quorum: 1), [vote("agent:a", .approve, .agent), vote("agent:b", .reject, .agent)])
        #expect(spoken.votes.count == 2)
        #expect(spoken.counts.voted == 0)
        #expect(spoken.tally(now: opened + 1) == .open)
        #expect(
            try session().cast(vote("alice", .approve, .agent), now: opened)
                == .failure(.agentUnderPersonsName(voter: "alice")))
    }

    @Test("who is not of the electorate may not vote")
    func strangers() throws {
        #expect(try session().cast(vote("eve", .approve), now: opened) == .failure(.notInElectorate(voter: "eve")))
    }

    @Test("a session expires at its hour, but a decision taken before stays")
    func expiry() throws {
        let open = try session()
        #expect(open.tally(now: opened + 3599.999) == .open)
        #expect(open.tally(now: opened + 3600) == .expired)
        #expect(open.cast(vote("alice", .approve), now: opened + 3600) == .failure(.closed(.expired)))
        let approved = try after(open, [vote("alice", .approve), vote("bob", .approve)])
        #expect(approved.tally(now: opened + 9999) == .approved)
    }

    @Test("a closed session takes no votes, but a signature for an approval that stands")
    func closed() throws {
        let approved = try after(session(), [vote("alice", .approve), vote("bob", .approve)])
        #expect(approved.cast(vote("carol", .reject), now: opened + 2) == .failure(.closed(.approved)))
        #expect(approved.cast(vote("alice", .reject), now: opened + 2) == .failure(.closed(.approved)))
        #expect(approved.cast(vote("carol", .approve), now: opened + 2) == .failure(.closed(.approved)))
        var signed = vote("alice", .approve)
        signed.approval = .init(payloadType: "t", payload: Data(), signatures: [])
        let later = try approved.cast(signed, now: opened + 2).get()
        #expect(later.votes.first?.signed == true && later.votes.count == 2)
        #expect(approved.cast(signed, now: opened + 3600) == .failure(.closed(.approved)))
        let rejected = try after(session(), [vote("alice", .reject), vote("bob", .reject)])
        #expect(rejected.cast(signed, now: opened + 2) == .failure(.closed(.rejected)))
    }

    @Test("newer evidence supersedes, the same does not, and nothing brings it back")
    func superseded() throws {
        let open = try session()
        #expect(open.superseded(by: open.evidence) == open)
        let newer = Digest(of: Data("newer".utf8))
        let gone = open.superseded(by: newer)
        #expect(gone.tally(now: opened) == .superseded && gone.superseded_by == newer)
        #expect(gone.superseded(by: Digest(of: Data("newest".utf8))) == gone)
        #expect(gone.cast(vote("alice", .approve), now: opened + 1) == .failure(.closed(.superseded)))
        #expect(
            try after(session(quorum: 1), [vote("alice", .approve)]).superseded(by: newer).tally(now: opened)
                == .superseded)
    }

    @Test("sessions that could never decide are refused with a sentence")
    func impossible() {
        for (people, threshold, quorum) in [
            ([], 1, 1), (["a"], 0, 1), (["a"], 1.1, 1), (["a"], .nan, 1), (["a"], 1, 0), (["a", "a"], 1, 2),
        ]
            as [([String], Double, Int)]
        {
            #expect(throws: SessionError.self) { try session(people, threshold: threshold, quorum: quorum) }
        }
    }

    @Test("a session comes back from JSON as it was")
    func json() throws {
        let voted = try after(session(), [vote("alice", .approve), vote("agent:x", .abstain, .agent)])
            .superseded(by: Digest(of: Data("newer".utf8)))
        let json = try JSON(encoding: voted)
        #expect(try json.decode(Session.self) == voted)
        #expect(json["session_id"] == "s" && json["quorum_required"] == 2)
        #expect(json["votes"]?[0]?["signed"] == false)
    }

    @Test(
        "more approvals never turn a decision against the mission, in any order", arguments: [11, 12, 13] as [UInt64])
    func monotone(seed: UInt64) throws {
        var random = Seeded(seed)
        for _ in 0..<300 {
            let size = Int.random(in: 1...6, using: &random)
            let people = (0..<size).map { "p\($0)" }
            let base = try session(
                people, threshold: Double.random(in: 0.05...1, using: &random),
                quorum: Int.random(in: 1...size, using: &random))
            var votes = people.shuffled(using: &random).map {
                vote($0, VoteChoice.allCases.randomElement(using: &random) ?? .abstain)
            }
            votes = Array(votes.prefix(Int.random(in: 0...size, using: &random)))
            func status(_ votes: [Vote]) throws -> SessionStatus {
                try JSON(encoding: base).withVotes(votes).decode(Session.self).tally(now: opened)
            }
            let before = try status(votes)
            #expect(try status(votes.reversed()) == before, "seed \(seed)")
            guard let place = votes.firstIndex(where: { $0.vote == .reject }) else { continue }
            votes[place].vote = .approve
            let afterwards = try status(votes)
            if before == .approved { #expect(afterwards == .approved, "seed \(seed)") }
            if before == .open { #expect(afterwards != .rejected, "seed \(seed)") }
        }
    }
}

extension JSON {
    /// A session's JSON with these votes, as a store might hold it.
    func withVotes(_ votes: [Vote]) throws -> JSON {
        var members = object ?? [:]
        members["votes"] = .array(try votes.map { try JSON(encoding: $0) })
        return .object(members)
    }
}

/// SplitMix64, so that a failing case can be run again from its printed seed.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
