import Glibc
import Testing

@testable import Measurement

@Suite struct JudgeTests {
    static let latency = TrialPlan.plan(.guardrail(.latency_p95, 0.05))

    @Test func `differences are positive when the candidate is better, whatever the KPI's direction`() {
        var judge = Judge(plan: .plan(.guardrail(.throughput, 0.05), .guardrail(.latency_p95, 0.05)))
        let baseline = ArmMeasurement.arm([.throughput: 100, .latency_p95: 0.1])
        let candidate = ArmMeasurement.arm([.throughput: 110, .latency_p95: 0.09])
        _ = judge.run(baseline: baseline, candidate: candidate)
        let result = judge.result()
        #expect(abs((result[.throughput]?.estimate ?? 0) - 0.10) < 1e-9)
        #expect(abs((result[.latency_p95]?.estimate ?? 0) - 0.10) < 1e-9)
        #expect(result.verdict == .PASS)
        #expect(result[.throughput]?.baselineMedian == 100)
        #expect(result[.latency_p95]?.candidateMedian == 0.09)
    }

    @Test(arguments: [
        (1.049, Verdict.PASS), (1.051, Verdict.REGRESSION), (0.5, Verdict.PASS), (2.0, Verdict.REGRESSION),
    ])
    func `a five per cent margin ends at five per cent more latency`(ratio: Double, verdict: Verdict) {
        var judge = Judge(plan: Self.latency)
        _ = judge.run(baseline: .arm([.latency_p95: 0.1]), candidate: .arm([.latency_p95: 0.1 * ratio]))
        #expect(judge.result().verdict == verdict)
    }

    @Test(arguments: [(0.951, Verdict.PASS), (0.949, Verdict.REGRESSION)])
    func `a five per cent margin ends at five per cent less throughput`(ratio: Double, verdict: Verdict) {
        var judge = Judge(plan: .plan(.guardrail(.throughput, 0.05)))
        _ = judge.run(baseline: .arm([.throughput: 200]), candidate: .arm([.throughput: 200 * ratio]))
        #expect(judge.result().verdict == verdict)
    }

    @Test func `nothing passes before the minimum of blocks, but a regression ends at once`() {
        var good = Judge(plan: .plan(.guardrail(.cpu_time, 0.1), min: 25))
        #expect(good.run(baseline: .arm([.cpu_time: 1]), candidate: .arm([.cpu_time: 1])) == 25)
        #expect(good.result().verdict == .PASS)
        var bad = Judge(plan: .plan(.guardrail(.cpu_time, 0.1), min: 25))
        #expect(bad.run(baseline: .arm([.cpu_time: 1]), candidate: .arm([.cpu_time: 2])) == 7)
        #expect(bad.result().verdict == .REGRESSION)
    }

    @Test func `a goal that is not reached is inconclusive, never a regression, and ends the trial early`() {
        var judge = Judge(plan: .plan(.goal(.latency_p95, 0.2), .guardrail(.error_rate, 0.005)))
        #expect(judge.run(baseline: .arm([.latency_p95: 0.1]), candidate: .arm([.latency_p95: 0.1])) == 10)
        let result = judge.result()
        #expect(result.verdict == .INCONCLUSIVE)
        #expect(!result.moreBlocksCanHelp)
        #expect(result.reason.contains("latency_p95 shows no improvement of 20%"))
        #expect(result[.latency_p95]?.verdict == .INCONCLUSIVE)
        #expect(result[.error_rate]?.verdict == .PASS)
    }

    @Test func `a missed goal does not cut off the evidence against a guardrail`() {
        // The guardrail regresses from block 5 on: at block 10 nothing is conclusive yet.
        var judge = Judge(plan: .plan(.goal(.latency_p95, 0.2), .guardrail(.cpu_time, 0.1)))
        var index = 0
        while !judge.decided, index < 80 {
            let cpu = index < 3 ? 1.05 : 1.3
            judge.add(
                .block(
                    index, baseline: .arm([.latency_p95: 0.1, .cpu_time: 1]),
                    candidate: .arm([.latency_p95: 0.1, .cpu_time: cpu])))
            index += 1
        }
        #expect(judge.result().verdict == .REGRESSION)
    }

    @Test func `at the very boundary a trial ends inconclusive at its maximum`() {
        var judge = Judge(plan: .plan(.guardrail(.error_rate, 0.1), max: 40))
        var index = 0
        while !judge.decided {
            // 5 and 15 points more errors in turn: the margin on average.
            let errors = index.isMultiple(of: 2) ? 5 : 15
            judge.add(.block(index, baseline: .arm(requests: 100), candidate: .arm(requests: 100, errors: errors)))
            index += 1
        }
        #expect(index == 40)
        let result = judge.result()
        #expect(result.verdict == .INCONCLUSIVE)
        #expect(result.moreBlocksCanHelp)
        #expect(result.reason.contains("still open after 40 blocks"))
    }

