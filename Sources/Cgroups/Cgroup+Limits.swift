internal import Linux

extension Cgroup {
    /// Sets every limit that isn't `nil`, and reads it back.
    func set(_ limits: CgroupLimits) throws {
        if let memory = limits.memory { try setMemory(memory) }
        if let swap = limits.swap { try setSwap(swap, memory: limits.memory) }
        if let pids = limits.pids {
            try put("\(pids)", "pids.max", of: .pids, limit: "pids") { $0 == "\(pids)" }
        }
        if let cpu = limits.cpu { try setCPU(cpu) }
        if let weight = limits.cpuWeight { try setCPUWeight(weight) }
        if let weight = limits.ioWeight { try setIOWeight(weight) }
    }

    private func setMemory(_ bytes: Int64) throws {
        let file = isUnified(.memory) ? "memory.max" : "memory.limit_in_bytes"
        // Rounded down to pages, of up to 64 KiB.
        try put("\(bytes)", file, of: .memory, limit: "memory") {
            Int64($0).map { $0 <= bytes && $0 > bytes - 65536 } ?? false
        }
    }

    private func setSwap(_ bytes: Int64, memory: Int64?) throws {
        if isUnified(.memory) {
            try put("\(bytes)", "memory.swap.max", of: .memory, limit: "swap") {
                Int64($0).map { $0 <= bytes && $0 > bytes - 65536 } ?? false
            }
            return
        }
        guard let memory else {
            throw CgroupError.limit(
                "swap", path: path, reason: "version 1 counts swap together with memory: limit memory, too")
        }
        let (sum, overflow) = memory.addingReportingOverflow(bytes)
        let total = overflow ? Int64.max : sum
        try put("\(total)", "memory.memsw.limit_in_bytes", of: .memory, limit: "swap") {
            Int64($0).map { $0 <= total && $0 > total - 131072 } ?? false
        }
    }

    private func setCPU(_ cores: Double) throws {
        let period = 100_000
        let quota = Int((cores * Double(period)).rounded())
        if isUnified(.cpu) {
            try put("\(quota) \(period)", "cpu.max", of: .cpu, limit: "cpu") { $0 == "\(quota) \(period)" }
            return
        }
        try put("\(period)", "cpu.cfs_period_us", of: .cpu, limit: "cpu") { $0 == "\(period)" }
        try put("\(quota)", "cpu.cfs_quota_us", of: .cpu, limit: "cpu") { $0 == "\(quota)" }
    }

    private func setCPUWeight(_ weight: Int) throws {
        if isUnified(.cpu) {
            try put("\(weight)", "cpu.weight", of: .cpu, limit: "cpuWeight") { $0 == "\(weight)" }
            return
        }
        // 100 is version 1's 1024; the kernel's own range there is 2 ... 262144.
        let shares = min(262_144, max(2, weight * 1024 / 100))
        try put("\(shares)", "cpu.shares", of: .cpu, limit: "cpuWeight") { $0 == "\(shares)" }
    }

    /// Which files there are depends on the schedulers: `io.weight` (iocost) and BFQ's own, whose range ends at 1000. Either may
    /// be the one that a disk heeds, so each that is there is set.
    private func setIOWeight(_ weight: Int) throws {
        let files = isUnified(.io) ? ["io.weight", "io.bfq.weight"] : ["blkio.weight", "blkio.bfq.weight"]
        let present = files.filter { file in place(.io).map { CgroupHost.exists("\($0.directory)/\(file)") } ?? false }
        guard !present.isEmpty else {
            throw CgroupError.limit(
                "ioWeight", path: path,
                reason: host.missing[.io]
                    ?? "the kernel offers none of \(files.joined(separator: ", ")): it needs iocost or BFQ")
        }
        for file in present {
            let value = file == "io.weight" ? weight : min(1000, weight)
            try put("\(value)", file, of: .io, limit: "ioWeight") {
                $0 == "\(value)" || $0.hasPrefix("default \(value)")
            }
        }
    }

    private func isUnified(_ controller: Controller) -> Bool { host.homes[controller] == .unified }

    private func put(
        _ value: String, _ file: String, of controller: Controller, limit: String, holds: (String) -> Bool
    ) throws {
        guard let place = place(controller) else {
            throw CgroupError.limit(
                limit, path: path, reason: host.missing[controller] ?? "the controller is not to be had")
        }
        let target = "\(place.directory)/\(file)"
        guard CgroupHost.exists(target) else {
            throw CgroupError.limit(
                limit, path: path, reason: "\(target) does not exist: \(Sampler.absent(file, controller))")
        }
        do {
            try Cgroup.write(value, to: target)
            let text = try Files.readString(target, limit: 65536)
            let now = String(text.split(separator: "\n").first ?? "")
            guard holds(now) else {
                throw CgroupError.limit(limit, path: path, reason: "\(target) says \(now) after \(value) was written")
            }
        } catch let error as SystemError {
            throw CgroupError.limit(limit, path: path, reason: error.description)
        }
    }
}
