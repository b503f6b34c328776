internal import Glibc

/// A filter, before it is the kernel's: what is answered to each call. Pure, so that every policy can be looked at without a kernel.
struct FilterPlan: Equatable, Sendable {
    /// What a call is answered.
    enum Action: Hashable, Sendable {
        case allow
        /// Allowed, and written to the host's audit log.
        case log
        /// Denied with this errno, by the kernel alone: 0.2 us.
        case fail(Int32)
        /// Denied with EPERM and reported: 13 us and more. Where nobody can be told, EPERM alone.
        case report
        case trap
        case killThread
        case killProcess
    }

    /// One comparison of an argument; all of a rule must hold.
    struct Condition: Hashable, Sendable {
        enum Comparison: String, Sendable, CaseIterable {
            case notEqual, less, lessOrEqual, equal, greaterOrEqual, greater, maskedEqual
        }
        var index: UInt32
        var comparison: Comparison
        /// The value compared with; the mask, for ``Comparison/maskedEqual``.
        var value: UInt64
        /// The value that the masked argument must have.
        var second: UInt64 = 0
    }

    struct Rule: Hashable, Sendable {
        var call: String
        var conditions: [Condition] = []
        var action: Action
    }

    /// What every call is answered that no rule is about.
    var standard: Action
    var rules: [Rule]

    /// A policy's filter for root with these capabilities: its file's rules, or Grace's own list.
    init(_ policy: SeccompPolicy, capabilities: [String]) {
        guard let file = policy.file else {
            self.init(policy)
            return
        }
        self.init(file, policy, Circumstances(capabilities: Set(capabilities), kernel: .running))
    }

    /// Grace's own list with a policy's additions and removals.
    init(_ policy: SeccompPolicy) {
        // Unknown calls answer as an older kernel would, so that programs take their fall-back path. clone3 is one of them: it takes
        // its flags by pointer, which a filter cannot read, and EPERM would break pthread_create; so glibc uses clone.
        standard = .fail(ENOSYS)
        let denied = Self.expand(policy.deny).subtracting(["clone3"])
        let allowed = Set(SystemCalls.standard).union(Self.expand(policy.allow)).subtracting(denied)
        rules = allowed.subtracting(SystemCalls.forbidden).subtracting(["clone3"]).sorted()
            .map { Rule(call: $0, action: .allow) }
        deny(denied, quiet: Self.expand(policy.quiet))
    }

    /// Adds what is denied, and what always is.
    mutating func deny(_ names: Set<String>, quiet: Set<String>) {
        let silent = SystemCalls.quiet.union(quiet)
        rules += names.union(SystemCalls.forbidden).sorted().map {
            Rule(call: $0, action: silent.contains($0) ? .fail(EPERM) : .report)
        }
    }

    static func expand(_ names: [String]) -> Set<String> { Set(names.flatMap { SystemCalls.groups[$0] ?? [$0] }) }

    /// The first call that a sandbox's own process 1 needs and this filter does not allow; `nil` when there is none.
    var missingEssential: String? {
        // Conditions are refused, but for those of clone, with which container engines keep new namespaces out.
        let open = rules.filter { $0.conditions.isEmpty || $0.call == "clone" }
        let allowed = Set(open.filter { [.allow, .log].contains($0.action) }.map(\.call))
        let named = Set(rules.map(\.call))
        return SystemCalls.essential.sorted().first { name in
            guard SystemCalls.number(of: name) != nil, !allowed.contains(name) else { return false }
            return ![.allow, .log].contains(standard) || named.contains(name)
        }
    }
}
