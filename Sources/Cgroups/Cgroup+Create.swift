public import Linux

extension Cgroup {
    /// Makes a cgroup with limits; ones above it are made where missing and stay.
    ///
    /// - Parameters:
    ///   - host: The host's layout.
    ///   - path: Below every hierarchy's root: `grace/sandbox-1`. Must not exist yet.
    ///   - limits: Each is read back after it was set.
    ///   - seated: Whether ``seat(on:path:)`` has made the version 2 part already, where the host has one. It stays the caller's when
    ///     this throws: somebody may be about to be born there.
    /// - Returns: The cgroup, empty but for who was born into its seat.
    /// - Throws: ``CgroupError``: a demanded limit that can't be set is ``CgroupError/limit(_:path:reason:)``. Nothing is left
    ///   behind then.
    public static func create(
        on host: CgroupHost, path: String, limits: CgroupLimits = CgroupLimits(), seated: Bool = false
    ) throws -> Cgroup {
        try check(path)
        if let (limit, reason) = limits.fault { throw CgroupError.limit(limit, path: path, reason: reason) }
        var places: [Place] = []
        do {
            for (root, isUnified) in host.roots {
                let place = Place(directory: "\(root)/\(path)", isUnified: isUnified)
                if isUnified, seated {
                    places.append(place)
                    continue
                }
                try prepareAncestors(of: path, root: root, isUnified: isUnified, host: host)
                try makeLeaf(place.directory, path: path)
                places.append(place)
            }
            let cgroup = Cgroup(host: host, path: path, isOurs: true, places: places)
            try cgroup.set(limits)
            return cgroup
        } catch {
            for place in places where !(seated && place.isUnified) { try? Files.removeDirectory(place.directory) }
            throw error
        }
    }

    /// Makes the version 2 part of a cgroup that is yet to be created, for a process to be born into (clone3's CLONE_INTO_CGROUP,
    /// Linux 5.7): who is born there needn't be moved, which waits for a grace period of the whole kernel.
    ///
    /// - Returns: Its directory, open; `nil` where the host has version 1 alone.
    /// - Throws: ``CgroupError``; nothing is left behind then.
    public static func seat(on host: CgroupHost, path: String) throws -> Descriptor? {
        try check(path)
        guard let root = host.unifiedRoot else { return nil }
        try prepareAncestors(of: path, root: root, isUnified: true, host: host)
        try makeLeaf("\(root)/\(path)", path: path)
        do {
            return try Files.open("\(root)/\(path)", flags: 0)
        } catch {
            try? Files.removeDirectory("\(root)/\(path)")
            throw error
        }
    }

    private static func makeLeaf(_ directory: String, path: String) throws {
        do {
            try Files.makeDirectory(directory, mode: 0o755)
        } catch let error as SystemError where error.name == "EEXIST" {
            throw CgroupError.exists(path: path)
        } catch let error as SystemError {
            throw CgroupError.system(error, doing: "making the cgroup \(path)")
        }
    }

    /// Makes what lies above the cgroup, and on version 2 switches the controllers on, from the root down.
    static func prepareAncestors(of path: String, root: String, isUnified: Bool, host: CgroupHost) throws {
        var directory = root
        let names = path.split(separator: "/")
        for (depth, name) in names.enumerated() {
            if depth > 0 {
                do {
                    try Files.makeDirectory(directory, mode: 0o755)
                } catch let error as SystemError where error.name == "EEXIST" {
                } catch let error as SystemError {
                    throw CgroupError.system(error, doing: "making the cgroup \(directory)")
                }
            }
            if isUnified { try enableControllers(in: directory, host: host) }
            directory += "/\(name)"
        }
    }

    /// Switches on, for the children of a version 2 cgroup, what it has and what isn't on yet; switches nothing off.
    private static func enableControllers(in directory: String, host: CgroupHost) throws {
        let wanted = Controller.allCases.filter { host.homes[$0] == .unified }.compactMap(\.unifiedName)
        let offered = CgroupHost.words("\(directory)/cgroup.controllers")
        let enabled = CgroupHost.words("\(directory)/cgroup.subtree_control")
        let needed = wanted.filter { !enabled.contains(Substring($0)) && offered.contains(Substring($0)) }
        for name in needed {
            do {
                do {
                    try write("+\(name)", to: "\(directory)/cgroup.subtree_control")
                } catch let error as SystemError where error.name == "EBUSY" {
                    guard try Delegation.makeRoom(in: directory, host: host) else { throw error }
                    try write("+\(name)", to: "\(directory)/cgroup.subtree_control")
                }
            } catch let error as SystemError where error.name == "EBUSY" {
                throw CgroupError.controllers(
                    path: directory,
                    reason: "it holds processes itself, and version 2 then allows it no controlled children ("
                        + "\(name)); if it is a unit of systemd's that runs Grace, give it Delegate=yes, else choose another group"
                )
            } catch let error as SystemError {
                throw CgroupError.system(
                    error, doing: "switching on \(name) for the children of the cgroup \(directory)")
            }
        }
    }

    static func write(_ value: String, to path: String) throws {
        let descriptor = try Files.open(path, flags: 1 /* O_WRONLY */)
        try Files.write(descriptor, Array(value.utf8), subject: path)
    }
}
