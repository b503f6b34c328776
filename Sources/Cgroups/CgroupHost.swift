internal import Linux

/// How this host's cgroups are laid out, and what they can do.
public struct CgroupHost: Sendable, Equatable {
    /// Which versions are in use.
    public enum Layout: String, Sendable, Codable {
        /// Version 2 alone.
        case unified
        /// Version 1 alone.
        case legacy
        /// Controllers on version 1, with a version 2 tree beside them at `unified`.
        case hybrid
    }

    /// Where a controller's cgroups lie.
    enum Home: Sendable, Equatable {
        /// In the version 1 hierarchy at that directory.
        case legacy(String)
        /// In the version 2 tree.
        case unified
    }

    /// Which versions are in use.
    public let layout: Layout
    /// Where they are mounted: `/sys/fs/cgroup`.
    public let root: String
    /// The version 2 tree's root: ``root`` itself, or `unified` below it; `nil` on version 1 alone.
    public let unifiedRoot: String?
    /// For each controller that isn't to be had: why, and how to mend it.
    public let missing: [Controller: String]
    /// systemd's named version 1 hierarchy without controllers, which lists every unit's processes.
    let namedRoot: String?
    let homes: [Controller: Home]

    /// The controllers that can be used.
    public func available() -> Set<Controller> { Set(homes.keys) }

    /// Looks at the mounted hierarchies.
    ///
    /// - Parameter root: Where they lie; tests pass a tree of plain files.
    /// - Returns: The layout.
    /// - Throws: ``CgroupError/notMounted(root:)``.
    public static func detect(root: String = "/sys/fs/cgroup") throws -> CgroupHost {
        let isUnified = exists("\(root)/cgroup.controllers")
        let unifiedRoot = isUnified ? root : exists("\(root)/unified/cgroup.controllers") ? "\(root)/unified" : nil
        var homes: [Controller: Home] = [:]
        if !isUnified {
            for controller in Controller.allCases {
                guard let name = controller.legacyName, exists("\(root)/\(name)/cgroup.procs"),
                    exists("\(root)/\(name)/\(controller.legacyMark)")
                else { continue }
                homes[controller] = .legacy("\(root)/\(name)")
            }
        }
        guard isUnified || !homes.isEmpty else { throw CgroupError.notMounted(root: root) }
        var missing: [Controller: String] = [:]
        let offered = unifiedRoot.map { words("\($0)/cgroup.controllers") } ?? []
        for controller in Controller.allCases where homes[controller] == nil {
            if let reason = absence(of: controller, unifiedRoot: unifiedRoot, offered: offered, root: root) {
                missing[controller] = reason
            } else {
                homes[controller] = .unified
            }
        }
        let named = "\(root)/systemd"
        return CgroupHost(
            layout: isUnified ? .unified : unifiedRoot == nil ? .legacy : .hybrid, root: root, unifiedRoot: unifiedRoot,
            missing: missing, namedRoot: !isUnified && exists("\(named)/cgroup.procs") ? named : nil, homes: homes)
    }

    /// Why the version 2 tree doesn't have a controller; `nil` where it has.
    private static func absence(
        of controller: Controller, unifiedRoot: String?, offered: [Substring], root: String
    ) -> String? {
        guard let unifiedRoot else {
            let name = controller.legacyName
            return name == nil
                ? "this host has version 1 cgroups alone, which know no pressure: boot with systemd.unified_cgroup_hierarchy=1"
                : "no version 1 hierarchy \(name ?? "") is mounted at \(root)/\(name ?? ""): mount it, or boot with "
                    + "systemd.unified_cgroup_hierarchy=1"
        }
        if let name = controller.unifiedName {
            return offered.contains(Substring(name))
                ? nil
                : "\(unifiedRoot)/cgroup.controllers does not offer \(name): the kernel was built or booted without it "
                    + "(cgroup_disable=), version 1 holds it, or the container's manager did not delegate it"
        }
        guard controller == .pressure else { return nil }
        return (try? Pressure.read(path: "\(unifiedRoot)/cpu.pressure")) != nil
            || (try? Pressure.read(path: "/proc/pressure/cpu")) != nil
            ? nil : "the kernel counts no pressure: boot with psi=1"
    }

    /// The directories a new cgroup's processes join: each version 1 hierarchy once, then the version 2 tree.
    var roots: [(root: String, isUnified: Bool)] {
        var seen: Set<FileIdentity> = []
        var result: [(root: String, isUnified: Bool)] = []
        for controller in Controller.allCases {
            guard case .legacy(let directory) = homes[controller] else { continue }
            // cpu and cpuacct are often one hierarchy under two names, by a link.
            if let opened = try? Files.open(directory, flags: 0), let status = try? Files.status(of: opened),
                !seen.insert(status.identity).inserted
            {
                continue
            }
            result.append((directory, false))
        }
        if let unifiedRoot { result.append((unifiedRoot, true)) }
        return result
    }

    /// Removes cgroups below `parent` that nobody will come back for, from every hierarchy. One that still holds a process
    /// stays: the kernel refuses.
    ///
    /// - Parameters:
    ///   - parent: Below every hierarchy's root, as in ``Cgroup/create(on:path:limits:)``.
    ///   - isAbandoned: Judges a cgroup by its name.
    public func sweep(below parent: String, where isAbandoned: (String) -> Bool) {
        for (root, _) in roots {
            for entry in (try? Files.entries("\(root)/\(parent)")) ?? [] {
                guard let name = String(validating: entry, as: UTF8.self), isAbandoned(name) else { continue }
                let inner = (try? Cgroup.directories(below: "\(root)/\(parent)/\(name)")) ?? []
                for directory in inner.reversed() { try? Files.removeDirectory(directory) }
            }
        }
    }

    static func exists(_ path: String) -> Bool { ((try? Files.status(path)) ?? nil) != nil }

    static func words(_ path: String) -> [Substring] {
        ((try? Files.readString(path, limit: 1 << 20)) ?? "").split(whereSeparator: \.isWhitespace)
    }
}
