internal import Documents
internal import Fork
internal import FoundationEssentials
internal import Ledger
internal import Measurement
internal import Missions
internal import Trust

/// The gate before live: every check of DESIGN section 8.1 in one pure function. It reads no clock, no disk and no network,
/// and believes nothing a coordinator says without a signature or a proof.
public enum ApprovalVerifier {
    /// Gives leave to promote, or every reason why not.
    public static func verify(_ input: ApprovalInput) -> Result<AuthorizedPromotion, Refusals> {
        let evidence: Evidence
        do {
            let payload = try input.evidence.verified(by: input.agentKey)
            evidence = try EvidenceStatement.parse(payload: payload)
        } catch {
            return .failure(Refusals([.evidenceNotOwn("\(error)")]))
        }
        var refusals = standing(input, evidence)
        let ledger: ProvenLedger
        do {
            ledger = try ProvenLedger(input.ledger)
        } catch {
            return .failure(Refusals(refusals + [.checkpointRefused("\(error)")]))
        }
        refusals += record(input, ledger)
        guard let need = input.approvers.requirement(severity: input.mission.severity, labels: input.host.labels) else {
            return .failure(Refusals(refusals + [.nobodyMayApprove]))
        }
        if need.proposerBarred, input.proposer == nil { refusals.append(.proposerUnknown) }

        let approvals = accepted(input.approvals, as: ApprovalPredicate.self, input, need) {
            objection(to: $0, input, evidence, ledger)
        }
        let overrides = accepted(input.overrides, as: OverridePredicate.self, input, need) {
            objection(to: $0, input, evidence)
        }
        let identity = { input.allowedSigners.person(of: $0, namespace: ActNamespace.approve) }
        let overrider = { input.allowedSigners.person(of: $0, namespace: ActNamespace.override) }
        let approvalFaults = approvals.refused.map { Refusal.approval(by: $0.by, $0.fault) }
        let short = need.shortfalls(of: need.demands, people: approvals.good.map(\.act.by), identity: identity)
        if !short.isEmpty {
            // Who signed, but not well, is told why; who is missing altogether is counted.
            let would = approvals.good.map(\.act.by) + approvals.refused.map(\.by)
            let missing = Set(need.shortfalls(of: need.demands, people: would, identity: identity).map(\.demand))
            refusals += approvalFaults
            refusals += short.filter { missing.contains($0.demand) }
                .map { .tooFewPeople(group: $0.demand.group, have: $0.have, need: $0.demand.count) }
        }

        let judged = judgement(input, evidence)
        let overridden = judged.blockers.filter { blocker in
            guard let item = item(blocker) else { return false }
            let people = overrides.good.filter { $0.act.items.contains(item) }.map(\.act.by)
            return need.shortfalls(of: need.overrides, people: people, identity: overrider).isEmpty
        }
        let standing = judged.blockers.filter { !overridden.contains($0) }
        refusals += standing.map(refusal)
        let overrideFaults = overrides.refused.map { Refusal.override(by: $0.by, $0.fault) }
        if standing.contains(where: \.isOverridable) { refusals += overrideFaults }

        let items = overridden.compactMap(item)
        let used = overrides.good.filter { !Set($0.act.items).isDisjoint(with: items) }
        let expires = (approvals.good.map(\.act.expires) + used.map(\.act.expires)).min() ?? input.now
        // Last, and only when nothing else stands in the way, since these principles repeat what was checked above.
        if refusals.isEmpty {
            let people = Set(approvals.good.map(\.person))
            refusals += execution(input, evidence, need, people: people, expires: expires)
        }
        guard refusals.isEmpty else { return .failure(Refusals(refusals)) }
        return .success(
            AuthorizedPromotion(
                missionID: input.missionID, sessionID: input.sessionID, evidence: Digest(of: input.evidence.payload),
                changeSet: evidence.changeSet, base: evidence.base, nonce: evidence.nonce,
                people: Set(approvals.good.map(\.person)).sorted(), approvals: approvals.good.map(\.id),
                overridden: items,
                overrides: used.map(\.id), expires: expires, trust: judged.trust, checkpoint: ledger.checkpoint,
                ignored: approvalFaults + overrideFaults))
    }

