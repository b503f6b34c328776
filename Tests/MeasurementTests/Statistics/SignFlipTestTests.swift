import Glibc
import Testing

@testable import Measurement

@Suite struct SignFlipTestTests {
    @Test func `a factor of the design is exp over cosh`() {
        var test = SignFlipTest(boundary: 0)
        test.add(0.3)
        let expected = SignFlipTest.bets.map { exp($0) / cosh($0) }.reduce(0, +) / 7
        #expect(abs(test.e - expected) < 1e-12)
    }

    @Test func `it equals the formula of the design`() {
        var random = Seeded(Seeded.fresh())
        for _ in 0..<50 {
            let boundary = Double.random(in: -0.2...0.2, using: &random)
            let differences = (0..<40).map { _ in 0.1 * random.normal() }
            var test = SignFlipTest(boundary: boundary)
            var earlier: [Double] = []
            var us: [Double] = []
            var most = 1.0
            for d in differences {
                test.add(d)
                let size = abs(d - boundary)
                let rms =
                    earlier.isEmpty ? size : (earlier.map { $0 * $0 }.reduce(0, +) / Double(earlier.count)).squareRoot()
                us.append((d - boundary) / rms)
                earlier.append(size)
                let bets = [0.1, 0.2, 0.35, 0.5, 0.8, 1.2, 2]
                // exp(x)/cosh(x), written so that a large x doesn't overflow.
                let factor = { (x: Double) in 2 / (1 + exp(-2 * x)) }
                let e = bets.map { bet in us.map { factor(bet * $0) }.reduce(1, *) }.reduce(0, +) / 7
                let mirrored = bets.map { bet in us.map { factor(-bet * $0) }.reduce(1, *) }.reduce(0, +) / 7
                most = max(most, e)
                #expect(abs(test.e - e) <= 1e-9 * max(e, 1e-12))
                #expect(abs(test.mirrored - mirrored) <= 1e-9 * max(mirrored, 1e-12))
                #expect(abs(test.maxE - most) <= 1e-9 * most)
            }
        }
    }

    @Test func `over all sign patterns its mean is one and it crosses twenty in at most one of twenty`() {
        var random = Seeded(Seeded.fresh())
        for _ in 0..<5 {
            let n = 11
            let boundary = Double.random(in: -0.1...0.1, using: &random)
            let sizes = (0..<n).map { _ in abs(random.normal()) * exp(random.normal()) }
            var sum = 0.0
            var crossed = 0
            for pattern in 0..<(1 << n) {
                var test = SignFlipTest(boundary: boundary)
                for index in 0..<n { test.add(boundary + (pattern >> index & 1 == 0 ? 1 : -1) * sizes[index]) }
                sum += test.e
                if test.maxE >= 20 { crossed += 1 }
            }
            #expect(abs(sum / Double(1 << n) - 1) < 1e-9)
            #expect(Double(crossed) / Double(1 << n) <= 0.05)
        }
    }

    @Test func `the mirrored test is the test of mirrored differences`() {
        var random = Seeded(Seeded.fresh())
        var test = SignFlipTest(boundary: 0.03)
        var mirror = SignFlipTest(boundary: -0.03)
        for _ in 0..<60 {
            let d = random.normal()
            test.add(d)
            mirror.add(-d)
            #expect(abs(test.mirrored - mirror.e) <= 1e-9 * max(mirror.e, 1e-12))
            #expect(abs(test.maxMirrored - mirror.maxE) <= 1e-9 * mirror.maxE)
        }
    }

    @Test(arguments: [1e-6, 0.001, 0.05, 3.0])
    func `a difference that never varies decides in seven blocks, however small`(distance: Double) {
        var test = SignFlipTest(boundary: -0.05)
        for _ in 0..<7 { test.add(-0.05 + distance) }
        #expect(test.maxE >= 20)
        var mirrored = SignFlipTest(boundary: -0.05)
        for _ in 0..<7 { mirrored.add(-0.05 - distance) }
        #expect(mirrored.maxMirrored >= 20)
    }

    @Test func `rounding at the boundary is no evidence`() {
        var test = SignFlipTest(boundary: 0.1)
        for _ in 0..<1000 { test.add(0.1 + 1e-15) }
        #expect(test.maxE < 1.01)
        var exact = SignFlipTest(boundary: 0)
        for _ in 0..<1000 { exact.add(0) }
        #expect(exact.maxE == 1)
        #expect(exact.maxMirrored == 1)
    }

    @Test func `a thousand blocks of anything stay finite`() {
        var test = SignFlipTest(boundary: 0)
        for index in 0..<2000 { test.add(index == 700 ? 1e9 : 1) }
        #expect(test.maxE.isFinite && test.mirrored.isFinite)
    }
}
