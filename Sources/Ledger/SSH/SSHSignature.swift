internal import Crypto
public import FoundationEssentials

/// What a valid SSH signature says beside who made it.
public struct SignatureFacts: Sendable, Hashable {
    /// Whether a person touched the authenticator (FIDO flag bit 0); nil for keys that are plain files.
    public let userPresent: Bool?
    /// Whether the authenticator checked a PIN or fingerprint (FIDO flag bit 2); nil for keys that are plain files.
    public let userVerified: Bool?
    /// The authenticator's signature counter; nil for keys that are plain files. 0 where it keeps none.
    public let counter: UInt32?
}

/// A detached signature of `ssh-keygen -Y sign` (OpenSSH's PROTOCOL.sshsig), parsed and verified here without a process.
public struct SSHSignature: Sendable, Hashable {
    private static let magic = Data("SSHSIG".utf8)
    private static let head = "-----BEGIN SSH SIGNATURE-----"
    private static let foot = "-----END SSH SIGNATURE-----"

    /// The key the signature claims to be of. It proves nothing until ``verify(message:namespace:)`` succeeds and the key is
    /// found among the allowed ones.
    public let publicKey: SSHPublicKey
    /// What the signature is for, such as `approve@grace`.
    public let namespace: String
    /// `sha256` or `sha512`.
    public let hashAlgorithm: String
    private let reserved: Data
    private let format: String
    private let signature: Data

    /// Parses the armored form, `-----BEGIN SSH SIGNATURE-----` and so on. At most 16 KiB.
    public init(armored text: String) throws {
        let what = "The SSH signature"
        guard text.utf8.count <= 16 << 10 else { throw LedgerError.ssh(what: what, why: "it has more than 16 KiB") }
        let body = text.trimmed
        guard body.hasPrefix(Self.head), body.hasSuffix(Self.foot) else {
            throw LedgerError.ssh(what: what, why: "it must begin with \(Self.head) and end with \(Self.foot)")
        }
        let base64 = body.dropFirst(Self.head.count).dropLast(Self.foot.count).filter { !$0.isWhitespace }
        guard let blob = Data(base64Encoded: String(base64)) else {
            throw LedgerError.ssh(what: what, why: "what stands between its first and last line is not base64")
        }
        try self.init(blob: blob)
    }

    /// Parses the binary form.
    public init(blob: Data) throws {
        let what = "The SSH signature"
        var reader = SSHWireReader(blob, what: what)
        guard try reader.raw(Self.magic.count) == Self.magic else {
            throw LedgerError.ssh(what: what, why: "it does not begin with SSHSIG")
        }
        let version = try reader.uint32()
        guard version == 1 else { throw LedgerError.ssh(what: what, why: "its version is \(version), only 1 is known") }
        publicKey = try SSHPublicKey(blob: reader.string())
        namespace = try reader.text()
        reserved = try reader.string()
        hashAlgorithm = try reader.text()
        var inner = SSHWireReader(try reader.string(), what: what)
        try reader.end()
        guard !namespace.isEmpty else { throw LedgerError.ssh(what: what, why: "its namespace is empty") }
        guard hashAlgorithm == "sha256" || hashAlgorithm == "sha512" else {
            throw LedgerError.ssh(what: what, why: "its hash is \(hashAlgorithm.prefix(40)), not sha256 or sha512")
        }
        format = try inner.text()
        guard format == publicKey.type else {
            throw LedgerError.ssh(
                what: what, why: "it is a \(format.prefix(60)) signature beside a \(publicKey.type) key")
        }
        var rest = Data()
        while !inner.isAtEnd { rest.append(try inner.byte()) }
        signature = rest
    }

    /// Verifies the signature over `message` in `namespace`; throws ``LedgerError/signature(what:why:)`` or
    /// ``LedgerError/ssh(what:why:)`` unless it is valid. Who may sign is not asked here: see ``AllowedSigners``.
    public func verify(message: Data, namespace: String) throws -> SignatureFacts {
        let what = "the SSH key \(publicKey.fingerprint)"
        guard self.namespace == namespace else {
            throw LedgerError.signature(
                what: what, why: "it was made for the namespace \(self.namespace), not for \(namespace)")
        }
        let signed = signedData(message)
        var reader = SSHWireReader(signature, what: "The SSH signature")
        let part = try reader.string()
        let valid: Bool
        var facts = SignatureFacts(userPresent: nil, userVerified: nil, counter: nil)
        switch publicKey.kind {
        case .ed25519:
            valid = isValidEd25519(part, signed)
        case .ecdsaP256:
            valid = try isValidP256(part, signed)
        case .securityKeyEd25519, .securityKeyECDSA:
            let flags = try reader.byte()
            let counter = try reader.uint32()
            // OpenSSH PROTOCOL.u2f: SHA-256(application), flags, counter, SHA-256(message).
            var over = SSHWireWriter()
            over.raw(SHA256.hash(data: Data(publicKey.application.utf8)))
            over.raw([flags])
            over.uint32(counter)
            over.raw(SHA256.hash(data: signed))
            valid =
                publicKey.kind == .securityKeyEd25519
                ? isValidEd25519(part, over.data) : try isValidP256(part, over.data)
            facts = SignatureFacts(userPresent: flags & 0x01 != 0, userVerified: flags & 0x04 != 0, counter: counter)
        }
        try reader.end()
        guard valid else {
            throw LedgerError.signature(
                what: what, why: "it does not match the signed text: one of the two was changed")
        }
        return facts
    }

    /// PROTOCOL.sshsig section 3: what is really signed.
    private func signedData(_ message: Data) -> Data {
        var writer = SSHWireWriter()
        writer.raw(Self.magic)
        writer.string(namespace)
        writer.string(reserved)
        writer.string(hashAlgorithm)
        writer.string(hashAlgorithm == "sha256" ? Data(SHA256.hash(data: message)) : Data(SHA512.hash(data: message)))
        return writer.data
    }

    private func isValidEd25519(_ signature: Data, _ data: Data) -> Bool {
        guard signature.count == 64, let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey.point)
        else { return false }
        return key.isValidSignature(signature, for: data)
    }

    /// RFC 5656 section 3.1.2: r and s as mpints; the digest is SHA-256.
    private func isValidP256(_ signature: Data, _ data: Data) throws -> Bool {
        var reader = SSHWireReader(signature, what: "The SSH signature")
        let raw = try reader.unsigned(width: 32) + reader.unsigned(width: 32)
        try reader.end()
        guard let key = try? P256.Signing.PublicKey(x963Representation: publicKey.point),
            let parsed = try? P256.Signing.ECDSASignature(rawRepresentation: raw)
        else { return false }
        return key.isValidSignature(parsed, for: data)
    }
}
