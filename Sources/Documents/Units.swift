/// A size in bytes, written `512Mi`, `4G`, `100` (DESIGN section 5: `k M G` decimal, `Ki Mi Gi` binary; `T Ti` too).
public struct ByteSize: Sendable, Hashable, CustomStringConvertible {
    public let bytes: Int64

    public init(bytes: Int64) { self.bytes = bytes }

    /// `nil` when the text is not a number of 0 or more with one of the units, or exceeds 63 bits.
    public init?(_ text: String) {
        let units: [(String, Double)] = [
            ("Ki", 1024), ("Mi", 1_048_576), ("Gi", 1_073_741_824), ("Ti", 1_099_511_627_776), ("k", 1e3), ("K", 1e3),
            ("M", 1e6), ("G", 1e9), ("T", 1e12), ("B", 1), ("", 1),
        ]
        guard let value = quantity(text, units: units), value >= 0, value < 9.2e18 else { return nil }
        bytes = Int64(value.rounded())
    }

    public var description: String {
        for (unit, factor) in [("Gi", Int64(1) << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)]
        where bytes >= factor && bytes % factor == 0 { return "\(bytes / factor)\(unit)" }
        return "\(bytes)"
    }
}

/// A length of time, written `250ms`, `10s`, `30m`, `2h`, `1d`.
public struct Span: Sendable, Hashable, CustomStringConvertible {
    public let seconds: Double

    public init(seconds: Double) { self.seconds = seconds }

    /// `nil` when the text is not a number of 0 or more with a unit (a bare number has none and is refused).
    public init?(_ text: String) {
        guard
            let value = quantity(
                text, units: [("ms", 0.001), ("us", 1e-6), ("s", 1), ("m", 60), ("h", 3600), ("d", 86400)]),
            value >= 0, value < 1e10
        else { return nil }
        seconds = value
    }

    public var duration: Duration { .seconds(seconds) }

    public var description: String {
        switch seconds {
        case 3600... where seconds.truncatingRemainder(dividingBy: 3600) == 0: "\(Int(seconds / 3600))h"
        case 60... where seconds.truncatingRemainder(dividingBy: 60) == 0: "\(Int(seconds / 60))m"
        case ..<1: "\(Int((seconds * 1000).rounded()))ms"
        default: seconds == seconds.rounded() ? "\(Int(seconds))s" : "\(seconds)s"
        }
    }
}

/// A share, written `10%`, `0.5pp` (percentage points) or as a plain fraction, `0.1`.
public struct Ratio: Sendable, Hashable, CustomStringConvertible {
    /// 0.1 for `10%`, 0.005 for `0.5pp`.
    public let fraction: Double
    /// Whether it was written in percentage points.
    public let isPercentagePoints: Bool

    public init(fraction: Double, isPercentagePoints: Bool = false) {
        self.fraction = fraction
        self.isPercentagePoints = isPercentagePoints
    }

    public init?(_ text: String) {
        // Shifted in the decimal text: so 99.9% is the double nearest to 0.999, and a digest doesn't depend on the spelling.
        guard let value = quantity(text, units: [("%", 1), ("pp", 1), ("", 1)]) else { return nil }
        let digits = text.prefix { $0 != "%" && $0 != "p" }
        fraction = digits.count == text.count ? value : Double("\(digits)e-2") ?? value / 100
        isPercentagePoints = text.hasSuffix("pp")
    }

    public var description: String {
        let value = (fraction * 1e6).rounded() / 1e4
        return (value == value.rounded() ? "\(Int(value))" : "\(value)") + (isPercentagePoints ? "pp" : "%")
    }
}

private func quantity(_ text: String, units: [(String, Double)]) -> Double? {
    for (unit, factor) in units where text.hasSuffix(unit) {
        let digits = text.dropLast(unit.count)
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (48...57).contains($0) || $0 == 46 }) else { continue }
        return Double(digits).map { $0 * factor }
    }
    return nil
}
