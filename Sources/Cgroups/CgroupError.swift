public import Linux

/// What went wrong with a cgroup, for a caller to act on; its description is for a person.
public enum CgroupError: Error, Equatable, Sendable, CustomStringConvertible {
    /// There is no cgroup file system at that root.
    case notMounted(root: String)
    /// The path is empty, absolute, or climbs with `..`.
    case badPath(String)
    /// A cgroup of that path is there already.
    case exists(path: String)
    /// No hierarchy has a cgroup of that path.
    case missing(path: String)
    /// A limit that was demanded can't be set here; `limit` is the name of the field of ``CgroupLimits``.
    case limit(String, path: String, reason: String)
    /// The cgroup couldn't be made, joined or read.
    case system(SystemError, doing: String)
    /// A controller couldn't be switched on for the children of a version 2 cgroup.
    case controllers(path: String, reason: String)
    /// Freezing would stop this very process, or isn't possible.
    case cannotFreeze(path: String, reason: String)
    /// Not everything froze, died or left in time.
    case timeout(path: String, doing: String, left: [Int32])
    /// It was opened, not created, and is another's to remove.
    case notOurs(path: String)

    /// One sentence: what, where, why, what to do.
    public var description: String {
        switch self {
        case .notMounted(let root):
            "no cgroup file system is mounted at \(root): mount one (mount -t cgroup2 none \(root)), or in a container pass "
                + "the host's in"
        case .badPath(let path):
            "\"\(path)\" is no path of a cgroup: it must be relative, such as grace/sandbox-1, without empty parts, . or .."
        case .exists(let path):
            "the cgroup \(path) is there already: another Grace uses it, or one was killed; remove it with rmdir once it is empty"
        case .missing(let path):
            "there is no cgroup \(path) in any hierarchy: is the service running, and its name right?"
        case .limit(let limit, let path, let reason):
            "the limit \(limit) of cgroup \(path) can't be set: \(reason)"
        case .system(let error, let doing): "\(doing): \(error)"
        case .controllers(let path, let reason): "controllers of cgroup \(path) can't be switched on: \(reason)"
        case .cannotFreeze(let path, let reason): "the cgroup \(path) can't be frozen: \(reason)"
        case .timeout(let path, let doing, let left):
            "\(doing) the cgroup \(path) took too long; left are the processes "
                + (left.isEmpty ? "(none listed)" : left.map(String.init).joined(separator: ", "))
                + ": a process in uninterruptible sleep (state D) waits for a device"
        case .notOurs(let path): "the cgroup \(path) was not made by Grace and is not Grace's to remove"
        }
    }
}
