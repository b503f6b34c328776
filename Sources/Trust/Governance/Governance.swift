public import Documents
public import FoundationEssentials
public import Fork
public import Measurement
public import Missions

/// The policy of a host or a fleet: rules that a mission passes or fails (DESIGN section 6).
///
/// It is read from `governance.yaml`, which root owns; approvals bind its ``digest``.
public struct Governance: Sendable, Equatable {
    public let rules: [Rule]
    /// The SHA-256 of the file's bytes.
    public let digest: Digest

    public init(rules: [Rule], digest: Digest) {
        self.rules = rules
        self.digest = digest
    }

    /// What every rule says, in the file's order.
    public func evaluate(_ context: GovernanceContext) -> [RuleResult] {
        rules.map { $0.evaluate(context) }
    }

    /// The KPIs that the rules require of this mission: the KPI part of the trust score counts them beside the mission's own.
    public func requiredKPIs(_ context: GovernanceContext) -> Set<KPI> {
        Set(
            rules.filter { $0.applies(context) }.flatMap { rule in
                if case .requiredKPIs(let kpis) = rule.check { kpis } else { [] as [KPI] }
            })
    }

    /// The scanners that any rule can require: Hunter must have them before the rules are asked, so conditions don't count.
    public var requiredScanners: [String] {
        var seen: Set<String> = []
        return rules.flatMap { rule in
            if case .requiredScanners(let names) = rule.check { names } else { [] as [String] }
        }.filter { seen.insert($0).inserted }
    }
}

/// What governance judges.
public struct GovernanceContext: Sendable {
    public var mission: MissionFile
    public var changes: [Change]
    /// The pre-images; without them a deleted directory counts as if everything could have been in it.
    public var base: Base?
    /// `nil` before the trial: then what needs a result is judged by the mission file alone.
    public var result: TrialResult?
    /// `nil` before the scan: then required scanners count as not run.
    public var hunter: HunterReport?
    /// The agent's own clock. Rules are asked again at execution, with the time it is then.
    public var now: Date

    public init(
        mission: MissionFile, changes: [Change], base: Base? = nil, result: TrialResult? = nil,
        hunter: HunterReport? = nil,
        now: Date
    ) {
        self.mission = mission
        self.changes = changes
        self.base = base
        self.result = result
        self.hunter = hunter
        self.now = now
    }
}
