internal import Glibc

extension FilterPlan {
    /// What a file's rules about circumstances are held against.
    struct Circumstances: Equatable, Sendable {
        /// Capabilities of root inside, without `CAP_`.
        var capabilities: Set<String>
        var kernel: KernelVersion
        var machines: Set<String> = OCISeccomp.goNames

        /// Whether a rule applies here: everything it includes is so, and nothing it excludes (moby `profiles/seccomp/seccomp_linux.go`).
        func meet(_ rule: OCISeccomp.Rule) -> Bool {
            let include = rule.includes
            let exclude = rule.excludes
            if !capabilities.isSuperset(of: include.capabilities) { return false }
            if !include.machines.isEmpty, machines.isDisjoint(with: include.machines) { return false }
            if let least = include.kernel.flatMap(KernelVersion.init), kernel < least { return false }
            if !capabilities.isDisjoint(with: exclude.capabilities) { return false }
            if !machines.isDisjoint(with: exclude.machines) { return false }
            if let least = exclude.kernel.flatMap(KernelVersion.init), kernel >= least { return false }
            return true
        }
    }

    /// A file's rules in place of Grace's own list; the policy's additions and removals, and what is never allowed, come on top.
    init(_ file: OCISeccomp, _ policy: SeccompPolicy, _ circumstances: Circumstances) {
        let silent = SystemCalls.quiet.union(Self.expand(policy.quiet))
        standard = Self.action(file.defaultAction, file.defaultErrno, report: false)
        let denied = Self.expand(policy.deny).subtracting(["clone3"])
        let taken = SystemCalls.forbidden.union(denied).union(["clone3"])
        rules = []
        for rule in file.rules where circumstances.meet(rule) {
            for name in rule.names where !taken.contains(name) {
                let action = Self.action(rule.action, rule.errno, report: !silent.contains(name))
                rules += Self.alternatives(rule.arguments).map { Rule(call: name, conditions: $0, action: action) }
            }
        }
        rules += Self.expand(policy.allow).subtracting(taken).sorted().map { Rule(call: $0, action: .allow) }
        rules.append(Rule(call: "clone3", action: .fail(ENOSYS)))
        deny(denied, quiet: Self.expand(policy.quiet))
    }

    private static func action(_ action: OCISeccomp.Action, _ errno: Int32, report: Bool) -> Action {
        switch action {
        case .allow: .allow
        case .log: .log
        case .fail: errno == EPERM && report ? .report : .fail(errno)
        case .trap: .trap
        case .kill, .killThread: .killThread
        case .killProcess: .killProcess
        }
    }

    /// Conditions hold together, but for several on one argument: those are alternatives, as container engines have them (runc
    /// `libcontainer/seccomp/seccomp_linux.go`), since libseccomp takes one condition for each argument.
    private static func alternatives(_ arguments: [OCISeccomp.Argument]) -> [[Condition]] {
        let conditions = arguments.map { argument in
            Condition(
                index: argument.index, comparison: comparison(argument.comparison), value: argument.value,
                second: argument.second)
        }
        return Set(conditions.map(\.index)).count == conditions.count ? [conditions] : conditions.map { [$0] }
    }

    private static func comparison(_ comparison: OCISeccomp.Comparison) -> Condition.Comparison {
        switch comparison {
        case .notEqual: .notEqual
        case .less: .less
        case .lessOrEqual: .lessOrEqual
        case .equal: .equal
        case .greaterOrEqual: .greaterOrEqual
        case .greater: .greater
        case .maskedEqual: .maskedEqual
        }
    }
}
