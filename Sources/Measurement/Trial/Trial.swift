/// Runs blocks until the judge has seen enough.
public struct Trial: Sendable {
    /// What is run.
    public let plan: TrialPlan
    private let random: any RandomNumberGenerator & Sendable
    private let recorded: [Block]
    private let once: [KPI: OnceMeasurement]
    private let cutShort: [CutShort]

    /// A trial, or the rest of one.
    /// - Parameters:
    ///   - plan: how to run and judge it; one with ``TrialPlan/problems`` is refused when run.
    ///   - random: tosses the coin of each block's order.
    ///   - blocks: the blocks recorded before an interruption, in their order: the same trial goes on, never a fresh one.
    ///   - once: KPIs counted from reports before the trial.
    ///   - cutShort: blocks that were given up for live's sake before this run of it.
    public init(
        plan: TrialPlan, random: any RandomNumberGenerator & Sendable, blocks: [Block] = [],
        once: [KPI: OnceMeasurement] = [:], cutShort: [CutShort] = []
    ) {
        self.plan = plan
        self.random = random
        self.recorded = blocks
        self.once = once
        self.cutShort = cutShort
    }

    /// Runs block after block until the verdict stands or `maxBlocks` ran.
    ///
    /// A block that is cut short by an error or a cancellation leaves no trace: it runs again, with a new toss, when the
    /// trial goes on.
    /// - Parameters:
    ///   - arm: runs one arm in a fresh sandbox and measures it: which arm, the block's number, the position 0…3 in it.
    ///   - disturbance: asked after each block whether something outside of every sandbox disturbed the host meanwhile;
    ///     it is given the block's number alone, so it can't favour an arm. See ``DiscardRule``.
    ///   - progress: told each block and the result so far; a durable caller records the block here.
    /// - Returns: the result and all blocks, recorded ones included.
    /// - Throws: ``TrialError``, `CancellationError`, and whatever `arm` and `progress` throw.
    public func run(
        arm: @Sendable (_ kind: TrialArm, _ block: Int, _ position: Int) async throws -> ArmMeasurement,
        disturbance: @Sendable (_ block: Int) async -> String? = { _ in nil },
        progress: (Block, TrialResult) async throws -> Void = { _, _ in }
    ) async throws -> (TrialResult, [Block]) {
        guard plan.problems.isEmpty else { throw TrialError.impossiblePlan(plan.problems) }
        var judge = Judge(plan: plan, once: once, cutShort: cutShort)
        for (index, block) in recorded.enumerated() {
            guard block.index == index else { throw TrialError.recordedOutOfOrder(found: block.index, expected: index) }
            judge.add(block)
        }
        var blocks = recorded
        var coin = random
        while !judge.decided {
            let order: Block.Order = coin.next() & 1 == 0 ? .abba : .baab
            var block = Block(index: blocks.count, order: order, baseline: [], candidate: [])
            for (position, kind) in order.arms.enumerated() {
                try Task.checkCancellation()
                let measurement = try await arm(kind, block.index, position)
                switch kind {
                case .baseline: block.baseline.append(measurement)
                case .candidate: block.candidate.append(measurement)
                }
            }
            block.discarded = await disturbance(block.index)
            judge.add(block)
            blocks.append(block)
            try await progress(block, judge.result())
        }
        return (judge.result(), blocks)
    }
}

/// Why a trial can't run.
public enum TrialError: Error, Equatable, CustomStringConvertible {
    /// The plan contradicts itself.
    case impossiblePlan([String])
    /// Recorded blocks have a gap or are shuffled.
    case recordedOutOfOrder(found: Int, expected: Int)

    /// A sentence: what, why, what to do.
    public var description: String {
        switch self {
        case .impossiblePlan(let problems): "this trial can't be run: " + problems.joined(separator: "; ")
        case .recordedOutOfOrder(let found, let expected):
            "the recorded blocks of this trial are not whole: block \(expected) was expected, \(found) found; "
                + "a trial whose record is damaged can't go on, propose the mission again"
        }
    }
}
