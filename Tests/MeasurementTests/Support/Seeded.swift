import Glibc

/// SplitMix64 (Steele, Lea, Flood 2014): small, good enough for simulations, the same on every machine.
struct Seeded: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A standard normal variate (Box-Muller).
    mutating func normal() -> Double {
        let radius = (-2 * log(Double.random(in: Double.leastNonzeroMagnitude..<1, using: &self))).squareRoot()
        return radius * cos(2 * .pi * Double.random(in: 0..<1, using: &self))
    }

    /// A seed of this very run, printed so that a failure can be repeated by writing it here.
    static func fresh(_ test: String = #function) -> UInt64 {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("\(test): seed \(seed)")
        return seed
    }
}

/// A host whose log noise is AR(1) from run to run, as measured on a virtual machine: lag-1 correlation .8.
struct NoisyHost {
    private var random: Seeded
    private var level: Double
    private let correlation: Double
    private let deviation: Double

    /// - Parameters:
    ///   - seed: the run's seed.
    ///   - blockDeviation: the standard deviation of a block's paired difference.
    ///   - correlation: from run to run.
    init(seed: UInt64, blockDeviation: Double, correlation: Double = 0.8) {
        // Var of (B+B-A-A)/2 in ABBA under AR(1): s^2/4 (4 + 2r^3 - 2r - 4r^2).
        let r = correlation
        let shrink = ((4 + 2 * r * r * r - 2 * r - 4 * r * r) / 4).squareRoot()
        self.random = Seeded(seed)
        self.correlation = correlation
        self.deviation = blockDeviation / shrink
        self.level = 0
        self.level = deviation * random.normal()
    }

    /// The next run's log noise.
    mutating func run() -> Double {
        level = correlation * level + deviation * (1 - correlation * correlation).squareRoot() * random.normal()
        return level
    }

    /// A block's paired difference (positive = better) of a KPI whose candidate is `effect` worse in logarithms.
    mutating func difference(effect: Double) -> Double {
        let runs = (0..<4).map { _ in run() }
        let outer = (runs[0] + runs[3]) / 2
        let inner = (runs[1] + runs[2]) / 2
        let baselineOutside = random.next() & 1 == 0
        return (baselineOutside ? outer - inner : inner - outer) - effect
    }
}
