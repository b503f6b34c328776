public import Linux

/// What a promotion would do, in its order.
public struct PromotionPlan: Sendable, Equatable {
    /// One move on live.
    public struct Move: Sendable, Equatable {
        /// How.
        public enum Kind: String, Sendable {
            /// New and old change places in one step.
            case exchange
            /// The new appears where nothing is.
            case create
            /// The old disappears.
            case remove
            /// Owner, mode, attributes and times are set in place.
            case metadata
        }
        public var path: BytePath
        public var kind: Kind
        /// How many entries of the change set it brings; more than one where a directory is built before it appears.
        public var entries: Int
    }

    public var moves: [Move]
    let journal: PromotionJournal

    init(_ journal: PromotionJournal) {
        self.journal = journal
        moves = journal.steps.map {
            Move(
                path: $0.path, kind: Move.Kind(rawValue: $0.action.rawValue) ?? .exchange,
                entries: max($0.changes.count, 1))
        }
    }
}
