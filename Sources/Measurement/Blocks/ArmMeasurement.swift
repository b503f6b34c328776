/// What one run of one arm yielded.
public struct ArmMeasurement: Codable, Equatable, Sendable {
    /// Measured values, each in its KPI's ``KPI/unit``.
    public var values: [KPI: Double]
    /// KPIs that this host or workload can't yield, with the reason. Never written as zero.
    public var notMeasured: [KPI: String]
    /// Requests made (for a command workload: operations it reported, or 1).
    public var requests: Int
    /// Requests among them that failed.
    public var errors: Int

    /// A measurement of one arm.
    public init(values: [KPI: Double] = [:], notMeasured: [KPI: String] = [:], requests: Int = 0, errors: Int = 0) {
        self.values = values
        self.notMeasured = notMeasured
        self.requests = requests
        self.errors = errors
    }

    private enum CodingKeys: String, CodingKey {
        case values
        case notMeasured = "not_measured"
        case requests, errors
    }

    /// The value of a KPI, or why there is none.
    ///
    /// The error rate follows from the counts where it isn't given by itself. A value that is no number, or negative, is
    /// a defect of the measurement and not a value.
    public func reading(of kpi: KPI) -> Reading {
        if let reason = notMeasured[kpi] { return .notMeasured(reason) }
        if let value = values[kpi] {
            guard value.isFinite, value >= 0 else { return .notMeasured("its source gave \(value), which is no value") }
            return .value(value)
        }
        if kpi == .error_rate, requests > 0 { return .value(Double(errors) / Double(requests)) }
        return .notMeasured("nothing measured it in this arm")
    }

    /// A value or the reason for its absence.
    public enum Reading: Equatable, Sendable {
        /// The value, in the KPI's unit.
        case value(Double)
        /// Why there is none.
        case notMeasured(String)
    }
}
