import Local
import ArgumentParser
import Documents
import FoundationEssentials
import Ledger
import Missions
import NIOHTTP1
import Parliament

/// Signed acts of people besides votes: each in a namespace of its own, so that one can't pass for another.

struct Rollback: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take a promoted mission back; after its watch that takes a signature.")
    @OptionGroup var client: ClientOptions
    @Argument(help: "The mission's id.") var id: String
    @Option(help: "Why.") var reason: String
    @Option(help: "Your SSH key; needed once the watch is over.") var key: String?
    @Option(name: .customLong("as"), help: "Your name in allowed_signers.") var principal: String?

    func run() async throws {
        let api = try client.client()
        var body: [String: JSON] = ["reason": .string(reason)]
        if let key {
            let mission = try await api.call(.GET, "\(missionsPath)/\(id.urlEncoded)")
            let evidence = try await SeenEvidence.get(api, id)
            let act = RollbackPredicate(
                by: try client.principal(principal), mission: mission["mission_id"]?.string ?? id,
                host: evidence.evidence.host.id,
                reason: reason, issuedAt: Date(), expires: Date().addingTimeInterval(600))
            body["signature"] = try JSON(
                encoding: try await ActEnvelope.sign(
                    act, subject: ApprovalStatement.subject(changeSet: evidence.evidence.changeSet),
                    keyFile: key.absolute))
        }
        let answer = try await api.call(.POST, "\(missionsPath)/\(id.urlEncoded)/rollback", .object(body))
        Terminal.line(client.json ? answer.canonicalText : answer["message"]?.string ?? "A rollback was asked for.")
    }
}

struct Override: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Sign an override of what is people's to override; never a REGRESSION, a conflict or a hard-mandatory rule."
    )
    @OptionGroup var client: ClientOptions
    @Argument(help: "The mission's id.") var id: String
    @Argument(help: "What: trust, inconclusive, or rule:NAME; several may be given.") var items: [String]
    @Option(help: "Why; it is signed and recorded.") var reason: String
    @Option(help: "Your SSH key.") var key: String
    @Option(name: .customLong("as"), help: "Your name in allowed_signers.") var principal: String?

    func run() async throws {
        let api = try client.client()
        let seen = try await SeenEvidence.get(api, id)
        let chosen: [OverridePredicate.Item] = try items.map { text in
            switch text {
            case "trust": return .trust
            case "inconclusive": return .inconclusive
            case _ where text.hasPrefix("rule:"): return .rule(String(text.dropFirst(5)))
            default: throw Failure("“\(text)” can't be overridden; known: trust, inconclusive, rule:NAME.", code: 2)
            }
        }
        let act = OverridePredicate(
            by: try client.principal(principal), items: chosen, reason: reason, mission: id,
            host: seen.evidence.host.id,
            evidence: seen.digest, nonce: seen.evidence.nonce, issuedAt: Date(),
            expires: Date().addingTimeInterval(3600))
        let envelope = try await ActEnvelope.sign(
            act, subject: ApprovalStatement.subject(changeSet: seen.evidence.changeSet), keyFile: key.absolute)
        let answer = try await api.call(.POST, "/api/acts", .object(["signature": try JSON(encoding: envelope)]))
        Terminal.line(client.json ? answer.canonicalText : answer["message"]?.string ?? "The override is recorded.")
    }
}

struct Revoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Revoke an approval that was not used yet.")
    @OptionGroup var client: ClientOptions
    @Argument(help: "The approval's id: the SHA-256 of its statement, as the ledger's vote entry names it.")
    var approval: String
    @Option(help: "Why.") var reason: String
    @Option(help: "Your SSH key.") var key: String
    @Option(name: .customLong("as"), help: "Your name in allowed_signers.") var principal: String?

    func run() async throws {
        guard let digest = Digest(hex: approval) else {
            throw Failure("“\(approval.prefix(80))” is no approval's id: 64 lower-case hexadecimal digits.", code: 2)
        }
        let act = RevocationPredicate(
            by: try client.principal(principal), approval: digest, reason: reason, issuedAt: Date(),
            expires: Date().addingTimeInterval(3600))
        let envelope = try await ActEnvelope.sign(
            act, subject: [Statement.Subject(name: "approval", sha256: digest)], keyFile: key.absolute)
        let answer = try await client.client().call(
            .POST, "/api/acts", .object(["signature": try JSON(encoding: envelope)]))
        Terminal.line(client.json ? answer.canonicalText : answer["message"]?.string ?? "The revocation is recorded.")
    }
}

/// The evidence of a mission as the coordinator shows it, with the digest of its very bytes.
struct SeenEvidence {
    var evidence: Evidence
    var digest: Digest

    static func get(_ api: APIClient, _ id: String) async throws -> SeenEvidence {
        let json = try await api.call(.GET, "\(missionsPath)/\(id.urlEncoded)/evidence")
        guard let encoded = json["payload"]?.string, let payload = Data(base64Encoded: encoded) else {
            throw Failure("The mission \(id) has no evidence yet.", code: 1)
        }
        return SeenEvidence(evidence: try EvidenceStatement.parse(payload: payload), digest: Digest(of: payload))
    }
}
