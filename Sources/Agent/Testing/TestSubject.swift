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
    public var forks: ForkStore
    public var blobs: BlobStore
    public var profiles: ProfileLibrary
    /// The static helper that also thaws a frozen service when its agent dies.
    public var helper: String
    /// Paths of Grace's own that every sandbox hides.
    public var masks: [String]
    /// The most processors that all sandboxes may use at once.
    public var processors: Double
    /// Snapshot commands run on live itself, before anybody has approved anything: only those that root wrote into this host's
    /// `agent.yaml` or a remedy may. `nil` allows any: `grace verify`, where whoever runs it is root at the keyboard.
    public var snapshotCommands: Set<String>?
    public var host: HostIdentity
    public var now: @Sendable () -> Date
    public var random: any RandomNumberGenerator & Sendable

    public init(
        engine: SandboxEngine, cgroups: CgroupHost, forks: ForkStore, blobs: BlobStore, profiles: ProfileLibrary,
        helper: String, masks: [String], processors: Double, snapshotCommands: Set<String>? = nil, host: HostIdentity,
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
        self.snapshotCommands = snapshotCommands
        self.host = host
        self.now = now
        self.random = random
    }

    /// Refuses a snapshot command that nobody allowed on this host.
    func checkSnapshots(of mission: MissionFile) throws {
        guard let snapshotCommands else { return }
        for command in mission.sandbox.snapshot.compactMap(\.command) where !snapshotCommands.contains(command) {
            throw AgentError(
                "The mission's snapshot command “\(command.prefix(200))” would run on live before anybody approved anything, and this "
                    + "host does not list it. Use `freeze:`, or let root add it to snapshot_commands in agent.yaml (or to a remedy)."
            )
        }
    }

    /// The mission's profile with its overrides, its CPU limit bounded by the host's share for trials.
    func profile(for mission: MissionFile) throws -> Profile {
        var profile = try profiles.profile(named: mission.sandbox.profile)
        let reader = DocumentReader(file: "sandbox", text: mission.sandbox.overrides.canonicalText)
        if let field = reader.root { profile = profile.overridden(by: field) }
        try reader.finish()
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
