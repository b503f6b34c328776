/// A family of KPIs with one weight in the overall score.
public enum KPIGroup: String, CaseIterable, Codable, Sendable, Hashable, CodingKeyRepresentable {
    case performance, errors, latency, memory, code_quality, test_coverage, security

    /// The group's share of the overall score; all seven sum to 1.
    public var weight: Double {
        switch self {
        case .performance: 0.20
        case .errors: 0.25
        case .latency: 0.15
        case .memory: 0.10
        case .code_quality: 0.15
        case .test_coverage: 0.10
        case .security: 0.05
        }
    }
}