    /// What is true of host, mission, evidence and stored contents, whoever approved.
    private static func standing(_ input: ApprovalInput, _ evidence: Evidence) -> [Refusal] {
        var refusals: [Refusal] = []
        if input.paused { refusals.append(.paused) }
        if evidence.host.id != input.host.id { refusals.append(.evidenceOfOtherHost(evidence.host.id)) }
        if evidence.missionID != input.missionID { refusals.append(.evidenceOfOtherMission(evidence.missionID)) }
        if (try? input.mission.digest) != evidence.missionDigest { refusals.append(.missionFileChanged) }
        if input.changeSet.digest != evidence.changeSet { refusals.append(.changeSetChanged) }
        if input.base.digest != evidence.base { refusals.append(.baseDocumentChanged) }
        if input.governance.digest != evidence.policies.governance { refusals.append(.governanceChanged) }
        if input.constitution.digest != evidence.policies.constitution { refusals.append(.constitutionChanged) }
        if input.approvers.digest != evidence.policies.approvers { refusals.append(.approversChanged) }
        switch input.nonce {
        case .unknown: refusals.append(.nonceUnknown)
        case .burned: refusals.append(.nonceBurned)
        case .issued(let expires): if input.now >= expires { refusals.append(.nonceExpired) }
        }
        refusals += evidence.checks.filter { !$0.passed }.map { .checkFailed($0.name) }
        if !input.damagedBlobs.isEmpty { refusals.append(.blobsDamaged(input.damagedBlobs)) }
        if !input.conflicts.isEmpty { refusals.append(.baseConflict(input.conflicts)) }
        return refusals
    }

    /// The session in the ledger, and the ledger's own history.
    private static func record(_ input: ApprovalInput, _ ledger: ProvenLedger) -> [Refusal] {
        var refusals: [Refusal] = []
        if let known = input.ledger.known, let why = ledger.fork(from: known) { refusals.append(.ledgerForked(why)) }
        let evidence = Digest(of: input.evidence.payload).hex
        let absent = ledger.absence("the session \(input.sessionID) on this evidence") { entry in
            entry.kind == ParliamentRecord.sessionOpened && entry.mission == input.missionID
                && entry.body["session"]?.string == input.sessionID && entry.body["evidence"]?.string == evidence
        }
        if let absent { refusals.append(.sessionNotInLedger(absent)) }
        return refusals
    }

    private struct Accepted<Act: SignedAct> {
        var good: [VerifiedAct<Act>] = []
        var refused: [(by: String, fault: ActFault)] = []
    }

    /// The acts that are well signed by people whose word can count, and that `objection` has nothing against.
    private static func accepted<Act: SignedAct>(
        _ envelopes: [Envelope], as type: Act.Type, _ input: ApprovalInput, _ need: Requirement,
        objection: (VerifiedAct<Act>) -> ActFault?
    ) -> Accepted<Act> {
        var result = Accepted<Act>()
        for envelope in envelopes {
            let checked = ActVerifier.verify(
                envelope, as: type, allowed: input.allowedSigners, now: input.now, userPresence: need.userPresence
            ).flatMap { verified -> Result<VerifiedAct<Act>, ActFault> in
                if input.revoked.contains(verified.id) { return .failure(.revoked) }
                let proposer = input.proposer.map { input.allowedSigners.person(of: $0, namespace: Act.namespace) }
                if need.proposerBarred, proposer == verified.person { return .failure(.proposerBarred) }
                return objection(verified).map { .failure($0) } ?? .success(verified)
            }
            switch checked {
            case .success(let verified): result.good.append(verified)
            case .failure(let fault): result.refused.append((claimed(envelope), fault))
            }
        }
        return result
    }

    /// Who an act says it is by; only for showing, and for telling a faulty signature from a missing one.
    private static func claimed(_ envelope: Envelope) -> String {
        let predicate = (try? Statement(payload: envelope.payload))?.predicate
        return predicate?["voter"]?.string ?? predicate?["by"]?.string ?? "somebody unknown"
    }

    /// Why an approval is not for exactly this, or not in the ledger; nil when it is.
    private static func objection(
        to verified: VerifiedAct<ApprovalPredicate>, _ input: ApprovalInput, _ evidence: Evidence,
        _ ledger: ProvenLedger
    ) -> ActFault? {
        let act = verified.act
        guard act.decision == .approve else { return .decision(act.decision) }
        guard act.session == input.sessionID else { return .otherSession(act.session) }
        guard act.mission == input.missionID else { return .otherMission(act.mission) }
        guard act.missionDigest == evidence.missionDigest else { return .otherMissionFile }
        guard act.host == input.host.id else { return .otherHost(act.host) }
        guard verified.subject == [evidence.changeSet] else { return .otherChangeSet }
        guard act.evidence == Digest(of: input.evidence.payload) else { return .otherEvidence }
        guard act.base == evidence.base else { return .otherBase }
        guard act.policies.governance == input.governance.digest else { return .otherGovernance }
        guard act.policies.constitution == input.constitution.digest else { return .otherConstitution }
        guard act.policies.approvers == input.approvers.digest else { return .otherApprovers }
        guard act.nonce == evidence.nonce else { return .otherNonce }
        guard let seen = try? Checkpoint.parse(act.checkpoint, key: input.ledger.key) else {
            return .checkpointSeen("what the voter saw was not signed with this ledger's key")
        }
        if let why = ledger.fork(from: seen) { return .checkpointSeen(why) }
        let absent = ledger.absence("this vote") { entry in
            entry.kind == ParliamentRecord.vote && entry.mission == input.missionID
                && entry.body["session"]?.string == input.sessionID && entry.body["approval"]?.string == verified.id.hex
        }
        return absent.map { .notInLedger($0) }
    }

