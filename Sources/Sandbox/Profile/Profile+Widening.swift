extension Profile {
    /// In which ways this profile lets a sandbox do more than `other`; empty when it is the same or narrower.
    public func widenings(over other: Profile) -> [String] {
        var found: [String] = []
        let order = Network.allCases
        if let mine = order.firstIndex(of: network), let theirs = order.firstIndex(of: other.network), mine > theirs {
            found.append("network: \(network.rawValue)")
        }
        if network == .egress, other.network == .egress {
            let wider = egress.filter { rule in !other.egress.contains { rule.isWithin($0) } }
            if !wider.isEmpty { found.append("egress.allow: \(wider.map(\.text).sorted().joined(separator: ", "))") }
        }
        let capabilities = Set(capabilities).subtracting(other.capabilities)
        if !capabilities.isEmpty { found.append("capabilities: \(capabilities.sorted().joined(separator: ", "))") }
        let calls = Set(seccomp.allow).subtracting(other.seccomp.allow)
        if !calls.isEmpty { found.append("seccomp.allow: \(calls.sorted().joined(separator: ", "))") }
        let denied = Set(other.seccomp.deny).subtracting(seccomp.deny)
        if !denied.isEmpty { found.append("seccomp.deny without \(denied.sorted().joined(separator: ", "))") }
        if seccomp.file != nil, seccomp.file != other.seccomp.file { found.append("seccomp.file") }
        if seccomp.file == nil, other.seccomp.file != nil { found.append("seccomp without file") }
        let quiet = Set(seccomp.quiet).subtracting(other.seccomp.quiet)
        if !quiet.isEmpty { found.append("seccomp.quiet: \(quiet.sorted().joined(separator: ", "))") }
        if !noNewPrivileges, other.noNewPrivileges { found.append("no_new_privileges: false") }
        let required = Set(other.require).subtracting(require)
        if !required.isEmpty {
            found.append("require without \(required.map(\.rawValue).sorted().joined(separator: ", "))")
        }
        let optional = Set(optional).subtracting(other.optional)
        if !optional.isEmpty { found.append("optional: \(optional.map(\.rawValue).sorted().joined(separator: ", "))") }
        let shown = Set(other.hide).subtracting(hide)
        if !shown.isEmpty { found.append("hide without \(shown.sorted().joined(separator: ", "))") }
        func limit<T: Comparable>(_ name: String, _ mine: T?, _ theirs: T?) {
            guard let theirs else { return }
            if mine.map({ $0 > theirs }) ?? true { found.append("limits.\(name)") }
        }
        limit("memory", limits.memory, other.limits.memory)
        limit("swap", limits.swap, other.limits.swap)
        limit("pids", limits.pids, other.limits.pids)
        limit("cpu", limits.cpu, other.limits.cpu)
        // Without a weight a control group has the kernel's own, 100.
        limit("cpu_weight", limits.cpuWeight ?? 100, other.limits.cpuWeight ?? 100)
        limit("time", limits.time, other.limits.time)
        limit("disk", limits.disk, other.limits.disk)
        limit("inodes", limits.inodes, other.limits.inodes)
        limit("files", limits.files, other.limits.files)
        limit("output", limits.output, other.limits.output)
        return found
    }
}
