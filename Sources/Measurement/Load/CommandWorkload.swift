public import struct FoundationEssentials.Data

/// A workload that is a command: its duration is the latency, or it reports its own operations on descriptor 3.
public enum CommandWorkload {
    /// Why a command's report can't be used.
    public struct Malformed: Error, Equatable, CustomStringConvertible {
        /// A sentence.
        public let description: String
    }

    /// The most operations one run may report.
    public static let mostOperations = 1_000_000

    /// Reads `latency_seconds 0.0123` lines (also with `=` or `:`); empty lines and lines that begin with `#` are passed
    /// over, and nothing else is.
    /// - Returns: the latencies in seconds, in order; empty when the command reported none.
    /// - Throws: ``Malformed`` with the line's number.
    public static func parse(_ output: Data) throws -> [Double] {
        var latencies: [Double] = []
        let text = String(decoding: output, as: UTF8.self)
        let lines = text.split(omittingEmptySubsequences: false) { $0.isNewline }
        for (index, line) in lines.enumerated() {
            func refuse(_ why: String) -> Malformed {
                let shown = String(line.prefix(80))
                return Malformed(
                    description: "the workload's descriptor 3, line \(index + 1): \(why), found \"\(shown)\"; "
                        + "write lines such as \"latency_seconds 0.0123\"")
            }
            let parts = line.split { $0 == " " || $0 == "\t" || $0 == "=" || $0 == ":" }
            guard let name = parts.first, !name.hasPrefix("#") else { continue }
            guard name == "latency_seconds", parts.count == 2 else {
                throw refuse("expected latency_seconds and a number")
            }
            guard let value = Double(parts[1]), value.isFinite, value >= 0 else {
                throw refuse("expected a number of seconds, 0 or more")
            }
            guard latencies.count < mostOperations else {
                throw refuse("more than \(mostOperations) operations are not kept")
            }
            latencies.append(value)
        }
        return latencies
    }

    /// The report of one run of the command.
    ///
    /// A command that fails is one failed operation beside those it reported; without reported operations the run itself
    /// is the only one. A failed run's duration is no latency.
    /// - Parameters:
    ///   - output: what it wrote to descriptor 3.
    ///   - duration: wall time in seconds.
    ///   - exitCode: 0 is success; 128 + n for a signal.
    /// - Returns: the report.
    /// - Throws: ``Malformed`` when descriptor 3 got something else than latencies.
    public static func report(output: Data, duration: Double, exitCode: Int32) throws -> LoadReport {
        let failed = exitCode != 0
        let reported = try parse(output)
        let latencies = (reported.isEmpty && !failed ? [duration] : reported).sorted()
        let errors = failed ? 1 : 0
        let samples = failed ? ["the workload's command ended with exit code \(exitCode)"] : []
        return LoadReport(
            requests: latencies.count + errors, errors: errors, errorSamples: samples,
            latency: latencies.last.map {
                LoadReport.Latency(
                    p50: quantile(latencies, 0.50), p95: quantile(latencies, 0.95), p99: quantile(latencies, 0.99),
                    max: $0)
            }, throughput: duration > 0 ? Double(latencies.count) / duration : 0, elapsed: duration)
    }

    /// The smallest value that a share `p` of all values does not exceed (nearest rank, as in HdrHistogram).
    private static func quantile(_ sorted: [Double], _ p: Double) -> Double {
        let rank = Int((p * Double(sorted.count)).rounded(.up))
        return sorted[min(max(rank, 1), sorted.count) - 1]
    }
}
