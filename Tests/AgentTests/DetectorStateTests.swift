import Missions
import Testing

@testable import Agent

@Suite("A detector")
struct DetectorStateTests {
    static func detector(_ change: (inout Detector) -> Void = { _ in }) -> Detector {
        var detector = Detector(
            name: "users", http: "http://127.0.0.1:1/", every: 1, recent: 4, minimum: 8, history: 50, rises: 0.3,
            clears: 0.1,
            times: 3, cooldown: 100, severity: .high, remedy: "index")
        change(&detector)
        return detector
    }

    /// Feeds one sample a second; the times of all detections.
    static func feed(_ state: inout DetectorState, _ values: [Double], from start: Double = 0) -> [(
        at: Double, Detection
    )] {
        values.enumerated().compactMap { index, value in
            let now = start + Double(index)
            return state.take(value, at: now).map { (now, $0) }
        }
    }

    static func steady(_ value: Double, _ count: Int) -> [Double] { Array(repeating: value, count: count) }

    @Test("a rise that lasts makes exactly one detection, with what was usual and what is")
    func one() throws {
        var state = DetectorState(Self.detector())
        #expect(Self.feed(&state, Self.steady(0.1, 30)).isEmpty)
        let found = Self.feed(&state, Self.steady(0.2, 50), from: 30)
        #expect(found.count == 1)
        let detection = try #require(found.first?.1)
        #expect(detection.usual == 0.1)
        #expect(detection.observed == 0.2)
        #expect(detection.detector == "users" && detection.remedy == "index" && detection.severity == .high)
        #expect(abs(detection.rise - 1) < 1e-12)
        #expect(detection.sentence.contains("100 %") && detection.sentence.contains("100.0 ms usually"))
        #expect(state.standing)
    }

