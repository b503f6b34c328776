import Local
import ArgumentParser
import Documents
import Fork
import FoundationEssentials
import Ledger
import Missions
import NIOHTTP1
import Parliament

struct Vote: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Vote in a session: shows what the signature covers, signs it with your SSH key, sends it.")
    @OptionGroup var client: ClientOptions
    @Argument(help: "The session's id, or the mission's.") var session: String
    @Argument(help: "approve, reject or abstain.") var vote: Decision
    @Option(help: "Why.") var reason: String?
    @Option(
        help: "Your SSH private key (or the public half of one in an agent). Without it the vote is recorded unsigned.")
    var key: String?
    @Flag(help: "Do not ask before signing.") var yes = false

    enum Decision: String, ExpressibleByArgument, CaseIterable { case approve, reject, abstain }

    func run() async throws {
        let api = try client.client()
        let (sessionID, missionID) = try await resolve(api)
        var body: [String: JSON] = ["vote": .string(vote.rawValue)]
        if let reason { body["reason"] = .string(reason) }
        if let key { body["signature"] = try await signature(api, mission: missionID, key: key) }
        let answer = try await api.call(.POST, "/api/parliament/sessions/\(sessionID.urlEncoded)/vote", .object(body))
        if client.json { return Terminal.line(answer.canonicalText) }
        let decision = answer["decision"]?.string ?? answer["decision"]?.canonicalText ?? "recorded"
        Terminal.line("Your vote “\(vote.rawValue)” is recorded; the session is \(Terminal.escaped(decision)).")
        if let message = answer["message"]?.string { Terminal.line(Terminal.escaped(message)) }
    }

    private func resolve(_ api: APIClient) async throws -> (session: String, mission: String) {
        if let found = try? await api.call(.GET, "/api/parliament/sessions/\(session.urlEncoded)"),
            let mission = found["mission_id"]?.string
        {
            return (session, mission)
        }
        let mission = try await api.call(.GET, "\(missionsPath)/\(session.urlEncoded)")
        guard let id = mission["parliament_session_id"]?.string else {
            throw Failure(
                "The mission \(session) has no session yet; it is in phase \(mission["phase"]?.string ?? "?").", code: 1
            )
        }
        return (id, session)
    }

    /// Renders what is signed from the signed bytes themselves, not from what the coordinator says of them.
    private func signature(_ api: APIClient, mission: String, key: String) async throws -> JSON {
        let path = "\(missionsPath)/\(mission.urlEncoded)"
        let offered = try await api.call(.GET, "\(path)/statement?decision=\(vote.rawValue)")
        guard let encoded = offered["payload"]?.string, let payload = Data(base64Encoded: encoded),
            let type = offered["payload_type"]?.string, type == Statement.payloadType
        else { throw Failure("The coordinator's statement is not an in-toto statement; nothing was signed.") }
        let statement = try Statement(payload: payload)
        guard statement.predicate["decision"]?.string == vote.rawValue else {
            throw Failure(
                "The statement's decision is not “\(vote.rawValue)”; nothing was signed. The coordinator is not to be trusted."
            )
        }
        try await show(api, path, statement)
        if !yes {
            guard let answer = Terminal.ask("Sign “\(vote.rawValue)” for this with \(key)? [y/N]") else {
                throw Failure("There is no terminal to ask on; give --yes to sign without being asked.", code: 2)
            }
            guard ["y", "yes"].contains(answer.lowercased()) else { throw Failure("Nothing was signed.", code: 1) }
        }
        let message = Envelope.pae(type: type, payload: payload)
        let armored = try await SSHKeygen.sign(message: message, namespace: "approve@grace", keyFile: key.absolute)
        let fingerprint = try SSHSignature(armored: armored).publicKey.fingerprint
        let envelope = Envelope(
            payloadType: type, payload: payload, signatures: [.init(keyid: fingerprint, sig: Data(armored.utf8))])
        return try JSON(encoding: envelope)
    }

    private func show(_ api: APIClient, _ path: String, _ statement: Statement) async throws {
        let changes = try await api.call(.GET, "\(path)/changes")
        guard let text = changes["manifest"]?.string, let manifest = Data(base64Encoded: text) else {
            throw Failure("The coordinator has no change set for this mission; nothing was signed.")
        }
        let digest = Digest(of: manifest)
        guard statement.subject.contains(where: { $0.sha256 == digest }) else {
            throw Failure(
                "The change set the coordinator shows (\(digest.short)…) is not the one the statement names; nothing was signed. "
                    + "The coordinator is not to be trusted.")
        }
        let changeSet = try ChangeSet.parse(manifest: manifest)
        let evidence = try await api.call(.GET, "\(path)/evidence")
        guard let encoded = evidence["payload"]?.string, let payload = Data(base64Encoded: encoded),
            let named = statement.predicate["evidence"]?.string, Digest(of: payload).hex == named
        else {
            throw Failure("The evidence the coordinator shows is not the one the statement names; nothing was signed.")
        }
        let tested = try EvidenceStatement.parse(payload: payload)
        // The mission itself: its digest is what the approval binds, so what is shown here is what may run.
        guard let document = try await api.call(.GET, path)["file"],
            let bound = statement.predicate["missionDigest"]?.string,
            Digest(of: document.canonical).hex == bound, tested.missionDigest.hex == bound
        else {
            throw Failure("The mission the coordinator shows is not the one the statement names; nothing was signed.")
        }
        let mission = try document.decode(MissionFile.self)
        for line in MissionView.summary(of: tested) + MissionView.commands(of: mission) { Terminal.line(line) }
        Terminal.line(Terminal.styled("Change", .bold))
        if let diff = changes["diff"]?.string {
            for line in diff.split(separator: "\n", omittingEmptySubsequences: false).prefix(200) {
                Terminal.line("  " + Terminal.escaped(String(line)))
            }
        }
        Terminal.line()
        Terminal.line(
            Terminal.styled("You are about to sign", .bold) + " “\(vote.rawValue)” for change set \(digest.hex):")
        for line in changeSet.summary { Terminal.line("  " + Terminal.escaped(line)) }
    }
}
