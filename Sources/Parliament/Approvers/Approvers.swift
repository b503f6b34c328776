public import Documents
public import Missions

/// Who must approve what on this host: `approvers.yaml`, owned by root. The agent's own word, whatever a coordinator says.
///
/// ```yaml
/// groups:
///   operators: [alice, bob, carol]
///   security: [dave, erin]
/// rules:                                   # every rule that matches applies, all of them together
///   - require: [{group: operators, count: 1}]
///   - severity: [high, critical]
///     require: [{group: operators, count: 2}, {group: security, count: 1}]
///     proposer: barred                     # who proposed it does not count
///     user_presence: true                  # only keys on a token that was touched
/// overrides:                               # who may override; without it, the same people as must approve
///   require: [{group: security, count: 1}]
/// ```
///
/// A mission that no rule matches can't be approved by anyone. A binding veto is written as a required approver.
public struct Approvers: Sendable, Equatable {
    /// `count` distinct people of a group.
    public struct Demand: Sendable, Equatable, Hashable {
        public let group: String
        public let count: Int

        public init(group: String, count: Int) {
            self.group = group
            self.count = count
        }
    }

    /// One rule of the file.
    public struct Rule: Sendable, Equatable {
        /// Which severities it is for; nil is all.
        public let severity: Set<Severity>?
        /// Labels the host must have for it to apply; empty is every host.
        public let labels: [String: String]
        public let require: [Demand]
        /// Whether the proposer's own approval does not count.
        public let proposerBarred: Bool
        /// Whether only signatures of a touched security key count.
        public let userPresence: Bool

        public init(
            severity: Set<Severity>? = nil, labels: [String: String] = [:], require: [Demand],
            proposerBarred: Bool = false,
            userPresence: Bool = false
        ) {
            self.severity = severity
            self.labels = labels
            self.require = require
            self.proposerBarred = proposerBarred
            self.userPresence = userPresence
        }
    }

    /// The people of each group.
    public let groups: [String: Set<String>]
    public let rules: [Rule]
    /// Who may override; nil is the people who must approve.
    public let overrides: [Demand]?
    /// The SHA-256 of the file's bytes.
    public let digest: Digest

    public init(groups: [String: Set<String>], rules: [Rule], overrides: [Demand]? = nil, digest: Digest) {
        self.groups = groups
        self.rules = rules
        self.overrides = overrides
        self.digest = digest
    }

    /// Everyone in any group, sorted.
    public var people: [String] { groups.values.reduce(into: Set()) { $0.formUnion($1) }.sorted() }

    /// What a mission of that severity needs on a host with those labels; nil when no rule matches, and then nobody can
    /// approve it.
    public func requirement(severity: Severity, labels: [String: String]) -> Requirement? {
        let matching = rules.filter { rule in
            (rule.severity?.contains(severity) ?? true) && rule.labels.allSatisfy { labels[$0.key] == $0.value }
        }
        let demands = matching.flatMap(\.require)
        guard !demands.isEmpty else { return nil }
        return Requirement(
            demands: Self.merged(demands), overrides: Self.merged(overrides ?? demands), groups: groups,
            proposerBarred: matching.contains(where: \.proposerBarred),
            userPresence: matching.contains(where: \.userPresence))
    }

    /// The largest count of each group, in the order first named.
    private static func merged(_ demands: [Demand]) -> [Demand] {
        var result: [Demand] = []
        for demand in demands {
            if let place = result.firstIndex(where: { $0.group == demand.group }) {
                result[place] = Demand(group: demand.group, count: max(result[place].count, demand.count))
            } else {
                result.append(demand)
            }
        }
        return result
    }
}

/// What one mission needs on one host: all matching rules together.
public struct Requirement: Sendable, Equatable {
    public let demands: [Approvers.Demand]
    public let overrides: [Approvers.Demand]
    public let groups: [String: Set<String>]
    public let proposerBarred: Bool
    public let userPresence: Bool

    /// Everyone whose approval can count, sorted: a fitting electorate.
    public var people: [String] { demands.reduce(into: Set()) { $0.formUnion(groups[$1.group] ?? []) }.sorted() }

    /// How many distinct people it takes at the least.
    public var least: Int { demands.map(\.count).max() ?? 1 }

    /// The demands that these people do not fulfil, with how many there are.
    ///
    /// - Parameters:
    ///   - demands: ``demands`` or ``overrides``.
    ///   - people: those who signed.
    ///   - identity: gives one name to names that may be the same person; nobody counts twice in a group.
    /// - Returns: empty when everything is fulfilled.
    public func shortfalls(
        of demands: [Approvers.Demand], people: some Sequence<String>, identity: (String) -> String
    ) -> [(demand: Approvers.Demand, have: Int)] {
        let signed = Set(people.map(identity))
        return demands.compactMap { demand in
            let members = Set((groups[demand.group] ?? []).map(identity))
            let have = members.intersection(signed).count
            return have < demand.count ? (demand, have) : nil
        }
    }
}
