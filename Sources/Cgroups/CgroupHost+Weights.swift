internal import Linux

extension CgroupHost {
    /// Sets what share a group and all below it get of processors and disks while others want them, too; the group is made
    /// where it is missing, and stays.
    ///
    /// A weight counts among siblings: set on the group that holds all sandboxes, it holds them back against the rest of the
    /// host; on each sandbox it would only weigh them against each other.
    ///
    /// - Parameters:
    ///   - path: Below every hierarchy's root: `grace`.
    ///   - weight: 1 ... 10000, where every other group has 100.
    ///   - blocks: Where the kernel lists block devices; tests pass a tree of plain files.
    /// - Returns: One sentence for each weight that could not be set, or that no disk here heeds; empty when both are in force.
    public func weigh(_ path: String, weight: Int, blocks: String = "/sys/block") -> [String] {
        let group: Cgroup
        do {
            try Cgroup.check(path)
            for (root, isUnified) in roots {
                try Cgroup.prepareAncestors(of: path + "/x", root: root, isUnified: isUnified, host: self)
            }
            group = Cgroup(
                host: self, path: path, isOurs: false,
                places: roots.map { Cgroup.Place(directory: "\($0.root)/\(path)", isUnified: $0.isUnified) })
        } catch {
            return ["trial_weight: not set: \(error)"]
        }
        var missing: [String] = []
        for (name, limits) in [
            ("trial_weight (cpu)", CgroupLimits(cpuWeight: weight)),
            ("trial_weight (io)", CgroupLimits(ioWeight: weight)),
        ] {
            do {
                if let (limit, reason) = limits.fault {
                    throw CgroupError.limit(limit, path: path, reason: reason)
                }
                try group.set(limits)
                if limits.ioWeight != nil, let reason = whyNoDiskHeeds(group, blocks: blocks) {
                    missing.append("\(name): \(reason)")
                }
            } catch CgroupError.limit(_, _, let reason) {
                missing.append("\(name): not available: \(reason)")
            } catch {
                missing.append("\(name): not available: \(error)")
            }
        }
        return missing
    }

    /// A weight is only as good as the scheduler that reads it: BFQ for one file, iocost for the other (kernel
    /// Documentation/block/bfq-iosched.rst, Documentation/admin-guide/cgroup-v2.rst).
    private func whyNoDiskHeeds(_ group: Cgroup, blocks: String) -> String? {
        let devices = ((try? Files.entries(blocks)) ?? []).map { String(decoding: $0, as: UTF8.self) }
        let schedulers = devices.compactMap { try? Files.readString("\(blocks)/\($0)/queue/scheduler", limit: 4096) }
        let bfq = schedulers.contains { $0.contains("[bfq]") || $0.contains("[cfq]") }
        let cost = unifiedRoot.flatMap { try? Files.readString("\($0)/io.cost.qos", limit: 65536) } ?? ""
        guard !bfq, !cost.contains("enable=1") else { return nil }
        return
            "set, but no disk of this host heeds it; switch one on with `echo bfq > /sys/block/DEVICE/queue/scheduler`"
    }
}
