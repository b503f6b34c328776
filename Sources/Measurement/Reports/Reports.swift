internal import struct FoundationEssentials.Data

/// Reads what test runners, coverage tools and scanners write.
///
/// Reports come out of a sandbox: they are bounded, nothing outside of them is ever loaded, and what can't be read is an
/// error, never a pass.
public enum Reports {
    /// The largest report that is read, in bytes.
    public static let limit = 64 << 20

    /// Why a report can't be used.
    public struct Malformed: Error, Equatable, CustomStringConvertible {
        /// A sentence that names the report and the place.
        public let description: String

        init(_ report: String, _ why: String) {
            description = "\(report): \(why); check that the check's command writes this format"
        }
    }

    /// Counts of a test run.
    public struct Tests: Codable, Equatable, Sendable {
        public var passed = 0
        /// Failures and errors.
        public var failed = 0
        public var skipped = 0
        /// Names of the first failed tests.
        public var failures: [String] = []

        /// Tests that ran.
        public var ran: Int { passed + failed }
    }

    /// Covered and coverable lines.
    public struct Coverage: Codable, Equatable, Sendable {
        public var covered: Int
        public var lines: Int

        /// The share of covered lines, 0…1; `nil` when there was nothing to cover.
        public var share: Double? { lines > 0 ? Double(covered) / Double(lines) : nil }
    }

    /// Counts of a scanner's findings; suppressed ones and passes are not findings.
    public struct Findings: Codable, Equatable, Sendable {
        public var errors = 0
        public var warnings = 0
        public var notes = 0
        /// Names of the tools that reported.
        public var tools: [String] = []
        /// False when a tool says of itself that its run failed: then the findings are not all.
        public var complete = true
    }

    /// The `code_quality` KPI: the share of tests that passed, less .1 for each error, .02 for each warning and .005 for
    /// each note found, at least 0. What wasn't reported isn't counted; `nil` without any report.
    public static func codeQuality(tests: [Tests], findings: [Findings]) -> Double? {
        let ran = tests.map(\.ran).reduce(0, +)
        guard ran > 0 || !findings.isEmpty else { return nil }
        guard findings.allSatisfy(\.complete) else { return nil }
        let passed = ran > 0 ? Double(tests.map(\.passed).reduce(0, +)) / Double(ran) : 1
        let penalty = findings.reduce(0.0) {
            $0 + 0.1 * Double($1.errors) + 0.02 * Double($1.warnings) + 0.005 * Double($1.notes)
        }
        return max(0, passed - penalty)
    }

    static func checked(_ data: Data, _ name: String) throws -> Data {
        guard !data.isEmpty else { throw Malformed(name, "the report is empty") }
        guard data.count <= limit else { throw Malformed(name, "the report is larger than \(limit >> 20) MiB") }
        return data
    }
}
