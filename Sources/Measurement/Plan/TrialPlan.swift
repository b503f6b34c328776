/// How a trial is run and judged. Part of the mission file, and so of its digest.
public struct TrialPlan: Codable, Equatable, Sendable, Hashable {
    /// Blocks (kept ones) before a PASS may be given.
    public var minBlocks: Int
    /// Blocks, discarded ones included, after which the trial ends INCONCLUSIVE.
    public var maxBlocks: Int
    /// The confidence of each verdict: 0.95 lets one in twenty false PASSes at the very margin through.
    public var confidence: Double
    /// Whether the baseline's own noise is reported beside the result.
    public var noiseCheck: Bool
    /// Goals and guardrails.
    public var boundaries: [Boundary]

    /// A plan with the defaults of a mission file that says nothing of its trial.
    public init(
        minBlocks: Int = 10, maxBlocks: Int = 80, confidence: Double = 0.95, noiseCheck: Bool = true,
        boundaries: [Boundary] = []
    ) {
        self.minBlocks = minBlocks
        self.maxBlocks = maxBlocks
        self.confidence = confidence
        self.noiseCheck = noiseCheck
        self.boundaries = boundaries
    }

    private enum CodingKeys: String, CodingKey {
        case minBlocks = "min_blocks"
        case maxBlocks = "max_blocks"
        case confidence
        case noiseCheck = "noise_check"
        case boundaries
    }

    /// The value a running maximum of E must reach: 20 at 95 % (Ville's inequality).
    public var decisionThreshold: Double { 1 / (1 - confidence) }

    /// Every reason why this plan can't be run, as sentences; empty when it can.
    public var problems: [String] {
        var found: [String] = []
        if minBlocks < 1 { found.append("trial.blocks.min: \(minBlocks) is too few; a trial needs at least 1 block") }
        if maxBlocks < minBlocks {
            found.append("trial.blocks: max (\(maxBlocks)) is less than min (\(minBlocks)); raise max or lower min")
        }
        if maxBlocks > 1000 { found.append("trial.blocks.max: \(maxBlocks) is more than the 1000 that are allowed") }
        if !(confidence >= 0.5 && confidence <= 0.9999) {
            found.append("trial.confidence: must lie between 50% and 99.99%, not \(Wording.percent(confidence))")
        }
        if boundaries.isEmpty {
            found.append("goals, guardrails: at least one is needed, or there is nothing to decide")
        }
        found += boundaries.compactMap(\.problem)
        var seen: Set<String> = []
        for boundary in boundaries where !seen.insert("\(boundary.role) \(boundary.kpi)").inserted {
            found.append("\(boundary.kpi): named twice as a \(boundary.role.rawValue); keep one")
        }
        return found
    }
}
