import Crypto
import Foundation
import Ledger
import Parliament

/// A person with an SSH key in memory: signs as `ssh-keygen -Y sign` does (PROTOCOL.sshsig; LedgerTests hold the same bytes
/// against ssh-keygen itself).
struct TestPerson {
    let name: String
    let publicKey: SSHPublicKey
    private let key: Curve25519.Signing.PrivateKey
    /// For a security key: whether it is touched; nil is a plain key file.
    private let touched: Bool?

    init(_ name: String, touched: Bool? = nil) throws {
        self.name = name
        self.touched = touched
        key = Curve25519.Signing.PrivateKey()
        let raw = Self.string(key.publicKey.rawRepresentation)
        let blob =
            touched == nil
            ? Self.string("ssh-ed25519") + raw : Self.string("sk-ssh-ed25519@openssh.com") + raw + Self.string("ssh:")
        publicKey = try SSHPublicKey(blob: blob)
    }

    private init(_ name: String, like other: TestPerson, touched: Bool?) {
        self.name = name
        publicKey = other.publicKey
        key = other.key
        self.touched = touched
    }

    /// The same token, touched or not.
    func touching(_ touched: Bool) -> TestPerson { TestPerson(name, like: self, touched: touched) }

    /// A line of allowed_signers.
    var line: String { "\(name) \(publicKey.line)" }

    func sign(_ message: Data, namespace: String) throws -> String {
        let head = Self.string(namespace) + Self.string("") + Self.string("sha512")
        let signed = Data("SSHSIG".utf8) + head + Self.string(Data(SHA512.hash(data: message)))
        let signature: Data
        if let touched {
            let tail = Data([touched ? 1 : 0, 0, 0, 0, 9])
            let over = Data(SHA256.hash(data: Data("ssh:".utf8))) + tail + Data(SHA256.hash(data: signed))
            signature = Self.string(publicKey.type) + Self.string(try key.signature(for: over)) + tail
        } else {
            signature = Self.string(publicKey.type) + Self.string(try key.signature(for: signed))
        }
        let blob = Data("SSHSIG".utf8) + [0, 0, 0, 1] + Self.string(publicKey.blob) + head + Self.string(signature)
        let base64 = blob.base64EncodedString(options: [.lineLength64Characters, .endLineWithLineFeed])
        return "-----BEGIN SSH SIGNATURE-----\n\(base64)\n-----END SSH SIGNATURE-----\n"
    }

    /// The act in an envelope, signed in `namespace`, by default the act's own.
    func envelope(_ act: some SignedAct, subject: [Statement.Subject], namespace: String? = nil) throws -> Envelope {
        try envelope(payload: act.payload(subject: subject), namespace: namespace ?? type(of: act).namespace)
    }

    func envelope(payload: Data, namespace: String) throws -> Envelope {
        let armored = try sign(ActEnvelope.signedBytes(payload: payload), namespace: namespace)
        return try ActEnvelope.envelope(payload: payload, armored: armored)
    }

    private static func string(_ data: Data) -> Data {
        withUnsafeBytes(of: UInt32(data.count).bigEndian) { Data($0) } + data
    }
    private static func string(_ text: String) -> Data { string(Data(text.utf8)) }
}
