public import Cgroups
public import Documents
public import Fork
public import FoundationEssentials
public import Missions
public import Sandbox

/// What a test of a mission stands on; shared by the agent and by `grace verify`, which needs no coordinator.
public struct TestBench: Sendable {
    public var engine: SandboxEngine
    public var cgroups: CgroupHost
    /// The forks of the host, which sees its mounts as they are when it is called: they come and go while an agent runs.
    public var forks: @Sendable () throws -> ForkStore
    public var blobs: BlobStore
    public var profiles: ProfileLibrary
    /// The static helper that also thaws a frozen service when its agent dies.
    public var helper: String
    /// Paths of Grace's own that every sandbox hides.
    public var masks: [String]
    /// The most processors that all sandboxes may use at once.
    public var processors: Double
    /// The share of processors and disks that sandboxes get while others want them, where every other group has 100.
    public var weight = 100
    /// Stops tests for live's sake; `nil` lets them run: `grace verify`, where there is no live to protect.
    public var live: LiveGuard?
    /// What root lets missions from the network do on this host before anybody approved anything; `nil` allows everything:
    /// `grace verify`, where whoever runs it is root at the keyboard.
    public var permissions: TestPermissions?
    /// Paths hidden in every sandbox besides ``masks``: people's keys.
    public var hidden: [String]
    public var host: HostIdentity
    public var now: @Sendable () -> Date
    public var random: any RandomNumberGenerator & Sendable

    public init(
        engine: SandboxEngine, cgroups: CgroupHost, forks: @escaping @Sendable () throws -> ForkStore, blobs: BlobStore,
        profiles: ProfileLibrary,
        helper: String, masks: [String], processors: Double, permissions: TestPermissions? = nil, hidden: [String] = [],
        host: HostIdentity,
        now: @escaping @Sendable () -> Date,
        random: any RandomNumberGenerator & Sendable
    ) {
        self.engine = engine
        self.cgroups = cgroups
        self.forks = forks
        self.blobs = blobs
        self.profiles = profiles
        self.helper = helper
        self.masks = masks
        self.processors = processors
        self.permissions = permissions
        self.hidden = hidden
        self.host = host
        self.now = now
        self.random = random
    }

    /// Refuses what would reach out of the sandbox before people approved it.
    func check(_ mission: MissionFile) throws {
        for secret in mission.services.flatMap(\.secrets.values) {
            let isOurs = masks.contains { secret.file == $0 || secret.file.hasPrefix($0 + "/") }
            guard !isOurs else { throw AgentError("The secret \(secret.file) is Grace's own; no mission is given it.") }
            guard permissions?.secrets.contains(secret.file) ?? true else {
                throw AgentError(
                    "The mission wants the secret file \(secret.file), which this host does not list; let root add it to secrets in agent.yaml."
                )
            }
        }
        guard let permissions else { return }
        for command in mission.sandbox.snapshot.compactMap(\.command)
        where !permissions.snapshotCommands.contains(command) {
            throw AgentError(
                "The mission's snapshot command “\(command.prefix(200))” would run on live before anybody approved anything, and this "
                    + "host does not list it. Use `freeze:`, or let root add it to snapshot_commands in agent.yaml (or to a remedy)."
            )
        }
        for snapshot in mission.sandbox.snapshot
        where snapshot.freeze != nil && snapshot.maxPause > permissions.longestPause {
            throw AgentError(
                "The mission may stop \(snapshot.freeze ?? "") for \(Span(seconds: snapshot.maxPause)), longer than this host allows "
                    + "(\(Span(seconds: permissions.longestPause)): longest_pause in agent.yaml).")
        }
    }

    /// Holds all sandboxes back against the rest of the host; answers what this host can't do of it, and what of live can't be
    /// watched here.
    func weigh() -> [String] {
        let missing = weight < 100 ? cgroups.weigh(engine.cgroupParent, weight: weight) : []
        return missing + (live?.absences() ?? [])
    }

    /// The mission's profile with its overrides, its CPU limit bounded by the host's share for trials.
    func profile(for mission: MissionFile) throws -> Profile {
        var profile = try profiles.profile(named: mission.sandbox.profile)
        let reader = DocumentReader(file: "sandbox", text: mission.sandbox.overrides.canonicalText)
        let host = profile
        if let field = reader.root { profile = profile.overridden(by: field) }
        try reader.finish()
        let widenings = profile.widenings(over: host)
        guard widenings.isEmpty || permissions?.wideProfiles ?? true else {
            throw AgentError(
                "The mission gives its sandbox more than the host's profile “\(host.name)” does (\(widenings.joined(separator: "; "))). Put it "
                    + "into a profile of the host's own, or let root say wide_profiles: true in agent.yaml.")
        }
        profile.limits.cpu = min(profile.limits.cpu ?? processors, processors)
        return profile
    }
}

/// How far a test is, for people.
public struct TestProgress: Sendable {
    /// `fork`, `apply`, `checks`, `trial`, `judge`.
    public var stage: String
    public var text: String
    public var body: JSON

    public init(stage: String, text: String, body: JSON = .null) {
        self.stage = stage
        self.text = text
        self.body = body
    }
}

/// What root lets a mission do on a host before people approved it: everything here reaches out of the sandbox.
public struct TestPermissions: Sendable, Equatable {
    /// Shell commands for `sandbox.snapshot`, run as root on live.
    public var snapshotCommands: Set<String>
    /// Files whose contents services may be given.
    public var secrets: Set<String>
    /// Whether a mission's `sandbox:` keys may widen a profile (its network, rights or limits).
    public var wideProfiles: Bool
    /// The longest time, in seconds, that a mission may freeze a unit for a snapshot.
    public var longestPause: Double

    public init(
        snapshotCommands: Set<String> = [], secrets: Set<String> = [], wideProfiles: Bool = false,
        longestPause: Double = 0.5
    ) {
        self.snapshotCommands = snapshotCommands
        self.secrets = secrets
        self.wideProfiles = wideProfiles
        self.longestPause = longestPause
    }
}
