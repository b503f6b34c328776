internal import Documents
public import FoundationEssentials

/// Why one signed act is not accepted.
public enum ActFault: Error, Sendable, Equatable, CustomStringConvertible {
    // The envelope.
    case payloadType(String)
    case signatureCount(Int)
    case malformed(String)
    case namespace(found: String, wanted: String)
    case signature(String)
    case keyHint(found: String, key: String)
    case statement(String)
    case predicateType(found: String, wanted: String)
    // Who.
    /// The key is not among the allowed signers in this namespace now: unknown, out of its time, or taken away.
    case keyNotAllowed(fingerprint: String)
    /// The key is somebody else's than the one who is said to act.
    case keyOfAnother(fingerprint: String, principals: [String])
    case userPresenceMissing
    case notListed
    case proposerBarred
    // When.
    case issuedInFuture(Date)
    case expired(Date)
    case lifetimeTooLong(seconds: Double)
    /// It is not newer than the last act of its kind.
    case replayed(Date)
    // What.
    case decision(VoteChoice)
    case otherSession(String)
    case otherMission(String)
    case otherMissionFile
    case otherHost(String)
    case otherChangeSet
    case otherEvidence
    case otherBase
    case otherGovernance
    case otherConstitution
    case otherApprovers
    case otherNonce
    case otherThreshold(Double)
    case noReason
    case revoked
    // The ledger.
    case notInLedger(String)
    case checkpointSeen(String)

    /// The case's name, for programs: journals, the API, tests. It does not change with the sentences.
    public var code: String {
        switch self {
        case .payloadType: "payloadType"
        case .signatureCount: "signatureCount"
        case .malformed: "malformed"
        case .namespace: "namespace"
        case .signature: "signature"
        case .keyHint: "keyHint"
        case .statement: "statement"
        case .predicateType: "predicateType"
        case .keyNotAllowed: "keyNotAllowed"
        case .keyOfAnother: "keyOfAnother"
        case .userPresenceMissing: "userPresenceMissing"
        case .notListed: "notListed"
        case .proposerBarred: "proposerBarred"
        case .issuedInFuture: "issuedInFuture"
        case .expired: "expired"
        case .lifetimeTooLong: "lifetimeTooLong"
        case .replayed: "replayed"
        case .decision: "decision"
        case .otherSession: "otherSession"
        case .otherMission: "otherMission"
        case .otherMissionFile: "otherMissionFile"
        case .otherHost: "otherHost"
        case .otherChangeSet: "otherChangeSet"
        case .otherEvidence: "otherEvidence"
        case .otherBase: "otherBase"
        case .otherGovernance: "otherGovernance"
        case .otherConstitution: "otherConstitution"
        case .otherApprovers: "otherApprovers"
        case .otherNonce: "otherNonce"
        case .otherThreshold: "otherThreshold"
        case .noReason: "noReason"
        case .revoked: "revoked"
        case .notInLedger: "notInLedger"
        case .checkpointSeen: "checkpointSeen"
        }
    }

    public var description: String {
        switch self {
        case .payloadType(let type): "its payload is of type \(type), not an in-toto statement"
        case .signatureCount(let count): "it carries \(count) signatures; an act is signed by exactly one person"
        case .malformed(let why): "its signature can't be read: \(why)"
        case .namespace(let found, let wanted): "it is signed for the namespace \(found), not for \(wanted)"
        case .signature(let why): "its signature does not hold: \(why)"
        case .keyHint(let found, let key): "its key id \(found) is not the key \(key) that signed it"
        case .statement(let why): "its statement can't be read: \(why)"
        case .predicateType(let found, let wanted): "it is a \(found), not a \(wanted)"
        case .keyNotAllowed(let fingerprint):
            "the key \(fingerprint) is not, or no longer, allowed to sign this here: see allowed_signers"
        case .keyOfAnother(let fingerprint, let principals):
            "the key \(fingerprint) belongs to \(principals.joined(separator: ", "))"
        case .userPresenceMissing:
            "approvers.yaml wants a security key that was touched, and the signature shows no touch"
        case .notListed: "approvers.yaml does not list this person"
        case .proposerBarred: "approvers.yaml bars the proposer from approving"
        case .issuedInFuture(let date):
            "it says it was made at \(Timestamp.text(date)), which is yet to come: compare the clocks"
        case .expired(let date): "it expired at \(Timestamp.text(date)): sign again"
        case .lifetimeTooLong(let seconds): "it would be valid for \(Int(seconds)) seconds, more than an hour allows"
        case .replayed(let date): "an act of \(Timestamp.text(date)) or later was accepted before"
        case .decision(let choice): "its decision is \(choice.rawValue)"
        case .otherSession(let id): "it was given in another session, \(id)"
        case .otherMission(let id): "it is for another mission, \(id)"
        case .otherMissionFile: "it is for another version of the mission file"
        case .otherHost(let id): "it is for another host, \(id)"
        case .otherChangeSet: "it is for another change set"
        case .otherEvidence: "it is for other evidence than this agent's own"
        case .otherBase: "it is for another state of live"
        case .otherGovernance: "it was given under another governance.yaml"
        case .otherConstitution: "it was given under another constitution.yaml"
        case .otherApprovers: "it was given under another approvers.yaml"
        case .otherNonce: "its nonce is not the evidence's"
        case .otherThreshold(let value): "it takes the place of a threshold of \(value), which is not the one in force"
        case .noReason: "it gives no reason"
        case .revoked: "it was revoked"
        case .notInLedger(let why): "it is not proven to be in the ledger: \(why)"
        case .checkpointSeen(let why): "the ledger is not the one the voter saw: \(why)"
        }
    }
}
