/// The figures of the HTTP API's `kpi_metrics`; `null` where not measured.
public struct KPIMetrics: Codable, Equatable, Sendable {
    /// Per cent less CPU time at the medians; without CPU time, per cent more throughput.
    public var performanceImprovement: Double?
    /// Per cent fewer errors of the baseline's median; `nil` when the baseline had none and the candidate has.
    public var errorRateReduction: Double?
    /// Milliseconds less at p95.
    public var latencyImprovement: Double?
    /// Per cent less peak memory.
    public var memoryEfficiency: Double?
    /// The candidate's share, 0…1.
    public var codeQualityScore: Double?
    /// The candidate's share of covered lines, 0…1.
    public var testCoverage: Double?
    /// Hunter's score of the change, 0…1.
    public var securityScore: Double?
    /// The weighted mean of h, 0…100.
    public var overallScore: Double?

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case performanceImprovement = "performance_improvement"
        case errorRateReduction = "error_rate_reduction"
        case latencyImprovement = "latency_improvement"
        case memoryEfficiency = "memory_efficiency"
        case codeQualityScore = "code_quality_score"
        case testCoverage = "test_coverage"
        case securityScore = "security_score"
        case overallScore = "overall_score"
    }

    /// The figures of a trial.
    public init(_ result: TrialResult) {
        performanceImprovement =
            Self.reduction(result[.cpu_time]) ?? Self.reduction(result[.throughput]).map { $0 == 0 ? 0 : -$0 }
        errorRateReduction = Self.reduction(result[.error_rate])
        if let line = result[.latency_p95], line.measured, let baseline = line.baselineMedian,
            let candidate = line.candidateMedian
        {
            latencyImprovement = (baseline - candidate) * 1000
        }
        memoryEfficiency = Self.reduction(result[.memory_peak])
        codeQualityScore = result[.code_quality]?.candidateMedian
        testCoverage = result[.test_coverage]?.candidateMedian
        securityScore = result[.security_score]?.candidateMedian
        overallScore = result.overallScore
    }

    /// Per cent of the baseline's median that the candidate saved.
    private static func reduction(_ line: KPIResult?) -> Double? {
        guard let line, line.measured, let baseline = line.baselineMedian, let candidate = line.candidateMedian else {
            return nil
        }
        if baseline == candidate { return 0 }
        return baseline > 0 ? 100 * (baseline - candidate) / baseline : nil
    }

    /// Writes missing figures as `null`, not by leaving them out: the API promises every field.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(performanceImprovement, forKey: .performanceImprovement)
        try container.encode(errorRateReduction, forKey: .errorRateReduction)
        try container.encode(latencyImprovement, forKey: .latencyImprovement)
        try container.encode(memoryEfficiency, forKey: .memoryEfficiency)
        try container.encode(codeQualityScore, forKey: .codeQualityScore)
        try container.encode(testCoverage, forKey: .testCoverage)
        try container.encode(securityScore, forKey: .securityScore)
        try container.encode(overallScore, forKey: .overallScore)
    }
}
