internal import Linux
internal import Synchronization

/// Reads a cgroup's figures through descriptors that stay open: a pread is 2 µs, an open 15 to 31.
///
/// Descriptors are opened with the first sample and closed with the cgroup's removal.
final class Sampler: Sendable {
    private let host: CgroupHost
    private let path: String
    private let places: [Cgroup.Place]
    private let plan = Mutex<Plan?>(nil)

    private struct Plan {
        /// By file, so that two figures of one file are one read.
        var files: [(descriptor: Descriptor, figures: [Figure])]
        var reasons: [String: String]
    }

    init(host: CgroupHost, path: String, places: [Cgroup.Place]) {
        self.host = host
        self.path = path
        self.places = places
    }

    func close() { plan.withLock { $0 = nil } }

    func sample() -> CgroupSample {
        plan.withLock { kept in
            let plan = kept ?? makePlan(Figure.names)
            kept = plan
            return Self.read(plan)
        }
    }

    /// These figures alone, once: the others are missing without a reason.
    func once(_ names: [String]) -> CgroupSample { Self.read(makePlan(names)) }

    private static func read(_ plan: Plan) -> CgroupSample {
        var sample = CgroupSample()
        sample.reasons = plan.reasons
        for (descriptor, figures) in plan.files {
            let text: String
            do {
                text = try Self.text(descriptor)
            } catch {
                for figure in figures { sample.reasons[figure.name] = "\(figure.file) can't be read: \(error)" }
                continue
            }
            for figure in figures where !figure.read(text, &sample) {
                sample.reasons[figure.name] = "\(figure.file) of this kernel does not hold it"
            }
        }
        return sample
    }

    /// One figure alone, for sampling many times a second.
    func single(_ name: String) -> CgroupSample? {
        plan.withLock { kept in
            let plan = kept ?? makePlan(Figure.names)
            kept = plan
            for (descriptor, figures) in plan.files {
                for figure in figures where figure.name == name {
                    var sample = CgroupSample()
                    guard let text = try? Self.text(descriptor), figure.read(text, &sample) else { return nil }
                    return sample
                }
            }
            return nil
        }
    }

    private static func text(_ descriptor: Descriptor) throws -> String {
        // Almost every file fits the first; io.stat has a line for each device.
        for size in [4096, 65536, 1 << 20] {
            let bytes = try Files.pread(descriptor, count: size, offset: 0)
            if bytes.count < size { return String(decoding: bytes, as: UTF8.self) }
        }
        throw SystemError(call: "pread", subject: "\(descriptor)", code: 27 /* EFBIG */)
    }

    private func makePlan(_ names: [String]) -> Plan {
        var plan = Plan(files: [], reasons: [:])
        var index: [String: Int] = [:]
        for name in names {
            var reason = ""
            var found = false
            for figure in Figure.sources(of: name) where !found {
                guard let directory = directory(figure.controller, figure.isUnified) else {
                    if reason.isEmpty || figure.isUnified == (host.layout == .unified) { reason = self.reason(figure) }
                    continue
                }
                let file = "\(directory)/\(figure.file)"
                if let known = index[file] {
                    plan.files[known].figures.append(figure)
                    found = true
                } else if let descriptor = try? Files.open(file, flags: 0) {
                    index[file] = plan.files.count
                    plan.files.append((descriptor, [figure]))
                    found = true
                } else {
                    reason = "\(file) can't be opened: \(Self.absent(figure.file, figure.controller))"
                }
            }
            if !found { plan.reasons[name] = reason }
        }
        return plan
    }

    /// Where a figure of that controller and version lies for this cgroup.
    private func directory(_ controller: Controller, _ isUnified: Bool) -> String? {
        if isUnified {
            // CPU time and pressure are in every version 2 cgroup; the rest only where version 2 has the controller.
            guard let place = places.first(where: \.isUnified) else { return nil }
            if controller == .pressure { return host.homes[.pressure] == nil ? nil : place.directory }
            return controller == .cpuacct || host.homes[controller] == .unified ? place.directory : nil
        }
        guard case .legacy(let root) = host.homes[controller] else { return nil }
        return CgroupHost.exists("\(root)/\(path)") ? "\(root)/\(path)" : nil
    }

    private func reason(_ figure: Figure) -> String {
        if let missing = host.missing[figure.controller] { return missing }
        return
            "the cgroup \(path) has no part in the \(figure.controller.rawValue) hierarchy: its accounting is switched off "
            + "(with systemd: MemoryAccounting=, CPUAccounting=, TasksAccounting=, IOAccounting=)"
    }

    /// Why a file of a controller may be missing.
    static func absent(_ file: String, _ controller: Controller) -> String {
        switch file {
        case "memory.peak": "it needs Linux 5.19"
        case "pids.peak": "it needs Linux 6.1"
        case "memory.memsw.limit_in_bytes", "memory.swap.max": "the kernel doesn't count swap; boot with swapaccount=1"
        case "cpu.cfs_quota_us", "cpu.max":
            "the kernel was built without CONFIG_CFS_BANDWIDTH, or cpu is not switched on here"
        default: "the \(controller.rawValue) controller is not switched on for this cgroup, or it is gone"
        }
    }
}
