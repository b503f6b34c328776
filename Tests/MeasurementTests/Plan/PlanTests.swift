import Glibc
import Testing

@testable import Measurement

@Suite struct PlanTests {
    @Test(arguments: [
        (Boundary.guardrail(.latency_p95, 0.05), -log(1.05)), (.goal(.latency_p95, 0.10), -log(0.90)),
        (.guardrail(.throughput, 0.05), log(0.95)), (.goal(.throughput, 0.10), log(1.10)),
        (.guardrail(.error_rate, 0.005), -0.005), (.goal(.error_rate, 0.01), 0.01),
    ])
    func `boundaries lie where their percentages say`(boundary: Boundary, threshold: Double) {
        #expect(abs(boundary.threshold - threshold) < 1e-12)
        #expect(boundary.problem == nil)
    }

    @Test(arguments: [
        (Boundary.goal(.latency_p95, 1), "nothing of the baseline"), (.guardrail(.throughput, 1.2), "less than 100%"),
        (.guardrail(.error_rate, 1), "100pp"), (.goal(.cpu_time, 0), "asks for nothing"),
        (.guardrail(.cpu_time, -0.1), "0 or more"), (.guardrail(.cpu_time, .nan), "0 or more"),
    ])
    func `impossible boundaries are told`(boundary: Boundary, word: String) {
        #expect(boundary.problem?.contains(word) == true)
        #expect(TrialPlan(boundaries: [boundary]).problems.count == 1)
    }

    @Test func `a latency may more than double where the margin says so`() {
        #expect(Boundary.guardrail(.latency_p99, 1.5).problem == nil)
        #expect(Boundary.guardrail(.latency_p99, 1.5).amountText == "150%")
    }

    @Test func `contradictions of a plan are all told at once`() {
        let plan = TrialPlan(minBlocks: 0, maxBlocks: -1, confidence: 1, boundaries: [])
        #expect(plan.problems.count == 4)
        let twice = TrialPlan.plan(.guardrail(.cpu_time, 0.1), .guardrail(.cpu_time, 0.2))
        #expect(twice.problems == ["cpu_time: named twice as a guardrail; keep one"])
        #expect(TrialPlan(maxBlocks: 1001, boundaries: [.goal(.cpu_time, 0.1)]).problems.count == 1)
        #expect(TrialPlan.plan(.guardrail(.cpu_time, 0.1), .goal(.cpu_time, 0.2)).problems.isEmpty)
    }

    @Test func `margins that the planned requests can't reach are told beforehand`() {
        let plan = TrialPlan.plan(.guardrail(.error_rate, 0.001), max: 10)
        let told = plan.unreachable(requestsPerArm: 60)
        #expect(told.count == 1)
        #expect(told.first?.contains("a margin of 0.1pp needs 2996 requests") == true)
        #expect(told.first?.contains("only 1200") == true)
        #expect(told.first?.contains("at least 150 requests in each run") == true)
        #expect(plan.unreachable(requestsPerArm: 150).isEmpty)
        #expect(!plan.unreachable(requestsPerArm: 0).isEmpty)
        #expect(TrialPlan.plan(.guardrail(.cpu_time, 0)).unreachable(requestsPerArm: 60).count == 1)
        #expect(TrialPlan.plan(.guardrail(.error_rate, 0.001)).slow(requestsPerArm: 60).count == 1)
    }

    @Test func `what is told to be reachable is reached`() {
        let plan = TrialPlan.plan(.guardrail(.error_rate, 0.001), max: 10)
        var judge = Judge(plan: plan)
        _ = judge.run(baseline: .arm(requests: 150), candidate: .arm(requests: 150))
        #expect(judge.result().verdict == .PASS)
        var short = Judge(plan: plan)
        _ = short.run(baseline: .arm(requests: 149), candidate: .arm(requests: 149))
        #expect(short.result().verdict == .INCONCLUSIVE)
    }

    @Test func `plans and blocks survive JSON with the names of the mission file`() throws {
        let plan = TrialPlan.plan(.guardrail(.error_rate, 0.005), .goal(.latency_p95, 0.1))
        let data = try JSONCoding.encode(plan)
        #expect(try JSONCoding.decode(TrialPlan.self, data) == plan)
        #expect(String(decoding: data, as: UTF8.self).contains("\"kpi\":\"error_rate\""))
        let block = Block.block(3, baseline: .arm([.cpu_time: 1.5]), candidate: .arm(errors: 1), discarded: "x")
        let encoded = try JSONCoding.encode(block)
        #expect(try JSONCoding.decode(Block.self, encoded) == block)
        #expect(String(decoding: encoded, as: UTF8.self).contains("{\"cpu_time\":1.5}"))
    }

    @Test(arguments: [
        (0.005, "0.5%"), (0.1, "10%"), (1.5, "150%"), (-0.105, "-10.5%"), (0, "0%"), (0.12345, "12.35%"),
        (1e30, "1e+32%"),
        (.infinity, "infinity%"), (-0.000001, "0%"),
    ])
    func `numbers read as people write them`(value: Double, text: String) {
        #expect(Wording.percent(value) == text)
    }
}
