public import Cgroups

/// Control groups of sandboxes whose agent is no more, and freezers made for a snapshot by one.
public struct CgroupLeftovers: LeftoverSource {
    private let host: CgroupHost
    private let parent: String

    /// - Parameters:
    ///   - host: How control groups are laid out.
    ///   - parent: Below which sandboxes get theirs, `grace`.
    public init(host: CgroupHost, parent: String) {
        self.host = host
        self.parent = parent
    }

    public func find() -> [Leftover] {
        let groups = host.names(below: parent).filter(Scratch.isAbandoned).map { name in
            let processes = (try? Cgroup.open(on: host, path: "\(parent)/\(name)").processes()) ?? []
            let inside =
                processes.isEmpty
                ? "" : "; processes still in it: \(processes.map(String.init).joined(separator: ", "))"
            return Leftover(
                kind: .cgroup, place: "\(parent)/\(name)",
                detail:
                    "The control group of a sandbox whose agent, process \(Scratch.owner(name)), is no more\(inside).")
        }
        let freezers = host.abandonedFreezers().map {
            Leftover(kind: .freezer, place: $0, detail: "A freezer for a snapshot whose agent is no more.")
        }
        return groups + freezers
    }

    public func remove(_ leftover: Leftover) throws {
        if leftover.kind == .freezer { return try host.removeFreezer(leftover.place) }
        guard let name = leftover.place.split(separator: "/").last.map(String.init), Scratch.isAbandoned(name) else {
            return
        }
        if let group = try? Cgroup.open(on: host, path: leftover.place) { try group.killBlocking() }
        try host.remove(leftover.place)
    }
}
