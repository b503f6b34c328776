import Glibc
import Testing

@testable import Measurement

@Suite struct PooledBoundTests {
    @Test(arguments: [(0, 2.99573), (1, 4.74386), (5, 10.51303), (10, 16.96222), (100, 118.07998)])
    func `upper limits are the tables' of the Poisson distribution`(count: Int, limit: Double) {
        #expect(abs(PooledBound.upper(count: count, confidence: 0.95) - limit) < 0.02)
    }

    @Test(arguments: [(0, 0.0), (1, 0.05129), (5, 1.97015), (10, 5.42541)])
    func `so are the lower ones`(count: Int, limit: Double) {
        #expect(abs(PooledBound.lower(count: count, confidence: 0.95) - limit) < 1e-4)
    }

    @Test func `the exact sum and the approximation for large counts meet`() {
        let exact = PooledBound.upper(count: 2000, confidence: 0.95)
        let beyond = PooledBound.upper(count: 2001, confidence: 0.95)
        #expect(beyond - exact > 0.9 && beyond - exact < 1.2)
    }

    @Test func `without an error it is the rule of three`() {
        let bound = PooledBound.increase(
            baselineErrors: 0, baselineRequests: 600, candidateErrors: 0, candidateRequests: 600, confidence: 0.95)
        #expect(abs((bound ?? 0) - 3.0 / 600) < 1e-4)
        #expect(
            PooledBound.increase(
                baselineErrors: 0, baselineRequests: 0, candidateErrors: 0, candidateRequests: 9, confidence: 0.95)
                == nil)
    }

    @Test func `it covers a true increase nineteen times of twenty`() {
        var below = 0
        let trials = 2000
        var random = Seeded(5)
        for _ in 0..<trials {
            let baseline = (0..<400).count { _ in Double.random(in: 0..<1, using: &random) < 0.02 }
            let candidate = (0..<400).count { _ in Double.random(in: 0..<1, using: &random) < 0.03 }
            let bound = PooledBound.increase(
                baselineErrors: baseline, baselineRequests: 400, candidateErrors: candidate, candidateRequests: 400,
                confidence: 0.95)
            if (bound ?? 1) < 0.01 { below += 1 }
        }
        print("pooled bound: \(below) of \(trials) below the truth")
        #expect(Double(below) / Double(trials) < 0.06)
    }
}
