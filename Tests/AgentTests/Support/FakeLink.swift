import Documents
import FoundationEssentials
import Ledger
import Missions
import Parliament
import Synchronization

@testable import Agent

/// A coordinator in memory: answers what a test tells it to and remembers what it was sent.
final class FakeLink: CoordinatorLink {
    struct State {
        var missions: [Mission] = []
        var requests: [WorkRequest] = []
        var paused = false
        var ledgerKey = ""
        /// What an agent asks for before it promotes; `nil` is a coordinator that has none.
        var authorization: AuthorizationAnswer?
        /// How many calls of `append` fail before one is taken.
        var failingAppends = 0
        /// What `append` claims to hold, instead of the truth.
        var claimed: UInt64?
        var createFails = false

        var polls = 0
        var reports: [(event: MissionEvent, mission: String, reason: String)] = []
        var said: [String] = []
        var proposals: [Proposal] = []
        /// Each batch of journal entries that was taken.
        var batches: [[JournalEntry]] = []
        var attempts = 0
        var evidence: [Envelope] = []
        var blobs: [Digest] = []
    }

    let state: Mutex<State>

    init(_ change: (inout State) -> Void = { _ in }) {
        var first = State()
        change(&first)
        state = Mutex(first)
    }

    subscript<T: Sendable>(_ path: any KeyPath<State, T> & Sendable) -> T { state.withLock { $0[keyPath: path] } }

    func set(_ change: (inout sending State) -> Void) { state.withLock { change(&$0) } }

    /// The events that were reported, in order.
    var events: [MissionEvent] { state.withLock { $0.reports.map(\.event) } }
    /// The reasons given with them.
    var reasons: [String] { state.withLock { $0.reports.map(\.reason) } }

    func enrol(_ enrolment: Enrolment) async throws -> EnrolmentAnswer {
        EnrolmentAnswer(
            ledger_origin: "grace/test", ledger_key: self[\.ledgerKey], trust_threshold: 0.95, server_time: Date())
    }

    func work(host: String) async throws -> WorkList {
        state.withLock { state in
            state.polls += 1
            return WorkList(missions: state.missions, requests: state.requests)
        }
    }

    func mission(_ id: String) async throws -> MissionView {
        guard let mission = state.withLock({ $0.missions.first { $0.id == id } }) else {
            throw LinkError(status: 404, description: "no mission \(id)")
        }
        return MissionView(mission: mission, session: nil)
    }

    func create(_ proposal: Proposal) async throws -> ProposalAnswer {
        try state.withLock { state in
            if state.createFails { throw LinkError(status: nil, description: "no answer") }
            state.proposals.append(proposal)
            return ProposalAnswer(mission_id: "m-new", created: true)
        }
    }

    func report(_ event: EventReport, mission: String) async throws -> MissionPhase {
        state.withLock { state in
            state.reports.append((event.event, mission, event.reason))
            return state.missions.first { $0.id == mission }?.phase.next(on: event.event) ?? .failed
        }
    }

    func progress(_ progress: ProgressReport, mission: String) async throws {
        state.withLock { $0.said.append(progress.text) }
    }

    func upload(evidence: Envelope, mission: String) async throws { state.withLock { $0.evidence.append(evidence) } }
    func upload(changes: ChangesUpload, mission: String) async throws {}
    func upload(blob: Data, digest: Digest) async throws { state.withLock { $0.blobs.append(digest) } }

    func authorization(mission: String, known: UInt64?) async throws -> AuthorizationAnswer {
        guard let answer = self[\.authorization] else {
            throw LinkError(status: 404, description: "no session for \(mission)")
        }
        return answer
    }

    func append(_ entries: [JournalEntry]) async throws -> JournalAnswer {
        try state.withLock { state in
            state.attempts += 1
            if state.failingAppends > 0 {
                state.failingAppends -= 1
                throw LinkError(status: nil, description: "no answer")
            }
            state.batches.append(entries)
            return JournalAnswer(last_sequence: state.claimed ?? entries.last?.index ?? 0)
        }
    }

    func pause() async throws -> PauseAnswer {
        PauseAnswer(paused: self[\.paused], by: "alice", reason: "lunch")
    }
}
