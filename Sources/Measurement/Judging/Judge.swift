private import Glibc

/// Holds a trial's blocks against its plan and says what they show. A pure value: the same blocks in the same order give
/// the same result, so a trial that was interrupted goes on from its recorded blocks.
///
/// Every goal and guardrail has a ``SignFlipTest`` of its own against its boundary, fed one difference a block:
/// mean ln(baseline) - mean ln(candidate) for relative KPIs (signs turned where more is better), mean(baseline) -
/// mean(candidate) for shares. The verdict is
/// - REGRESSION, at any number of blocks, when any guardrail's mirrored maximum reaches 1/(1 - confidence);
/// - PASS, from `minBlocks` on, when the maximum does so for every goal and guardrail, all are measured in every arm, and
///   the error counts allow it (``PooledBound``), and at most one block in ten was discarded or ``CutShort``;
/// - INCONCLUSIVE otherwise. Such a trial ends at `maxBlocks`; or from `minBlocks` on when PASS is out of reach, because
///   a KPI isn't measured or a goal's mirrored evidence is conclusive, unless evidence against a guardrail is
///   building up (a regression must not hide behind a missed goal).
///
/// All boundaries must hold, so each is tested at the full confidence (intersection-union test: no correction).
public struct Judge: Sendable {
    /// What is judged.
    public let plan: TrialPlan
    /// KPIs counted once from reports.
    public let once: [KPI: OnceMeasurement]
    /// Blocks that were given up for live's sake.
    let cutShort: [CutShort]

    /// Blocks seen, discarded ones included.
    public private(set) var blocks = 0
    /// Blocks left out.
    public private(set) var discarded = 0
    /// Marks that came too often to be heeded, as notes.
    var refusedDiscards: [String] = []

    /// One entry per boundary of the plan, in its order; those of once-counted KPIs stay empty.
    var tests: [SignFlipTest]
    /// Per KPI everything the display needs.
    var series: [KPI: Series] = [:]
    /// Errors and requests of all kept arms together.
    var counts = Counts()

    /// A KPI's values over the kept blocks.
    struct Series: Sendable {
        /// One per block: positive = better.
        var differences: [Double] = []
        /// First baseline run minus second, in the same scale.
        var baselineDifferences: [Double] = []
        var baseline: [Double] = []
        var candidate: [Double] = []
        /// The first reason why a block had no value; then the KPI is not measured.
        var missing: String?
    }

    /// Pooled counts.
    struct Counts: Sendable, Equatable {
        var baselineErrors = 0
        var baselineRequests = 0
        var candidateErrors = 0
        var candidateRequests = 0
    }

    /// A judge who has seen no block yet.
    public init(plan: TrialPlan, once: [KPI: OnceMeasurement] = [:], cutShort: [CutShort] = []) {
        self.plan = plan
        self.once = once
        self.cutShort = cutShort
        self.tests = plan.boundaries.map { SignFlipTest(boundary: $0.threshold) }
    }

    /// Blocks that count.
    public var kept: Int { blocks - discarded }
    /// How many blocks may be left out so far.
    var allowance: Int { DiscardRule.allowance(blocks: blocks, minBlocks: plan.minBlocks) }

    /// Takes the next block.
    public mutating func add(_ block: Block) {
        blocks += 1
        if let why = block.discarded {
            if discarded + cutShort.count + 1 <= allowance {
                discarded += 1
                return
            }
            refusedDiscards.append(
                "block \(block.index) counts although it was marked (\(why)): at most one block in ten may be left out")
        }
        for kpi in KPI.allCases where kpi.scale != .once { take(kpi, from: block) }
        for arm in block.baseline {
            counts.baselineErrors += arm.errors
            counts.baselineRequests += arm.requests
        }
        for arm in block.candidate {
            counts.candidateErrors += arm.errors
            counts.candidateRequests += arm.requests
        }
    }

    private mutating func take(_ kpi: KPI, from block: Block) {
        var entry = series[kpi] ?? Series()
        defer { series[kpi] = entry }
        guard entry.missing == nil else { return }
        var reasons: [String] = []
        let baseline = Self.values(of: kpi, in: block.baseline, arm: .baseline, reasons: &reasons)
        let candidate = Self.values(of: kpi, in: block.candidate, arm: .candidate, reasons: &reasons)
        if let reason = reasons.first {
            entry = Series(missing: "block \(block.index), \(reason)")
            return
        }
        let sign: Double = kpi.higherIsBetter ? -1 : 1
        let scaled = (baseline.map { Self.scaled($0, kpi) }, candidate.map { Self.scaled($0, kpi) })
        let difference = sign * (Self.mean(scaled.0) - Self.mean(scaled.1))
        entry.differences.append(difference)
        if scaled.0.count == 2 { entry.baselineDifferences.append(scaled.0[0] - scaled.0[1]) }
        entry.baseline += baseline
        entry.candidate += candidate
        for (index, boundary) in plan.boundaries.enumerated() where boundary.kpi == kpi { tests[index].add(difference) }
    }

    private static func values(
        of kpi: KPI, in arms: [ArmMeasurement], arm: TrialArm, reasons: inout [String]
    ) -> [Double] {
        if arms.isEmpty { reasons.append("\(arm.rawValue): the arm did not run") }
        return arms.compactMap { measurement in
            switch measurement.reading(of: kpi) {
            case .value(let value): return value
            case .notMeasured(let reason):
                reasons.append("\(arm.rawValue): \(reason)")
                return nil
            }
        }
    }

    private static func scaled(_ value: Double, _ kpi: KPI) -> Double {
        guard let floor = kpi.floor else { return value }
        return log(max(value, floor))
    }

    private static func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
}