    @Test("as many evaluations in a row as demanded must see it, not one fewer")
    func streak() {
        // With a window of one sample each sample is one evaluation.
        for times in 1...5 {
            let detector = Self.detector {
                $0.recent = 1
                $0.times = times
            }
            var state = DetectorState(detector)
            _ = Self.feed(&state, Self.steady(0.1, 20))
            #expect(Self.feed(&state, Self.steady(0.2, times - 1)).isEmpty)
            #expect(
                Self.feed(&state, [0.1] + Self.steady(0.2, times - 1)).isEmpty, "a good sample begins the count anew")
            #expect(Self.feed(&state, [0.2]).count == 1)
        }
    }

    @Test("nothing is said before the norm has its minimum of samples")
    func minimum() {
        var state = DetectorState(Self.detector { $0.minimum = 20 })
        // 4 recent and 19 learned: one short.
        _ = Self.feed(&state, Self.steady(0.1, 23))
        #expect(state.norm.usual(minimum: 20) == nil)
        #expect(Self.feed(&state, Self.steady(9, 3)).isEmpty)
    }

    @Test("while a problem stands its figures are not learned, however long it lasts")
    func learning() {
        var state = DetectorState(Self.detector())
        _ = Self.feed(&state, Self.steady(0.1, 60))
        _ = Self.feed(&state, Self.steady(0.5, 5000), from: 60)
        #expect(state.standing)
        #expect(state.norm.usual(minimum: 8) == 0.1)
    }

    @Test("a slow rise is compared with what was before it")
    func slow() throws {
        var state = DetectorState(Self.detector { $0.history = 600 })
        _ = Self.feed(&state, Self.steady(0.1, 300))
        // Half a percent a sample: over any 4 samples it is nearly flat.
        let ramp = (0..<200).map { 0.1 * (1 + 0.005 * Double($0)) }
        let found = Self.feed(&state, ramp, from: 300)
        #expect(found.count == 1)
        let usual = try #require(found.first?.1.usual)
        #expect(usual < 0.11, "the norm is from before the rise, not \(usual)")
    }

    @Test("the problem is over only below the lower bound, so that a figure on the edge does not flap")
    func hysteresis() {
        var state = DetectorState(Self.detector { $0.cooldown = 0 })
        _ = Self.feed(&state, Self.steady(0.1, 30))
        #expect(Self.feed(&state, Self.steady(0.14, 20)).count == 1)
        // Below rises (30 %), above clears (10 %), again and again: still the same problem.
        for _ in 0..<10 {
            #expect(Self.feed(&state, Self.steady(0.12, 10) + Self.steady(0.14, 10)).isEmpty)
            #expect(state.standing)
        }
        #expect(Self.feed(&state, Self.steady(0.1, 10)).isEmpty)
        #expect(!state.standing)
        #expect(Self.feed(&state, Self.steady(0.14, 20)).count == 1, "a new problem is a new detection")
    }

    @Test("a second problem within the cool-down makes no second mission; one that outlasts it does, once")
    func cooldown() {
        var state = DetectorState(Self.detector())
        _ = Self.feed(&state, Self.steady(0.1, 30))
        let first = Self.feed(&state, Self.steady(0.2, 10), from: 30)
        #expect(first.count == 1)
        _ = Self.feed(&state, Self.steady(0.1, 20), from: 40)
        #expect(!state.standing)
        // Begins at 60, the cool-down ends somewhat after 130.
        let second = Self.feed(&state, Self.steady(0.2, 200), from: 60)
        #expect(second.count == 1)
        let begin = first.first?.at ?? 0
        #expect(second.allSatisfy { $0.at >= begin + 100 })
    }

    @Test("a quiet time from before a restart holds")
    func restart() {
        var state = DetectorState(Self.detector(), quietUntil: 500)
        #expect(Self.feed(&state, Self.steady(0.1, 30) + Self.steady(0.2, 400)).isEmpty)
        #expect(Self.feed(&state, Self.steady(0.2, 100), from: 430).map(\.at) == [500])
    }

    @Test("a detection that led to no mission is made again while the problem lasts, and not at once")
    func unanswered() {
        var state = DetectorState(Self.detector())
        _ = Self.feed(&state, Self.steady(0.1, 30))
        let first = Self.feed(&state, Self.steady(0.2, 10), from: 30)
        state.unanswered(at: 40, again: 20)
        #expect(first.count == 1)
        #expect(Self.feed(&state, Self.steady(0.2, 60), from: 41).map(\.at) == [60])
        #expect(state.norm.usual(minimum: 8) == 0.1, "the problem was not learned meanwhile")
    }

    @Test(
        "for any figures: a detection only on a standing rise, never two within a cool-down",
        arguments: 1...40 as ClosedRange<UInt64>)
    func property(seed: UInt64) {
        print("seed \(seed)")
        var random = Seeded(seed)
        let detector = Self.detector {
            $0.recent = Int.random(in: 1...6, using: &random)
            $0.times = Int.random(in: 1...4, using: &random)
            $0.cooldown = Double(Int.random(in: 0...80, using: &random))
            $0.minimum = Int.random(in: 1...20, using: &random)
        }
        var state = DetectorState(detector)
        var last: Double?
        var level = 1.0
        var clearedSince = true
        for second in 0..<3000 {
            if Int.random(in: 0..<40, using: &random) == 0 { level = Double.random(in: 0.5...3, using: &random) }
            let now = Double(second)
            let wasStanding = state.standing
            let detection = state.take(level * Double.random(in: 0.95...1.05, using: &random), at: now)
            if wasStanding, !state.standing { clearedSince = true }
            guard let detection else { continue }
            #expect(detection.rise >= detector.rises)
            #expect(state.norm.history.count >= detector.minimum)
            if let last { #expect(now >= last + detector.cooldown) }
            #expect(clearedSince, "two detections for one problem")
            clearedSince = false
            last = now
        }
        #expect(last != nil, "the figures were such that nothing was ever found")
    }
}
