private import Glibc

/// A test by betting that paired differences lie on the better side of a boundary; it may be looked at after every block.
///
/// Each difference d enters as u = (d - m) / s, where m is the boundary and s the root mean square of the *earlier*
/// |d - m|. If the true difference is m or worse and the order within blocks was randomised, the sign of u is a fair coin
/// given its size, so each factor exp(Lu)/cosh(Lu) has mean 1 or less whatever the size's distribution or
/// autocorrelation, and the product is a non-negative supermartingale: by Ville's inequality its running maximum reaches
/// 20 with probability 1/20 at most, however often one looks. A mixture over bet sizes L keeps that property.
///
/// The same with -u collects evidence for the other side.
///
/// ## The scale
/// The first difference has no earlier ones: its own size is its scale, so that u is its sign. (Under the null the sign
/// is independent of the size, so any scale made of sizes alone is fair.) The scale never falls below a floor that is
/// tiny beside the boundary: it matters only where d equals m but for rounding, and keeps such specks from counting as
/// evidence. Deterministic differences of any other size give u = ±1, and decide in 7 blocks at 95 %.
public struct SignFlipTest: Sendable, Equatable {
    /// The bet sizes of the mixture.
    public static let bets = [0.1, 0.2, 0.35, 0.5, 0.8, 1.2, 2]

    /// The boundary m, on the scale of the differences.
    public let boundary: Double
    /// Differences taken so far.
    public private(set) var count = 0
    /// Evidence now that the true difference is better than the boundary.
    public private(set) var e = 1.0
    /// Evidence now that it is worse.
    public private(set) var mirrored = 1.0
    /// The running maximum of ``e``, at least 1.
    public private(set) var maxE = 1.0
    /// The running maximum of ``mirrored``, at least 1.
    public private(set) var maxMirrored = 1.0

    private var sumOfSquares = 0.0
    private var logs = [Double](repeating: 0, count: bets.count)
    private var mirroredLogs = [Double](repeating: 0, count: bets.count)

    /// A test without data against a boundary.
    public init(boundary: Double) {
        self.boundary = boundary
    }

    /// The least scale: rounding of doubles is far below it, any difference worth a name far above.
    var floor: Double { max(1e-9, 1e-6 * abs(boundary)) }

    /// Takes the next block's difference (positive = better). Differences must come in the order of their blocks.
    public mutating func add(_ difference: Double) {
        let distance = difference - boundary
        let earlier = count == 0 ? abs(distance) : (sumOfSquares / Double(count)).squareRoot()
        let u = distance / max(earlier, floor)
        for (index, bet) in Self.bets.enumerated() {
            // exp(x)/cosh(x) = 2/(1 + exp(-2x)), at most 2; in logarithms, so that long trials can't overflow.
            logs[index] += Self.logFactor(bet * u)
            mirroredLogs[index] += Self.logFactor(-bet * u)
        }
        sumOfSquares += distance * distance
        count += 1
        e = Self.mean(logs)
        mirrored = Self.mean(mirroredLogs)
        maxE = max(maxE, e)
        maxMirrored = max(maxMirrored, mirrored)
    }

    private static func logFactor(_ x: Double) -> Double {
        // ln(1 + exp(-2x)) without overflow where x is very negative.
        let tail = x >= 0 ? log1p(exp(-2 * x)) : -2 * x + log1p(exp(2 * x))
        return M_LN2 - tail
    }

    private static func mean(_ logs: [Double]) -> Double {
        // JSON has no infinity; beyond 1e300 nobody cares.
        min(1e300, logs.reduce(0) { $0 + exp($1) } / Double(logs.count))
    }
}
