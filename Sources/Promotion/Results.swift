internal import Documents
public import Fork
public import FoundationEssentials
public import Missions

/// How far a promotion has come. Files go preparing, applying, committed, promoted; a rerun goes intended, running, ran,
/// promoted. From promoted on both are confirmed or rolled back.
public enum PromotionPhase: String, Sendable, Codable, CaseIterable {
    /// Files: new content is being staged; nothing live has changed.
    case preparing
    /// Files: live is being changed.
    case applying
    /// Files: live is entirely new; `live.apply` is still to be recorded as done.
    case committed
    /// Everything is done; the watch runs, and a rollback is armed.
    case promoted
    /// The watch has passed, the rollback is disarmed. It can still be rolled back by hand.
    case confirmed
    /// The old state is being restored; for a rerun: `undo` was started.
    case rollingBack
    /// Live is what it was before.
    case rolledBack
    /// Going on either way would overwrite something or is unknown: a person must look.
    case frozen
    /// Rerun: the command has not been started.
    case intended
    /// Rerun: the command was started.
    case running
    /// Rerun: the command has ended.
    case ran

    /// Whether recovery has something to do.
    var isOpen: Bool {
        switch self {
        case .preparing, .applying, .committed, .rollingBack, .intended, .running, .ran: true
        case .promoted, .confirmed, .rolledBack, .frozen: false
        }
    }
}

/// What a promotion came to. Whatever leaves live as it was before anything began is thrown as a ``PromotionError``.
public struct PromotionResult: Sendable, Equatable {
    /// What live is now.
    public enum Outcome: String, Sendable, Codable {
        /// Live is new.
        case promoted
        /// Live was new and is old again: `live.apply` failed, or a rerun's command or effect did.
        case rolledBack
        /// A person must look.
        case frozen
    }

    public var id: String
    public var outcome: Outcome
    /// Why it is not promoted.
    public var reason: String?
    /// How many paths were changed.
    public var paths: Int
    /// What `live.apply` did, and did again after a rollback.
    public var applied: [ApplyReport]
    /// Processes that still have a replaced file open or mapped, and so still use the old one.
    public var holders: [Holder]
    /// How many paths no lease kept from writers, since the file system gives none: their displaced files were compared again after
    /// the move instead, and no process had them open for writing.
    public var unleased = 0
    /// A rerun's commands.
    public var commands: [CommandReport]

    init(
        id: String, outcome: Outcome, reason: String? = nil, paths: Int = 0, applied: [ApplyReport] = [],
        holders: [Holder] = [], commands: [CommandReport] = []
    ) {
        self.id = id
        self.outcome = outcome
        self.reason = reason
        self.paths = paths
        self.applied = applied
        self.holders = holders
        self.commands = commands
    }
}

/// A process that still uses a file that was replaced.
public struct Holder: Sendable, Codable, Equatable {
    public var pid: Int32
    /// Its short name (`/proc/PID/comm`).
    public var name: String
}

/// One step of `live.apply`.
public struct ApplyReport: Sendable, Codable, Equatable {
    /// “reload nginx.service”, “run …”.
    public var step: String
    public var succeeded: Bool
    /// A sentence where it failed.
    public var message: String?
}

/// One command of a rerun.
public struct CommandReport: Sendable, Codable, Equatable {
    /// `run`, `effect` or `undo`.
    public var role: String
    /// As a shell shows it; `nil` where it could not be started or its time was up.
    public var exitCode: Int32?
    /// The last part of what it wrote, bounded.
    public var output: String
    /// Whether it was killed because its time was up.
    public var timedOut: Bool
}

/// What a rollback came to.
public enum RollbackResult: Sendable, Equatable {
    /// Live is what it was before the promotion.
    case rolledBack
    /// Live moved on (the paths say where), or a rerun's effect is unknown (no paths): nothing was touched.
    /// The promotion's status holds the reason.
    case frozen([Conflict])
}

/// What recovery made of one open promotion.
public struct RecoveryOutcome: Sendable, Equatable {
    /// What live is with regard to this promotion.
    public enum Live: String, Sendable, Codable {
        case old, new
        /// A person must look.
        case frozen
        /// Recovery itself failed and must run again.
        case undecided
    }

    public var id: String
    public var live: Live
    /// A sentence.
    public var reason: String
}

/// What is known of a promotion.
public struct PromotionStatus: Sendable, Equatable {
    public var id: String
    /// Files exchanged, or a command run again.
    public var kind: PromotionKind
    public var phase: PromotionPhase
    /// When it entered the phase.
    public var since: Date
    public var reason: String?
    /// The paths that stopped it, one sentence each.
    public var conflicts: [String]
    public var applied: [ApplyReport]
    public var commands: [CommandReport]
    /// The armed rollback, while the watch runs.
    public var deadman: Deadman?
    /// Whether the pre-images are still there.
    public var canRollBack: Bool
}
