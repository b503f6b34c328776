public import Documents

/// What `coordinator.yaml` says, checked.
public struct CoordinatorConfiguration: Sendable, Equatable {
    /// Host and port to listen on; port 0 takes a free one.
    public var host: String
    public var port: Int
    /// The directory that holds the store, the ledger, blobs and the ledger's key.
    public var state: String
    /// The ledger's origin is `grace/<name>`.
    public var name: String
    /// Directories searched for sandbox profiles when a mission names one; empty: the name is left for the agent to check.
    public var profiles: [String]
    public var tokens: [ConfiguredToken]
    public var parliament: ParliamentSettings
    /// 0…1. What the agent's own file says rules; this is the value the coordinator decides and answers by.
    public var trustThreshold: Double
    /// Seconds in which the same detector and remedy stay quiet after people rejected them.
    public var cooldown: Double
    /// Whether tiles under `/ledger/` are served without a token.
    public var publicLedger: Bool
    public var hooks: [HookSettings]
    /// Seconds in which a webhook must answer.
    public var hookPatience: Double
    /// Largest request body, bytes.
    public var bodyLimit: Int
    /// Largest blob, bytes.
    public var blobLimit: Int
    /// Seconds between two heartbeats of an event stream.
    public var heartbeat: Double

    public init(state: String) {
        host = "127.0.0.1"
        port = 8420
        self.state = state
        name = "local"
        profiles = []
        tokens = []
        parliament = ParliamentSettings()
        trustThreshold = 0.95
        cooldown = 6 * 3600
        publicLedger = false
        hooks = []
        hookPatience = 15
        bodyLimit = 1 << 20
        blobLimit = 64 << 20
        heartbeat = 15
    }

    /// `host:port`, `:port`, `port` or `[v6]:port`; `nil` for anything else.
    public static func address(_ text: String) -> (host: String, port: Int)? {
        if let port = Int(text) { return (0...65535).contains(port) ? ("127.0.0.1", port) : nil }
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65535).contains(port)
        else { return nil }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        if host.isEmpty { host = "127.0.0.1" }
        return (host, port)
    }
}

/// A token that the configuration file brings, by its digest alone.
public struct ConfiguredToken: Sendable, Equatable {
    public var principal: String
    public var role: Role
    public var sha256: Digest

    public init(principal: String, role: Role, sha256: Digest) {
        self.principal = principal
        self.role = role
        self.sha256 = sha256
    }
}

/// How sessions are held. The agent's own `approvers.yaml` decides what a promotion needs; this decides when people's
/// votes are put before it.
public struct ParliamentSettings: Sendable, Equatable {
    /// Principals and names of groups. Empty: everyone whose token has the role approver or more.
    public var electorate: [String]
    public var groups: [String: [String]]
    /// Share of approvals among the votes cast for or against, 0…1.
    public var approvalThreshold: Double
    /// Least number of votes.
    public var quorum: Int
    /// Seconds.
    public var expires: Double

    public init(
        electorate: [String] = [], groups: [String: [String]] = [:], approvalThreshold: Double = 1, quorum: Int = 1,
        expires: Double = 3600
    ) {
        self.electorate = electorate
        self.groups = groups
        self.approvalThreshold = approvalThreshold
        self.quorum = quorum
        self.expires = expires
    }
}

/// Who is told of what.
public struct HookSettings: Sendable, Equatable {
    /// How.
    public enum Target: Sendable, Equatable {
        /// The notice is POSTed there as JSON.
        case webhook(String)
        /// The command runs with the notice as JSON on its standard input.
        case command([String])
    }

    public var target: Target
    public var events: Set<NoticeKind>

    public init(target: Target, events: Set<NoticeKind> = Set(NoticeKind.allCases)) {
        self.target = target
        self.events = events
    }

    /// Names the hook across restarts without giving away what may be secret in its address.
    public var id: String {
        let text: String
        switch target {
        case .webhook(let url): text = "webhook " + url
        case .command(let words): text = "command " + words.joined(separator: "\u{0}")
        }
        return Digest(of: Array(text.utf8)).short
    }
}

/// What a hook can be told.
public enum NoticeKind: String, Sendable, Codable, CaseIterable {
    case sessionOpened = "session_opened"
    case sessionExpiring = "session_expiring"
    case sessionExpired = "session_expired"
    case rolledBack = "rolled_back"
    case frozen
}
