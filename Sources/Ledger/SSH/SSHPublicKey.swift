internal import Documents
public import FoundationEssentials

/// An SSH public key, as a line of `authorized_keys`, `allowed_signers` or a `.pub` file holds it.
///
/// Read natively: `ssh-ed25519` (RFC 8709), `ecdsa-sha2-nistp256` (RFC 5656) and the hardware-backed
/// `sk-ssh-ed25519@openssh.com` and `sk-ecdsa-sha2-nistp256@openssh.com` (OpenSSH's PROTOCOL.u2f). RSA, DSA and certificates are refused.
public struct SSHPublicKey: Sendable, Hashable, Codable, CustomStringConvertible {
    /// The key types that are verified natively.
    public enum Kind: String, Sendable, Codable, CaseIterable {
        case ed25519 = "ssh-ed25519"
        case ecdsaP256 = "ecdsa-sha2-nistp256"
        case securityKeyEd25519 = "sk-ssh-ed25519@openssh.com"
        case securityKeyECDSA = "sk-ecdsa-sha2-nistp256@openssh.com"

        /// Whether the key lives in a FIDO authenticator, whose signatures say if a person touched it.
        public var isSecurityKey: Bool { self == .securityKeyEd25519 || self == .securityKeyECDSA }
    }

    /// What kind of key it is.
    public let kind: Kind
    /// The key in SSH's wire encoding: what fingerprints are made of.
    public let blob: Data
    /// The raw Ed25519 key (32 bytes) or the uncompressed P-256 point (65 bytes).
    let point: Data
    /// The application a security key signs for, such as `ssh:`; empty for others.
    let application: String

    /// The key type's name, such as `ssh-ed25519`.
    public var type: String { kind.rawValue }

    /// Parses `type base64 [comment]`.
    public init(parsing line: String) throws {
        let parts = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: true)
        guard parts.count >= 2 else {
            throw LedgerError.ssh(
                what: "The SSH public key \"\(line.prefix(60))\"", why: "it should read: type base64 comment")
        }
        guard let blob = Data(base64Encoded: parts[1].trimmed) else {
            throw LedgerError.ssh(
                what: "The SSH public key \"\(line.prefix(60))\"", why: "its second word is not base64")
        }
        try self.init(blob: blob)
        guard type == parts[0] else {
            throw LedgerError.ssh(
                what: "The SSH public key \"\(line.prefix(60))\"", why: "it says \(parts[0]) but holds a \(type) key")
        }
    }

    /// Parses the wire encoding.
    public init(blob: Data) throws {
        let what = "An SSH public key"
        var reader = SSHWireReader(blob, what: what)
        let name = try reader.text()
        guard let kind = Kind(rawValue: name) else {
            let known = Kind.allCases.map(\.rawValue).joined(separator: ", ")
            throw LedgerError.ssh(what: what, why: "its type \"\(name.prefix(60))\" is not one of \(known)")
        }
        self.kind = kind
        switch kind {
        case .ed25519, .securityKeyEd25519:
            point = try reader.string()
            guard point.count == 32 else {
                throw LedgerError.ssh(what: what, why: "an Ed25519 key has 32 bytes, this has \(point.count)")
            }
        case .ecdsaP256, .securityKeyECDSA:
            let curve = try reader.text()
            guard curve == "nistp256" else {
                throw LedgerError.ssh(what: what, why: "its curve is \(curve.prefix(40)), not nistp256")
            }
            point = try reader.string()
            guard point.count == 65, point.first == 4 else {
                throw LedgerError.ssh(what: what, why: "its point is not an uncompressed one of 65 bytes")
            }
        }
        application = kind.isSecurityKey ? try reader.text() : ""
        try reader.end()
        self.blob = blob
    }

    /// `SHA256:` and the unpadded base64 of the blob's SHA-256, as `ssh-keygen -l` prints it.
    public var fingerprint: String {
        var text = Digest(of: blob).bytes.base64EncodedString()
        while text.hasSuffix("=") { text.removeLast() }
        return "SHA256:" + text
    }

    /// `type base64`, without a comment.
    public var line: String { "\(type) \(blob.base64EncodedString())" }

    public var description: String { line }

    public init(from decoder: any Decoder) throws {
        try self.init(parsing: decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(line)
    }
}

extension StringProtocol {
    /// Without spaces, tabs and line ends on both sides.
    var trimmed: String {
        let blank: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\n" || $0 == "\r" || $0 == "\r\n" }
        guard let first = firstIndex(where: { !blank($0) }), let last = lastIndex(where: { !blank($0) }) else {
            return ""
        }
        return String(self[first...last])
    }
}
