internal import Documents
internal import FoundationEssentials
internal import Ledger
internal import Linux
internal import Parliament

/// Approvals that a listed person revoked. A revocation is kept for good: the act itself is void after an hour, what it did is
/// not.
struct Revocations {
    let directory: String

    init(state: String) { directory = state + "/revoked" }

    /// Verifies and keeps what is new; answers the ids of all approvals revoked here, ever. An act that does not verify revokes
    /// nothing.
    func take(_ envelopes: [Envelope], approvers: Approvers, allowed: AllowedSigners, now: Date) throws -> Set<Digest> {
        try Files.makeDirectory(directory, mode: 0o700, intermediate: true)
        for envelope in envelopes {
            guard
                case .success(let act) = ActVerifier.revocation(
                    envelope, approvers: approvers, allowed: allowed, now: now)
            else {
                continue
            }
            let path = directory + "/" + act.act.approval.hex
            if try Files.status(path) == nil {
                try Files.writeAtomically(path, try JSON(encoding: envelope).canonical, mode: 0o600)
            }
        }
        let names = try Files.entries(directory).map { String(decoding: $0, as: UTF8.self) }
        return Set(names.compactMap { Digest(hex: $0) })
    }
}
