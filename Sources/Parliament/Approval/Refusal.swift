public import Documents

/// One reason why an agent does not promote.
public enum Refusal: Error, Sendable, Equatable, CustomStringConvertible {
    // The agent and the mission.
    case paused
    case evidenceNotOwn(String)
    case evidenceOfOtherHost(String)
    case evidenceOfOtherMission(String)
    case missionFileChanged
    case changeSetChanged
    case baseDocumentChanged
    case governanceChanged
    case constitutionChanged
    case approversChanged
    case nonceUnknown
    case nonceExpired
    case nonceBurned
    case blobsDamaged([Digest])
    case baseConflict([String])
    // The judgement, made again now.
    case checkFailed(String)
    case notMeasured(String)
    case regression(String)
    case inconclusive(String)
    case trustTooLow(String)
    case ruleForbids(rule: String, message: String)
    case ruleNeedsOverride(rule: String, message: String)
    case principleViolated(principle: String, message: String)
    case judgementInvalid(String)
    // The people.
    case nobodyMayApprove
    case proposerUnknown
    case tooFewPeople(group: String, have: Int, need: Int)
    /// An approval that would be needed is not accepted.
    case approval(by: String, ActFault)
    /// An override that would be needed is not accepted.
    case override(by: String, ActFault)
    // The ledger.
    case checkpointRefused(String)
    case ledgerForked(String)
    case sessionNotInLedger(String)

    /// The case's name, for programs: journals, the API, tests. It does not change with the sentences.
    public var code: String {
        switch self {
        case .paused: "paused"
        case .evidenceNotOwn: "evidenceNotOwn"
        case .evidenceOfOtherHost: "evidenceOfOtherHost"
        case .evidenceOfOtherMission: "evidenceOfOtherMission"
        case .missionFileChanged: "missionFileChanged"
        case .changeSetChanged: "changeSetChanged"
        case .baseDocumentChanged: "baseDocumentChanged"
        case .governanceChanged: "governanceChanged"
        case .constitutionChanged: "constitutionChanged"
        case .approversChanged: "approversChanged"
        case .nonceUnknown: "nonceUnknown"
        case .nonceExpired: "nonceExpired"
        case .nonceBurned: "nonceBurned"
        case .blobsDamaged: "blobsDamaged"
        case .baseConflict: "baseConflict"
        case .checkFailed: "checkFailed"
        case .notMeasured: "notMeasured"
        case .regression: "regression"
        case .inconclusive: "inconclusive"
        case .trustTooLow: "trustTooLow"
        case .ruleForbids: "ruleForbids"
        case .ruleNeedsOverride: "ruleNeedsOverride"
        case .principleViolated: "principleViolated"
        case .judgementInvalid: "judgementInvalid"
        case .nobodyMayApprove: "nobodyMayApprove"
        case .proposerUnknown: "proposerUnknown"
        case .tooFewPeople: "tooFewPeople"
        case .approval: "approval"
        case .override: "override"
        case .checkpointRefused: "checkpointRefused"
        case .ledgerForked: "ledgerForked"
        case .sessionNotInLedger: "sessionNotInLedger"
        }
    }

    public var description: String {
        switch self {
        case .paused: "This host is paused: `grace resume` lets promotions go on."
        case .evidenceNotOwn(let why): "The evidence is not this agent's own: \(why)."
        case .evidenceOfOtherHost(let id): "The evidence was made on another host, \(id); test the mission here."
        case .evidenceOfOtherMission(let id): "The evidence is of another mission, \(id)."
        case .missionFileChanged: "The mission file is not the one that was tested; test it again."
        case .changeSetChanged: "The stored change set is not the one in the evidence; test the mission again."
        case .baseDocumentChanged: "The stored base is not the one in the evidence; test the mission again."
        case .governanceChanged: "governance.yaml changed since the test; test the mission again under it."
        case .constitutionChanged: "constitution.yaml changed since the test; test the mission again under it."
        case .approversChanged: "approvers.yaml changed since the test; test the mission again under it."
        case .nonceUnknown: "This agent never issued the evidence's nonce."
        case .nonceExpired: "The evidence is too old; test the mission again."
        case .nonceBurned: "This evidence was promoted once already; an approval is good for one promotion."
        case .blobsDamaged(let digests):
            "\(digests.count) stored contents are missing or not what was tested (\(digests.prefix(3).map(\.short).joined(separator: ", "))); test the mission again."
        case .baseConflict(let conflicts):
            "Live is no longer what the test started from: \(conflicts.prefix(5).joined(separator: "; ")). Test the mission again; nothing was overwritten."
        case .checkFailed(let name):
            "The check \(name) failed in the candidate's fork; mend the change and test it again."
        case .notMeasured(let why), .regression(let why), .inconclusive(let why), .trustTooLow(let why),
            .judgementInvalid(let why):
            why
        case .ruleForbids(_, let message), .ruleNeedsOverride(_, let message), .principleViolated(_, let message):
            message
        case .nobodyMayApprove:
            "No rule of approvers.yaml is about this mission's severity on this host, so nobody may approve it; add one."
        case .proposerUnknown: "approvers.yaml bars the proposer, but it is not known who proposed this mission."
        case .tooFewPeople(let group, let have, let need):
            "\(have) of \(need) people needed of the group “\(group)” have approved."
        case .approval(let voter, let fault): "The approval of \(voter) does not count: \(fault)."
        case .override(let voter, let fault): "The override of \(voter) does not count: \(fault)."
        case .checkpointRefused(let why): "The coordinator's ledger checkpoint is refused: \(why)"
        case .ledgerForked(let why):
            "The coordinator's ledger is not the one this agent knows: \(why). Nothing is promoted on its word."
        case .sessionNotInLedger(let why): "The session is not proven to be in the ledger: \(why)."
        }
    }
}

/// Every reason why an agent does not promote; never empty.
public struct Refusals: Error, Sendable, Equatable, CustomStringConvertible {
    public let all: [Refusal]

    public init(_ all: [Refusal]) { self.all = all }

    public var description: String { all.map(\.description).joined(separator: "\n") }

    /// Whether live moved on under the tested base: the mission's end is then *conflict*.
    public var isConflict: Bool {
        all.contains { if case .baseConflict = $0 { true } else { false } }
    }
}
