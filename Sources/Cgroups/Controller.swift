/// What cgroups can do on a host, each by its own controller or its own core file.
public enum Controller: String, Sendable, Hashable, Codable, CaseIterable, Comparable {
    /// Limits and counts memory.
    case memory
    /// Limits and counts processes.
    case pids
    /// Limits and weighs CPU time.
    case cpu
    /// Counts CPU time (on version 2 every cgroup does).
    case cpuacct
    /// Weighs and counts input and output (`blkio` on version 1).
    case io
    /// Freezes all processes (a core file on version 2).
    case freezer
    /// Pressure per cgroup (version 2 only, also in a hybrid host's `unified` tree).
    case pressure

    /// By name.
    public static func < (left: Controller, right: Controller) -> Bool { left.rawValue < right.rawValue }

    /// The name of its version 1 hierarchy.
    var legacyName: String? {
        switch self {
        case .io: "blkio"
        case .pressure: nil
        default: rawValue
        }
    }

    /// A file every cgroup of its version 1 hierarchy has, the root too, so that a plain directory isn't taken for one.
    var legacyMark: String {
        switch self {
        case .memory: "memory.usage_in_bytes"
        case .cpu: "cpu.shares"
        case .cpuacct: "cpuacct.usage"
        default: "cgroup.procs"
        }
    }

    /// Its name in version 2's `cgroup.controllers`; `nil` for what needs no controller there.
    var unifiedName: String? {
        switch self {
        case .memory, .pids, .cpu, .io: rawValue
        case .cpuacct, .freezer, .pressure: nil
        }
    }
}
