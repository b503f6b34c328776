public import Documents
public import FoundationEssentials
public import Ledger

/// An act whose envelope, signer and time were found good. Only ``ActVerifier`` makes one.
public struct VerifiedAct<Act: SignedAct>: Sendable, Equatable {
    public let act: Act
    /// SHA-256 of the payload, see ``ActEnvelope/id(_:)``.
    public let id: Digest
    /// The subjects' digests.
    public let subject: [Digest?]
    /// One name for the person, whatever names share the key: see ``Ledger/AllowedSigners/person(of:namespace:)``.
    public let person: String
    public let fingerprint: String
    /// Whether a security key says that it was touched.
    public let userPresent: Bool
}

/// Checks a signed act as such: what is in it is for the caller to compare.
public enum ActVerifier {
    /// Verifies envelope, signature, namespace, key, signer and time.
    ///
    /// - Parameters:
    ///   - envelope: as it came, from wherever.
    ///   - type: the kind of act that is wanted; no other passes.
    ///   - allowed: the host's own allowed_signers, as it is now.
    ///   - now: the agent's own clock.
    ///   - userPresence: whether only the signature of a touched security key counts.
    /// - Returns: the act, or the first fault found.
    public static func verify<Act: SignedAct>(
        _ envelope: Envelope, as type: Act.Type = Act.self, allowed: AllowedSigners, now: Date,
        userPresence: Bool = false
    ) -> Result<VerifiedAct<Act>, ActFault> {
        do {
            return .success(try check(envelope, type, allowed, now, userPresence))
        } catch {
            return .failure(error)
        }
    }

    private static func check<Act: SignedAct>(
        _ envelope: Envelope, _ type: Act.Type, _ allowed: AllowedSigners, _ now: Date, _ userPresence: Bool
    ) throws(ActFault) -> VerifiedAct<Act> {
        guard envelope.payloadType == Statement.payloadType else { throw .payloadType(envelope.payloadType) }
        guard let only = envelope.signatures.first, envelope.signatures.count == 1 else {
            throw .signatureCount(envelope.signatures.count)
        }
        let signature = try parsed(only)
        guard signature.namespace == Act.namespace else {
            throw .namespace(found: signature.namespace, wanted: Act.namespace)
        }
        let facts = try facts(signature, envelope.signedBytes, Act.namespace)
        let fingerprint = signature.publicKey.fingerprint
        guard only.keyid == fingerprint else { throw .keyHint(found: only.keyid, key: fingerprint) }

        // What is parsed are the very bytes whose signature was just checked.
        let (statement, act) = try read(envelope.payload, as: type)

        let principals = allowed.principals(for: signature.publicKey, namespace: Act.namespace, at: now)
        guard !principals.isEmpty else { throw .keyNotAllowed(fingerprint: fingerprint) }
        guard principals.contains(act.by) else { throw .keyOfAnother(fingerprint: fingerprint, principals: principals) }
        if userPresence, facts.userPresent != true { throw .userPresenceMissing }

        guard act.issuedAt <= now.addingTimeInterval(ActEnvelope.clockSkew) else { throw .issuedInFuture(act.issuedAt) }
        let lifetime = act.expires.timeIntervalSince(act.issuedAt)
        guard lifetime <= ActEnvelope.longestLifetime else { throw .lifetimeTooLong(seconds: lifetime) }
        guard now < act.expires else { throw .expired(act.expires) }
        return VerifiedAct(
            act: act, id: ActEnvelope.id(envelope), subject: statement.subject.map(\.sha256),
            person: allowed.person(of: act.by, namespace: Act.namespace), fingerprint: fingerprint,
            userPresent: facts.userPresent ?? false)
    }

    private static func parsed(_ signature: Envelope.Signature) throws(ActFault) -> SSHSignature {
        guard let armored = String(validating: signature.sig, as: UTF8.self) else { throw .malformed("it is not text") }
        do {
            return try SSHSignature(armored: armored)
        } catch {
            throw .malformed("\(error)")
        }
    }

    private static func facts(_ signature: SSHSignature, _ message: Data, _ namespace: String) throws(ActFault)
        -> SignatureFacts
    {
        do {
            return try signature.verify(message: message, namespace: namespace)
        } catch {
            throw .signature("\(error)")
        }
    }

    private static func read<Act: SignedAct>(_ payload: Data, as type: Act.Type) throws(ActFault) -> (Statement, Act) {
        let statement: Statement
        do {
            statement = try Statement(payload: payload)
        } catch {
            throw .statement("\(error)")
        }
        guard statement.predicateType == Act.predicateType else {
            throw .predicateType(found: statement.predicateType, wanted: Act.predicateType)
        }
        do {
            let act = try statement.predicate.decode(Act.self)
            // A field this agent does not know could be a condition that it would silently drop.
            guard try JSON(encoding: act) == statement.predicate else {
                throw ActFault.statement("it has fields, or spellings of them, that are unknown here")
            }
            return (statement, act)
        } catch let fault as ActFault {
            throw fault
        } catch {
            throw .statement("\(error)")
        }
    }
}
