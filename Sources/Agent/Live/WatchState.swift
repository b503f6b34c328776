public import Missions

/// What a watch decides from its probes: pure, so that every rule of it is testable.
///
/// Limits are absolute (DESIGN section 2, phase 7): without a concurrent control a comparison with the past would roll back
/// half of all good changes (FACTS, "Judging noisy measurements").
public struct WatchState: Sendable, Equatable {
    /// What one probe saw.
    public struct Sample: Sendable, Equatable {
        /// Seconds until the whole answer, or until it was given up.
        public var latency: Double
        /// Why it failed; `nil` is an answer of 200…399.
        public var failure: String?

        public init(latency: Double, failure: String? = nil) {
            self.latency = latency
            self.failure = failure
        }
    }

    /// Probes before a share or a quantile is believed.
    public static let minimumSamples = 20
    /// Failures in a row that end any watch that has probes, whatever its limits say.
    public static let failuresInARow = 5
    /// The newest samples that limits are compared with, so that a late fault isn't hidden by a long good time.
    public static let window = 120

    public let limits: WatchLimits
    public private(set) var samples: [Sample] = []
    public private(set) var count = 0
    private var failuresNow = 0

    public init(limits: WatchLimits) { self.limits = limits }

    /// Takes a sample; answers why the change must be rolled back, or `nil`.
    public mutating func take(_ sample: Sample) -> String? {
        count += 1
        samples.append(sample)
        if samples.count > Self.window { samples.removeFirst() }
        failuresNow = sample.failure == nil ? 0 : failuresNow + 1
        if failuresNow >= Self.failuresInARow {
            return "\(failuresNow) probes in a row failed; the last: \(sample.failure ?? "")"
        }
        guard samples.count >= Self.minimumSamples else { return nil }
        if let limit = limits.errorRate, errorRate > limit {
            let reason = samples.last { $0.failure != nil }?.failure ?? ""
            return
                "\(percent(errorRate)) of \(samples.count) probes failed, more than the limit of \(percent(limit)); the last: \(reason)"
        }
        if let limit = limits.latencyP95, let p95, p95 > limit {
            return "the probes' p95 latency is \(milliseconds(p95)), above the limit of \(milliseconds(limit))"
        }
        return nil
    }

    /// The share of failed probes in the window.
    public var errorRate: Double {
        samples.isEmpty ? 0 : Double(samples.count { $0.failure != nil }) / Double(samples.count)
    }

    /// The 95th percentile of latency in the window, failed probes with the time they took.
    public var p95: Double? {
        guard !samples.isEmpty else { return nil }
        let sorted = samples.map(\.latency).sorted()
        return sorted[Swift.min(sorted.count - 1, Int((0.95 * Double(sorted.count)).rounded(.up)) - 1)]
    }

    /// The median of latency in the window.
    public var median: Double? { samples.isEmpty ? nil : Norm.median(samples.map(\.latency)) }

    private func percent(_ share: Double) -> String { "\((share * 1000).rounded() / 10) %" }
    private func milliseconds(_ seconds: Double) -> String { "\((seconds * 10_000).rounded() / 10) ms" }
}
