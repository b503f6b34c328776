public import Fork
public import Measurement
public import Missions

/// One rule of the governance file.
public struct Rule: Sendable, Equatable {
    /// What a rule asks.
    public enum Check: Sendable, Equatable {
        /// Every changed path matches one of `allow` (empty: any) and none of `deny`.
        case path(allow: [Glob], deny: [Glob])
        /// The change is made, promoted, and touches paths in no other way than these; `nil` allows any.
        case kind(changes: Set<String>?, promote: Set<PromotionKind>?, entries: Set<Change.Kind>?)
        /// It is not now one of these times.
        case timeWindow([FreezeWindow])
        /// The mission is at most this severe.
        case severity(Severity)
        /// No guardrail is wider than the margin here, and no verdict is reached at a lower confidence. Margins are
        /// in the KPI's own scale, see `Boundary.amount`.
        case maxMargin([KPI: Double], confidence: Double?)
        /// Each is a goal or a guardrail of the mission.
        case requiredKPIs([KPI])
        /// Each ran over the change set.
        case requiredScanners([String])
    }

    /// Which missions the rule speaks of; each part that is `nil` says nothing.
    public struct Condition: Sendable, Equatable {
        public var severities: Set<Severity>?
        public var promote: Set<PromotionKind>?
        public var changes: Set<String>?
        public var workloads: Set<String>?
        /// At least one changed path matches one of them.
        public var paths: [Glob]?

        public init() {}
    }

    /// The name, one rule each.
    public var id: String
    public var level: RuleLevel
    /// Why the rule is there, for people.
    public var description: String
    public var condition: Condition
    public var check: Check

    public init(
        id: String, level: RuleLevel, description: String = "", condition: Condition = Condition(), check: Check
    ) {
        self.id = id
        self.level = level
        self.description = description
        self.condition = condition
        self.check = check
    }
}
