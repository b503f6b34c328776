public import Documents
package import FoundationEssentials
internal import Linux

/// The network that a sandbox sees.
public enum Network: String, Codable, CaseIterable, Sendable, Hashable {
    /// A network namespace of its own with nothing up in it, not even loopback.
    case none
    /// A network namespace of its own with its own loopback: services inside reach each other, nothing else.
    case loopback
    /// A network namespace of its own with a way out to what ``Profile/egress`` allows, and to nothing else.
    case egress
    /// The host's network, without ports below 1024 and raw sockets.
    case host
}

/// What a sandbox may see, call and use up. Written as a file in `sandbox-profiles/`; see ``ProfileLibrary``.
public struct Profile: Codable, Equatable, Sendable {
    public var name: String
    public var description: String
    /// The profile this one was built on; its settings are already in here.
    public var extends: String?
    public var network: Network
    /// Whom the sandbox may talk to with ``Network/egress``; without it, it has no effect.
    public var egress: [EgressRule]
    public var limits: SandboxLimits
    /// Paths of the host that the sandbox sees as empty, besides those that are always hidden.
    public var hide: [String]
    /// Features without which no sandbox of this profile starts.
    public var require: [Feature]
    /// Limits that may be missing where the host cannot set them; that they were is recorded in ``Sandbox/fallbacks``.
    public var optional: [Feature]
    /// Whether set-user-id and file-capability programs lose their effect (prctl(2), PR_SET_NO_NEW_PRIVS). Without a mapped
    /// root it is always on.
    public var noNewPrivileges: Bool
    /// Capabilities that root inside holds, as in capabilities(7), without `CAP_`.
    public var capabilities: [String]
    /// Environment of every command, below the command's own.
    public var environment: [String: String]
    public var seccomp: SeccompPolicy
    /// Whether package maintainer scripts are told not to start services: `/usr/sbin/policy-rc.d` answers 101, as a file that is
    /// no part of the change set.
    public var quietServices: Bool

    public init(
        name: String, description: String = "", extends: String? = nil, network: Network = .none,
        egress: [EgressRule] = [], limits: SandboxLimits = SandboxLimits(), hide: [String] = [],
        require: [Feature] = [], optional: [Feature] = [],
        noNewPrivileges: Bool = true, capabilities: [String] = [],
        environment: [String: String] = Profile.baseEnvironment,
        seccomp: SeccompPolicy = SeccompPolicy(), quietServices: Bool = false
    ) {
        self.name = name
        self.description = description
        self.extends = extends
        self.network = network
        self.egress = egress
        self.limits = limits
        self.hide = hide
        self.require = require
        self.optional = optional
        self.noNewPrivileges = noNewPrivileges
        self.capabilities = capabilities
        self.environment = environment
        self.seccomp = seccomp
        self.quietServices = quietServices
    }

    /// The environment that every profile starts from.
    public static let baseEnvironment = [
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8",
    ]

    /// The SHA-256 of the profile's canonical JSON: it changes when anything that matters changes. Name, description and what
    /// it was built on do not.
    public var digest: Digest { Digest(of: json.canonical) }

    private var json: JSON {
        let figures: [(String, Double?)] = [
            ("memory", limits.memory.map(Double.init)), ("swap", limits.swap.map(Double.init)),
            ("pids", limits.pids.map(Double.init)), ("cpu", limits.cpu), ("time", limits.time),
            ("disk", limits.disk.map(Double.init)), ("files", limits.files.map(Double.init)),
            ("output", limits.output.map(Double.init)), ("cpu_weight", limits.cpuWeight.map(Double.init)),
            ("inodes", limits.inodes.map(Double.init)),
        ]
        var limited: [String: JSON] = [:]
        for (key, value) in figures { if let value { limited[key] = .number(value) } }
        func texts(_ values: [String]) -> JSON { .array(Set(values).sorted().map { .string($0) }) }
        var all: [String: JSON] = [
            "network": .string(network.rawValue), "limits": .object(limited), "hide": texts(hide),
            "require": texts(require.map(\.rawValue)), "optional": texts(optional.map(\.rawValue)),
            "no_new_privileges": .bool(noNewPrivileges), "capabilities": texts(capabilities),
            "environment": .object(environment.mapValues { .string($0) }), "quiet_services": .bool(quietServices),
            "seccomp": seccomp.json,
        ]
        // Absent rather than empty: digests of profiles without it are what they were before there was any.
        if network == .egress { all["egress"] = texts(egress.map(\.text)) }
        return .object(all)
    }
}

extension Profile {
    /// The system-call filter of its commands, as the kernel takes it (`struct sock_filter[]`): for giving a peer an equal one.
    ///
    /// - Throws: ``SandboxError`` when libseccomp refuses a rule.
    package func filterProgram() throws -> Data {
        let program = try FilterCache.shared.program(for: seccomp, capabilities: capabilities, reporting: false)
        return try Files.pread(program, count: 1 << 20, offset: 0)
    }
}
