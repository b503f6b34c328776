public import Linux

extension Cgroup {
    /// Opens an existing cgroup, such as a service's. Hierarchies that don't have it are left out.
    ///
    /// - Throws: ``CgroupError/missing(path:)`` where none has.
    public static func open(on host: CgroupHost, path: String) throws -> Cgroup {
        try check(path)
        var roots = host.roots
        // systemd's own hierarchy lists a unit's processes even where all accounting is off.
        if let named = host.namedRoot { roots.insert((named, false), at: 0) }
        let places = roots.map { Place(directory: "\($0.root)/\(path)", isUnified: $0.isUnified) }
            .filter { CgroupHost.exists("\($0.directory)/cgroup.procs") }
        guard !places.isEmpty else { throw CgroupError.missing(path: path) }
        return Cgroup(host: host, path: path, isOurs: false, places: places)
    }

    /// The cgroup of a systemd unit (`app`, `app.service`, `system-foo.slice/foo@1.service`) or of a plain path
    /// (`grace/sandbox-1`); `nil` where it has none, because it doesn't run.
    public static func find(on host: CgroupHost, unit: String) -> Cgroup? {
        if let cgroup = try? open(on: host, path: unit) { return cgroup }
        guard (try? check(unit)) != nil else { return nil }
        let name = unit.split(separator: "/").last.map(String.init) ?? unit
        let known = [".service", ".scope", ".slice", ".socket", ".mount", ".swap"].contains { name.hasSuffix($0) }
        let full = known ? unit : unit + ".service"
        for candidate in [full, "system.slice/\(full)"] {
            if let cgroup = try? open(on: host, path: candidate) { return cgroup }
        }
        guard !full.contains("/") else { return nil }
        // Deeper: instances lie in a slice of their template, units of users below user.slice.
        for root in [host.unifiedRoot, host.namedRoot].compactMap({ $0 }) + host.roots.map(\.root) {
            if let path = search(full, root: root, below: "", depth: 0) { return try? open(on: host, path: path) }
        }
        return nil
    }

    private static func search(_ name: String, root: String, below: String, depth: Int) -> String? {
        guard depth < 6, let entries = try? Files.entries("\(root)/\(below)") else { return nil }
        let names = entries.map { String(decoding: $0, as: UTF8.self) }.sorted()
        if names.contains(name), CgroupHost.exists("\(root)/\(below)\(name)/cgroup.procs") { return below + name }
        for child in names where child.hasSuffix(".slice") || child.hasPrefix("user@") {
            if let found = search(name, root: root, below: "\(below)\(child)/", depth: depth + 1) { return found }
        }
        return nil
    }

    /// What a child with one thread alone writes "0" to, one after the other, to join in every hierarchy; the version 2 one is
    /// left out where it was born there (``seat(on:path:)``). The opener's rights count, not the writer's.
    ///
    /// On version 1 it is `tasks`: a thread that moves itself waits for nobody, while each move of a process (`cgroup.procs`) waits
    /// for a grace period of the whole kernel, some 10 ms unless another process was moved just before (Linux 5.17,
    /// `cgroup_procs_write_start`).
    public func joinDescriptors(seated: Bool = false) throws -> [Descriptor] {
        try places.filter { !($0.isUnified && seated) }.map {
            try Files.open("\($0.directory)/\($0.isUnified ? "cgroup.procs" : "tasks")", flags: 1 /* O_WRONLY */)
        }
    }

    /// Moves a process, with all its threads but without its children, here in every hierarchy.
    public func add(pid: Int32) throws {
        do {
            for place in places { try Cgroup.write("\(pid)", to: "\(place.directory)/cgroup.procs") }
        } catch let error as SystemError {
            throw CgroupError.system(error, doing: "moving process \(pid) into the cgroup \(path)")
        }
    }

    /// The processes here and below, of whatever hierarchy, sorted. Zombies are not among them.
    public func processes() throws -> [Int32] {
        var result: Set<Int32> = []
        do {
            for place in places { result.formUnion(try Cgroup.processes(in: place.directory)) }
        } catch let error as SystemError {
            throw CgroupError.system(error, doing: "listing the processes of the cgroup \(path)")
        }
        result.remove(0)  // a process of another pid namespace
        return result.sorted()
    }

    static func processes(in directory: String) throws -> Set<Int32> {
        var result: Set<Int32> = []
        for folder in try directories(below: directory) {
            do {
                let text = try Files.readString("\(folder)/cgroup.procs")
                result.formUnion(text.split(whereSeparator: \.isWhitespace).compactMap { Int32($0) })
            } catch let error as SystemError where ["ENOENT", "ENODEV", "EOPNOTSUPP"].contains(error.name) {
                // Removed meanwhile; or a threaded cgroup, whose processes its domain lists.
            }
        }
        return result
    }

    /// A cgroup's directory and all below it, the deepest last.
    static func directories(below directory: String) throws -> [String] {
        var result: [String] = []
        var next = [directory]
        while let folder = next.popLast() {
            do {
                let children = try Files.entries(folder)
                result.append(folder)
                for name in children {
                    let child = "\(folder)/\(String(decoding: name, as: UTF8.self))"
                    if let status = try Files.status(child), status.isDirectory { next.append(child) }
                }
            } catch let error as SystemError where ["ENOENT", "ENODEV"].contains(error.name) {
            }
        }
        return result
    }

    /// The figures now. Cheap after the first call: its files stay open.
    public func sample() -> CgroupSample { sampler.sample() }

    /// Whether its limits of memory and processes were run into (``CgroupSample/oomKills``, ``CgroupSample/pidsRefused``), and no other
    /// figure: for who looks once.
    public func breaches() -> CgroupSample { sampler.once(["oomKills", "pidsRefused"]) }

    /// Anonymous memory now, bytes, by one read of an open file; `nil` where the host can't tell or the cgroup is gone.
    public func anonymousMemory() -> Int64? { sampler.single("memoryAnonymous")?.memoryAnonymous }
}
