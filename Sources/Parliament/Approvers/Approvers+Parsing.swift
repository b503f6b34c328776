internal import Documents
internal import FoundationEssentials
internal import Missions

extension Approvers {
    /// Reads an approvers file.
    ///
    /// - Throws: `Problems`, every one with its line and key.
    public static func parse(file: String, text: String) throws -> Approvers {
        let reader = DocumentReader(file: file, text: text)
        var groups: [String: Set<String>] = [:]
        var rules: [Rule] = []
        var overrides: [Demand]?
        if let root = reader.root, let members = root.mapping(keys: ["groups", "rules", "overrides"]) {
            groups = Self.groups(members["groups"], root)
            if let list = members["rules"] {
                let items = list.list()
                rules = (items ?? []).compactMap { rule($0, groups) }
                if items?.isEmpty ?? false {
                    list.problem("there is no rule, so nobody could ever approve anything.")
                }
            } else {
                root.problem("the key “rules” is missing; expected a list of rules, each with “require”.")
            }
            if let field = members["overrides"], let keys = field.mapping(keys: ["require"]) {
                overrides = demands(keys["require"], field, groups)
            }
        }
        try reader.finish()
        return Approvers(groups: groups, rules: rules, overrides: overrides, digest: Digest(of: Data(text.utf8)))
    }

    private static func groups(_ field: Field?, _ root: Field) -> [String: Set<String>] {
        guard let field else {
            root.problem("the key “groups” is missing; expected a mapping of group names to lists of people.")
            return [:]
        }
        var groups: [String: Set<String>] = [:]
        for (name, members) in field.mapping() ?? [:] {
            var people: Set<String> = []
            for member in members.list() ?? [] {
                guard let person = member.text() else { continue }
                if person.contains(where: { "*?!,".contains($0) || $0.isWhitespace }) {
                    member.problem("“\(person)” is no name of one person: no white space, commas or wildcards.")
                } else if !people.insert(person).inserted {
                    member.problem("“\(person)” stands here twice.")
                }
            }
            groups[name] = people
        }
        return groups
    }

    private static func rule(_ field: Field, _ groups: [String: Set<String>]) -> Rule? {
        guard let members = field.mapping(keys: ["severity", "labels", "require", "proposer", "user_presence"]) else {
            return nil
        }
        var severities: Set<Severity>?
        if let list = members["severity"] {
            let names = (list.list() ?? []).compactMap { $0.choice(Severity.allCases.map(\.rawValue)) }
            severities = Set(names.compactMap(Severity.init(rawValue:)))
            if list.isList, names.isEmpty {
                list.problem("the list is empty, so the rule would never apply; leave it out for every severity.")
            }
        }
        var labels: [String: String] = [:]
        for (key, value) in members["labels"]?.mapping() ?? [:] { labels[key] = value.string() ?? "" }
        let proposer = members["proposer"]?.choice(["barred", "allowed"]) ?? "allowed"
        let presence = members["user_presence"].map { $0.boolean() ?? true } ?? false
        guard let require = demands(members["require"], field, groups) else { return nil }
        return Rule(
            severity: severities, labels: labels, require: require, proposerBarred: proposer == "barred",
            userPresence: presence)
    }

    private static func demands(_ field: Field?, _ parent: Field, _ groups: [String: Set<String>]) -> [Demand]? {
        guard let field else {
            parent.problem("the key “require” is missing; expected a list such as [{group: operators, count: 1}].")
            return nil
        }
        guard let list = field.list() else { return nil }
        if list.isEmpty { field.problem("the list is empty; approval by nobody is not approval.") }
        var demands: [Demand] = []
        for item in list {
            guard let members = item.mapping(keys: ["group", "count"]) else { continue }
            guard let name = members["group"] else {
                item.problem("the key “group” is missing; expected the name of a group.")
                continue
            }
            let group = name.choice(groups.keys.sorted())
            let count = members["count"].map { $0.integer(in: 1...1000) } ?? 1
            guard let group, let count else { continue }
            let size = groups[group]?.count ?? 0
            if Int(count) > size {
                item.problem(
                    "it wants \(count) people of “\(group)”, which has \(size): that could never be fulfilled.")
            }
            demands.append(Demand(group: group, count: Int(count)))
        }
        return demands
    }
}
