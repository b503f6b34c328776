public import Documents
public import FoundationEssentials
public import Ledger

/// What a person signs: the predicate of an in-toto statement, signed with an SSH key in the act's own namespace, so that a
/// signature for one act can never pass for another.
public protocol SignedAct: Codable, Sendable, Equatable {
    /// The statement's predicate type.
    static var predicateType: String { get }
    /// The SSHSIG namespace, such as `approve@grace`.
    static var namespace: String { get }
    /// The principal who acts, as in allowed_signers.
    var by: String { get }
    /// When, by the signer's clock.
    var issuedAt: Date { get }
    /// From when on it is void.
    var expires: Date { get }
}

/// The SSHSIG namespaces of DESIGN section 7.
public enum ActNamespace {
    public static let approve = "approve@grace"
    public static let override = "override@grace"
    public static let rollback = "rollback@grace"
    public static let policy = "policy@grace"
    public static let keys = "keys@grace"
}

extension SignedAct {
    /// The bytes of the statement about `subject`: what goes into the envelope.
    public func payload(subject: [Statement.Subject]) throws -> Data {
        try Statement(subject: subject, predicateType: Self.predicateType, predicate: JSON(encoding: self)).payload()
    }
}

/// The way from a statement to a signed envelope and back.
public enum ActEnvelope {
    /// The longest an act may be valid, in seconds: an hour (DESIGN section 7).
    public static let longestLifetime: TimeInterval = 3600
    /// How far ahead of ours a signer's clock may be, in seconds.
    public static let clockSkew: TimeInterval = 300

    /// What is signed with SSHSIG: the DSSE pre-authentication encoding.
    public static func signedBytes(payload: Data) -> Data {
        Envelope.pae(type: Statement.payloadType, payload: payload)
    }

    /// Puts the armored signature to the payload.
    public static func envelope(payload: Data, armored: String) throws -> Envelope {
        let signature = try SSHSignature(armored: armored)
        return Envelope(
            payloadType: Statement.payloadType, payload: payload,
            signatures: [.init(keyid: signature.publicKey.fingerprint, sig: Data(armored.utf8))])
    }

    /// The name an act is known by in ledgers and revocations: SHA-256 of its payload.
    public static func id(_ envelope: Envelope) -> Digest { Digest(of: envelope.payload) }

    /// Signs an act through `ssh-keygen`, which asks for passphrases and touches.
    public static func sign(_ act: some SignedAct, subject: [Statement.Subject], keyFile: String) async throws
        -> Envelope
    {
        let payload = try act.payload(subject: subject)
        let armored = try await SSHKeygen.sign(
            message: signedBytes(payload: payload), namespace: type(of: act).namespace, keyFile: keyFile)
        return try envelope(payload: payload, armored: armored)
    }
}
