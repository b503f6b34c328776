public import Documents
public import Fork
public import Measurement

/// One proposed change as its author wrote it, checked and complete: contents of named files are inlined, defaults filled in.
///
/// Its canonical JSON (``document``) is what a proposer signs and what ``digest`` names; approvals bind that digest, so
/// that `live.apply`, `undo` and the watch are covered by them (DESIGN section 7).
public struct MissionFile: Sendable, Codable, Equatable {
    public var title: String
    public var description: String
    public var rationale: String
    public var severity: Severity
    public var change: ChangeSpecification
    public var host: HostSelector
    public var sandbox: SandboxRequest
    public var services: [ServiceSpecification]
    public var workload: Workload?
    public var checks: [CheckSpecification]
    /// Goals and guardrails are the plan's boundaries.
    public var trial: TrialPlan
    public var live: LiveSpecification

    public init(
        title: String, description: String, rationale: String, severity: Severity = .medium,
        change: ChangeSpecification, host: HostSelector = HostSelector(), sandbox: SandboxRequest = SandboxRequest(),
        services: [ServiceSpecification] = [], workload: Workload? = nil, checks: [CheckSpecification] = [],
        trial: TrialPlan, live: LiveSpecification = LiveSpecification()
    ) {
        self.title = title
        self.description = description
        self.rationale = rationale
        self.severity = severity
        self.change = change
        self.host = host
        self.sandbox = sandbox
        self.services = services
        self.workload = workload
        self.checks = checks
        self.trial = trial
        self.live = live
    }

    /// The canonical JSON of the whole mission (RFC 8785).
    public var document: JSON {
        get throws { try JSON(encoding: self) }
    }

    /// SHA-256 of ``document``'s canonical bytes.
    public var digest: Digest {
        get throws { Digest(of: try document.canonical) }
    }
}

/// How much harm the problem does while it stays; policies ask for more approvers the higher it is.
public enum Severity: String, Sendable, Codable, CaseIterable, Comparable {
    case low, medium, high, critical

    public static func < (left: Severity, right: Severity) -> Bool {
        let order = Severity.allCases
        return (order.firstIndex(of: left) ?? 0) < (order.firstIndex(of: right) ?? 0)
    }
}

/// Which hosts a mission is for. Empty labels: the host it is proposed on.
public struct HostSelector: Sendable, Codable, Equatable {
    public var labels: [String: String]

    public init(labels: [String: String] = [:]) { self.labels = labels }
}

/// What the sandbox of every arm is made from.
public struct SandboxRequest: Sendable, Codable, Equatable {
    /// A profile's name.
    public var profile: String
    /// Keys of a profile that this mission sets otherwise, as they stood in the file (checked at parse time).
    public var overrides: JSON
    /// Stateful paths that are copied at one consistent instant instead of being shared with live.
    public var snapshot: [SnapshotSpec]

    public init(profile: String = "service", overrides: JSON = .object([:]), snapshot: [SnapshotSpec] = []) {
        self.profile = profile
        self.overrides = overrides
        self.snapshot = snapshot
    }
}

/// What is changed and how it reaches live.
public struct ChangeSpecification: Sendable, Codable, Equatable {
    public var action: ChangeAction
    public var promote: PromotionKind
    /// The command that takes a rerun back.
    public var undo: String?
    /// For a rerun: the command that exits 0 exactly when the change is in force.
    public var effect: String?
    /// Declared scope: absolute paths below which everything the change touches must lie. Empty: no scope was declared.
    public var touches: [String]
    /// Declared inputs: their pre-images are part of the base besides the touched paths.
    public var reads: [String]

    public init(
        action: ChangeAction, promote: PromotionKind = .files, undo: String? = nil, effect: String? = nil,
        touches: [String] = [], reads: [String] = []
    ) {
        self.action = action
        self.promote = promote
        self.undo = undo
        self.effect = effect
        self.touches = touches
        self.reads = reads
    }
}

/// `files`: the exact bytes tested are promoted. `rerun`: the command runs again on live.
public enum PromotionKind: String, Sendable, Codable, CaseIterable {
    case files, rerun
}

/// Exactly one way to make the change.
public enum ChangeAction: Sendable, Codable, Equatable {
    /// A shell command, run as root inside the fork.
    case run(String)
    /// Files with their whole content.
    case files([FileChange])
    /// A unified diff applied in a directory.
    case patch(PatchChange)
    /// Two revisions of a repository checked out into a directory.
    case git(GitChange)
}

/// One file put in place.
public struct FileChange: Sendable, Codable, Equatable {
    /// Absolute path.
    public var path: String
    /// The content, base64 (standard alphabet), inlined when the mission file is read.
    public var content: String
    /// Octal permission bits such as `0644`; `nil` keeps the present ones, or `0644` for a new file.
    public var mode: String?
    /// `user:group` by name or number; `nil` keeps the present ones, or `root:root` for a new file.
    public var owner: String?

    public init(path: String, content: String, mode: String? = nil, owner: String? = nil) {
        self.path = path
        self.content = content
        self.mode = mode
        self.owner = owner
    }
}

public struct PatchChange: Sendable, Codable, Equatable {
    /// The unified diff's text, base64.
    public var content: String
    /// Absolute directory in which `patch -p1` runs.
    public var directory: String

    public init(content: String, directory: String) {
        self.content = content
        self.directory = directory
    }
}

public struct GitChange: Sendable, Codable, Equatable {
    public var repository: String
    public var baseline: String
    public var candidate: String
    public var directory: String

    public init(repository: String, baseline: String, candidate: String, directory: String) {
        self.repository = repository
        self.baseline = baseline
        self.candidate = candidate
        self.directory = directory
    }
}
