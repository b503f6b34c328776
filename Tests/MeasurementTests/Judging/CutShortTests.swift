import Testing

@testable import Measurement

/// Blocks that were given up for live's sake are no way around a candidate's worst moments.
@Suite struct CutShortTests {
    static let same = ArmMeasurement.arm([.cpu_time: 1])
    static let harmed = ArmMeasurement.arm([.cpu_time: 9])

    static func cut(_ count: Int) -> [CutShort] {
        (0..<count).map { CutShort(block: $0, reason: "live waited for memory") }
    }

    @Test(
        "a PASS needs ten blocks for each that was cut short",
        arguments: [(0, 10), (1, 10), (2, 20), (3, 30), (8, 80)])
    func pass(cut: Int, blocks: Int) {
        var judge = Judge(plan: .plan(.guardrail(.cpu_time, 0.1)), cutShort: Self.cut(cut))
        #expect(judge.run(baseline: Self.same, candidate: Self.same) == blocks)
        #expect(judge.result().verdict == .PASS)
        let told = judge.result().notes.filter { $0.contains("cut short and ran again: live waited for memory") }
        #expect(told.count == cut)
    }

    @Test func `a trial that was cut short too often ends INCONCLUSIVE and says why`() {
        var judge = Judge(plan: .plan(.guardrail(.cpu_time, 0.1)), cutShort: Self.cut(9))
        #expect(judge.run(baseline: Self.same, candidate: Self.same) == 80)
        let result = judge.result()
        #expect(result.verdict == .INCONCLUSIVE)
        #expect(result.reason.contains("9 blocks cut short for live's sake"))
        #expect(result[.cpu_time]?.verdict == .PASS)
    }

    @Test func `a regression is one, however often the trial was cut short`() {
        var judge = Judge(plan: .plan(.guardrail(.cpu_time, 0.1)), cutShort: Self.cut(9))
        #expect(judge.run(baseline: Self.same, candidate: Self.harmed) < 80)
        #expect(judge.result().verdict == .REGRESSION)
    }

    @Test func `cut blocks and discarded ones share the one in ten`() {
        var judge = Judge(plan: .plan(.guardrail(.cpu_time, 0.1)), cutShort: Self.cut(1))
        for index in 0..<10 {
            judge.add(
                .block(index, baseline: Self.same, candidate: Self.same, discarded: index == 3 ? "backup ran" : nil))
        }
        #expect(judge.discarded == 0)
        #expect(judge.result().notes.contains { $0.contains("block 3 counts although it was marked") })
    }
}
