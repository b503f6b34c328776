private import Glibc

/// The Hodges-Lehmann estimate of a centre and its distribution-free interval. For showing a result, not for deciding:
/// unlike ``SignFlipTest`` the interval isn't valid for someone who stops when they like it.
public struct WalshAverages: Sendable, Equatable {
    /// The median of all pairwise averages (d_i + d_j)/2, i <= j.
    public let estimate: Double
    /// The interval at the demanded confidence; `nil` with too few differences (fewer than 5 at 95 %).
    public let interval: ClosedRange<Double>?

    /// The averages of some differences; `nil` without any.
    ///
    /// The interval is W[K]…W[M-1-K] of the M sorted averages, with K from the normal approximation of Wilcoxon's
    /// signed-rank statistic (Hollander, Wolfe, Chicken: Nonparametric Statistical Methods, section 3.3).
    public init?(_ differences: [Double], confidence: Double) {
        guard !differences.isEmpty else { return nil }
        var averages: [Double] = []
        averages.reserveCapacity(differences.count * (differences.count + 1) / 2)
        for first in differences.indices {
            for second in first..<differences.count {
                averages.append((differences[first] + differences[second]) / 2)
            }
        }
        averages.sort()
        let n = Double(differences.count)
        let z = Quantiles.normal((1 + confidence) / 2)
        let cut = (n * (n + 1) / 4 - z * (n * (n + 1) * (2 * n + 1) / 24).squareRoot()).rounded(.down)
        estimate = Quantiles.medianOfSorted(averages)
        if cut >= 0, Int(cut) <= averages.count - 1 - Int(cut) {
            interval = averages[Int(cut)]...averages[averages.count - 1 - Int(cut)]
        } else {
            interval = nil
        }
    }
}
