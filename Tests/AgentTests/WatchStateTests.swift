import Missions
import Testing

@testable import Agent

@Suite("A watch")
struct WatchStateTests {
    static let fine = WatchState.Sample(latency: 0.01)
    static let bad = WatchState.Sample(latency: 0.01, failure: "it answered 500")

    /// The place of the first sample that ends the watch, and why.
    static func end(_ limits: WatchLimits, _ samples: [WatchState.Sample]) -> (at: Int, why: String)? {
        var state = WatchState(limits: limits)
        for (index, sample) in samples.enumerated() {
            if let why = state.take(sample) { return (index, why) }
        }
        return nil
    }

    @Test("five failures in a row end it whatever the limits say, four never do")
    func row() throws {
        let four = Array(repeating: [Self.bad, Self.bad, Self.bad, Self.bad, Self.fine], count: 100).flatMap { $0 }
        #expect(Self.end(WatchLimits(), four) == nil)
        let end = try #require(Self.end(WatchLimits(), [Self.fine] + Array(repeating: Self.bad, count: 5)))
        #expect(end.at == 5)
        #expect(end.why.contains("5 probes in a row failed") && end.why.contains("it answered 500"))
    }

    @Test(
        "a share of failures above the limit ends it, the limit itself does not",
        arguments: [(0.05, 1, false), (0.05, 2, true), (0.25, 5, false), (0.25, 6, true), (0, 0, false), (0, 1, true)])
    func errorRate(limit: Double, failures: Int, ends: Bool) {
        // Spread out, so that never five follow each other; 20 is the least number of samples that is believed.
        var samples = Array(repeating: Self.fine, count: 20)
        for index in 0..<failures { samples[index * 3] = Self.bad }
        let end = Self.end(WatchLimits(errorRate: limit), samples)
        #expect((end != nil) == ends)
        if let end {
            #expect(end.at == 19, "not before 20 samples")
            #expect(end.why.contains("more than the limit"))
        }
    }

    @Test(
        "a 95th percentile above the limit ends it, one slow probe in twenty does not",
        arguments: [(1, false), (2, true), (20, true)])
    func latency(slow: Int, ends: Bool) {
        var samples = Array(repeating: Self.fine, count: 20)
        for index in 0..<slow { samples[19 - index] = WatchState.Sample(latency: 0.5) }
        let end = Self.end(WatchLimits(latencyP95: 0.25), samples)
        #expect((end != nil) == ends)
        #expect(end.map(\.at) ?? 19 == 19)
        #expect(end.map { $0.why.contains("p95 latency is 500.0 ms, above the limit of 250.0 ms") } ?? true)
    }

    @Test("without limits nothing but failures in a row ends it")
    func noLimits() {
        let samples = (0..<1000).map { $0 % 2 == 0 ? Self.bad : WatchState.Sample(latency: 60) }
        #expect(Self.end(WatchLimits(), samples) == nil)
    }

    @Test("a late fault is not hidden by a long good time before it")
    func window() throws {
        let limits = WatchLimits(errorRate: 0.1)
        // One in six fails at the end of a long time in which nothing did: over all samples that is far below the limit.
        let late = (0..<120).map { $0 % 6 == 0 ? Self.bad : Self.fine }
        let end = try #require(Self.end(limits, Array(repeating: Self.fine, count: 5000) + late))
        #expect(end.at < 5000 + 120)
        var state = WatchState(limits: limits)
        for _ in 0..<1000 { _ = state.take(Self.fine) }
        #expect(state.samples.count == WatchState.window)
        #expect(state.count == 1000)
    }

    @Test("an old fault is forgotten when it leaves the window")
    func forgets() {
        let faults = Array(repeating: [Self.bad, Self.fine], count: 9).flatMap { $0 }
        #expect(Self.end(WatchLimits(errorRate: 0.5), faults + Array(repeating: Self.fine, count: 500)) == nil)
    }

    @Test(
        "for any samples it ends exactly when a plain reading of its rules says so",
        arguments: 1...60 as ClosedRange<UInt64>)
    func property(seed: UInt64) {
        print("seed \(seed)")
        var random = Seeded(seed)
        let limits = WatchLimits(
            errorRate: Bool.random(using: &random) ? Double.random(in: 0...0.6, using: &random) : nil,
            latencyP95: Bool.random(using: &random) ? Double.random(in: 0.05...1, using: &random) : nil)
        let share = Double.random(in: 0...0.6, using: &random)
        let samples = (0..<400).map { _ in
            WatchState.Sample(
                latency: Double.random(in: 0...1, using: &random),
                failure: Double.random(in: 0...1, using: &random) < share ? "x" : nil)
        }
        var expected: Int?
        for index in samples.indices where expected == nil {
            let seen = samples[...index]
            let window = Array(seen.suffix(120))
            let failed = Double(window.count { $0.failure != nil }) / Double(window.count)
            let sorted = window.map(\.latency).sorted()
            // Nearest rank: the smallest value that at least 95 % do not exceed.
            let p95 = sorted.first { value in
                Double(sorted.count { $0 <= value }) >= 0.95 * Double(sorted.count) - 1e-9
            }
            let row = seen.count >= 5 && seen.suffix(5).allSatisfy { $0.failure != nil }
            let believed = window.count >= 20
            let rate = believed && (limits.errorRate.map { failed > $0 } ?? false)
            let slow = believed && (limits.latencyP95.map { (p95 ?? 0) > $0 } ?? false)
            if row || rate || slow { expected = index }
        }
        #expect(Self.end(limits, samples)?.at == expected)
    }
}
