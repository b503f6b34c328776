public import FoundationEssentials

/// A DSSE envelope (secure-systems-lab/dsse, protocol.md v1.0): bytes, their type, and signatures over both.
public struct Envelope: Codable, Hashable, Sendable {
    /// One signature and a hint whose it is.
    public struct Signature: Codable, Hashable, Sendable {
        /// A hint only (DSSE): a ``VerifyingKey/keyIDHex``, or an SSH key's `SHA256:…` fingerprint.
        public let keyid: String
        /// The signature's bytes: 64 of Ed25519, or the text of an armored SSHSIG. Base64 in JSON.
        public let sig: Data

        /// Puts the parts together.
        public init(keyid: String, sig: Data) {
            self.keyid = keyid
            self.sig = sig
        }

        private enum CodingKeys: String, CodingKey { case keyid, sig }

        public init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            keyid = try container.decodeIfPresent(String.self, forKey: .keyid) ?? ""
            sig = try Envelope.base64(container, .sig)
        }

        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(keyid, forKey: .keyid)
            try container.encode(sig.base64EncodedString(), forKey: .sig)
        }
    }

    /// What the payload is, such as ``Statement/payloadType``.
    public let payloadType: String
    /// The very bytes that are signed (through ``pae(type:payload:)``).
    public let payload: Data
    /// At least one in a valid envelope.
    public var signatures: [Signature]

    /// Puts the parts together, signed or yet to be signed.
    public init(payloadType: String, payload: Data, signatures: [Signature]) {
        self.payloadType = payloadType
        self.payload = payload
        self.signatures = signatures
    }

    /// The pre-authentication encoding: what signatures are made over.
    public static func pae(type: String, payload: Data) -> Data {
        Data("DSSEv1 \(type.utf8.count) \(type) \(payload.count) ".utf8) + payload
    }

    /// This envelope's pre-authentication encoding.
    public var signedBytes: Data { Self.pae(type: payloadType, payload: payload) }

    /// Signs `payload` with an agent's or coordinator's key.
    public static func sign(payload: Data, type: String, key: SigningKey) throws -> Envelope {
        let signature = try key.sign(pae(type: type, payload: payload))
        return Envelope(
            payloadType: type, payload: payload,
            signatures: [Signature(keyid: key.publicKey.keyIDHex, sig: signature)])
    }

    /// The payload, if one signature over it is `key`'s and it has the wanted type; else throws ``LedgerError/signature(what:why:)``.
    public func verified(by key: VerifyingKey, type: String) throws -> Data {
        guard payloadType == type else {
            throw LedgerError.envelope(why: "its payload is of type \(payloadType), not \(type)")
        }
        let signed = signedBytes
        guard signatures.contains(where: { key.isValid(signature: $0.sig, for: signed) }) else {
            throw LedgerError.signature(
                what: "an envelope of type \(payloadType)",
                why: "none of its \(signatures.count) signatures is \(key.name)'s")
        }
        return payload
    }

    /// As ``verified(by:type:)``, for in-toto statements.
    public func verified(by key: VerifyingKey) throws -> Data {
        try verified(by: key, type: Statement.payloadType)
    }

    private enum CodingKeys: String, CodingKey { case payloadType, payload, signatures }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        payloadType = try container.decode(String.self, forKey: .payloadType)
        payload = try Self.base64(container, .payload)
        signatures = try container.decode([Signature].self, forKey: .signatures)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(payloadType, forKey: .payloadType)
        try container.encode(payload.base64EncodedString(), forKey: .payload)
        try container.encode(signatures, forKey: .signatures)
    }

    fileprivate static func base64<Key: CodingKey>(_ container: KeyedDecodingContainer<Key>, _ key: Key) throws -> Data
    {
        guard let data = Data(base64Encoded: try container.decode(String.self, forKey: key)) else {
            throw DecodingError.dataCorruptedError(
                forKey: key, in: container, debugDescription: "not standard base64 with padding")
        }
        return data
    }
}
