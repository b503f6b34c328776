internal import Crypto
internal import Documents
public import FoundationEssentials

/// The public half of a ``SigningKey``: an Ed25519 key with a name, as C2SP signed-note writes them
/// (`name+hash+base64`, called a vkey there).
public struct VerifyingKey: Sendable, Hashable, Codable, CustomStringConvertible {
    /// The signed-note algorithm byte of plain Ed25519 (C2SP signed-note, "Signature types").
    static let ed25519: UInt8 = 0x01

    /// Who signs with it, such as `app1.example/agent`: not empty, no white space, no `+`. A log's name is its origin.
    public let name: String
    /// The 32 bytes of the Ed25519 public key (RFC 8032).
    public let raw: Data

    /// Takes the parts apart already; throws ``LedgerError/key(what:why:)`` for a bad name or a key that is not 32 bytes.
    public init(name: String, raw: Data) throws {
        try Self.check(name: name)
        guard raw.count == 32 else {
            throw LedgerError.key(what: name, why: "an Ed25519 public key has 32 bytes, this has \(raw.count)")
        }
        self.name = name
        self.raw = raw
    }

    /// Parses `name+hash+base64`; the hash must be the key's own.
    public init(parsing text: String) throws {
        let parts = text.split(separator: "+", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3 else {
            throw LedgerError.key(
                what: text, why: "a public key reads name+hash+base64, with two plus signs before the key")
        }
        guard let coded = Data(base64Encoded: String(parts[2])), coded.count == 33, coded.first == Self.ed25519 else {
            throw LedgerError.key(
                what: text, why: "after the hash there must be base64 of the byte 1 and 32 bytes of Ed25519 key")
        }
        try self.init(name: String(parts[0]), raw: Data(coded.dropFirst()))
        guard keyIDHex == parts[1] else {
            throw LedgerError.key(
                what: text, why: "its hash says \(parts[1]) but the key's is \(keyIDHex): a character is wrong")
        }
    }

    /// The signed-note key hash: the first four bytes of SHA-256(name, newline, 1, key), big-endian.
    public var keyID: UInt32 {
        let digest = Digest(of: Data(name.utf8) + [0x0A, Self.ed25519] + raw)
        return digest.bytes.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// ``keyID`` as eight lower-case hexadecimal digits; also the `keyid` in envelopes.
    public var keyIDHex: String {
        let digits = String(keyID, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    /// The key as one line of text, `name+hash+base64`.
    public var string: String {
        "\(name)+\(keyIDHex)+\((Data([Self.ed25519]) + raw).base64EncodedString())"
    }

    public var description: String { string }

    /// Whether `signature` (64 bytes) is this key's over `data` (Ed25519, RFC 8032 section 5.1.7).
    public func isValid(signature: Data, for data: Data) -> Bool {
        guard signature.count == 64, let key = try? Curve25519.Signing.PublicKey(rawRepresentation: raw) else {
            return false
        }
        return key.isValidSignature(signature, for: data)
    }

    public init(from decoder: any Decoder) throws {
        try self.init(parsing: decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(string)
    }

    /// Refuses names that would break the note format: C2SP signed-note, "Format".
    static func check(name: String) throws {
        guard !name.isEmpty else {
            throw LedgerError.key(what: "without a name", why: "a key's name must not be empty")
        }
        for scalar in name.unicodeScalars where scalar.properties.isWhitespace || scalar == "+" || scalar.value < 0x20 {
            throw LedgerError.key(
                what: "\"\(name)\"", why: "a key's name must have no white space, control characters or plus signs")
        }
    }
}
