internal import Documents
internal import FoundationEssentials
internal import Linux
internal import Parliament

/// The nonces inside this agent's evidence: issued with it, burned with fsync before a promotion's journal opens.
struct Nonces {
    /// How long evidence may wait for a promotion, seconds: what was measured longer ago is measured again.
    static let lifetime = 86400.0

    let directory: String

    init(state: String) { directory = state + "/nonces" }

    private struct Record: Codable {
        var mission: String
        var expires: Date
        var burned: Date?
    }

    private func path(_ nonce: String) -> String { "\(directory)/\(Digest(of: Data(nonce.utf8)).hex)" }

    func issue(_ nonce: String, mission: String, now: Date) throws {
        try Files.makeDirectory(directory, mode: 0o700, intermediate: true)
        try write(nonce, Record(mission: mission, expires: now.addingTimeInterval(Self.lifetime)))
    }

    func state(_ nonce: String, mission: String) throws -> NonceState {
        guard let record = try read(nonce), record.mission == mission else { return .unknown }
        return record.burned == nil ? .issued(expires: record.expires) : .burned
    }

    /// On disk when it returns; a second time throws.
    func burn(_ nonce: String, now: Date) throws {
        guard var record = try read(nonce), record.burned == nil else {
            throw AgentError("The evidence's nonce is unknown or was used already; nothing is promoted.")
        }
        record.burned = now
        try write(nonce, record)
    }

    private func read(_ nonce: String) throws -> Record? {
        guard try Files.status(path(nonce)) != nil else { return nil }
        return try JSON(parsing: Files.read(path(nonce))).decode()
    }

    private func write(_ nonce: String, _ record: Record) throws {
        try Files.writeAtomically(path(nonce), try JSON(encoding: record).canonical, mode: 0o600)
    }
}
