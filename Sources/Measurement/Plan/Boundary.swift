private import Glibc

/// What is demanded of one KPI: a goal it must reach or a guardrail it must not fall behind.
public struct Boundary: Codable, Equatable, Sendable, Hashable {
    /// Whether the KPI must improve or merely not get worse.
    public enum Role: String, Codable, Sendable, Hashable {
        /// Must improve by at least the amount.
        case goal
        /// Must not get worse by more than the amount.
        case guardrail
    }

    /// The KPI this speaks of.
    public var kpi: KPI
    /// Goal or guardrail.
    public var role: Role
    /// The target or margin, not negative: a fraction of the baseline (0.10 is 10 %), or a difference of shares
    /// (0.005 is 0.5 percentage points) for KPIs whose scale isn't ``KPI/Scale/logRatio``.
    public var amount: Double

    /// A boundary; see ``problem`` for what makes one impossible.
    public init(kpi: KPI, role: Role, amount: Double) {
        self.kpi = kpi
        self.role = role
        self.amount = amount
    }

    /// Why no measurement could be held against this boundary, as a sentence; `nil` when it makes sense.
    public var problem: String? {
        let verb = role == .goal ? "improves" : "regresses"
        guard amount.isFinite, amount >= 0 else {
            return "\(kpi): \(verb) needs a number of 0 or more, not \(amount)"
        }
        if role == .goal, amount == 0 { return "\(kpi): a goal of 0 asks for nothing; say by how much it must improve" }
        if kpi.scale == .logRatio {
            let down = kpi.higherIsBetter == (role == .guardrail)
            if down, amount >= 1 {
                return "\(kpi): \(verb) \(Wording.percent(amount)) would leave nothing of the baseline; "
                    + "write less than 100%"
            }
        } else if amount >= 1 {
            return "\(kpi): \(verb) \(Wording.points(amount)) is more than a share can change; write less than 100pp"
        }
        return nil
    }

    /// The boundary on the scale of paired differences, where positive is better: a log ratio or a difference of shares.
    ///
    /// A latency that may regress by 5 % may grow to 1.05 of the baseline, so its boundary is -ln 1.05; one that must
    /// improve by 10 % must fall to 0.90, so its boundary is -ln 0.90.
    public var threshold: Double {
        let sign: Double = role == .goal ? 1 : -1
        guard kpi.scale == .logRatio else { return sign * amount }
        return kpi.higherIsBetter ? log1p(sign * amount) : -log1p(-sign * amount)
    }

    /// The amount with its unit: `10%` or `0.5pp`.
    public var amountText: String {
        kpi.scale == .logRatio ? Wording.percent(amount) : Wording.points(amount)
    }
}
