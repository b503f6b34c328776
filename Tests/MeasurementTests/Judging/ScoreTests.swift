import Testing

@testable import Measurement

@Suite struct ScoreTests {
    static func line(_ kpi: KPI, h: Double, role: KPIResult.Role = .guardrail, measured: Bool = true) -> KPIResult {
        var line = KPIResult(kpi: kpi, role: role, boundary: .guardrail(kpi, 0.1))
        line.h = h
        line.measured = measured
        return line
    }

    static func result(_ lines: KPIResult...) -> TrialResult {
        TrialResult(verdict: .INCONCLUSIVE, reason: "", kpis: lines)
    }

    @Test func `the seven groups share the whole weight`() {
        #expect(abs(KPIGroup.allCases.map(\.weight).reduce(0, +) - 1) < 1e-12)
        #expect(Set(KPI.allCases.map(\.group)) == Set(KPIGroup.allCases))
    }

    @Test func `the overall score weighs groups, not KPIs`() {
        // errors .25: mean of 1; latency .15: mean of (1, 0).
        let result = Self.result(
            Self.line(.error_rate, h: 1), Self.line(.latency_p50, h: 1), Self.line(.latency_p95, h: 0))
        #expect(abs((result.overallScore ?? 0) - 100 * (0.25 + 0.15 * 0.5) / 0.40) < 1e-9)
        #expect(result.leastH == 0)
    }

    @Test func `what is merely shown does not count`() {
        let result = Self.result(Self.line(.error_rate, h: 0.96), Self.line(.cpu_time, h: 0, role: .shown))
        #expect(abs((result.overallScore ?? 0) - 96) < 1e-9)
        #expect(result.leastH == 0.96)
    }

    @Test func `an unmeasured KPI is nothing for trust, whatever its h says`() {
        #expect(Self.result(Self.line(.error_rate, h: 1, measured: false)).leastH == 0)
        #expect(Self.result().leastH == 0)
    }

    @Test func `the API's figures are milliseconds at p95 and per cent of the baseline's median`() throws {
        var judge = Judge(plan: QuickstartTests.plan)
        var slow = QuickstartTests.slow
        slow[.throughput] = 60
        _ = judge.run(
            baseline: .arm(slow, requests: 100, errors: 2),
            candidate: .arm(QuickstartTests.fast, requests: 100, errors: 1))
        let metrics = KPIMetrics(judge.result())
        #expect(abs((metrics.latencyImprovement ?? 0) - 38) < 1e-9)
        #expect(abs((metrics.performanceImprovement ?? 0) - 100 * 0.8 / 0.9) < 1e-9)
        #expect(abs((metrics.errorRateReduction ?? 0) - 50) < 1e-9)
        #expect((metrics.memoryEfficiency ?? 0) < 0)
        #expect(metrics.testCoverage == nil)
        let text = String(decoding: try JSONCoding.encode(metrics), as: UTF8.self)
        #expect(text.contains("\"test_coverage\":null"))
        #expect(text.contains("\"security_score\":null"))
    }

    @Test func `no errors before and after are no reduction, and errors out of nothing have no percentage`() {
        var clean = Judge(plan: .plan(.guardrail(.error_rate, 0.005)))
        _ = clean.run(baseline: .arm(), candidate: .arm())
        #expect(KPIMetrics(clean.result()).errorRateReduction == 0)
        var dirty = Judge(plan: .plan(.guardrail(.error_rate, 0.005)))
        _ = dirty.run(baseline: .arm(), candidate: .arm(errors: 3))
        #expect(KPIMetrics(dirty.result()).errorRateReduction == nil)
    }
}
