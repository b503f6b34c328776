import Foundation
import Linux
import Synchronization
import Testing

@testable import Measurement

@Suite struct CommandWorkloadTests {
    @Test func `latencies are read from lines, in the ways people write them`() throws {
        let text = "latency_seconds 0.5\nlatency_seconds=0.25\r\n# a remark\n\n  latency_seconds: 1e-3\n"
        #expect(try CommandWorkload.parse(Data(text.utf8)) == [0.5, 0.25, 0.001])
        #expect(try CommandWorkload.parse(Data()) == [])
    }

    @Test(arguments: [
        "latency 3", "latency_seconds", "latency_seconds x", "latency_seconds -1", "latency_seconds inf", "1 2",
    ])
    func `anything else is refused with its line`(line: String) {
        let error = #expect(throws: CommandWorkload.Malformed.self) {
            try CommandWorkload.parse(Data("latency_seconds 1\n\(line)\n".utf8))
        }
        #expect(error?.description.contains("line 2") == true)
        #expect(error?.description.contains("latency_seconds 0.0123") == true)
    }

    @Test func `without lines the duration is the latency`() throws {
        let report = try CommandWorkload.report(output: Data(), duration: 2, exitCode: 0)
        #expect(report.latency == LoadReport.Latency(p50: 2, p95: 2, p99: 2, max: 2))
        #expect(report.requests == 1 && report.errors == 0 && report.throughput == 0.5)
    }

    @Test func `quantiles of reported operations are nearest ranks`() throws {
        let text = (1...100).map { "latency_seconds \($0)" }.joined(separator: "\n")
        let report = try CommandWorkload.report(output: Data(text.utf8), duration: 10, exitCode: 0)
        #expect(report.latency == LoadReport.Latency(p50: 50, p95: 95, p99: 99, max: 100))
        #expect(report.throughput == 10)
    }

    @Test func `a failed command is an error and has no latency of its own`() throws {
        let report = try CommandWorkload.report(output: Data(), duration: 0.01, exitCode: 3)
        #expect(report.errors == 1 && report.requests == 1 && report.latency == nil)
        #expect(report.measurement.values[.error_rate] == 1)
        #expect(report.measurement.notMeasured[.latency_p95]?.contains("exit code 3") == true)
        let partly = try CommandWorkload.report(output: Data("latency_seconds 1\n".utf8), duration: 2, exitCode: 1)
        #expect(partly.requests == 2 && partly.errors == 1)
    }
}

@Suite struct MemoryPeakSamplerTests {
    @Test func `it keeps the peak of what it saw`() async throws {
        let calls = Atomic<Int>(0)
        let sampler = try MemoryPeakSampler(interval: 0.001) {
            let (call, _) = calls.add(1, ordering: .relaxed)
            return call == 3 ? 500 : (call.isMultiple(of: 2) ? 100 : nil)
        }
        while calls.load(ordering: .relaxed) < 10 { try await Task.sleep(for: .milliseconds(1)) }
        let (peak, samples) = await sampler.stop()
        #expect(peak == 500)
        #expect(samples >= 5 && samples < calls.load(ordering: .relaxed))
        let after = calls.load(ordering: .relaxed)
        try await Task.sleep(for: .milliseconds(20))
        #expect(calls.load(ordering: .relaxed) == after)
    }

    @Test func `what can't be read is no zero`() async throws {
        let sampler = try MemoryPeakSampler { nil }
        let (peak, samples) = await sampler.stop()
        #expect(peak == nil && samples == 0)
    }
}
