import Glibc
import Testing

@testable import Measurement

@Suite struct WalshAveragesTests {
    @Test func `the estimate is the median of all pairwise averages`() {
        var random = Seeded(Seeded.fresh())
        for n in 1...30 {
            let values = (0..<n).map { _ in random.normal() }
            var all: [Double] = []
            for i in 0..<n { for j in i..<n { all.append((values[i] + values[j]) / 2) } }
            all.sort()
            let median = all.count % 2 == 1 ? all[all.count / 2] : (all[all.count / 2 - 1] + all[all.count / 2]) / 2
            #expect(WalshAverages(values, confidence: 0.95)?.estimate == median)
        }
        #expect(WalshAverages([], confidence: 0.95) == nil)
    }

    @Test(arguments: [6, 8, 10, 12])
    func `over all sign patterns the interval holds the centre about nineteen times of twenty`(n: Int) {
        var random = Seeded(Seeded.fresh())
        let sizes = (0..<n).map { _ in abs(random.normal()) }
        var held = 0
        for pattern in 0..<(1 << n) {
            let values = (0..<n).map { (pattern >> $0 & 1 == 0 ? 1 : -1) * sizes[$0] }
            if let interval = WalshAverages(values, confidence: 0.95)?.interval, interval.contains(0) { held += 1 }
        }
        let share = Double(held) / Double(1 << n)
        #expect(share >= 0.93 && share <= 0.98)
    }

    @Test func `few differences have no interval`() {
        #expect(WalshAverages([1, 2, 3, 4], confidence: 0.95)?.interval == nil)
        #expect(WalshAverages([1, 2, 3, 4, 5], confidence: 0.95)?.interval == 1...5)
    }

    @Test(arguments: [(0.975, 1.959963985), (0.5, 0.0), (0.999, 3.090232306), (0.025, -1.959963985)])
    func `normal quantiles are the tables'`(p: Double, z: Double) {
        #expect(abs(Quantiles.normal(p) - z) < 1e-8)
    }
}
