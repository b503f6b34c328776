/// Where a mission stands. The raw values are those of the API, the ledger and the command line.
public enum MissionPhase: String, Sendable, Codable, CaseIterable, Hashable {
    case detected
    case sandboxTesting = "sandbox_testing"
    case discussion
    case consensus
    case liveExecution = "live_execution"
    case monitoring
    case complete
    case needsMoreTesting = "needs_more_testing"
    case blocked
    case rejected
    case expired
    case conflict
    case failed
    case rollingBack = "rolling_back"
    case rolledBack = "rolled_back"
    case frozen
    case cancelled

    /// Whether nothing more happens unless a person asks for it.
    public var isSettled: Bool {
        switch self {
        case .complete, .blocked, .rejected, .expired, .conflict, .failed, .rolledBack, .frozen, .cancelled: true
        case .detected, .sandboxTesting, .discussion, .consensus, .liveExecution, .monitoring, .needsMoreTesting,
            .rollingBack:
            false
        }
    }
}

/// What can happen to a mission.
public enum MissionEvent: String, Sendable, Codable, CaseIterable, Hashable {
    /// The agent began (or went on with) the trial.
    case testStarted = "test_started"
    /// Evidence is stored and nothing in it bars the mission from people's decision.
    case testPassed = "test_passed"
    /// The trial is undecided and may have more blocks.
    case testInconclusive = "test_inconclusive"
    /// REGRESSION, or a policy, constitutional or security failure that more data can't cure.
    case testBlocked = "test_blocked"
    /// The trial could not be carried out.
    case testFailed = "test_failed"
    case sessionOpened = "session_opened"
    /// People approved, the verdict is PASS (or overridden) and trust reaches the threshold (or is overridden).
    case approved
    /// People approved, but trust or the verdict is short for want of data.
    case approvedShortOfData = "approved_short_of_data"
    case rejected
    case expired
    /// The agent verified everything by itself and live now carries the change.
    case promoted
    /// Live moved on under the tested base; live is untouched.
    case conflicted
    /// The agent refused or could not finish; live is as it was.
    case promotionFailed = "promotion_failed"
    /// Nobody can tell whether a rerun took effect: keep, call a person.
    case promotionUnknown = "promotion_unknown"
    case watchPassed = "watch_passed"
    case rollbackStarted = "rollback_started"
    case rolledBack = "rolled_back"
    /// A rollback would overwrite later changes, or was declared harmful, or failed: keep, call a person.
    case rollbackFrozen = "rollback_frozen"
    case cancelled
    /// A person asks for a new test against live as it is now.
    case retest
}

extension MissionPhase {
    /// The one state machine of Grace: the phase that follows, or `nil` when `event` is not legal here.
    public func next(on event: MissionEvent) -> MissionPhase? {
        switch (self, event) {
        case (.detected, .testStarted), (.needsMoreTesting, .testStarted), (.sandboxTesting, .testStarted):
            .sandboxTesting
        case (.sandboxTesting, .testPassed): .discussion
        case (.sandboxTesting, .testInconclusive): .needsMoreTesting
        case (.sandboxTesting, .testBlocked): .blocked
        case (.sandboxTesting, .testFailed): .failed
        case (.discussion, .sessionOpened): .consensus
        case (.consensus, .approved): .liveExecution
        case (.consensus, .approvedShortOfData): .needsMoreTesting
        case (.consensus, .rejected): .rejected
        case (.discussion, .expired), (.consensus, .expired), (.liveExecution, .expired): .expired
        case (.liveExecution, .promoted): .monitoring
        case (.liveExecution, .conflicted): .conflict
        case (.liveExecution, .promotionFailed): .failed
        case (.liveExecution, .promotionUnknown): .frozen
        case (.monitoring, .watchPassed): .complete
        case (.monitoring, .rollbackStarted), (.complete, .rollbackStarted), (.frozen, .rollbackStarted),
            (.liveExecution, .rollbackStarted):
            .rollingBack
        case (.rollingBack, .rolledBack): .rolledBack
        case (.rollingBack, .rollbackFrozen), (.monitoring, .rollbackFrozen): .frozen
        case (.detected, .cancelled), (.sandboxTesting, .cancelled), (.needsMoreTesting, .cancelled),
            (.discussion, .cancelled), (.consensus, .cancelled):
            .cancelled
        case (.conflict, .retest), (.expired, .retest), (.failed, .retest), (.blocked, .retest),
            (.needsMoreTesting, .retest), (.discussion, .retest), (.consensus, .retest):
            .detected
        default: nil
        }
    }
}
