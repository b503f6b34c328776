public import FoundationEssentials

/// Times as Grace writes them: RFC 3339, UTC, milliseconds, as in `2026-11-23T20:12:04.125Z`.
public enum Timestamp {
    private static let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)

    /// `date` in UTC with milliseconds, rounded.
    public static func text(_ date: Date) -> String {
        rounded(date).formatted(style)
    }

    /// Reads RFC 3339 in UTC with or without fractions of a second; `nil` for anything else.
    public static func parse(_ text: String) -> Date? {
        if let date = try? Date(text, strategy: style) { return rounded(date) }
        return try? Date(text, strategy: Date.ISO8601FormatStyle())
    }

    /// `date` to the nearest millisecond, so that what is stored equals what was signed.
    public static func rounded(_ date: Date) -> Date {
        Date(timeIntervalSince1970: (date.timeIntervalSince1970 * 1000).rounded() / 1000)
    }
}
