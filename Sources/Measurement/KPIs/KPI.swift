/// A measured quantity of one arm. Raw values are the names in mission files and JSON.
///
/// The unit of every value is fixed here (``unit``), so that whoever measures and whoever judges mean the same thing.
public enum KPI: String, CaseIterable, Codable, Sendable, Hashable, Comparable, CodingKeyRepresentable,
    CustomStringConvertible
{
    case latency_p50, latency_p95, latency_p99, throughput, error_rate
    case cpu_time, cpu_throttled, cpu_stall
    case memory_peak, memory_stall
    case io_bytes, io_stall
    case pids_peak, oom_kills, denied_calls, startup_time
    case code_quality, test_coverage, security_score

    /// How two values of a KPI are compared.
    public enum Scale: String, Codable, Sendable, Hashable {
        /// Relative: the difference of natural logarithms; margins are fractions of the baseline ("10%").
        case logRatio = "log_ratio"
        /// Absolute difference of two shares of 0…1; margins are percentage points ("0.5pp").
        case percentagePoints = "percentage_points"
        /// Counted once from a report, not per block: a share of 0…1, judged against its margin without statistics.
        case once
    }

    /// The name, as in mission files.
    public var description: String { rawValue }

    /// In the order of declaration, which is the order of display.
    public static func < (left: KPI, right: KPI) -> Bool { left.position < right.position }

    private var position: Int { Self.allCases.firstIndex(of: self) ?? Self.allCases.count }

    /// True where more is better; otherwise less is.
    public var higherIsBetter: Bool {
        switch self {
        case .throughput, .code_quality, .test_coverage, .security_score: true
        default: false
        }
    }

    /// How values of this KPI are compared, and so in which unit its margin is written.
    public var scale: Scale {
        switch self {
        case .error_rate, .cpu_throttled, .cpu_stall, .memory_stall, .io_stall: .percentagePoints
        case .code_quality, .test_coverage, .security_score: .once
        default: .logRatio
        }
    }

    /// The unit of a value: `seconds`, `bytes`, `count`, `per second`, or `share` (0…1).
    ///
    /// Stalls and throttling are shares of the arm's wall time; `error_rate` is a share of its requests.
    public var unit: String {
        switch self {
        case .latency_p50, .latency_p95, .latency_p99, .cpu_time, .startup_time: "seconds"
        case .throughput: "per second"
        case .memory_peak, .io_bytes: "bytes"
        case .pids_peak, .oom_kills, .denied_calls: "count"
        case .error_rate, .cpu_throttled, .cpu_stall, .memory_stall, .io_stall: "share"
        case .code_quality, .test_coverage, .security_score: "share"
        }
    }

    /// The group whose weight this KPI shares in the overall score.
    public var group: KPIGroup {
        switch self {
        case .throughput, .cpu_time, .cpu_throttled, .cpu_stall, .io_bytes, .io_stall, .pids_peak, .startup_time:
            .performance
        case .error_rate: .errors
        case .latency_p50, .latency_p95, .latency_p99: .latency
        case .memory_peak, .memory_stall, .oom_kills: .memory
        case .code_quality: .code_quality
        case .test_coverage: .test_coverage
        case .security_score, .denied_calls: .security
        }
    }

    /// The least value a relative comparison can tell from zero, in the KPI's unit; smaller values are raised to it.
    ///
    /// A ratio with zero has no logarithm, and below the resolution of its source a value says nothing. So 0 against 0
    /// is "no difference", and 0 against something is the something in multiples of this floor: for counts one half, so
    /// that one event against none is a doubling. `nil` where values are compared by difference.
    public var floor: Double? {
        switch self {
        case .latency_p50, .latency_p95, .latency_p99: 1e-6  // clock reads and wake-ups are no better than this
        case .startup_time: 1e-3
        case .cpu_time: 1e-4  // the scheduler accounts in microseconds; below this the sampling itself dominates
        case .throughput: 1e-3
        case .memory_peak: 4096  // one page
        case .io_bytes: 65536  // stray metadata writes of a fresh mount
        case .pids_peak, .oom_kills, .denied_calls: 0.5
        default: nil
        }
    }
}
