internal import Crypto
public import FoundationEssentials
internal import Linux

/// An Ed25519 key that signs checkpoints, evidence and the agent's journal. Never leaves the host it was made on.
public struct SigningKey: Sendable {
    private let key: Curve25519.Signing.PrivateKey
    /// The other half, to be handed out.
    public let publicKey: VerifyingKey

    /// A fresh key from the system's randomness.
    public init(name: String) throws {
        try self.init(name: name, key: Curve25519.Signing.PrivateKey())
    }

    /// A key from its 32-byte seed (RFC 8032's private key).
    public init(name: String, seed: Data) throws {
        guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: seed) else {
            throw LedgerError.key(what: name, why: "an Ed25519 seed has 32 bytes, this has \(seed.count)")
        }
        try self.init(name: name, key: key)
    }

    private init(name: String, key: Curve25519.Signing.PrivateKey) throws {
        self.key = key
        publicKey = try VerifyingKey(name: name, raw: Data(key.publicKey.rawRepresentation))
    }

    /// Who signs with it.
    public var name: String { publicKey.name }

    /// Signs `data`: 64 bytes (Ed25519).
    public func sign(_ data: Data) throws -> Data {
        Data(try key.signature(for: data))
    }

    /// Reads the key at `path`, or makes one there (mode 0600, fsynced) when there is none.
    ///
    /// The file is one line, `PRIVATE+KEY+name+hash+base64`, as Go's `note` package writes it. Throws when the file can be
    /// read by others than its owner, is damaged, or holds a key of another name.
    public static func loadOrCreate(path: String, name: String) throws -> SigningKey {
        guard let status = try Files.status(path) else {
            let fresh = try SigningKey(name: name)
            try Files.writeAtomically(path, Data((fresh.privateText + "\n").utf8), mode: 0o600)
            return fresh
        }
        guard status.mode & 0o077 == 0 else {
            throw LedgerError.key(
                what: path, why: "others than its owner can read or write it: chmod 600 it, or better make a new one")
        }
        let loaded = try SigningKey(privateText: Files.readString(path), file: path)
        guard loaded.name == name else {
            throw LedgerError.key(
                what: path, why: "it is \(loaded.name)'s, not \(name)'s: move it away or mend the configured name")
        }
        return loaded
    }

    private var privateText: String {
        let coded = (Data([VerifyingKey.ed25519]) + key.rawRepresentation).base64EncodedString()
        return "PRIVATE+KEY+\(name)+\(publicKey.keyIDHex)+\(coded)"
    }

    private init(privateText: String, file: String) throws {
        let line = privateText.hasSuffix("\n") ? String(privateText.dropLast()) : privateText
        let parts = line.split(separator: "+", maxSplits: 4, omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0] == "PRIVATE", parts[1] == "KEY",
            let coded = Data(base64Encoded: String(parts[4])), coded.count == 33, coded.first == VerifyingKey.ed25519
        else {
            throw LedgerError.key(what: file, why: "it should hold one line, PRIVATE+KEY+name+hash+base64")
        }
        try self.init(name: String(parts[2]), seed: Data(coded.dropFirst()))
        guard publicKey.keyIDHex == parts[3] else {
            throw LedgerError.key(
                what: file, why: "its hash is not the key's own: the file is damaged, restore it from a backup")
        }
    }
}
