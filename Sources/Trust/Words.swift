/// Pieces of sentences.
enum Words {
    /// `a, b and c`.
    static func list(_ items: [String]) -> String {
        guard let last = items.last else { return "nothing" }
        return items.count == 1 ? last : items.dropLast().joined(separator: ", ") + " and " + last
    }

    /// The first three and how many more.
    static func some(_ items: [String]) -> String {
        items.count <= 3 ? list(items) : items.prefix(3).joined(separator: ", ") + " and \(items.count - 3) more"
    }

    /// `97.5%`, cut to a tenth of a per cent and never rounded up to what it isn't.
    static func percent(_ share: Double) -> String {
        guard share.isFinite, abs(share) < 1e6 else { return "\(share)" }
        let tenths = Int((share * 1000 + 1e-9).rounded(.down))
        return tenths % 10 == 0 ? "\(tenths / 10)%" : "\(tenths / 10).\(abs(tenths % 10))%"
    }

    /// A score with three decimals, cut.
    static func score(_ value: Double) -> String {
        guard value.isFinite, value >= 0, value <= 1 else { return "\(value)" }
        let thousandths = String(Int((value * 1000 + 1e-9).rounded(.down)))
        if thousandths == "1000" { return "1.000" }
        return "0." + String(repeating: "0", count: 3 - thousandths.count) + thousandths
    }
}
