import Testing

@testable import Measurement

/// The default margins of a mission file, on the differences the quickstart makes.
@Suite struct QuickstartTests {
    static let plan = TrialPlan.plan(
        .goal(.latency_p95, 0.10), .guardrail(.error_rate, 0.005), .guardrail(.memory_peak, 0.05),
        .guardrail(.cpu_time, 0.10))
    static let slow: [KPI: Double] = [.latency_p95: 0.040, .memory_peak: 30e6, .cpu_time: 0.9]
    static let fast: [KPI: Double] = [.latency_p95: 0.002, .memory_peak: 30.1e6, .cpu_time: 0.1]

    @Test func `an index that helps passes after ten blocks`() {
        var judge = Judge(plan: Self.plan)
        #expect(judge.run(baseline: .arm(Self.slow), candidate: .arm(Self.fast)) == 10)
        let result = judge.result()
        #expect(result.verdict == .PASS)
        #expect(result.leastH >= 0.95)
        #expect(result[.latency_p95]?.role == .goal)
        #expect(abs((result[.latency_p95]?.estimate ?? 0) - 0.95) < 1e-9)
    }

    @Test(arguments: [1, 2])
    func `one failing request in fifty is a regression within ten blocks`(errors: Int) {
        var judge = Judge(plan: Self.plan)
        let blocks = judge.run(baseline: .arm(Self.slow), candidate: .arm(Self.fast, errors: errors))
        #expect(blocks <= 10)
        let result = judge.result()
        #expect(result.verdict == .REGRESSION)
        #expect(result[.error_rate]?.verdict == .REGRESSION)
        #expect(result.reason.contains("error_rate got worse by more than 0.5pp"))
    }

    @Test func `random failures of one in fifty are nearly always found within twenty blocks, and never pass`() {
        var late = 0
        for trial in 0..<200 {
            var random = Seeded(4_200 + UInt64(trial))
            var judge = Judge(plan: .plan(.guardrail(.error_rate, 0.005)))
            var index = 0
            while !judge.decided {
                let arms = (0..<2).map { _ in
                    ArmMeasurement.arm(errors: (0..<60).count { _ in UInt.random(in: 0..<50, using: &random) == 0 })
                }
                judge.add(Block(index: index, order: .abba, baseline: [.arm(), .arm()], candidate: arms))
                index += 1
            }
            #expect(judge.result().verdict == .REGRESSION)
            if index > 20 { late += 1 }
        }
        print("random failures: \(late) of 200 took more than 20 blocks")
        #expect(late <= 20)
    }

    @Test func `no errors in sixty requests of each of twenty arms pass half a point after ten blocks`() {
        var judge = Judge(plan: .plan(.guardrail(.error_rate, 0.005)))
        #expect(judge.run(baseline: .arm(), candidate: .arm()) == 10)
        let result = judge.result()
        #expect(result.verdict == .PASS)
        #expect(result[.error_rate]?.estimate == 0)
        #expect(result[.error_rate]?.measured == true)
    }

    @Test func `without errors a margin needs three requests per unit of it, and the result says so`() {
        // 10 requests in each run: 20 a block; 3/0.005 = 600 need 30 blocks.
        var judge = Judge(plan: .plan(.guardrail(.error_rate, 0.005)))
        for index in 0..<10 { judge.add(.block(index, baseline: .arm(requests: 10), candidate: .arm(requests: 10))) }
        #expect(!judge.decided)
        let early = judge.result()
        #expect(early.verdict == .INCONCLUSIVE)
        #expect(early.moreBlocksCanHelp)
        #expect(early[.error_rate]?.reason?.contains("0 errors in 200 requests") == true)
        for index in 10..<29 { judge.add(.block(index, baseline: .arm(requests: 10), candidate: .arm(requests: 10))) }
        #expect(!judge.decided)
        judge.add(.block(29, baseline: .arm(requests: 10), candidate: .arm(requests: 10)))
        #expect(judge.result().verdict == .PASS)
    }

    @Test func `evidence gathered before the first rare error does not pass a rate above the margin`() {
        // True rate 1 %, margin 0.5pp, 10 requests a run: most blocks see nothing, and a sign test alone is fooled.
        var passed = 0
        for trial in 0..<300 {
            var random = Seeded(99_000 + UInt64(trial))
            var judge = Judge(plan: .plan(.guardrail(.error_rate, 0.005)))
            var index = 0
            while !judge.decided {
                let arms = (0..<2).map { _ in
                    ArmMeasurement.arm(
                        requests: 10, errors: (0..<10).count { _ in UInt.random(in: 0..<100, using: &random) == 0 })
                }
                let none = ArmMeasurement.arm(requests: 10)
                judge.add(Block(index: index, order: .abba, baseline: [none, none], candidate: arms))
                index += 1
            }
            if judge.result().verdict == .PASS { passed += 1 }
        }
        print("rare errors: \(passed) of 300 passed")
        #expect(passed <= 15)
    }
}
