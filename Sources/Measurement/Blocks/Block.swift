/// The two sides of a trial.
public enum TrialArm: String, Codable, Sendable, Hashable, CaseIterable {
    /// The live host as it is.
    case baseline
    /// The live host with the change.
    case candidate
}

/// Four runs in a randomised, mirrored order: slow drift falls on both arms alike.
public struct Block: Codable, Equatable, Sendable {
    /// Which arm ran when.
    public enum Order: String, Codable, Sendable, Hashable {
        /// Baseline, candidate, candidate, baseline.
        case abba = "ABBA"
        /// Candidate, baseline, baseline, candidate.
        case baab = "BAAB"

        /// The arms in the order of their runs.
        public var arms: [TrialArm] {
            switch self {
            case .abba: [.baseline, .candidate, .candidate, .baseline]
            case .baab: [.candidate, .baseline, .baseline, .candidate]
            }
        }
    }

    /// The block's number in its trial, from 0.
    public var index: Int
    /// The order the coin chose.
    public var order: Order
    /// The two baseline runs, in the order they ran.
    public var baseline: [ArmMeasurement]
    /// The two candidate runs, in the order they ran.
    public var candidate: [ArmMeasurement]
    /// Why this block should not count: a disturbance of the host that neither arm caused. See ``DiscardRule``.
    public var discarded: String?

    /// One block as it was recorded.
    public init(
        index: Int, order: Order, baseline: [ArmMeasurement], candidate: [ArmMeasurement], discarded: String? = nil
    ) {
        self.index = index
        self.order = order
        self.baseline = baseline
        self.candidate = candidate
        self.discarded = discarded
    }
}
