internal import Documents
internal import Fork
internal import FoundationEssentials
internal import Measurement
internal import Missions

/// Reads what the kinds of rules have of their own.
struct PolicyReader {
    let members: [String: Field]
    let field: Field
    let zones: String

    func required(_ key: String) -> Field? {
        if members[key] == nil { field.problem("the key “\(key)” is missing.") }
        return members[key]
    }

    /// A name for people and programs.
    func name(_ key: String) -> String? {
        guard let item = required(key), let text = item.text() else { return nil }
        guard text.utf8.count <= 64,
            text.utf8.allSatisfy({
                (48...57).contains($0) || (97...122).contains($0) || (65...90).contains($0) || "-_.".utf8.contains($0)
            })
        else {
            item.problem("expected a name of at most 64 letters, digits, “-”, “_” and “.”, found “\(text.prefix(80))”.")
            return nil
        }
        return text
    }

    func check(_ kind: String) -> Rule.Check? {
        switch kind {
        case "path": return path()
        case "kind": return kinds()
        case "time_window":
            guard let list = required("freeze")?.list() else { return nil }
            return .timeWindow(list.compactMap(window))
        case "severity":
            return required("max")?.choice(Severity.allCases.map(\.rawValue)).flatMap(Severity.init(rawValue:)).map(
                Rule.Check.severity)
        case "max_margin": return margins()
        case "required_kpis":
            guard let item = required("kpis") else { return nil }
            let kpis = item.oneOrMore().compactMap {
                $0.choice(KPI.allCases.map(\.rawValue)).flatMap(KPI.init(rawValue:))
            }
            if item.isList, kpis.isEmpty { item.problem("expected at least one KPI such as error_rate.") }
            return .requiredKPIs(kpis)
        case "required_scanners":
            guard let item = required("scanners") else { return nil }
            let names = item.oneOrMore().compactMap { $0.text() }
            if item.isList, names.isEmpty { item.problem("expected at least one scanner such as native.") }
            return .requiredScanners(names)
        default: return nil
        }
    }

    private func path() -> Rule.Check? {
        let allow = members["allow"]?.globs(atLeastOne: true) ?? []
        let deny = members["deny"]?.globs(atLeastOne: true) ?? []
        guard members["allow"] != nil || members["deny"] != nil else {
            field.problem("expected “allow”, “deny” or both: lists of path patterns.")
            return nil
        }
        return .path(allow: allow, deny: deny)
    }

    private func kinds() -> Rule.Check? {
        guard members["changes"] != nil || members["promote"] != nil || members["entries"] != nil else {
            field.problem("expected “changes”, “promote”, “entries” or several of them: lists of what is allowed.")
            return nil
        }
        return .kind(
            changes: members["changes"]?.choices(ChangeAction.names),
            promote: members["promote"]?.choices(PromotionKind.allCases),
            entries: members["entries"]?.choices(Change.Kind.allCases))
    }

    private func margins() -> Rule.Check? {
        var margins: [KPI: Double] = [:]
        if let item = members["margins"], let entries = item.mapping(keys: KPI.allCases.map(\.rawValue)) {
            for (key, value) in entries {
                guard let kpi = KPI(rawValue: key), let ratio = value.ratio() else { continue }
                if kpi.scale == .percentagePoints, !ratio.isPercentagePoints {
                    value.problem("\(key) is a rate: expected percentage points such as 0.5pp, found \(ratio).")
                } else if kpi.scale == .logRatio, ratio.isPercentagePoints {
                    value.problem("\(key) is compared with its baseline: expected a share such as 10%, found \(ratio).")
                } else if let problem = Boundary(kpi: kpi, role: .guardrail, amount: ratio.fraction).problem {
                    value.problem("\(problem).")
                } else {
                    margins[kpi] = ratio.fraction
                }
            }
        }
        var confidence: Double?
        if let item = members["min_confidence"], let ratio = item.ratio() {
            if ratio.isPercentagePoints || !(0.5...0.9999).contains(ratio.fraction) {
                item.problem("expected a confidence between 50% and 99.99%, found \(ratio).")
            } else {
                confidence = ratio.fraction
            }
        }
        guard members["margins"] != nil || members["min_confidence"] != nil else {
            field.problem("expected “margins”, “min_confidence” or both.")
            return nil
        }
        return .maxMargin(margins, confidence: confidence)
    }

