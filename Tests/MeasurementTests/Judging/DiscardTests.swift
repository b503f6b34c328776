import Testing

@testable import Measurement

@Suite struct DiscardTests {
    static let plan = TrialPlan.plan(.guardrail(.cpu_time, 0.1))
    static let same = ArmMeasurement.arm([.cpu_time: 1])
    static let harmed = ArmMeasurement.arm([.cpu_time: 9])

    @Test func `a disturbed block is left out and another takes its place`() {
        var judge = Judge(plan: Self.plan)
        for index in 0..<10 {
            judge.add(
                .block(
                    index, baseline: Self.same, candidate: index == 3 ? Self.harmed : Self.same,
                    discarded: index == 3 ? "backup ran" : nil))
        }
        #expect(!judge.decided)
        #expect(judge.kept == 9)
        judge.add(.block(10, baseline: Self.same, candidate: Self.same))
        #expect(judge.result().verdict == .PASS)
        #expect(judge.result().blocks == 11)
        #expect(judge.result().discarded == 1)
        #expect(judge.result()[.cpu_time]?.estimate == 0)
    }

    @Test func `never more than one in ten, and further marks are told`() {
        var random = Seeded(Seeded.fresh())
        for _ in 0..<30 {
            var judge = Judge(plan: .plan(.guardrail(.cpu_time, 0.1), max: 200))
            for index in 0..<150 {
                let marked = Bool.random(using: &random)
                judge.add(
                    .block(index, baseline: Self.same, candidate: Self.same, discarded: marked ? "pressure" : nil))
                #expect(judge.discarded <= max(10, judge.blocks) / 10)
            }
            #expect(judge.discarded >= 13)
            #expect(judge.result().notes.contains { $0.contains("at most one block in ten") })
        }
    }

    @Test func `a candidate that harms in every seventh block can't hide behind discards`() {
        var judge = Judge(plan: .plan(.guardrail(.cpu_time, 0.1), max: 80))
        var index = 0
        while !judge.decided {
            let harm = index % 7 == 0
            judge.add(
                .block(
                    index, baseline: Self.same, candidate: harm ? Self.harmed : Self.same,
                    discarded: harm ? "high pressure" : nil))
            index += 1
        }
        #expect(judge.discarded <= index / 10 + 1)
        #expect(judge.result().verdict != .PASS || judge.discarded <= 1)
    }
}
