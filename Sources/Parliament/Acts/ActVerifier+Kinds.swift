internal import Documents
public import FoundationEssentials
public import Ledger

/// The acts that stand alone: each check is whole, so that no caller forgets a part.
extension ActVerifier {
    /// A rollback of this mission on this host, by one listed person.
    public static func rollback(
        _ envelope: Envelope, mission: String, host: String, approvers: Approvers, allowed: AllowedSigners, now: Date
    ) -> Result<VerifiedAct<RollbackPredicate>, ActFault> {
        verify(envelope, as: RollbackPredicate.self, allowed: allowed, now: now).flatMap { verified in
            guard verified.act.mission == mission else { return .failure(.otherMission(verified.act.mission)) }
            guard verified.act.host == host else { return .failure(.otherHost(verified.act.host)) }
            return listed(verified, approvers)
        }
    }

    /// A revocation of an approval, by one listed person; anyone of them may stop what another allowed.
    public static func revocation(
        _ envelope: Envelope, approvers: Approvers, allowed: AllowedSigners, now: Date
    ) -> Result<VerifiedAct<RevocationPredicate>, ActFault> {
        verify(envelope, as: RevocationPredicate.self, allowed: allowed, now: now).flatMap { listed($0, approvers) }
    }

    /// A new trust threshold, by one listed person.
    ///
    /// - Parameters:
    ///   - envelope: the signed act.
    ///   - host: this host's id.
    ///   - current: the threshold in force, which the act must name.
    ///   - last: when the last accepted act of this kind was issued.
    ///   - approvers: the host's own approvers.yaml.
    ///   - allowed: the host's own allowed_signers.
    ///   - now: the agent's own clock.
    /// - Returns: the act, or the first fault found.
    public static func threshold(
        _ envelope: Envelope, host: String, current: Double, last: Date?, approvers: Approvers, allowed: AllowedSigners,
        now: Date
    ) -> Result<VerifiedAct<ThresholdPredicate>, ActFault> {
        verify(envelope, as: ThresholdPredicate.self, allowed: allowed, now: now).flatMap { verified in
            let act = verified.act
            guard (0...1).contains(act.value) else {
                return .failure(.statement("a threshold of \(act.value) is not within 0 and 1"))
            }
            if let named = act.host, named != host { return .failure(.otherHost(named)) }
            guard act.previous == current else { return .failure(.otherThreshold(act.previous)) }
            if let last, act.issuedAt <= last { return .failure(.replayed(last)) }
            return listed(verified, approvers)
        }
    }

    /// A pause or its end, by one listed person; `last` is when the last accepted act of this kind was issued.
    public static func pause(
        _ envelope: Envelope, host: String, last: Date?, approvers: Approvers, allowed: AllowedSigners, now: Date
    ) -> Result<VerifiedAct<PausePredicate>, ActFault> {
        verify(envelope, as: PausePredicate.self, allowed: allowed, now: now).flatMap { verified in
            let act = verified.act
            if let named = act.host, named != host { return .failure(.otherHost(named)) }
            if let last, act.issuedAt <= last { return .failure(.replayed(last)) }
            return listed(verified, approvers)
        }
    }

    private static func listed<Act: SignedAct>(
        _ verified: VerifiedAct<Act>, _ approvers: Approvers
    ) -> Result<VerifiedAct<Act>, ActFault> {
        approvers.people.contains(verified.act.by) ? .success(verified) : .failure(.notListed)
    }
}
