private import Glibc

/// Numbers as people read them, without the weight of Foundation's formatters.
enum Wording {
    /// At most `digits` decimals, trailing zeros dropped, never "-0".
    static func number(_ value: Double, _ digits: Int = 2) -> String {
        guard value.isFinite else { return value.isNaN ? "not a number" : (value < 0 ? "-infinity" : "infinity") }
        let factor = pow(10.0, Double(digits))
        let scaled = (value * factor).rounded()
        guard abs(scaled) < 9e15 else { return "\(value)" }
        let whole = Int64(scaled)
        if whole == 0 { return "0" }
        let unit = Int64(factor)
        let part = String(whole.magnitude % unit.magnitude)
        var fraction = String(repeating: "0", count: max(0, digits - part.count)) + part
        while fraction.last == "0" { fraction.removeLast() }
        if digits == 0 { fraction = "" }
        return (whole < 0 ? "-" : "") + "\(whole.magnitude / unit.magnitude)" + (fraction.isEmpty ? "" : "." + fraction)
    }

    /// A fraction as per cent: 0.105 is `10.5%`.
    static func percent(_ fraction: Double) -> String { number(fraction * 100) + "%" }

    /// A difference of shares as percentage points: 0.005 is `0.5pp`.
    static func points(_ difference: Double) -> String { number(difference * 100, 3) + "pp" }

    /// A change of a KPI in its own scale.
    static func change(_ amount: Double, of kpi: KPI) -> String {
        kpi.scale == .logRatio ? percent(amount) : points(amount)
    }

    /// `1 block`, `12 blocks`.
    static func count(_ number: Int, _ noun: String) -> String { number == 1 ? "1 \(noun)" : "\(number) \(noun)s" }

    /// `a`, `a and b`, `a, b and c`.
    static func list(_ parts: [String]) -> String {
        guard let last = parts.last else { return "" }
        return parts.count == 1 ? last : parts.dropLast().joined(separator: ", ") + " and " + last
    }
}
