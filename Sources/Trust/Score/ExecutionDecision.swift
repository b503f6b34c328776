public import Measurement
public import Missions

/// What follows once people have approved: DESIGN section 2, step 5.
public enum ExecutionDecision: Sendable, Equatable {
    /// Everything holds.
    case execute
    /// What is missing is data, and the same trial may still take more of it.
    case moreTesting(reason: String)
    /// Things that no more data can cure. Some of them people may override: ``Blocker/isOverridable``.
    case blocked([Blocker])
}

/// What a decision is made from.
public struct DecisionInput: Sendable {
    public var result: TrialResult?
    public var trust: TrustScore
    /// 0…1.
    public var threshold: Double
    public var governance: [RuleResult]
    public var constitution: [PrincipleResult]
    public var overrides: Overrides

    public init(
        result: TrialResult?, trust: TrustScore, threshold: Double = 0.95, governance: [RuleResult],
        constitution: [PrincipleResult], overrides: Overrides = .none
    ) {
        self.result = result
        self.trust = trust
        self.threshold = threshold
        self.governance = governance
        self.constitution = constitution
        self.overrides = overrides
    }
}

extension ExecutionDecision {
    /// Decides. Pure: the same input always gives the same decision, and nothing else is asked.
    public static func decide(_ input: DecisionInput) -> ExecutionDecision {
        var blockers: [Blocker] = []
        var wanting: [String] = []
        verdict(input, &blockers, &wanting)
        policies(input, &blockers)
        trust(input, &blockers, &wanting)
        if !blockers.isEmpty { return .blocked(blockers) }
        if !wanting.isEmpty { return .moreTesting(reason: wanting.joined(separator: " ")) }
        return .execute
    }

    /// What follows the test, before people are asked: a session opens unless something stands in the way that neither
    /// more data nor people's overrides can cure.
    public static func afterTest(_ input: DecisionInput) -> (event: MissionEvent, reasons: [String]) {
        switch decide(input) {
        case .execute: return (.testPassed, [])
        case .moreTesting(let reason): return (.testInconclusive, [reason])
        case .blocked(let blockers):
            let final = blockers.filter { !$0.isOverridable }
            return final.isEmpty ? (.testPassed, blockers.map(\.message)) : (.testBlocked, blockers.map(\.message))
        }
    }

    private static func verdict(_ input: DecisionInput, _ blockers: inout [Blocker], _ wanting: inout [String]) {
        guard let result = input.result else {
            blockers.append(Blocker(.notMeasured, "There was no trial; test the mission."))
            return
        }
        let worse = result.kpis.filter { $0.role == .guardrail && $0.verdict == .REGRESSION }.map { "\($0.kpi)" }
        if result.verdict == .REGRESSION || !worse.isEmpty {
            let what = worse.isEmpty ? result.reason : "worse than allowed: \(Words.list(worse))"
            blockers.append(
                Blocker(.regression, "REGRESSION (\(what)); only another change, tested anew, can cure it."))
            return
        }
        // PASS is what the parts say, too: a result that contradicts itself is not believed.
        let undecided = result.kpis.filter { $0.role != .shown && $0.verdict != .PASS }.map { "\($0.kpi)" }
        let demanded = result.kpis.contains { $0.role != .shown }
        if result.verdict == .PASS, undecided.isEmpty, demanded { return }
        if input.overrides.inconclusive { return }
        let what = undecided.isEmpty ? result.reason : "not shown yet: \(Words.list(undecided))"
        if result.moreBlocksCanHelp {
            wanting.append("INCONCLUSIVE after \(result.blocks) blocks (\(what)); the trial goes on.")
        } else {
            blockers.append(
                Blocker(
                    .inconclusive,
                    "INCONCLUSIVE, and no more blocks may run after \(result.blocks) (\(what)); a signed override, or a new mission with a wider margin or more load, would cure it."
                ))
        }
    }

    private static func policies(_ input: DecisionInput, _ blockers: inout [Blocker]) {
        for rule in input.governance where rule.applicable && !rule.passed {
            switch rule.level {
            case .advisory: break
            case .softMandatory:
                if !input.overrides.rules.contains(rule.rule) {
                    blockers.append(
                        Blocker(
                            .softMandatory(rule: rule.rule),
                            "The rule \(rule.rule) needs a signed override: \(rule.message)"))
                }
            case .hardMandatory:
                blockers.append(
                    Blocker(.hardMandatory(rule: rule.rule), "The rule \(rule.rule) forbids it: \(rule.message)"))
            }
        }
        for principle in input.constitution where !principle.satisfied {
            blockers.append(
                Blocker(
                    .principle(principle.principle),
                    "The principle \(principle.principle) is violated: \(principle.message)"))
        }
        if input.constitution.isEmpty {
            blockers.append(
                Blocker(.principle("none"), "No principle of the constitution was asked; judge the mission again."))
        }
    }

    private static func trust(_ input: DecisionInput, _ blockers: inout [Blocker], _ wanting: inout [String]) {
        let score = input.trust
        let parts = [score.kpi, score.governance, score.constitution, score.security, score.total, input.threshold]
        guard parts.allSatisfy({ $0 >= 0 && $0 <= 1 }) else {
            blockers.append(
                Blocker(
                    .invalid,
                    "A part of the trust score or its threshold is no number from 0 to 1; judge the mission again."))
            return
        }
        // The sum of four products must not fail a threshold it equals by its last bit.
        let short = { (total: Double) in total < input.threshold - 1e-9 }
        guard short(score.total), !input.overrides.trust else { return }
        let weights = TrustScore.weights
        let best = score.total + weights.kpi * (1 - score.kpi)
        let shown = "Trust is \(Words.score(score.total)) of \(Words.score(input.threshold)) needed"
        if short(best) {
            let reasons = score.reasons.filter { !$0.hasPrefix("kpi:") }
            blockers.append(
                Blocker(
                    .trust,
                    "\(shown), and more data could raise it to \(Words.score(best)) at most: \(reasons.isEmpty ? "see its parts" : reasons.joined(separator: " ")) A signed override would let it through."
                ))
        } else if input.result?.moreBlocksCanHelp ?? false {
            wanting.append("\(shown); more blocks can raise its kpi part (\(Words.score(score.kpi))).")
        } else {
            blockers.append(
                Blocker(
                    .trust,
                    "\(shown), and no more blocks may run; a signed override, or a new test with more load, would cure it."
                ))
        }
    }
}
