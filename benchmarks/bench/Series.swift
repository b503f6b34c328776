import Glibc

/// Samples of one thing, in milliseconds.
struct Series {
    let name: String
    private(set) var samples: [Double] = []

    init(_ name: String) { self.name = name }

    mutating func add(_ milliseconds: Double) { samples.append(milliseconds) }

    /// The quantile of the sorted samples, nearest rank; `nan` without samples.
    func quantile(_ share: Double) -> Double {
        guard !samples.isEmpty else { return .nan }
        let sorted = samples.sorted()
        return sorted[min(sorted.count - 1, max(0, Int((share * Double(sorted.count)).rounded(.up)) - 1))]
    }

    var median: Double { quantile(0.5) }
    var p95: Double { quantile(0.95) }
}

/// Monotonic time in milliseconds.
func milliseconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) * 1e3 + Double(time.tv_nsec) / 1e6
}

extension Double {
    /// With that many digits after the point; Foundation's formatting is not linked.
    func text(_ digits: Int = 2) -> String {
        guard isFinite else { return "–" }
        let scale = pow(10, Double(digits))
        let rounded = (abs(self) * scale).rounded()
        let whole = Int(rounded / scale)
        let rest = String(Int(rounded) - whole * Int(scale))
        let sign = self < 0 && rounded > 0 ? "-" : ""
        if digits == 0 { return "\(sign)\(whole)" }
        return "\(sign)\(whole)." + String(repeating: "0", count: digits - rest.count) + rest
    }
}
