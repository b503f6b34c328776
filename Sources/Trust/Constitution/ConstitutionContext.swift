public import Documents
public import FoundationEssentials
public import Fork
public import Measurement
public import Missions

/// What the constitution judges.
public struct ConstitutionContext: Sendable {
    public var mission: MissionFile
    public var changes: [Change]
    /// The pre-images of ``changes``; without them nothing is reversible.
    public var base: Base?
    /// `nil`: nothing was measured.
    public var trial: TrialResult?
    public var completeness: EvidenceCompleteness
    /// Absolute paths of Grace's own binaries, configuration, state and runtime directories on this host.
    public var gracePaths: [String]
    /// What is known at the moment of execution; `nil` before, and then no execution principle is satisfied.
    public var execution: ExecutionFacts?

    public init(
        mission: MissionFile, changes: [Change], base: Base?, trial: TrialResult?, completeness: EvidenceCompleteness,
        gracePaths: [String], execution: ExecutionFacts? = nil
    ) {
        self.mission = mission
        self.changes = changes
        self.base = base
        self.trial = trial
        self.completeness = completeness
        self.gracePaths = gracePaths
        self.execution = execution
    }

    /// Where Grace lives unless it is told otherwise.
    public static let standardGracePaths =
        ["/usr/bin/", "/usr/local/bin/"].flatMap { directory in programs.map { directory + $0 } } + [
            "/etc/grace", "/var/lib/grace", "/run/grace", "/usr/libexec/grace", "/usr/lib/grace",
            "/usr/lib/systemd/system/grace.service", "/etc/systemd/system/grace.service",
            "/usr/lib/systemd/system/grace-recover.service", "/etc/systemd/system/grace-recover.service",
        ]

    /// Every program that is installed.
    public static let programs = ["grace", "grace-main", "grace-coordinator", "grace-sandbox", "grace-deadman"]
}

/// What the evidence holds of what happened in the sandboxes.
public struct EvidenceCompleteness: Sendable, Equatable {
    /// Whether one kind of happening is in the evidence.
    public enum Record: Sendable, Equatable {
        case recorded
        /// It can't happen, or this host can't tell; the reason is in the evidence too.
        case notPossible(String)
        /// It should be there and isn't.
        case missing(String)
    }

    public var commands: Record
    public var deniedCalls: Record
    public var network: Record

    public init(commands: Record, deniedCalls: Record, network: Record) {
        self.commands = commands
        self.deniedCalls = deniedCalls
        self.network = network
    }
}

/// What the agent established by itself just before execution.
public struct ExecutionFacts: Sendable, Equatable {
    /// Something that was tested, and what it is now.
    public struct Pair: Sendable, Equatable {
        /// `mission file`, `change set`, `evidence`, …
        public var name: String
        public var tested: Digest
        public var now: Digest

        public init(_ name: String, tested: Digest, now: Digest) {
            self.name = name
            self.tested = tested
            self.now = now
        }
    }

    /// The distinct people whose approvals were verified. Agents don't belong here.
    public var approvers: Set<String>
    /// How many people the host's `approvers.yaml` demands; less than 1 counts as 1.
    public var approvalsNeeded: Int
    /// When the first of the counted approvals expires.
    public var expires: Date
    /// The agent's own clock.
    public var now: Date
    public var pairs: [Pair]
    /// What of live is no longer its recorded base, as sentences.
    public var conflicts: [String]

    public init(
        approvers: Set<String>, approvalsNeeded: Int, expires: Date, now: Date, pairs: [Pair], conflicts: [String]
    ) {
        self.approvers = approvers
        self.approvalsNeeded = approvalsNeeded
        self.expires = expires
        self.now = now
        self.pairs = pairs
        self.conflicts = conflicts
    }
}
