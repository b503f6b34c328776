internal import CLinux
internal import Glibc

/// Where a process stands and what it may: what a program that it starts would inherit, besides its control groups, its session and its
/// files. For asking whether another process may do that in its stead.
public struct Surroundings: Sendable, Equatable {
    /// One of `getrlimit(2)`'s limits; `UInt64.max`: none.
    public struct Limit: Sendable, Equatable {
        public var soft: UInt64
        public var hard: UInt64
    }

    private static let kinds = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"]
    private static let lines = [
        "CapEff", "CapBnd", "NoNewPrivs", "Seccomp", "Cpus_allowed_list", "Mems_allowed_list",
    ]

    /// Which namespace of each kind, as `/proc/PID/ns` names them; a kind that the kernel has not is missing.
    private let namespaces: [String: String]
    private let root: [UInt64]
    /// Some lines of `/proc/PID/status`.
    private let status: [String: String]
    /// Nice value, policy and real-time priority.
    private let scheduling: [Substring]
    private let ioPriority: Int32
    private let personality: String
    /// The security module's label, where there is one.
    private let label: String?
    /// By the number of the resource (RLIMIT_CPU is 0).
    public let limits: [Limit]

    /// Those of the process `pid`, by what the kernel says of it; that it is still the one that was meant is the caller's to know.
    ///
    /// - Throws: `SystemError` where it is gone, or this process may not look into it (ptrace(2), PTRACE_MODE_READ).
    public init(of pid: Int32) throws {
        let directory = "/proc/\(pid)"
        var namespaces: [String: String] = [:]
        for kind in Self.kinds {
            do {
                namespaces[kind] = try Files.readlink("\(directory)/ns/\(kind)").display
            } catch let error as SystemError where error.code == ENOENT {
                continue  // the kernel has no such kind, or the process is gone, which the next look tells
            }
        }
        self.namespaces = namespaces
        // Of the directory, not of the link that leads there.
        let root = try Files.status(of: Files.open("\(directory)/root", flags: Files.Flag.path))
        self.root = [UInt64(root.device.major), UInt64(root.device.minor), root.inode]
        var status: [String: String] = [:]
        for line in try Files.readString("\(directory)/status").split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2, Self.lines.contains(String(parts[0])) {
                status[String(parts[0])] = String(parts[1].drop { $0 == "\t" || $0 == " " })
            }
        }
        self.status = status
        let fields = Processes.statFields(of: pid) ?? []
        guard fields.count > 38, status.count >= 4 else {
            throw SystemError(call: "read", subject: "\(directory)/stat", code: ESRCH)
        }
        scheduling = [fields[16], fields[37], fields[38]]  // proc_pid_stat(5): 19, 40, 41
        ioPriority = try SystemError.check(clinux_io_priority(pid), "ioprio_get", "process \(pid)")
        personality = try Files.readString("\(directory)/personality")
        label = try? Files.readString("\(directory)/attr/current")
        var pairs = [UInt64](repeating: 0, count: 32)
        try SystemError.check(clinux_limits(pid, &pairs), "prlimit", "process \(pid)")
        limits = (0..<16).map { Limit(soft: pairs[2 * $0], hard: pairs[2 * $0 + 1]) }
    }

    /// Why a process that stands here would not do for one that stands `there`; `nil`: it would, once it has the other's ``limits``,
    /// none of which is higher.
    ///
    /// The one there must have every capability of the one here, or it would be given something.
    public func difference(from there: Surroundings) -> String? {
        for kind in Self.kinds where namespaces[kind] != there.namespaces[kind] { return "another \(kind) namespace" }
        if root != there.root { return "another root directory" }
        if label != there.label { return "another security label" }
        for (line, word) in [("CapEff", "fewer capabilities"), ("CapBnd", "a smaller bounding set of capabilities")] {
            guard let mine = status[line].flatMap({ UInt64($0, radix: 16) }),
                let theirs = there.status[line].flatMap({ UInt64($0, radix: 16) }), mine & ~theirs == 0
            else { return word }
        }
        if status["NoNewPrivs"] != there.status["NoNewPrivs"] { return "another no_new_privs" }
        // Of two filters nobody can tell which is the stricter one.
        if status["Seccomp"] != "0" || there.status["Seccomp"] != "0" { return "a system-call filter" }
        for line in ["Cpus_allowed_list", "Mems_allowed_list"] where status[line] != there.status[line] {
            return "other processors or memory nodes"
        }
        if scheduling != there.scheduling || ioPriority != there.ioPriority {
            return "another priority or scheduling policy"
        }
        if personality != there.personality { return "another personality" }
        for (mine, theirs) in zip(limits, there.limits) where theirs.hard > mine.hard {
            return "higher resource limits"
        }
        return nil
    }
}
