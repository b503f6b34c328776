/// What a trial found about one KPI.
public struct KPIResult: Codable, Equatable, Sendable {
    /// Why the KPI is in the result.
    public enum Role: String, Codable, Sendable, Hashable {
        case goal, guardrail
        /// Measured and shown, but nothing was demanded of it.
        case shown
    }

    /// The KPI.
    public var kpi: KPI
    /// Goal, guardrail, or merely shown.
    public var role: Role
    /// What was demanded; `nil` when merely shown.
    public var boundary: Boundary?
    /// This KPI's own verdict; `nil` when merely shown.
    public var verdict: Verdict?
    /// The change, positive = better: a fraction of the baseline, or a difference of shares. The median of Walsh averages.
    public var estimate: Double?
    /// The interval's end on the worse side, in the estimate's unit; `nil` with too few blocks. For showing, not deciding.
    public var low: Double?
    /// The interval's end on the better side.
    public var high: Double?
    /// The running maximum of the evidence that the boundary is met; 1 is none.
    public var maxE: Double
    /// The running maximum of the evidence that it is not.
    public var maxEMirrored: Double
    /// 1 - min(1, 1/maxE): 0 without evidence or measurement, 0.95 at the usual decision. 0 when merely shown.
    public var h: Double
    /// The median of the baseline's runs, in the KPI's unit.
    public var baselineMedian: Double?
    /// The median of the candidate's runs.
    public var candidateMedian: Double?
    /// False when any arm lacked the KPI; then there is no estimate and h is 0.
    public var measured: Bool
    /// Why it was not measured, or what decided or hinders its verdict.
    public var reason: String?

    /// A result with nothing known yet.
    public init(kpi: KPI, role: Role, boundary: Boundary? = nil) {
        self.kpi = kpi
        self.role = role
        self.boundary = boundary
        self.verdict = boundary == nil ? nil : .INCONCLUSIVE
        self.maxE = 1
        self.maxEMirrored = 1
        self.h = 0
        self.measured = false
    }

    private enum CodingKeys: String, CodingKey {
        case kpi, role, boundary, verdict, estimate, low, high
        case maxE = "max_e"
        case maxEMirrored = "max_e_mirrored"
        case h
        case baselineMedian = "baseline_median"
        case candidateMedian = "candidate_median"
        case measured, reason
    }
}
