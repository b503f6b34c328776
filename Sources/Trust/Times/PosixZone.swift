/// The rule for times after a zone file's last transition, as in `CET-1CEST,M3.5.0,M10.5.0/3`: POSIX.1-2017, section 8.3,
/// with the wider hours of RFC 8536, section 3.3.1.
struct PosixZone: Sendable, Hashable {
    enum Day: Sendable, Hashable {
        /// Day 1…365, February 29 never counted.
        case julian(Int)
        /// Day 0…365, February 29 counted.
        case ordinal(Int)
        /// The week 1…5 (5: the last) of a month, a weekday 0…6.
        case month(Int, week: Int, weekday: Int)
    }

    struct Rule: Sendable, Hashable {
        var day: Day
        var seconds: Int

        /// Seconds since the epoch of the wall clock in force before the rule.
        func wall(in year: Int) -> Int {
            let start = Civil.days(year: year, month: 1, day: 1)
            let day: Int
            switch self.day {
            case .julian(let number): day = start + number - 1 + (Civil.isLeap(year) && number >= 60 ? 1 : 0)
            case .ordinal(let number): day = start + number
            case .month(let month, let week, let weekday):
                let first = Civil.days(year: year, month: month, day: 1)
                let days = Civil.daysInMonth(month, of: year)
                var place = Civil.floorModulo(weekday - Civil.weekday(ofDay: first), 7) + (week - 1) * 7
                if place >= days { place -= 7 }
                day = first + place
            }
            return day * 86_400 + seconds
        }
    }

    private var standard: Int
    private var summer: (offset: Int, from: Rule, until: Rule)?

    static func == (left: PosixZone, right: PosixZone) -> Bool {
        left.standard == right.standard && left.summer?.offset == right.summer?.offset
            && left.summer?.from == right.summer?.from && left.summer?.until == right.summer?.until
    }

    func hash(into hasher: inout Hasher) { hasher.combine(standard) }

    func offset(at seconds: Int) -> Int {
        guard let summer else { return standard }
        let year = Civil.year(ofDay: Civil.floorDivide(seconds + standard, 86_400))
        let from = summer.from.wall(in: year) - standard
        let until = summer.until.wall(in: year) - summer.offset
        let isSummer = from < until ? (from..<until).contains(seconds) : !(until..<from).contains(seconds)
        return isSummer ? summer.offset : standard
    }

    init?(_ text: String) {
        var reader = Reader(rest: Array(text.utf8)[...])
        guard reader.name(), let west = reader.time(most: 24) else { return nil }
        standard = -west
        if reader.rest.isEmpty { return }
        guard reader.name() else { return nil }
        var offset = standard + 3600
        if let next = reader.rest.first, next != UInt8(ascii: ",") {
            guard let value = reader.time(most: 24) else { return nil }
            offset = -value
        }
        guard reader.take(","), let from = reader.rule(), reader.take(","), let until = reader.rule(),
            reader.rest.isEmpty
        else {
            return nil
        }
        summer = (offset, from, until)
    }

    private struct Reader {
        var rest: ArraySlice<UInt8>

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard rest.first == UInt8(ascii: character) else { return false }
            rest.removeFirst()
            return true
        }

        mutating func name() -> Bool {
            if take("<") {
                guard let end = rest.firstIndex(of: UInt8(ascii: ">")) else { return false }
                rest = rest[(end + 1)...]
                return true
            }
            let letters = rest.prefix { (65...90).contains($0) || (97...122).contains($0) }
            rest = rest.dropFirst(letters.count)
            return letters.count >= 3
        }

        mutating func number(_ range: ClosedRange<Int>) -> Int? {
            let digits = rest.prefix(4).prefix { (48...57).contains($0) }
            guard !digits.isEmpty, let value = Int(String(decoding: digits, as: UTF8.self)), range.contains(value)
            else { return nil }
            rest = rest.dropFirst(digits.count)
            return value
        }

        /// `[+-]hh[:mm[:ss]]` in seconds.
        mutating func time(most hours: Int) -> Int? {
            let negative = take("-")
            if !negative { _ = take("+") }
            guard var seconds = number(0...hours).map({ $0 * 3600 }) else { return nil }
            if take(":") {
                guard let minutes = number(0...59) else { return nil }
                seconds += minutes * 60
                if take(":") {
                    guard let rest = number(0...59) else { return nil }
                    seconds += rest
                }
            }
            return negative ? -seconds : seconds
        }

        mutating func rule() -> Rule? {
            var day: Day?
            if take("M") {
                if let month = number(1...12), take("."), let week = number(1...5), take("."),
                    let weekday = number(0...6)
                {
                    day = .month(month, week: week, weekday: weekday)
                }
            } else if take("J") {
                day = number(1...365).map(Day.julian)
            } else {
                day = number(0...365).map(Day.ordinal)
            }
            guard let day else { return nil }
            guard take("/") else { return Rule(day: day, seconds: 7200) }
            return time(most: 167).map { Rule(day: day, seconds: $0) }
        }
    }
}
