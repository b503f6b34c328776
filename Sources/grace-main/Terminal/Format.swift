import Documents

/// Numbers and figures for people.
enum Format {
    /// At most `digits` digits after the point, without trailing zeros.
    static func decimal(_ value: Double, _ digits: Int) -> String {
        guard value.isFinite else { return "-" }
        var factor = 1.0
        for _ in 0..<digits { factor *= 10 }
        let scaled = (value.magnitude * factor).rounded()
        guard scaled < 9e15 else { return "\(value)" }
        let whole = Int(scaled / factor)
        let rest = Int(scaled - Double(whole) * factor)
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard digits > 0, rest > 0 else { return "\(sign)\(whole)" }
        var fraction = String(rest)
        fraction = String(repeating: "0", count: digits - fraction.count) + fraction
        while fraction.hasSuffix("0") { fraction.removeLast() }
        return "\(sign)\(whole).\(fraction)"
    }

    static func percent(_ share: Double, _ digits: Int = 1) -> String { decimal(share * 100, digits) + " %" }

    /// A KPI's value with its unit.
    static func value(_ value: Double, unit: String) -> String {
        switch unit {
        case "seconds": value < 1 ? decimal(value * 1000, 2) + " ms" : decimal(value, 2) + " s"
        case "bytes": value < 1_048_576 ? decimal(value / 1024, 1) + " KiB" : decimal(value / 1_048_576, 1) + " MiB"
        case "share": percent(value, 2)
        case "per second": decimal(value, 1) + " /s"
        default: decimal(value, 2)
        }
    }

    /// A bar of ten cells for a share of 0…1.
    static func bar(_ share: Double) -> String {
        let filled = Int((min(1, max(0, share)) * 10).rounded())
        return String(repeating: "█", count: filled) + String(repeating: "░", count: 10 - filled)
    }
}
