internal import Documents
internal import Fork
internal import FoundationEssentials
internal import Linux
internal import Measurement
internal import Missions
internal import Sandbox
internal import Trust

extension MissionTester {
    /// Judges what is known: before the trial (`trial` nil) only what no measurement can change, afterwards everything.
    func judge(
        _ prepared: Prepared, trial: TrialResult?, checks: [CheckResult], once: [KPI: OnceMeasurement], elapsed: Double
    ) async throws -> Outcome {
        let changes = prepared.changeSet.changes
        let denied = await prepared.sandboxes.denied.report
        let network = await prepared.sandboxes.denied.network
        let hunter = await Hunter.scan(
            changeSet: prepared.changeSet, blobs: bench.blobs, base: prepared.base,
            context: HunterContext(
                baseContent: HunterContext.live(), required: policies.governance.requiredScanners,
                scope: mission.change.touches, denied: denied))
        let context = GovernanceContext(
            mission: mission, changes: changes, base: prepared.base, result: trial, hunter: hunter, now: bench.now())
        let rules = policies.governance.evaluate(context)
        let principles = policies.constitution.evaluate(
            stage: .evidence,
            ConstitutionContext(
                mission: mission, changes: changes, base: prepared.base, trial: trial,
                completeness: Self.completeness(prepared.sandboxes.profile, denied: denied, network: network),
                gracePaths: ConstitutionContext.standardGracePaths + bench.masks))
        let required = policies.governance.requiredKPIs(context)
        let result = trial ?? Self.notRun
        let trust = TrustScore.compute(
            result: trial, requiredKPIs: required, governance: rules, constitution: principles, hunter: hunter)
        var metrics = KPIMetrics(result)
        metrics.securityScore = hunter.score * 100
        if let share = once[.test_coverage]?.candidate { metrics.testCoverage = share * 100 }
        if let share = once[.code_quality]?.candidate { metrics.codeQualityScore = share * 100 }
        let failedChecks = checks.filter { !$0.passed }
        let evidence = Evidence(
            missionID: missionID, missionDigest: try mission.digest, host: bench.host, nonce: Self.nonce(bench.random),
            createdAt: Timestamp.rounded(bench.now()), changeSet: prepared.changeSet.digest, base: prepared.base.digest,
            changes: prepared.changeSet.summary, trial: result, metrics: metrics,
            sandbox: SandboxReport(
                success: failedChecks.isEmpty && trial != nil,
                tests_passed: checks.reduce(0) { $0 + ($1.testsPassed ?? ($1.passed ? 1 : 0)) },
                tests_failed: checks.reduce(0) { $0 + ($1.testsFailed ?? ($1.passed ? 0 : 1)) },
                stdout: prepared.applied.stdout, stderr: prepared.applied.stderr,
                exit_code: prepared.applied.exit.shellCode, duration_ms: elapsed, fallbacks: prepared.fallbacks,
                snapshot_pause: prepared.pause, denied_calls: denied, network_use: network,
                limits_hit: await prepared.sandboxes.denied.limitReport),
            checks: checks, governance: rules, constitution: principles, hunter: hunter, trust: trust,
            policies: policies.digests)
        return Outcome(
            evidence: evidence, changeSet: prepared.changeSet, base: prepared.base, diff: prepared.diff,
            blocking: blocking(rules, principles, failedChecks, trial))
    }

    private func blocking(
        _ rules: [RuleResult], _ principles: [PrincipleResult], _ failedChecks: [CheckResult], _ trial: TrialResult?
    ) -> [String] {
        var reasons = rules.filter { $0.applicable && !$0.passed && $0.level == .hardMandatory }
            .map { "the rule \($0.rule) forbids it: \($0.message)" }
        // Before the trial nothing is measured yet, and that is no violation.
        reasons += principles.filter { !$0.satisfied && (trial != nil || $0.principle != Principle.measured.rawValue) }
            .map { "the principle \($0.principle) is violated: \($0.message)" }
        reasons += failedChecks.map { "the check \($0.name) failed: \($0.message)" }
        if let trial, trial.verdict == .REGRESSION { reasons.append("REGRESSION: \(trial.reason)") }
        return reasons
    }

    /// `denied` and `network` are what the evidence holds of denied calls and of the network; `nil`: it has no record of them.
    static func completeness(_ profile: Profile, denied: [DeniedReport]?, network: [NetworkReport]? = nil)
        -> EvidenceCompleteness
    {
        let calls: EvidenceCompleteness.Record
        if let denied, denied.contains(where: { $0.part == DeniedReport.apply }) {
            let uncounted = denied.first { $0.denied.total == nil }
            calls =
                uncounted.map { .notPossible($0.denied.reason ?? "in the part \($0.part) they were not counted") }
                ?? .recorded
        } else {
            calls = .missing("there is no record of them; test the mission again")
        }
        return EvidenceCompleteness(
            commands: .recorded, deniedCalls: calls,
            network: recorded(profile.network, network))
    }

    private static func recorded(_ kind: Network, _ reports: [NetworkReport]?) -> EvidenceCompleteness.Record {
        switch kind {
        case .none, .loopback: return .notPossible("the sandbox had no network but its own loopback")
        case .host:
            return .notPossible("the profile shares the host's network, and single connections are not recorded")
        case .egress:
            guard let reports, reports.contains(where: { $0.part == DeniedReport.apply }) else {
                return .missing("there is no record of it; test the mission again")
            }
            return reports.compactMap(\.use.incomplete).first.map { .missing($0) } ?? .recorded
        }
    }

    static let notRun = TrialResult(
        verdict: .INCONCLUSIVE, reason: "the trial was not run: the change is barred already", blocks: 0, discarded: 0,
        moreBlocksCanHelp: false, kpis: [], noise: [:], notes: [])

    static func nonce(_ random: any RandomNumberGenerator & Sendable) -> String {
        var generator = random
        var bytes = Data()
        for _ in 0..<4 { withUnsafeBytes(of: generator.next() as UInt64) { bytes.append(contentsOf: $0) } }
        return bytes.base64URL
    }
}
