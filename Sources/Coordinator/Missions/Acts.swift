internal import Documents
internal import FoundationEssentials
internal import Ledger
internal import Parliament

/// People's signed acts, as far as the coordinator looks at them: that they are what they say they are. Whose keys count is
/// for the agent alone.
enum Acts {
    /// The predicate, if the envelope holds such a statement; throws a ``Refusal`` with status 422 otherwise.
    static func predicate<Act: SignedAct>(_ type: Act.Type, of envelope: Envelope) throws -> Act {
        guard envelope.payloadType == Statement.payloadType else {
            throw Refusal.invalid(
                "The envelope's payload is of type “\(envelope.payloadType.prefix(80))”, not \(Statement.payloadType).")
        }
        do {
            let statement = try Statement(payload: envelope.payload)
            guard statement.predicateType == type.predicateType else {
                throw Refusal.invalid(
                    "The statement is of type “\(statement.predicateType.prefix(80))”; expected \(type.predicateType).")
            }
            return try statement.predicate.decode(type)
        } catch let refusal as Refusal {
            throw refusal
        } catch {
            throw Refusal.invalid("The signed statement can't be read: \(error)")
        }
    }

    /// Checks that there is a signature over these very bytes in that namespace, by whatever key.
    static func checkSignature(_ envelope: Envelope, namespace: String) throws {
        guard let signature = envelope.signatures.first, envelope.signatures.count == 1 else {
            throw Refusal.invalid("The envelope has \(envelope.signatures.count) signatures; it takes exactly one.")
        }
        do {
            let parsed = try SSHSignature(armored: String(decoding: signature.sig, as: UTF8.self))
            _ = try parsed.verify(message: envelope.signedBytes, namespace: namespace)
        } catch {
            throw Refusal.invalid("The signature is not good: \(error)")
        }
    }

    /// Reads, checks and returns an act: form, signature, and that it is not void yet.
    static func checked<Act: SignedAct>(_ type: Act.Type, _ envelope: Envelope, now: Date) throws -> Act {
        let act = try predicate(type, of: envelope)
        try checkSignature(envelope, namespace: type.namespace)
        guard act.expires > now else {
            throw Refusal.invalid(
                "The signed statement was valid until \(Timestamp.text(act.expires)); sign a fresh one.")
        }
        return act
    }
}

extension MissionTransaction {
    /// Keeps a signed act and records it.
    func add(act: Envelope, kind: String, mission: String?, session: String?, by principal: String) throws {
        let id = ActEnvelope.id(act)
        try writer.add(
            ActRecord(
                id: id, kind: kind, missionID: mission, sessionID: session, principal: principal, at: now, envelope: act
            ))
        try record("act.\(kind)", mission: mission, actor: principal, body: ["act": .string(id.hex)])
    }

    /// Whether `act` sets the trust threshold to that value.
    func checkThreshold(_ act: Envelope, is value: Double) throws {
        let predicate = try Acts.checked(ThresholdPredicate.self, act, now: now)
        guard predicate.value == value else {
            throw Refusal.invalid("The signed statement sets \(predicate.value), the request says \(value).")
        }
    }
}
