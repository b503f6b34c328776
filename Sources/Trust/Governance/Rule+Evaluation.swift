internal import Linux
internal import Fork
internal import Measurement
public import Missions

extension Rule {
    /// What this rule says of a mission.
    public func evaluate(_ context: GovernanceContext) -> RuleResult {
        func result(_ passed: Bool, _ message: String, applicable: Bool = true) -> RuleResult {
            RuleResult(rule: id, level: level, applicable: applicable, passed: passed, message: message)
        }
        func fails(_ message: String) -> RuleResult {
            result(false, description.isEmpty ? message : "\(message) The rule: \(description)")
        }
        guard applies(context) else {
            return result(true, "The rule is not about missions of this kind.", applicable: false)
        }
        switch check {
        case .path(let allow, let deny):
            guard !context.changes.isEmpty else { return result(true, "Nothing was changed.", applicable: false) }
            if let hit = ChangedPaths(context.changes, base: context.base).first(in: deny) {
                return fails("The change reaches \(hit), which is denied.")
            }
            let outside = allow.isEmpty ? [] : ChangedPaths(context.changes, base: context.base).outside(allow)
            guard outside.isEmpty else {
                return fails("The change reaches \(Words.some(outside)), outside of what is allowed.")
            }
            return result(true, "All \(context.changes.count) changed paths are allowed.")
        case .kind(let changes, let promote, let entries):
            if let changes, !changes.contains(context.mission.change.action.name) {
                return fails(
                    "A change made by “\(context.mission.change.action.name)” is not among \(Words.list(changes.sorted()))."
                )
            }
            if let promote, !promote.contains(context.mission.change.promote) {
                return fails(
                    "A promotion by “\(context.mission.change.promote.rawValue)” is not among \(Words.list(promote.map(\.rawValue).sorted()))."
                )
            }
            if let entries {
                let others = context.changes.filter { !entries.contains($0.kind) }
                guard others.isEmpty else {
                    return fails(
                        "\(Words.some(others.map { "\($0.kind.rawValue) of \($0.path.display)" })): only \(Words.list(entries.map(\.rawValue).sorted())) is allowed."
                    )
                }
            }
            return result(true, "The kind of change is allowed.")
        case .timeWindow(let windows):
            if let window = windows.first(where: { $0.contains(context.now) }) {
                return fails("It is a time in which nothing is promoted (\(window)); wait until it is over.")
            }
            return result(true, "No freeze is in force.")
        case .severity(let most):
            guard context.mission.severity <= most else {
                return fails(
                    "The mission's severity is \(context.mission.severity.rawValue); at most \(most.rawValue) is allowed."
                )
            }
            return result(true, "The severity \(context.mission.severity.rawValue) is allowed.")
        case .maxMargin(let margins, let confidence):
            return margin(context, margins, confidence, result: result, fails: fails)
        case .requiredKPIs(let kpis):
            let demanded = Set(context.mission.trial.boundaries.map(\.kpi))
            let missing = kpis.filter { !demanded.contains($0) }
            guard missing.isEmpty else {
                return fails("Neither a goal nor a guardrail asks for \(Words.list(missing.map(\.rawValue))); add one.")
            }
            if let result = context.result {
                let unmeasured = kpis.filter { kpi in
                    !result.kpis.contains { $0.kpi == kpi && $0.role != .shown && $0.measured }
                }
                guard unmeasured.isEmpty else {
                    return fails("\(Words.list(unmeasured.map(\.rawValue))) was not measured.")
                }
            }
            return result(true, "\(Words.list(kpis.map(\.rawValue))) is asked for.")
        case .requiredScanners(let names):
            let idle = names.filter { !(context.hunter?.ran($0) ?? false) }
            guard idle.isEmpty else {
                let reasons = idle.map {
                    "\($0): \(context.hunter?.scanners[$0] ?? "NOT_RUN: there is no report of it")"
                }
                return fails("A required scanner did not run (\(Words.list(reasons))).")
            }
            return result(true, "\(Words.list(names)) ran.")
        }
    }

    private func margin(
        _ context: GovernanceContext, _ margins: [KPI: Double], _ confidence: Double?,
        result: (Bool, String, Bool) -> RuleResult, fails: (String) -> RuleResult
    ) -> RuleResult {
        let plan = context.mission.trial
        let guarded = plan.boundaries.filter { $0.role == .guardrail && margins[$0.kpi] != nil }
        // Not a number is wider than anything; and amounts are decimal fractions, whose last bit must not decide.
        let wide = guarded.filter { boundary in !(boundary.amount <= (margins[boundary.kpi] ?? 0) + 1e-12) }
        guard wide.isEmpty else {
            let texts = wide.map { boundary in
                let most = Boundary(kpi: boundary.kpi, role: .guardrail, amount: margins[boundary.kpi] ?? 0)
                return "\(boundary.kpi) may regress \(boundary.amountText), at most \(most.amountText) is allowed"
            }
            return fails("\(Words.list(texts)).")
        }
        if let confidence, !(plan.confidence >= confidence - 1e-12) {
            return fails(
                "The trial decides at a confidence of \(Words.percent(plan.confidence)); at least \(Words.percent(confidence)) is demanded."
            )
        }
        guard !guarded.isEmpty || confidence != nil else {
            return result(true, "The mission has no guardrail that this rule speaks of.", false)
        }
        return result(true, "Every margin is as narrow as demanded.", true)
    }

    /// Whether the rule speaks of this mission at all.
    func applies(_ context: GovernanceContext) -> Bool {
        if let wanted = condition.severities, !wanted.contains(context.mission.severity) { return false }
        if let wanted = condition.promote, !wanted.contains(context.mission.change.promote) { return false }
        if let wanted = condition.changes, !wanted.contains(context.mission.change.action.name) { return false }
        if let wanted = condition.workloads, !(context.mission.workload.map { wanted.contains($0.name) } ?? false) {
            return false
        }
        if let wanted = condition.paths, ChangedPaths(context.changes, base: context.base).first(in: wanted) == nil {
            return false
        }
        return true
    }
}

extension HunterReport {
    /// Whether a scanner ran.
    public func ran(_ scanner: String) -> Bool { scanners[scanner] == "RAN" }
}
