/// What a policy comes to on this host, for people: `grace profiles show`.
public struct SeccompSummary: Codable, Equatable, Sendable {
    /// The file that stands in place of Grace's own list; `nil`: there is none.
    public var file: String?
    /// What a call is answered that nothing here is about: `allow`, `log`, `errno 38`, `kill`…
    public var standard: String
    public var allowed: [String]
    /// Allowed for some arguments only.
    public var conditional: [String]
    /// Answered EPERM and reported; with `always`, whatever the profile or a file says.
    public var reported: [String]
    /// Denied without a report: call and answer.
    public var quiet: [String: String]
    /// Never allowed, whatever a profile or a file says, and always with EPERM: they change what a sandbox is made of, or reach past it.
    /// New namespaces by clone, sockets of other families than UNIX, IPv4, IPv6 and netlink, TIOCSTI and TIOCLINUX are refused likewise,
    /// and every call of another architecture (x32, int 0x80).
    public var always: [String]
    /// Calls that the file allows and that this host's libseccomp does not know: they stay denied.
    public var unknown: [String]

    init(_ policy: SeccompPolicy, _ plan: FilterPlan) {
        func names(_ matching: (FilterPlan.Rule) -> Bool) -> [String] {
            Set(plan.rules.filter { SystemCalls.number(of: $0.call) != nil && matching($0) }.map(\.call)).sorted()
        }
        file = policy.file?.path
        standard = Self.text(plan.standard)
        let open = names { [.allow, .log].contains($0.action) && $0.conditions.isEmpty }
        let guarded = Set(SystemCalls.guarded + ["ioctl"])
        allowed = open.filter { !guarded.contains($0) }
        conditional = Set(names { [.allow, .log].contains($0.action) && !$0.conditions.isEmpty })
            .union(guarded.intersection(open)).subtracting(allowed).sorted()
        reported = names { $0.action == .report }
        quiet = [:]
        for rule in plan.rules where SystemCalls.number(of: rule.call) != nil {
            if ![.allow, .log, .report].contains(rule.action) { quiet[rule.call] = Self.text(rule.action) }
        }
        always = SystemCalls.forbidden.filter { SystemCalls.number(of: $0) != nil }.sorted()
        unknown = policy.file?.unknown ?? []
    }

    private static func text(_ action: FilterPlan.Action) -> String {
        switch action {
        case .allow: "allow"
        case .log: "log"
        case .fail(let code): "errno \(code)"
        case .report: "errno 1"
        case .trap: "trap"
        case .killThread: "kill_thread"
        case .killProcess: "kill_process"
        }
    }
}

extension Profile {
    /// What its system-call policy comes to on this host.
    public var seccompSummary: SeccompSummary {
        SeccompSummary(seccomp, FilterPlan(seccomp, capabilities: capabilities))
    }
}
