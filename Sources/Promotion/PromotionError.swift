public import Fork

/// Why a promotion, a rollback or a rerun did not happen, or stopped.
public enum PromotionError: Error, CustomStringConvertible {
    /// Live is no longer what was tested; it is untouched, or as it was again.
    case conflict([Conflict])
    /// The change set can't be promoted on this host at all; nothing moved. One sentence a path.
    case refused([String])
    /// Another promotion, rollback or recovery is under way.
    case busy(state: String)
    case badIdentifier(String)
    case alreadyExists(id: String)
    case notFound(id: String)
    /// The promotion is in a phase in which this can't be done.
    case outOfOrder(id: String, phase: PromotionPhase, wanted: String)
    /// The agent's journal did not take the intent, so nothing was done.
    case notRecorded(String)
    /// The process that would take the promotion back could not be started, so nothing was done.
    case unguarded(String)
    /// A step failed; live is as it was before.
    case failed(String)
    /// A step failed, and so did taking it back: recovery must finish it.
    case interrupted(id: String, reason: String)
    /// Live moved on under a half-done promotion: nothing more was touched, a person must look.
    case frozen(id: String, [Conflict])
    /// A file system on which names were moved is not mounted now; nothing was touched.
    case notMounted(id: String, [String])
    /// A document of the promotion's own journal is not what was written.
    case damaged(id: String, reason: String)

    /// Whether what became of live is still to be decided, by recovery or by a person.
    public var isOpen: Bool {
        switch self {
        case .interrupted, .frozen: true
        default: false
        }
    }

    public var description: String {
        switch self {
        case .conflict(let conflicts):
            "Live is no longer what the change was tested on, and was left alone: "
                + Self.list(conflicts.map(\.description)) + ". Test the mission again on live as it is now."
        case .refused(let reasons):
            "The change set can't be promoted here, and nothing was moved: " + Self.list(reasons) + "."
        case .busy(let state):
            "Another promotion, rollback or recovery is under way in \(state). One happens at a time: wait until it has ended."
        case .badIdentifier(let id):
            "The promotion's name “\(id)” cannot be used: take 1 to 100 letters, digits, “-”, “_” or “.”, beginning with a "
                + "letter or digit."
        case .alreadyExists(let id):
            "There is a promotion “\(id)” already. A promotion happens once: give the next attempt a name of its own."
        case .notFound(let id):
            "There is no promotion “\(id)”. It was never begun, or the state directory is another one."
        case .outOfOrder(let id, let phase, let wanted):
            "The promotion “\(id)” is \(phase.rawValue), so it can't be \(wanted). Its status says what is possible."
        case .notRecorded(let reason):
            "Nothing was promoted, because the agent's journal did not take the intent: \(reason). Mend the journal first."
        case .unguarded(let reason):
            "Nothing was promoted, because nothing would have taken it back if this program had died: \(reason)"
        case .failed(let reason): "The promotion failed and live is as it was before: \(reason)."
        case .interrupted(let id, let reason):
            "The promotion “\(id)” stopped half-way: \(reason). Run the recovery (it runs when the agent starts): it makes live "
                + "entirely old or entirely new."
        case .frozen(let id, let conflicts):
            "The promotion “\(id)” is frozen, because going back would overwrite what changed since: "
                + Self.list(conflicts.map(\.description)) + ". A person must decide; nothing more was touched."
        case .notMounted(let id, let paths):
            "The promotion “\(id)” moved files below \(Self.list(paths)), where nothing is mounted now, so what is live can't be told. "
                + "Nothing was touched: mount it, then try again (recovery runs when the agent starts)."
        case .damaged(let id, let reason):
            "The journal of the promotion “\(id)” cannot be used: \(reason). Nothing was touched; restore the state directory or "
                + "look at the hidden directories “.grace-…” beside the promoted files by hand."
        }
    }

    static func list(_ items: [String]) -> String {
        items.prefix(20).joined(separator: "; ") + (items.count > 20 ? "; and \(items.count - 20) more" : "")
    }
}
