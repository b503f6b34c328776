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
    public var host: HostIdentity
    public var now: @Sendable () -> Date
    public var random: any RandomNumberGenerator & Sendable

    public init(
        engine: SandboxEngine, cgroups: CgroupHost, forks: ForkStore, blobs: BlobStore, profiles: ProfileLibrary,
        helper: String, masks: [String], processors: Double, host: HostIdentity, now: @escaping @Sendable () -> Date,
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
        self.host = host
        self.now = now
        self.random = random
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
