import Testing

@testable import Measurement

@Suite struct OnceTests {
    static let plan = TrialPlan.plan(.guardrail(.test_coverage, 0.01))

    @Test(arguments: [(0.80, Verdict.PASS, 1.0), (0.79, .PASS, 1.0), (0.78, .REGRESSION, 0.0), (0.95, .PASS, 1.0)])
    func `coverage is held against its margin without any block`(candidate: Double, verdict: Verdict, h: Double) {
        let judge = Judge(
            plan: Self.plan, once: [.test_coverage: OnceMeasurement(baseline: 0.80, candidate: candidate)])
        #expect(judge.decided)
        let result = judge.result()
        #expect(result.verdict == verdict)
        #expect(result[.test_coverage]?.h == h)
    }

    @Test func `a report that is missing in an arm is not measured, never a pass`() {
        let reason = "the check ended with exit code 2"
        for once in [
            [:], [KPI.test_coverage: OnceMeasurement(baseline: nil, candidate: 0.9, reason: reason)],
            [.test_coverage: OnceMeasurement(baseline: 0.9, candidate: nil, reason: reason)],
        ] {
            let result = Judge(plan: Self.plan, once: once).result()
            #expect(result.verdict == .INCONCLUSIVE)
            #expect(result[.test_coverage]?.h == 0)
            #expect(result[.test_coverage]?.measured == false)
            if !once.isEmpty { #expect(result[.test_coverage]?.reason?.contains(reason) == true) }
        }
    }

    @Test func `a goal that a count does not reach is inconclusive`() {
        let judge = Judge(
            plan: .plan(.goal(.code_quality, 0.1)),
            once: [.code_quality: OnceMeasurement(baseline: 0.8, candidate: 0.85)])
        #expect(judge.decided)
        #expect(judge.result().verdict == .INCONCLUSIVE)
        #expect(!judge.result().moreBlocksCanHelp)
    }

    @Test func `counts and blocks are decided together`() {
        var judge = Judge(
            plan: .plan(.guardrail(.test_coverage, 0.01), .guardrail(.cpu_time, 0.1)),
            once: [.test_coverage: OnceMeasurement(baseline: 0.8, candidate: 0.8)])
        #expect(!judge.decided)
        #expect(judge.run(baseline: .arm([.cpu_time: 1]), candidate: .arm([.cpu_time: 1])) == 10)
        #expect(judge.result().verdict == .PASS)
        let broken = Judge(
            plan: judge.plan, once: [.test_coverage: OnceMeasurement(baseline: 0.8, candidate: 0.1)])
        #expect(broken.decided)
        #expect(broken.result().verdict == .REGRESSION)
    }
}
