public import Documents
public import FoundationEssentials

/// One line of an agent's journal: what the agent did or is about to do.
public struct JournalEntry: Codable, Hashable, Sendable {
    /// Its place, from 0.
    public let index: UInt64
    /// What happened, dotted: `promotion.intent`, `nonce.burned`, …
    public let kind: String
    /// The mission it belongs to, if any.
    public let mission: String?
    /// When, to the millisecond, by the host's clock.
    public let at: Date
    /// Ids, digests and numbers.
    public let body: JSON
    /// SHA-256 of the line before, without its newline; of nothing for the first.
    public let previous: Digest
    /// Ed25519 over ``signedBytes()``, in base64.
    public let signature: String

    /// Canonical JSON of everything but the signature, after a line that keeps it from being taken for anything else.
    public func signedBytes() throws -> Data {
        guard case .object(var members) = try JSON(encoding: self) else {
            throw LedgerError.envelope(why: "a journal entry is not a JSON object")
        }
        members["signature"] = nil
        return Data("grace-journal-v1\n".utf8) + JSON.object(members).canonical
    }

    /// The line in the file, without its newline: canonical JSON (RFC 8785).
    public func line() throws -> Data {
        try JSON(encoding: self).canonical
    }

    static func signed(
        index: UInt64, kind: String, mission: String?, at: Date, body: JSON, previous: Digest, by key: SigningKey
    ) throws -> JournalEntry {
        func entry(_ signature: String) -> JournalEntry {
            JournalEntry(
                index: index, kind: kind, mission: mission, at: Timestamp.rounded(at), body: body, previous: previous,
                signature: signature)
        }
        return entry(try key.sign(entry("").signedBytes()).base64EncodedString())
    }

    /// Reads and checks one line: its form, its place in the chain and its signature. The error's text ends without a period.
    static func checked(_ line: Data, index: UInt64, previous: Digest, key: VerifyingKey) throws -> JournalEntry {
        let json: JSON
        let entry: JournalEntry
        do {
            json = try JSON(parsing: line)
            entry = try json.decode(JournalEntry.self)
        } catch {
            throw JournalDamage("it is no journal entry: \(error)")
        }
        guard json.canonical == line else { throw JournalDamage("it is not canonical JSON") }
        guard entry.index == index else {
            throw JournalDamage("it says it is entry \(entry.index), but stands at \(index)")
        }
        guard entry.previous == previous else {
            throw JournalDamage("it does not follow the line before it: one was changed, added or taken away")
        }
        guard let signature = Data(base64Encoded: entry.signature),
            key.isValid(signature: signature, for: try entry.signedBytes())
        else {
            throw JournalDamage("its signature is not \(key.name)'s")
        }
        return entry
    }
}

/// What is wrong with a line; the journal adds file and line.
struct JournalDamage: Error {
    let why: String
    init(_ why: String) { self.why = why }
}
