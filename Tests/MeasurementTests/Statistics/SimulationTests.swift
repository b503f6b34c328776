import Glibc
import Testing

@testable import Measurement

/// Error rates and power of the verdict rule under autocorrelated noise, with fixed seeds (so the figures don't wander).
@Suite struct SimulationTests {
    /// One trial of a single guardrail.
    static func guardrail(
        seed: UInt64, deviation: Double, effect: Double, correlation: Double = 0.8, margin: Double = 0.05,
        min: Int = 10, max: Int = 80
    ) -> (Verdict, Int) {
        var host = NoisyHost(seed: seed, blockDeviation: deviation, correlation: correlation)
        var test = SignFlipTest(boundary: Boundary(kpi: .cpu_time, role: .guardrail, amount: margin).threshold)
        for block in 1...max {
            test.add(host.difference(effect: effect))
            if test.maxMirrored >= 20 { return (.REGRESSION, block) }
            if block >= min, test.maxE >= 20 { return (.PASS, block) }
        }
        return (.INCONCLUSIVE, max)
    }

    static func shares(
        deviation: Double, effect: Double, correlation: Double = 0.8, trials: Int = 1000, max: Int = 80
    ) -> (pass: Double, regression: Double, blocks: Double) {
        var pass = 0
        var regression = 0
        var blocks = 0
        for trial in 0..<trials {
            let (verdict, ran) = guardrail(
                seed: 77_000 + UInt64(trial), deviation: deviation, effect: effect, correlation: correlation,
                max: max)
            if verdict == .PASS { pass += 1 }
            if verdict == .REGRESSION { regression += 1 }
            blocks += ran
        }
        let n = Double(trials)
        print(
            "sd \(deviation), effect \(effect): PASS \(Double(pass) / n), REGRESSION \(Double(regression) / n),"
                + " \(Double(blocks) / n) blocks")
        return (Double(pass) / n, Double(regression) / n, Double(blocks) / n)
    }

    @Test(arguments: [(0.02, 0.99), (0.107, 0.80), (0.167, 0.40)])
    func `an unchanged candidate passes a margin of five per cent and is hardly ever called a regression`(
        deviation: Double, power: Double
    ) {
        let result = Self.shares(deviation: deviation, effect: 0)
        #expect(result.pass >= power)
        #expect(result.regression <= 0.015)
    }

    @Test(arguments: [0, 0.8, 0.97])
    func `a candidate at the very margin passes or regresses in at most one trial of twenty`(correlation: Double) {
        let result = Self.shares(deviation: 0.107, effect: log(1.05), correlation: correlation)
        #expect(result.pass <= 0.05)
        #expect(result.regression <= 0.05)
    }

    @Test(arguments: [(0.107, 1.10, 0.78), (0.167, 1.10, 0.36), (0.107, 1.15, 0.98), (0.167, 1.15, 0.90)])
    func `harm beyond the margin is found`(deviation: Double, ratio: Double, power: Double) {
        let result = Self.shares(deviation: deviation, effect: log(ratio))
        #expect(result.regression >= power)
        #expect(result.pass <= 0.005)
    }

    @Test func `heavy tails and strong autocorrelation leave the errors at the margin under control`() {
        var pass = 0
        var regression = 0
        for trial in 0..<1000 {
            var host = NoisyHost(seed: 9_000_000 + UInt64(trial), blockDeviation: 0.1, correlation: 0.97)
            var test = SignFlipTest(boundary: -0.05)
            for block in 1...80 {
                // The third power: symmetric, with a kurtosis of 15.
                let noise = host.difference(effect: 0)
                test.add(100 * noise * noise * noise - 0.05)
                if block >= 10, test.maxE >= 20 { pass += 1; break }
                if test.maxMirrored >= 20 { regression += 1; break }
            }
        }
        print("heavy tails: PASS \(pass), REGRESSION \(regression) of 1000")
        #expect(pass <= 50)
        #expect(regression <= 50)
    }

    @Test func `over eight unchanged KPIs fewer than one mission in twenty is called a regression`() {
        var called = 0
        for mission in 0..<300 {
            let any = (0..<8).contains { kpi in
                Self.guardrail(seed: UInt64(mission * 8 + kpi) &* 7919, deviation: 0.167, effect: 0, min: 81).0
                    == .REGRESSION
            }
            if any { called += 1 }
        }
        print("8 KPIs: \(called) of 300 missions called regressions")
        #expect(called <= 15)
    }
}
