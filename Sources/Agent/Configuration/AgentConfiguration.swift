internal import Documents

/// The agent's own settings, from `agent.yaml`; every key has a default.
public struct AgentConfiguration: Sendable, Equatable {
    /// The name evidence and people use for this host.
    public var name: String
    /// What `host: {labels: …}` of a mission is compared with.
    public var labels: [String: String]
    /// The coordinator's base URL.
    public var coordinator: String
    /// A file whose first line is the agent's bearer token.
    public var tokenFile: String
    /// Below this a promotion needs a signed override, 0…1.
    public var trustThreshold: Double
    /// The control group below which every sandbox's lies, relative to each hierarchy's root.
    public var cgroup: String
    /// The most that all sandboxes together may use of the host's processors, 0…1.
    public var trialShare: Double
    /// The share of processors and disks that sandboxes get while others want them, where every other group has 100; 1…100.
    public var trialWeight: Int
    /// What trials leave to live, and when they stop for its sake.
    public var live: LiveLimits
    /// What missions may do on this host before people approved them, besides what its remedies do.
    public var permissions: TestPermissions
    /// Names that stand for Grace itself in the constitution: never touched by a mission, hidden in every sandbox.
    public var protected: [String]

    /// Whether `grace try` may commit to live on this host; running commands in forks is always allowed.
    public var allowsTry = true

    /// How many sandboxes wait for `grace run` on this host; 0: none, and it makes its own.
    public var readySandboxes = 0

    public init(
        name: String, labels: [String: String] = [:], coordinator: String = "http://127.0.0.1:8420", tokenFile: String,
        trustThreshold: Double = 0.95, cgroup: String = "grace", trialShare: Double = 0.25,
        trialWeight: Int = 10, live: LiveLimits = LiveLimits(), permissions: TestPermissions = TestPermissions(),
        protected: [String] = []
    ) {
        self.name = name
        self.labels = labels
        self.coordinator = coordinator
        self.tokenFile = tokenFile
        self.trustThreshold = trustThreshold
        self.cgroup = cgroup
        self.trialShare = trialShare
        self.trialWeight = trialWeight
        self.live = live
        self.permissions = permissions
        self.protected = protected
    }

    /// Reads `agent.yaml`; throws ``Documents/Problems`` with every mistake in it.
    public static func parse(file: String, text: String, hostName: String, defaultTokenFile: String) throws -> Self {
        var settings = AgentConfiguration(name: hostName, tokenFile: defaultTokenFile)
        let reader = DocumentReader(file: file, text: text)
        let keys = [
            "name", "labels", "coordinator", "token_file", "trust_threshold", "cgroup", "trial_share",
            "trial_weight", "memory_reserve", "pressure",
            "snapshot_commands", "secrets",
            "wide_profiles", "longest_pause",
            "protected", "try", "ready_sandboxes",
        ]
        if let fields = reader.root?.mapping(keys: keys) {
            if let name = fields["name"]?.text() { settings.name = name }
            if let labels = fields["labels"]?.mapping() { settings.labels = labels.compactMapValues { $0.string() } }
            if let url = fields["coordinator"]?.text() {
                if url.hasPrefix("http://") || url.hasPrefix("https://") {
                    settings.coordinator = url.hasSuffix("/") ? String(url.dropLast()) : url
                } else {
                    fields["coordinator"]?.problem(
                        "expected a URL that begins with http:// or https://, found “\(url)”.")
                }
            }
            if let path = fields["token_file"]?.text() { settings.tokenFile = path }
            if let field = fields["trust_threshold"], let ratio = field.ratio() {
                if (0...1).contains(ratio.fraction), !ratio.isPercentagePoints {
                    settings.trustThreshold = ratio.fraction
                } else {
                    field.problem("expected a share from 0 to 1 (0% to 100%), found \(ratio).")
                }
            }
            if let field = fields["cgroup"], let path = field.text() {
                if path.hasPrefix("/") || path.split(separator: "/").contains("..") {
                    field.problem("expected a relative path without “..”, such as grace, found “\(path)”.")
                } else {
                    settings.cgroup = path
                }
            }
            if let field = fields["trial_share"], let ratio = field.ratio() {
                if ratio.fraction > 0, ratio.fraction <= 1, !ratio.isPercentagePoints {
                    settings.trialShare = ratio.fraction
                } else {
                    field.problem("expected a share above 0% and at most 100%, found \(ratio).")
                }
            }
            if let weight = fields["trial_weight"]?.integer(in: 1...100) { settings.trialWeight = Int(weight) }
            settings.live = LiveLimits.parse(reserve: fields["memory_reserve"], pressure: fields["pressure"])
            if let commands = fields["snapshot_commands"]?.strings() {
                settings.permissions.snapshotCommands = Set(commands)
            }
            if let paths = fields["secrets"]?.strings() { settings.permissions.secrets = Set(paths) }
            if let wide = fields["wide_profiles"]?.boolean() { settings.permissions.wideProfiles = wide }
            if let pause = fields["longest_pause"]?.span() { settings.permissions.longestPause = pause.seconds }
            if let field = fields["try"], let word = field.text() {
                switch word {
                case "allowed": settings.allowsTry = true
                case "forbidden": settings.allowsTry = false
                default: field.problem("expected allowed or forbidden, found “\(word)”.")
                }
            }
            if let count = fields["ready_sandboxes"]?.integer(in: 0...16) { settings.readySandboxes = Int(count) }
            if let field = fields["protected"], let paths = field.strings() {
                settings.protected = paths
                for path in paths where !path.hasPrefix("/") || path.split(separator: "/").isEmpty {
                    field.problem("expected absolute paths below /, found “\(path)”.")
                }
            }
        }
        try reader.finish()
        return settings
    }
}