    @Test(arguments: TrialArm.allCases)
    func `a KPI that one arm lacks is not measured, with the reason, and its h is 0`(arm: TrialArm) {
        var judge = Judge(plan: .plan(.guardrail(.memory_peak, 0.05), .guardrail(.cpu_time, 0.1)))
        let whole = ArmMeasurement.arm([.memory_peak: 1e6, .cpu_time: 1])
        var partial = ArmMeasurement.arm([.cpu_time: 1])
        partial.notMeasured[.memory_peak] = "no memory controller"
        for index in 0..<10 {
            var block = Block.block(index, baseline: whole, candidate: whole)
            if index == 6 {
                if arm == .baseline { block.baseline[1] = partial } else { block.candidate[1] = partial }
            }
            judge.add(block)
        }
        #expect(judge.decided)
        let result = judge.result()
        #expect(result.verdict == .INCONCLUSIVE)
        #expect(!result.moreBlocksCanHelp)
        let line = result[.memory_peak]
        #expect(line?.measured == false)
        #expect(line?.h == 0)
        #expect(line?.estimate == nil)
        #expect(line?.reason == "not measured: block 6, \(arm.rawValue): no memory controller")
        #expect(result.leastH == 0)
        #expect(result[.cpu_time]?.verdict == .PASS)
    }

    @Test func `a KPI that no arm mentions is not measured either`() {
        var judge = Judge(plan: .plan(.guardrail(.io_stall, 0.01)))
        judge.add(.block(0, baseline: .arm(), candidate: .arm()))
        #expect(judge.result()[.io_stall]?.measured == false)
        #expect(judge.result()[.io_stall]?.reason?.contains("nothing measured it") == true)
    }

    @Test(arguments: [Double.nan, .infinity, -1])
    func `a value that is no value is not measured`(value: Double) {
        var judge = Judge(plan: Self.latency)
        judge.add(.block(0, baseline: .arm([.latency_p95: 0.1]), candidate: .arm([.latency_p95: value])))
        #expect(judge.result()[.latency_p95]?.measured == false)
    }

    @Test func `zero against zero is no difference, and zero against something is something`() {
        var same = Judge(plan: .plan(.guardrail(.oom_kills, 0.05)))
        #expect(same.run(baseline: .arm([.oom_kills: 0]), candidate: .arm([.oom_kills: 0])) == 10)
        #expect(same.result().verdict == .PASS)
        #expect(same.result()[.oom_kills]?.estimate == 0)
        var killed = Judge(plan: .plan(.guardrail(.oom_kills, 0.05)))
        #expect(killed.run(baseline: .arm([.oom_kills: 0]), candidate: .arm([.oom_kills: 1])) == 7)
        #expect(killed.result().verdict == .REGRESSION)
    }

    @Test func `shares are compared in points, also from nothing`() {
        var judge = Judge(plan: .plan(.guardrail(.cpu_stall, 0.01)))
        _ = judge.run(baseline: .arm([.cpu_stall: 0]), candidate: .arm([.cpu_stall: 0.02]))
        #expect(judge.result().verdict == .REGRESSION)
        #expect(judge.result()[.cpu_stall]?.estimate == -0.02)
    }

    @Test func `without goals and guardrails there is nothing to pass`() {
        let judge = Judge(plan: TrialPlan())
        #expect(judge.decided)
        #expect(judge.result().verdict == .INCONCLUSIVE)
        #expect(judge.result().leastH == 0)
        #expect(judge.result().overallScore == nil)
    }

    @Test func `what was measured without being demanded is shown after the rest`() {
        var judge = Judge(plan: .plan(.guardrail(.cpu_time, 0.1), .goal(.latency_p95, 0.1)))
        let arm = ArmMeasurement.arm([.cpu_time: 1, .latency_p95: 0.1, .io_bytes: 5e6])
        for index in 0..<5 { judge.add(.block(index, baseline: arm, candidate: arm)) }
        let result = judge.result()
        #expect(result.kpis.first?.kpi == .latency_p95)
        #expect(result.kpis.dropFirst().first?.kpi == .cpu_time)
        #expect(result[.io_bytes]?.role == .shown)
        #expect(result[.io_bytes]?.verdict == nil)
        #expect(result[.io_bytes]?.h == 0)
        #expect(result[.memory_peak]?.measured == false)
    }

    @Test func `a result survives JSON`() throws {
        var judge = Judge(plan: QuickstartTests.plan)
        _ = judge.run(baseline: .arm(QuickstartTests.slow), candidate: .arm(QuickstartTests.fast))
        let result = judge.result()
        let data = try JSONCoding.encode(result)
        #expect(try JSONCoding.decode(TrialResult.self, data) == result)
        let text = String(decoding: data, as: UTF8.self)
        #expect(text.contains("\"max_e_mirrored\""))
        #expect(text.contains("\"noise\":{"))
    }
}
