/// A KPI that is counted once from a report in each arm: the share of tests passed, of lines covered.
public struct OnceMeasurement: Codable, Equatable, Sendable {
    /// The baseline's value, a share of 0…1; `nil` when the check did not run there.
    public var baseline: Double?
    /// The candidate's value.
    public var candidate: Double?
    /// Why a value is missing.
    public var reason: String?

    /// A measurement; missing values need a reason.
    public init(baseline: Double?, candidate: Double?, reason: String? = nil) {
        self.baseline = baseline
        self.candidate = candidate
        self.reason = reason
    }
}
