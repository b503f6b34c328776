import Testing

@testable import Measurement

@Suite struct NoiseTests {
    static func judge(deviation: Double, blocks: Int, margin: Double = 0.05, check: Bool = true) -> Judge {
        var random = Seeded(31)
        var plan = TrialPlan.plan(.guardrail(.latency_p95, margin))
        plan.noiseCheck = check
        var judge = Judge(plan: plan)
        for index in 0..<blocks {
            let arms = (0..<4).map { _ in
                ArmMeasurement.arm([.latency_p95: 0.1 * (1 + deviation * max(-3, min(3, random.normal())))])
            }
            judge.add(Block(index: index, order: .abba, baseline: Array(arms[0..<2]), candidate: Array(arms[2..<4])))
        }
        return judge
    }

    @Test func `a noisy host is named with the effect it can still tell`() {
        let result = Self.judge(deviation: 0.25, blocks: 10).result()
        let effect = result.noise[.latency_p95] ?? 0
        #expect(effect > 0.05 && effect < 0.5)
        let note = result.notes.first ?? ""
        #expect(note.hasPrefix("this host is too noisy to judge latency_p95 within 5% in 10 blocks"))
        #expect(note.contains("80 blocks would bring it to about"))
    }

    @Test func `a quiet host is not called noisy`() {
        let result = Self.judge(deviation: 0.01, blocks: 10).result()
        #expect(result.notes.isEmpty)
        #expect((result.noise[.latency_p95] ?? 1) < 0.02)
    }

    @Test func `the smallest effect agrees with the interval's half-width and shrinks with more blocks`() {
        let few = Self.judge(deviation: 0.1, blocks: 20).result()
        let many = Self.judge(deviation: 0.1, blocks: 80).result()
        let ratio = (few.noise[.latency_p95] ?? 0) / (many.noise[.latency_p95] ?? 1)
        #expect(ratio > 1.3 && ratio < 3.2)
        let line = many[.latency_p95]
        let width = ((line?.high ?? 0) - (line?.low ?? 0)) / 2
        #expect(abs((many.noise[.latency_p95] ?? 0) - width) < 0.5 * width)
    }

    @Test func `without a noise check, or with too few blocks, nothing is claimed`() {
        #expect(Self.judge(deviation: 0.25, blocks: 10, check: false).result().noise.isEmpty)
        #expect(Self.judge(deviation: 0.25, blocks: 3).result().noise.isEmpty)
    }
}
