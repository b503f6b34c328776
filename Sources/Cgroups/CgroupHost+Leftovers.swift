internal import Glibc
internal import Linux

/// Finding and removing what was left by a process that was killed.
extension CgroupHost {
    /// The names of the cgroups right below `parent`, of whatever hierarchy, sorted.
    public func names(below parent: String) -> [String] {
        var result: Set<String> = []
        for (root, _) in roots {
            for entry in (try? Files.entries("\(root)/\(parent)")) ?? [] {
                guard let name = String(validating: entry, as: UTF8.self),
                    (try? Files.status("\(root)/\(parent)/\(name)"))?.isDirectory == true
                else { continue }
                result.insert(name)
            }
        }
        return result.sorted()
    }

    /// Removes a cgroup and all below it from every hierarchy. It must be empty of processes.
    ///
    /// - Throws: ``CgroupError/timeout(path:doing:left:)`` where it is still held after two seconds.
    public func remove(_ path: String) throws {
        try Cgroup.check(path)
        let places = roots.map { Cgroup.Place(directory: "\($0.root)/\(path)", isUnified: $0.isUnified) }
            .filter { CgroupHost.exists($0.directory) }
        try Cgroup(host: self, path: path, isOurs: true, places: places).removeBlocking()
    }

    /// Version 1 freezers that ``Cgroup/freeze(timeout:)`` made in a process that is no more: paths.
    public func abandonedFreezers() -> [String] {
        guard case .legacy(let root) = homes[.freezer] else { return [] }
        return ((try? Files.entries(root)) ?? []).compactMap { String(validating: $0, as: UTF8.self) }
            .filter { name in
                let parts = name.split(separator: "-")
                guard name.hasPrefix("grace-freezer-"), parts.count > 3, let pid = Int32(parts[2]) else { return false }
                return Processes.startTime(of: pid) == nil
            }.sorted().map { "\(root)/\($0)" }
    }

    /// Thaws what is in such a freezer, moves it to the top of the hierarchy (where it came from nobody knows any more), and
    /// removes the freezer.
    public func removeFreezer(_ directory: String) throws {
        guard case .legacy(let root) = homes[.freezer], abandonedFreezers().contains(directory) else { return }
        try Cgroup.write("THAWED", to: "\(directory)/freezer.state")
        for attempt in 0..<50 {
            for pid in try Cgroup.processes(in: directory) { try? Cgroup.write("\(pid)", to: "\(root)/cgroup.procs") }
            do {
                try Files.removeDirectory(directory)
                return
            } catch let error as SystemError where error.name == "ENOENT" {
                return
            } catch let error as SystemError where error.name == "EBUSY" && attempt < 49 {
                usleep(2000)
            }
        }
    }
}
