internal import FoundationEssentials
internal import Glibc
internal import Linux

/// A part of the version 2 tree that systemd has handed over: a unit with `Delegate=yes` (systemd.resource-control(5)).
///
/// There the unit's own processes stand in the group whose children want controllers, which version 2 forbids ("no internal
/// processes", kernel Documentation/admin-guide/cgroup-v2.rst). Who was given the group makes room: its processes move one down.
/// DelegateSubgroup= does that from systemd 254 on; Debian 12 has 252.
enum Delegation {
    /// The name of the group that the unit's own processes move to.
    static let subgroup = "supervisor"

    /// Moves the processes of a group into a child of it, where the group was delegated and this process is one of them.
    ///
    /// - Parameters:
    ///   - directory: The group, below the version 2 root.
    ///   - host: The host's layout.
    /// - Returns: Whether there is room now; `false`, with nothing touched, where the group isn't ours to arrange.
    /// - Throws: `SystemError` where the child cannot be made or a process cannot be moved.
    static func makeRoom(in directory: String, host: CgroupHost) throws -> Bool {
        guard let root = host.unifiedRoot, directory != root, isDelegated(directory),
            ownGroup().map({ root + $0 }) == directory
        else { return false }
        let child = "\(directory)/\(subgroup)"
        do {
            try Files.makeDirectory(child, mode: 0o755)
        } catch let error as SystemError where error.name == "EEXIST" {
        }
        // Children may be born while their parents move; those stay in the parent's group of that moment.
        for _ in 0..<100 {
            let pids = CgroupHost.words("\(directory)/cgroup.procs")
            if pids.isEmpty { return true }
            for pid in pids {
                do {
                    try Cgroup.write(String(pid), to: "\(child)/cgroup.procs")
                } catch let error as SystemError where error.name == "ESRCH" {
                    // It has ended meanwhile.
                }
            }
        }
        return false
    }

    /// systemd marks what it hands over, `trusted.` for everyone and, from 251 on, `user.` so that all may read it.
    private static func isDelegated(_ directory: String) -> Bool {
        ["trusted.delegate", "user.delegate"].contains {
            ((try? Files.xattr(directory, name: $0)) ?? nil) == Data("1".utf8)
        }
    }

    /// This process's place in the version 2 tree: `/system.slice/grace-agent.service`.
    private static func ownGroup() -> String? {
        guard let text = try? Files.readString("/proc/self/cgroup") else { return nil }
        return text.split(separator: "\n").first { $0.hasPrefix("0::") }.map { String($0.dropFirst(3)) }
    }
}
