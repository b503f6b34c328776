/// What a load run saw.
public struct LoadReport: Codable, Equatable, Sendable {
    /// Latency quantiles in seconds, from each request's *intended* start to the last byte of its response.
    public struct Latency: Codable, Equatable, Sendable {
        public var p50: Double
        public var p95: Double
        public var p99: Double
        public var max: Double

        /// Quantiles in seconds.
        public init(p50: Double, p95: Double, p99: Double, max: Double) {
            self.p50 = p50
            self.p95 = p95
            self.p99 = p99
            self.max = max
        }
    }

    /// Requests that should have been made: all of the plan's.
    public var requests: Int
    /// Requests among them without an acceptable answer: a status outside 200..<400, a broken or refused connection,
    /// an answer that is no HTTP, no answer in time.
    public var errors: Int
    /// The first few different errors, as sentences.
    public var errorSamples: [String]
    /// `nil` when no request was answered acceptably and none timed out. Timeouts count with their waiting time (a lower
    /// bound); other failures don't, or failing fast would look like being fast.
    public var latency: Latency?
    /// Acceptable answers per second of ``elapsed``.
    public var throughput: Double
    /// Seconds from the first intended start to the last answer, at least the plan's duration.
    public var elapsed: Double

    /// A report.
    public init(
        requests: Int, errors: Int, errorSamples: [String] = [], latency: Latency?, throughput: Double, elapsed: Double
    ) {
        self.requests = requests
        self.errors = errors
        self.errorSamples = errorSamples
        self.latency = latency
        self.throughput = throughput
        self.elapsed = elapsed
    }

    private enum CodingKeys: String, CodingKey {
        case requests, errors
        case errorSamples = "error_samples"
        case latency, throughput, elapsed
    }

    /// The report as an arm's measurement: latencies, throughput and error rate, with reasons for what is missing.
    public var measurement: ArmMeasurement {
        var arm = ArmMeasurement(requests: requests, errors: errors)
        if let latency {
            arm.values[.latency_p50] = latency.p50
            arm.values[.latency_p95] = latency.p95
            arm.values[.latency_p99] = latency.p99
        } else {
            let why = "no request was answered" + (errorSamples.first.map { " (\($0))" } ?? "")
            for kpi in [KPI.latency_p50, .latency_p95, .latency_p99] { arm.notMeasured[kpi] = why }
        }
        if elapsed > 0 { arm.values[.throughput] = throughput } else { arm.notMeasured[.throughput] = "no time passed" }
        if requests > 0 {
            arm.values[.error_rate] = Double(errors) / Double(requests)
        } else {
            arm.notMeasured[.error_rate] = "no request was made"
        }
        return arm
    }
}
