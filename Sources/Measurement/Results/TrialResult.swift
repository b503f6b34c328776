/// The outcome of a trial so far; final when ``Judge/decided``.
public struct TrialResult: Codable, Equatable, Sendable {
    /// The verdict of all goals and guardrails together.
    public var verdict: Verdict
    /// A sentence that says what decided, or what is missing.
    public var reason: String
    /// Blocks run, discarded ones included.
    public var blocks: Int
    /// Blocks that do not count.
    public var discarded: Int
    /// Whether more blocks of the same trial could still change the verdict.
    public var moreBlocksCanHelp: Bool
    /// Goals first, then guardrails, then what is merely shown.
    public var kpis: [KPIResult]
    /// Per KPI the smallest effect this host could tell from its own noise in the blocks run: a fraction, or a
    /// difference of shares. Empty without a noise check or with too few blocks.
    public var noise: [KPI: Double]
    /// What else a reader must know: a host too noisy for a margin, refused discards.
    public var notes: [String]

    /// A result; used by ``Judge`` and by tests of what stands on it.
    public init(
        verdict: Verdict, reason: String, blocks: Int = 0, discarded: Int = 0, moreBlocksCanHelp: Bool = false,
        kpis: [KPIResult] = [], noise: [KPI: Double] = [:], notes: [String] = []
    ) {
        self.verdict = verdict
        self.reason = reason
        self.blocks = blocks
        self.discarded = discarded
        self.moreBlocksCanHelp = moreBlocksCanHelp
        self.kpis = kpis
        self.noise = noise
        self.notes = notes
    }

    private enum CodingKeys: String, CodingKey {
        case verdict, reason, blocks, discarded
        case moreBlocksCanHelp = "more_blocks_can_help"
        case kpis, noise, notes
    }

    /// The least `h` over goals and guardrails: the KPI part of the trust score before policy adds its own. 0 without any.
    public var leastH: Double {
        kpis.filter { $0.role != .shown }.map { $0.measured ? $0.h : 0 }.min() ?? 0
    }

    /// The weighted mean of h by group, 0…100, for showing; `nil` when nothing was demanded.
    ///
    /// A group's h is the mean over its goals and guardrails; groups without any carry no weight.
    public var overallScore: Double? {
        var sum = 0.0
        var weights = 0.0
        for group in KPIGroup.allCases {
            let parts = kpis.filter { $0.role != .shown && $0.kpi.group == group }.map(\.h)
            guard !parts.isEmpty else { continue }
            sum += group.weight * parts.reduce(0, +) / Double(parts.count)
            weights += group.weight
        }
        return weights > 0 ? 100 * sum / weights : nil
    }

    /// The result's line for a KPI, a goal before a guardrail before a shown one.
    public subscript(kpi: KPI) -> KPIResult? { kpis.first { $0.kpi == kpi } }
}