    private func window(_ item: Field) -> FreezeWindow? {
        guard let keys = item.mapping(keys: ["days", "from", "to", "until", "zone"]) else { return nil }
        var zone = Zone.utc
        if let field = keys["zone"], let name = field.text() {
            do { zone = try Zone(name, directory: zones) } catch { field.problem("\(error)") }
        }
        if let until = keys["until"] {
            for key in ["days", "to"] where keys[key] != nil {
                keys[key]?.problem(
                    "“\(key)” belongs to a weekly window and “until” to one with dates; write one of them.")
            }
            guard let from = keys["from"] else {
                item.problem("the key “from” is missing: the date that the window begins at.")
                return nil
            }
            guard let start = moment(from, atEnd: false), let end = moment(until, atEnd: true) else { return nil }
            if end <= start { until.problem("the window ends before it begins.") }
            return .dates(from: start, until: end, zone: zone)
        }
        guard let days = keys["days"] else {
            item.problem("expected “days” (a weekly window) or “from” and “until” (dates).")
            return nil
        }
        let set = Set(
            days.oneOrMore().compactMap { field -> Weekday? in
                guard let text = field.text() else { return nil }
                if let day = Weekday(text) { return day }
                field.problem("expected a day of the week such as mon or saturday, found “\(text)”.")
                return nil
            })
        if days.isList, set.isEmpty { days.problem("expected at least one day of the week.") }
        let from = keys["from"].map { clock($0, most: 1439) } ?? 0
        let to = keys["to"].map { clock($0, most: 1440) } ?? 1440
        guard let from, let to else { return nil }
        return .weekly(days: set, from: from, to: to, zone: zone)
    }

    /// `18:00` in minutes.
    private func clock(_ field: Field, most: Int) -> Int? {
        guard let text = field.text() else { return nil }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        if parts.count == 2, parts.allSatisfy({ (1...2).contains($0.utf8.count) }), parts[1].utf8.count == 2,
            let hours = Int(parts[0]),
            let minutes = Int(parts[1]), (0...24).contains(hours), (0...59).contains(minutes),
            hours * 60 + minutes <= most
        {
            return hours * 60 + minutes
        }
        field.problem("expected a time of the day such as \"18:00\", found “\(text)”.")
        return nil
    }

    /// `2026-12-24` or `2026-12-24 18:00` in seconds of the wall clock. A day alone means its beginning, at a window's end
    /// the end of it.
    private func moment(_ field: Field, atEnd: Bool) -> Int? {
        guard let text = field.text() else { return nil }
        let halves = text.split(maxSplits: 1, whereSeparator: { $0 == " " || $0 == "T" })
        let date = halves[0].split(separator: "-", omittingEmptySubsequences: false).compactMap { Int($0) }
        if date.count == 3, (1970...9999).contains(date[0]), (1...12).contains(date[1]),
            (1...Civil.daysInMonth(date[1], of: date[0])).contains(date[2])
        {
            let midnight = Civil.days(year: date[0], month: date[1], day: date[2]) * 86_400
            if halves.count == 1 { return midnight + (atEnd ? 86_400 : 0) }
            let time = halves[1].split(separator: ":", omittingEmptySubsequences: false)
            let numbers = time.compactMap { Int($0) }
            if time.count == 2 || time.count == 3, numbers.count == time.count, time.allSatisfy({ $0.utf8.count == 2 }),
                (0...23).contains(numbers[0]), (0...59).contains(numbers[1]),
                numbers.count == 2 || (0...59).contains(numbers[2])
            {
                return midnight + numbers[0] * 3600 + numbers[1] * 60 + (numbers.count == 3 ? numbers[2] : 0)
            }
        }
        field.problem("expected a date such as 2026-12-24 or 2026-12-24 18:00 (in the window's zone), found “\(text)”.")
        return nil
    }
}
