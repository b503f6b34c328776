public import FoundationEssentials

/// Times as Grace writes them: RFC 3339, UTC, milliseconds, as in `2026-11-23T20:12:04.125Z`.
///
/// Counted in whole milliseconds: formatters of Foundation cut a double such as 4.1249999 where rounding is meant, and a
/// time that is not the same after its text breaks the signature over it.
public enum Timestamp {
    /// `date` in UTC with milliseconds, rounded. Years 0000…9999; a date beyond is the nearest of them.
    public static func text(_ date: Date) -> String {
        let milliseconds = milliseconds(date)
        let day = floorDivide(milliseconds, 86_400_000)
        let rest = milliseconds - day * 86_400_000
        let (year, month, dayOfMonth) = civil(day)
        func digits(_ value: Int64, _ count: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        return "\(digits(year, 4))-\(digits(month, 2))-\(digits(dayOfMonth, 2))T\(digits(rest / 3_600_000, 2)):"
            + "\(digits(rest / 60_000 % 60, 2)):\(digits(rest / 1000 % 60, 2)).\(digits(rest % 1000, 3))Z"
    }

    /// Reads RFC 3339 in UTC with or without fractions of a second, to the nearest millisecond; `nil` for anything else.
    public static func parse(_ text: String) -> Date? {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes.count <= 40, bytes.last == UInt8(ascii: "Z") else { return nil }
        func number(_ start: Int, _ count: Int) -> Int64? {
            bytes[start..<(start + count)].reduce(Int64(0)) { sum, byte in
                sum.flatMap { (48...57).contains(byte) ? $0 * 10 + Int64(byte - 48) : nil }
            }
        }
        for (place, mark) in [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":")] as [(Int, Unicode.Scalar)]
        where bytes[place] != UInt8(ascii: mark) { return nil }
        guard let year = number(0, 4), let month = number(5, 2), let day = number(8, 2), let hour = number(11, 2),
            let minute = number(14, 2), let second = number(17, 2), (1...12).contains(month), day >= 1, hour <= 23,
            minute <= 59,
            second <= 59
        else { return nil }
        let days = days(year, month, day)
        guard civil(days) == (year, month, day) else { return nil }
        var milliseconds = ((days * 24 + hour) * 60 + minute) * 60_000 + second * 1000
        let fraction = bytes[19..<(bytes.count - 1)]
        if !fraction.isEmpty {
            let digits = fraction.dropFirst()
            guard fraction.first == UInt8(ascii: "."), !digits.isEmpty, digits.allSatisfy({ (48...57).contains($0) })
            else { return nil }
            let padded = Array(digits) + [48, 48, 48, 48]
            milliseconds += padded[..<3].reduce(Int64(0)) { $0 * 10 + Int64($1 - 48) } + (padded[3] >= 53 ? 1 : 0)
        }
        return Date(timeIntervalSince1970: Double(milliseconds) / 1000)
    }

    /// `date` to the nearest millisecond, so that what is stored equals what was signed.
    public static func rounded(_ date: Date) -> Date {
        Date(timeIntervalSince1970: Double(milliseconds(date)) / 1000)
    }

    /// Since 1970, rounded, within the years 0000…9999.
    private static func milliseconds(_ date: Date) -> Int64 {
        let value = (date.timeIntervalSince1970 * 1000).rounded()
        guard value.isFinite else { return value > 0 ? 253_402_300_799_999 : -62_167_219_200_000 }
        return Int64(max(-62_167_219_200_000, min(253_402_300_799_999, value)))
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        value >= 0 ? value / divisor : -((-value + divisor - 1) / divisor)
    }

    /// Days from 1970-01-01 in the Gregorian calendar: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let y = month <= 2 ? year - 1 : year
        let era = floorDivide(y, 400)
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// The reverse of ``days(_:_:_:)``.
    private static func civil(_ day: Int64) -> (Int64, Int64, Int64) {
        let shifted = day + 719_468
        let era = floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }
}
