public import Documents
public import FoundationEssentials

/// One leaf of the ledger: what happened, when, to which mission, by whom. It holds ids and digests, never free text.
public struct LedgerEntry: Codable, Hashable, Sendable {
    /// Unique: a UUID or the agent's journal position.
    public let id: String
    /// What happened, dotted: `mission.transition`, `vote`, `promotion.intent`, …
    public let kind: String
    /// The mission it belongs to, if any.
    public let mission: String?
    /// When, to the millisecond, by the writer's clock.
    public let at: Date
    /// Who: a principal, `agent:<host>` or `coordinator`.
    public let actor: String
    /// Ids, digests and numbers.
    public let body: JSON
    /// Commits to a text kept in a blob that may be deleted later; see ``TextCommitment``.
    public let text: Digest?

    /// Puts an entry together; `at` is rounded to the millisecond.
    public init(
        id: String, kind: String, mission: String? = nil, at: Date, actor: String, body: JSON, text: Digest? = nil
    ) {
        self.id = id
        self.kind = kind
        self.mission = mission
        self.at = Timestamp.rounded(at)
        self.actor = actor
        self.body = body
        self.text = text
    }

    /// The bytes of the leaf: canonical JSON (RFC 8785).
    public func leaf() throws -> Data {
        try JSON(encoding: self).canonical
    }

    /// Reads a leaf; throws ``LedgerError/envelope(why:)`` unless it is an entry in canonical JSON.
    public init(leaf: Data) throws {
        do {
            let json = try JSON(parsing: leaf)
            guard json.canonical == leaf else {
                throw LedgerError.envelope(why: "the entry is not canonical JSON (RFC 8785)")
            }
            self = try json.decode(LedgerEntry.self)
        } catch let error as LedgerError {
            throw error
        } catch {
            throw LedgerError.envelope(why: "the entry is no ledger entry: \(error)")
        }
    }
}

/// A text and the salt that hides it: the ledger keeps only the digest of both, so that deleting the text's blob leaves
/// nothing to guess it from, while whoever has the blob can prove what was said.
public struct TextCommitment: Codable, Hashable, Sendable {
    /// 32 random bytes in hexadecimal.
    public let salt: String
    /// The text.
    public let text: String

    /// Commits to `text` with fresh randomness.
    public init(text: String) {
        var random = SystemRandomNumberGenerator()
        self.init(text: text, using: &random)
    }

    /// Commits to `text` with the given randomness.
    public init(text: String, using random: inout some RandomNumberGenerator) {
        let bytes = (0..<4).map { _ in random.next() as UInt64 }.reduce(into: Data()) { $0.append($1.bigEndianBytes) }
        salt = bytes.hexadecimal
        self.text = text
    }

    /// What stands in the ledger: SHA-256 over the canonical JSON of salt and text.
    public func digest() throws -> Digest {
        Digest(of: try JSON(encoding: self).canonical)
    }
}
