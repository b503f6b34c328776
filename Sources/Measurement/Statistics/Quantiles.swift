private import Glibc

/// Medians and the normal distribution.
enum Quantiles {
    /// The median; `nil` of nothing.
    static func median(_ values: [Double]) -> Double? {
        values.isEmpty ? nil : medianOfSorted(values.sorted())
    }

    static func medianOfSorted(_ sorted: [Double]) -> Double {
        let middle = sorted.count / 2
        return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }

    /// The p-quantile of the standard normal distribution, by bisection of the C library's erfc.
    static func normal(_ p: Double) -> Double {
        guard p > 0, p < 1 else { return p <= 0 ? -.infinity : .infinity }
        var low = -40.0
        var high = 40.0
        for _ in 0..<200 where low < high {
            let middle = (low + high) / 2
            if 0.5 * erfc(-middle / 2.0.squareRoot()) < p { low = middle } else { high = middle }
        }
        return (low + high) / 2
    }
}
