internal import Documents
internal import Fork
internal import FoundationEssentials
internal import Measurement
internal import Missions

extension Governance {
    static let kinds = ["path", "kind", "time_window", "severity", "max_margin", "required_kpis", "required_scanners"]

    /// Reads a governance file.
    ///
    /// - Parameters:
    ///   - file: the name used in problems.
    ///   - text: YAML; see ``defaultText`` for every key.
    ///   - zones: where the host keeps its time zones.
    /// - Returns: the rules with the digest of the text.
    /// - Throws: `Problems`, every one with its line and key.
    public static func parse(file: String, text: String, zones: String = "/usr/share/zoneinfo") throws -> Governance {
        let reader = DocumentReader(file: file, text: text)
        var rules: [Rule] = []
        if let root = reader.root, let members = root.mapping(keys: ["rules"]) {
            if let list = members["rules"] {
                var seen: Set<String> = []
                for item in list.list() ?? [] {
                    guard let rule = Rule(item, zones: zones) else { continue }
                    if !seen.insert(rule.id).inserted {
                        item.problem("a rule called “\(rule.id)” was there already; names are used once.")
                    }
                    rules.append(rule)
                }
            } else {
                root.problem(
                    "the key “rules” is missing; expected a list of rules (an empty one, [], lets governance score 0).")
            }
        }
        try reader.finish()
        return Governance(rules: rules, digest: Digest(of: Data(text.utf8)))
    }
}

extension Rule {
    private static let common = ["id", "kind", "level", "description", "when"]
    private static let own = [
        "path": ["allow", "deny"], "kind": ["changes", "promote", "entries"], "time_window": ["freeze"],
        "severity": ["max"],
        "max_margin": ["margins", "min_confidence"], "required_kpis": ["kpis"], "required_scanners": ["scanners"],
    ]

    /// Reads one rule; `nil` after reporting what is wrong.
    init?(_ field: Field, zones: String) {
        guard let any = field.mapping() else { return nil }
        guard let kindField = any["kind"] else {
            field.problem("the key “kind” is missing; expected one of \(Governance.kinds.joined(separator: ", ")).")
            return nil
        }
        let kind = kindField.choice(Governance.kinds)
        let known = Self.common + (kind.flatMap { Self.own[$0] } ?? Self.own.values.flatMap { $0 }.sorted())
        guard let members = field.mapping(keys: known) else { return nil }
        let reader = PolicyReader(members: members, field: field, zones: zones)
        let id = reader.name("id")
        let level = reader.required("level")?.choice(RuleLevel.allCases.map(\.rawValue)).flatMap(
            RuleLevel.init(rawValue:))
        let description = members["description"]?.text() ?? ""
        let condition = members["when"].map(Condition.init(reading:)) ?? Condition()
        let check = kind.flatMap { reader.check($0) }
        guard let id, let level, let check else { return nil }
        self.init(id: id, level: level, description: description, condition: condition, check: check)
    }
}

extension Rule.Condition {
    init(reading field: Field) {
        self.init()
        guard let members = field.mapping(keys: ["severity", "promote", "changes", "workload", "paths"]) else { return }
        if members.isEmpty { field.problem("expected at least one condition; leave “when” out to mean every mission.") }
        severities = members["severity"]?.choices(Severity.allCases)
        promote = members["promote"]?.choices(PromotionKind.allCases)
        changes = members["changes"]?.choices(ChangeAction.names)
        workloads = members["workload"]?.choices(Workload.names)
        paths = members["paths"]?.globs(atLeastOne: true)
    }
}

extension Field {
    /// One text or a list of texts.
    func oneOrMore() -> [Field] { isScalar ? [self] : list() ?? [] }

    /// A set of words out of a few.
    func choices(_ choices: [String]) -> Set<String>? {
        let fields = oneOrMore()
        if isList, fields.isEmpty { problem("expected at least one of \(choices.joined(separator: ", ")).") }
        let values = fields.compactMap { $0.choice(choices) }
        return values.isEmpty ? nil : Set(values)
    }

    func choices<T: RawRepresentable & Hashable>(_ all: [T]) -> Set<T>? where T.RawValue == String {
        choices(all.map(\.rawValue)).map { Set($0.compactMap(T.init(rawValue:))) }
    }

    /// A list of path patterns.
    func globs(atLeastOne: Bool) -> [Glob] {
        let fields = oneOrMore()
        if atLeastOne, isList, fields.isEmpty { problem("expected at least one path pattern such as /etc/nginx/**.") }
        return fields.compactMap { item in
            guard let text = item.text() else { return nil }
            guard let glob = Glob(text) else {
                item.problem(
                    "expected an absolute path pattern without “.” and “..”, such as /etc/nginx/**, found “\(text)”.")
                return nil
            }
            return glob
        }
    }
}