    /// Why an override is not for exactly this; nil when it is.
    private static func objection(
        to verified: VerifiedAct<OverridePredicate>, _ input: ApprovalInput, _ evidence: Evidence
    ) -> ActFault? {
        let act = verified.act
        guard act.mission == input.missionID else { return .otherMission(act.mission) }
        guard act.host == input.host.id else { return .otherHost(act.host) }
        guard verified.subject == [evidence.changeSet] else { return .otherChangeSet }
        guard act.evidence == Digest(of: input.evidence.payload) else { return .otherEvidence }
        guard act.nonce == evidence.nonce else { return .otherNonce }
        guard act.reason.contains(where: { !$0.isWhitespace }) else { return .noReason }
        return nil
    }

    /// Rules, principles of the evidence and trust, all asked again now: a freeze window may have begun.
    private static func judgement(_ input: ApprovalInput, _ evidence: Evidence) -> (
        blockers: [Blocker], trust: TrustScore
    ) {
        let context = GovernanceContext(
            mission: input.mission, changes: input.changeSet.changes, base: input.base, result: evidence.trial,
            hunter: evidence.hunter, now: input.now)
        let rules = input.governance.evaluate(context)
        let principles = input.constitution.evaluate(stage: .evidence, constitution(input, evidence, execution: nil))
        let trust = TrustScore.compute(
            result: evidence.trial, requiredKPIs: input.governance.requiredKPIs(context), governance: rules,
            constitution: principles, hunter: evidence.hunter)
        var result = evidence.trial
        // Whether more blocks could help is no question any more: what is short now is refused now.
        result.moreBlocksCanHelp = false
        let decision = ExecutionDecision.decide(
            DecisionInput(
                result: result, trust: trust, threshold: input.threshold, governance: rules, constitution: principles))
        switch decision {
        case .execute: return ([], trust)
        case .blocked(let blockers): return (blockers, trust)
        case .moreTesting(let reason): return ([Blocker(.notMeasured, reason)], trust)
        }
    }

    private static func execution(
        _ input: ApprovalInput, _ evidence: Evidence, _ need: Requirement, people: Set<String>, expires: Date
    ) -> [Refusal] {
        let facts = ExecutionFacts(
            approvers: people, approvalsNeeded: need.least, expires: expires, now: input.now,
            pairs: [
                .init(
                    "mission file", tested: evidence.missionDigest, now: (try? input.mission.digest) ?? MerkleHash.empty
                ),
                .init("change set", tested: evidence.changeSet, now: input.changeSet.digest),
                .init("base", tested: evidence.base, now: input.base.digest),
            ], conflicts: input.conflicts)
        return input.constitution.evaluate(stage: .execution, constitution(input, evidence, execution: facts))
            .filter { !$0.satisfied }.map { .principleViolated(principle: $0.principle, message: $0.message) }
    }

    private static func constitution(_ input: ApprovalInput, _ evidence: Evidence, execution: ExecutionFacts?)
        -> ConstitutionContext
    {
        ConstitutionContext(
            mission: input.mission, changes: input.changeSet.changes, base: input.base, trial: evidence.trial,
            completeness: input.completeness, gracePaths: input.gracePaths, execution: execution)
    }

    /// What a blocker can be overridden by; nil for what never can.
    private static func item(_ blocker: Blocker) -> OverridePredicate.Item? {
        switch blocker.kind {
        case .inconclusive: .inconclusive
        case .trust: .trust
        case .softMandatory(let rule): .rule(rule)
        case .regression, .notMeasured, .hardMandatory, .principle, .invalid: nil
        }
    }

    private static func refusal(_ blocker: Blocker) -> Refusal {
        switch blocker.kind {
        case .regression: .regression(blocker.message)
        case .inconclusive: .inconclusive(blocker.message)
        case .notMeasured: .notMeasured(blocker.message)
        case .hardMandatory(let rule): .ruleForbids(rule: rule, message: blocker.message)
        case .softMandatory(let rule): .ruleNeedsOverride(rule: rule, message: blocker.message)
        case .principle(let name): .principleViolated(principle: name, message: blocker.message)
        case .trust: .trustTooLow(blocker.message)
        case .invalid: .judgementInvalid(blocker.message)
        }
    }
}
