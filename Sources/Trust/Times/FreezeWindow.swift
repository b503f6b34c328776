public import FoundationEssentials

/// A day of the week; raw values as in POSIX, 0 is Sunday.
public enum Weekday: Int, Sendable, CaseIterable, Hashable {
    case sunday, monday, tuesday, wednesday, thursday, friday, saturday

    /// `mon`, `Monday`…
    init?(_ text: String) {
        let name = text.lowercased()
        guard let day = Weekday.allCases.first(where: { "\($0)" == name || "\($0)".prefix(3) == name }) else {
            return nil
        }
        self = day
    }
}

/// A time in which nothing is promoted.
public enum FreezeWindow: Sendable, Hashable {
    /// On these days from `from` to `to`, minutes after midnight on the wall clock. Where `to` is not after `from` the
    /// window runs into the next day.
    case weekly(days: Set<Weekday>, from: Int, to: Int, zone: Zone)
    /// From one wall-clock time to another, seconds since 1970-01-01 00:00 on that clock; the end is not part of it.
    case dates(from: Int, until: Int, zone: Zone)

    /// Whether `date` lies in it.
    public func contains(_ date: Date) -> Bool {
        switch self {
        case .dates(let from, let until, let zone):
            return (from..<max(from, until)).contains(zone.wallSeconds(at: date))
        case .weekly(let days, let from, let to, let zone):
            let seconds = zone.wallSeconds(at: date)
            let day = Civil.floorDivide(seconds, 86_400)
            let time = Civil.floorModulo(seconds, 86_400)
            func isDay(_ day: Int) -> Bool { Weekday(rawValue: Civil.weekday(ofDay: day)).map(days.contains) ?? true }
            if from < to { return isDay(day) && time >= from * 60 && time < to * 60 }
            return isDay(day) && time >= from * 60 || isDay(day - 1) && time < to * 60
        }
    }
}

extension FreezeWindow: CustomStringConvertible {
    /// `fri, sat 18:00–08:00 Europe/Berlin`.
    public var description: String {
        switch self {
        case .weekly(let days, let from, let to, let zone):
            let names = Weekday.allCases.filter(days.contains).map { String("\($0)".prefix(3)) }
            let shown = names.count == 7 ? "every day" : names.joined(separator: ", ")
            return "\(shown) \(Self.clock(from))–\(Self.clock(to)) \(zone)"
        case .dates(let from, let until, let zone): return "\(Self.moment(from)) until \(Self.moment(until)) \(zone)"
        }
    }

    private static func clock(_ minutes: Int) -> String {
        let hour = minutes / 60
        let minute = minutes % 60
        return (hour < 10 ? "0" : "") + "\(hour):" + (minute < 10 ? "0" : "") + "\(minute)"
    }

    private static func moment(_ seconds: Int) -> String {
        // The wall clock's seconds read as UTC give its own digits back.
        let date = Date(timeIntervalSince1970: Double(seconds))
        return date.formatted(Date.ISO8601FormatStyle()).replacing("T", with: " ").replacing(":00Z", with: "")
    }
}
