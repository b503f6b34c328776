import Testing

@testable import Agent

@Suite("What is usual")
struct NormTests {
    @Test("samples reach the history only when they leave the recent window")
    func order() {
        var norm = Norm(recent: 2, history: 3)
        for value in [1.0, 2, 3, 4] { norm.add(value) }
        #expect(norm.recent == [3, 4])
        #expect(norm.history == [1, 2])
    }

    @Test("the history is bounded and forgets the oldest")
    func bound() {
        var norm = Norm(recent: 1, history: 3)
        for value in 1...10 { norm.add(Double(value)) }
        #expect(norm.history == [7, 8, 9])
        #expect(norm.recent == [10])
    }

    @Test("what leaves the recent window while nothing is learned is dropped")
    func notLearning() {
        var norm = Norm(recent: 1, history: 3)
        norm.add(1)
        norm.add(2)
        norm.add(100, learn: false)
        norm.add(3, learn: false)
        #expect(norm.history == [1])
    }

    @Test("nothing is observed before the recent window is full, and nothing usual before the minimum")
    func early() {
        var norm = Norm(recent: 2, history: 4)
        norm.add(1)
        #expect(norm.observed == nil)
        norm.add(3)
        #expect(norm.observed == 2)
        #expect(norm.usual(minimum: 1) == nil)
        norm.add(5)
        #expect(norm.usual(minimum: 1) == 1)
        #expect(norm.usual(minimum: 2) == nil)
    }

    @Test("the median of random samples has as many below as above", arguments: [11, 12, 13] as [UInt64])
    func median(seed: UInt64) {
        print("seed \(seed)")
        var random = Seeded(seed)
        for count in 1...60 {
            let values = (0..<count).map { _ in Double.random(in: 0...1, using: &random) }
            let median = Norm.median(values)
            #expect(values.count { $0 < median } <= count / 2)
            #expect(values.count { $0 > median } <= count / 2)
        }
    }
}
