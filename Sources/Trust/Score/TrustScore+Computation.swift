public import Measurement
public import Missions

extension TrustScore {
    /// The weights of the four parts (DESIGN section 6); they sum to 1.
    public static let weights = (kpi: 0.40, governance: 0.25, constitution: 0.20, security: 0.15)

    /// The score of what was measured, ruled and found.
    ///
    /// - Parameters:
    ///   - result: the trial; `nil` counts as nothing measured.
    ///   - requiredKPIs: the KPIs that policy demands besides the mission's own, see ``Governance/requiredKPIs(_:)``.
    ///   - governance: what every rule said.
    ///   - constitution: what every principle said that was asked.
    ///   - hunter: `nil` when nothing was scanned, and then the security part is 0.
    /// - Returns: the parts, their weighted sum, and what keeps each part from 1.
    public static func compute(
        result: TrialResult?, requiredKPIs: Set<KPI> = [], governance: [RuleResult], constitution: [PrincipleResult],
        hunter: HunterReport?
    ) -> TrustScore {
        var reasons: [String] = []
        let kpi = Self.kpi(result, requiredKPIs, &reasons)
        let rules = Self.governance(governance, &reasons)
        let principles = Self.constitution(constitution, &reasons)
        let security = Self.security(hunter, &reasons)
        let total =
            weights.kpi * kpi + weights.governance * rules + weights.constitution * principles + weights.security
            * security
        return TrustScore(
            kpi: kpi, governance: rules, constitution: principles, security: security, total: share(total),
            reasons: reasons)
    }

    /// 0…1; what is not a number is 0.
    private static func share(_ value: Double) -> Double { value > 0 ? min(1, value) : 0 }

    /// The least h: a mean would let a total failure of one KPI pass.
    private static func kpi(_ result: TrialResult?, _ required: Set<KPI>, _ reasons: inout [String]) -> Double {
        guard let result else {
            reasons.append("kpi: there was no trial.")
            return 0
        }
        let demanded = result.kpis.filter { $0.role != .shown }
        guard demanded.contains(where: \.measured) else {
            reasons.append("kpi: no goal or guardrail was measured.")
            return 0
        }
        var least = 1.0
        for line in demanded {
            guard line.measured else {
                reasons.append("kpi: \(line.kpi) was not measured" + (line.reason.map { " (\($0))." } ?? "."))
                least = 0
                continue
            }
            if !(line.h >= 1) {
                reasons.append("kpi: \(line.role.rawValue) \(line.kpi) is shown to \(Words.score(line.h)).")
            }
            least = min(least, share(line.h))
        }
        for kpi in required.sorted() where !demanded.contains(where: { $0.kpi == kpi }) {
            reasons.append("kpi: policy requires \(kpi), and no goal or guardrail asks for it.")
            least = 0
        }
        return least
    }

    /// How much a rule counts.
    static func weight(_ level: RuleLevel) -> Double {
        switch level {
        case .advisory: 1
        case .softMandatory: 2
        case .hardMandatory: 3
        }
    }

    private static func governance(_ results: [RuleResult], _ reasons: inout [String]) -> Double {
        let applicable = results.filter(\.applicable)
        let all = applicable.map { weight($0.level) }.reduce(0, +)
        guard all > 0 else {
            reasons.append(
                results.isEmpty
                    ? "governance: there is no rule at all, so nothing vouches for the mission."
                    : "governance: no rule is about this mission, so nothing vouches for it.")
            return 0
        }
        for result in applicable where !result.passed {
            reasons.append("governance: \(result.rule) (\(result.level.rawValue)) failed: \(result.message)")
        }
        return share(applicable.filter(\.passed).map { weight($0.level) }.reduce(0, +) / all)
    }

    private static func constitution(_ results: [PrincipleResult], _ reasons: inout [String]) -> Double {
        guard !results.isEmpty else {
            reasons.append("constitution: no principle was asked.")
            return 0
        }
        for result in results where !result.satisfied {
            reasons.append("constitution: \(result.principle) is violated: \(result.message)")
        }
        return share(Double(results.count { $0.satisfied }) / Double(results.count))
    }

    private static func security(_ report: HunterReport?, _ reasons: inout [String]) -> Double {
        guard let report else {
            reasons.append("security: the change set was not scanned.")
            return 0
        }
        for finding in report.findings {
            reasons.append("security: \(finding.severity.rawValue): \(finding.message)")
        }
        // The findings decide, not the sum that a report claims.
        return min(share(report.score), Hunter.score(report.findings))
    }
}
