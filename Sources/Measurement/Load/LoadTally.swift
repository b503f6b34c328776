internal import Histogram

/// What the lanes of a load run write down together.
struct LoadTally: Sendable {
    private static let mostSamples = 8
    private static let longestSample = 300

    private var histogram = Histogram<UInt64>(
        lowestDiscernibleValue: 1000, highestTrackableValue: 3_600_000_000_000, numberOfSignificantValueDigits: .three)
    private(set) var finished = 0
    private(set) var errors = 0
    private(set) var samples: [String] = []
    private var longest: Int64 = 0
    private var lastEnd: Int64 = 0

    /// An acceptable answer: `latency` nanoseconds from the intended start.
    mutating func succeeded(latency: Int64, at end: Int64) {
        finish(at: end)
        record(latency)
    }

    /// No answer in time. Its waiting time counts: leaving the slowest out would make a run look faster.
    mutating func timedOut(latency: Int64, at end: Int64, _ what: String) {
        failed(at: end, what)
        record(latency)
    }

    /// Any other failure.
    mutating func failed(at end: Int64, _ what: String) {
        finish(at: end)
        errors += 1
        let sample =
            what.unicodeScalars.count > Self.longestSample ? String(what.prefix(Self.longestSample)) + "…" : what
        if samples.count < Self.mostSamples, !samples.contains(sample) { samples.append(sample) }
    }

    private mutating func finish(at end: Int64) {
        finished += 1
        lastEnd = max(lastEnd, end)
    }

    private mutating func record(_ latency: Int64) {
        longest = max(longest, latency)
        _ = histogram.record(UInt64(min(max(latency, 0), 3_599_000_000_000)))
    }

    /// The report of a run that began at `start`.
    func report(start: Int64, duration: Double) -> LoadReport {
        let elapsed = max(duration, Double(max(0, lastEnd - start)) / 1e9)
        var latency: LoadReport.Latency?
        if histogram.totalCount > 0 {
            let quantile = { (percent: Double) in
                min(Double(histogram.valueAtPercentile(percent)), Double(longest)) / 1e9
            }
            latency = LoadReport.Latency(
                p50: quantile(50), p95: quantile(95), p99: quantile(99), max: Double(longest) / 1e9)
        }
        return LoadReport(
            requests: finished, errors: errors, errorSamples: samples, latency: latency,
            throughput: Double(finished - errors) / elapsed, elapsed: elapsed)
    }
}
