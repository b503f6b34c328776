public import Documents
public import FoundationEssentials

/// An in-toto Statement v1 (in-toto/attestation, spec/v1/statement.md): what is claimed (`predicate`) about what (`subject`).
public struct Statement: Codable, Hashable, Sendable {
    /// The only `_type` accepted.
    public static let type = "https://in-toto.io/Statement/v1"
    /// The DSSE payload type of statements.
    public static let payloadType = "application/vnd.in-toto+json"

    /// A thing, named by the SHA-256 of its bytes.
    public struct Subject: Codable, Hashable, Sendable {
        /// What it is, for people.
        public let name: String
        /// Digests by algorithm; Grace writes and reads `sha256`.
        public let digest: [String: Digest]

        /// A subject named by its SHA-256.
        public init(name: String, sha256: Digest) {
            self.name = name
            digest = ["sha256": sha256]
        }

        /// Its SHA-256, if the statement has one.
        public var sha256: Digest? { digest["sha256"] }
    }

    /// What the claim is about.
    public let subject: [Subject]
    /// A URI that says how to read ``predicate``.
    public let predicateType: String
    /// The claim.
    public let predicate: JSON

    /// Puts the parts together.
    public init(subject: [Subject], predicateType: String, predicate: JSON) {
        self.subject = subject
        self.predicateType = predicateType
        self.predicate = predicate
    }

    /// Reads a statement from an envelope's payload; throws ``LedgerError/envelope(why:)`` for anything else.
    ///
    /// Only canonical JSON (RFC 8785) is taken: a payload with a key twice would mean one thing to one reader and another
    /// thing to the next.
    public init(payload: Data) throws {
        do {
            let json = try JSON(parsing: payload)
            guard json.canonical == payload else {
                throw LedgerError.envelope(why: "its payload is not canonical JSON (RFC 8785)")
            }
            self = try json.decode(Statement.self)
        } catch let error as LedgerError {
            throw error
        } catch {
            throw LedgerError.envelope(why: "its payload is no in-toto statement: \(error)")
        }
    }

    /// The statement's bytes: canonical JSON (RFC 8785).
    public func payload() throws -> Data {
        try JSON(encoding: self).canonical
    }

    /// Signs the statement into an envelope.
    public func signed(by key: SigningKey) throws -> Envelope {
        try Envelope.sign(payload: payload(), type: Self.payloadType, key: key)
    }

    private enum CodingKeys: String, CodingKey {
        case type = "_type"
        case subject, predicateType, predicate
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let type = try container.decode(String.self, forKey: .type)
        guard type == Self.type else {
            throw LedgerError.envelope(why: "its _type is \(type), not \(Self.type)")
        }
        subject = try container.decode([Subject].self, forKey: .subject)
        predicateType = try container.decode(String.self, forKey: .predicateType)
        predicate = try container.decode(JSON.self, forKey: .predicate)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(Self.type, forKey: .type)
        try container.encode(subject, forKey: .subject)
        try container.encode(predicateType, forKey: .predicateType)
        try container.encode(predicate, forKey: .predicate)
    }
}
