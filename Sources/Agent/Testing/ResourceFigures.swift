internal import Cgroups
internal import Measurement
internal import Sandbox

/// Turns two samples of a control group into KPIs; what the host cannot count is said, never zero.
enum ResourceFigures {
    /// What the sandbox's filter denied in the whole arm, its services' start included.
    static func add(_ denied: DeniedCalls, to arm: inout ArmMeasurement) {
        if let total = denied.total {
            arm.values[.denied_calls] = Double(total)
        } else {
            arm.notMeasured[.denied_calls] = denied.reason ?? "the sandbox's filter reported nothing"
        }
    }

    static func add(
        to arm: inout ArmMeasurement, before: CgroupSample?, after: CgroupSample?, memoryPeak: Int64?, elapsed: Double
    ) {
        guard let before, let after else {
            for kpi in [
                KPI.cpu_time, .cpu_throttled, .cpu_stall, .memory_peak, .memory_stall, .io_bytes, .io_stall, .pids_peak,
                .oom_kills,
            ] { arm.notMeasured[kpi] = "the sandbox has no control group on this host" }
            return
        }
        func set(_ kpi: KPI, _ value: Double?, _ reason: String?) {
            if let value, value.isFinite {
                arm.values[kpi] = max(0, value)
            } else {
                arm.notMeasured[kpi] = reason ?? "this host's control groups do not count it"
            }
        }
        func difference(_ path: KeyPath<CgroupSample, Double?>) -> Double? {
            guard let first = before[keyPath: path], let last = after[keyPath: path] else { return nil }
            return last - first
        }
        func share(_ path: KeyPath<CgroupSample, Double?>) -> Double? {
            elapsed > 0 ? difference(path).map { $0 / elapsed } : nil
        }
        func reason(_ name: String) -> String? { after.reasons[name] }
        set(.cpu_time, difference(\.cpuSeconds), reason("cpuSeconds"))
        set(.cpu_throttled, share(\.throttledSeconds), reason("throttledSeconds"))
        set(.cpu_stall, share(\.cpuStallSeconds), reason("cpuStallSeconds"))
        set(.memory_stall, share(\.memoryStallSeconds), reason("memoryStallSeconds"))
        set(.io_stall, share(\.ioStallSeconds), reason("ioStallSeconds"))
        set(.memory_peak, memoryPeak.map(Double.init), reason("memoryAnonymous"))
        set(.pids_peak, (after.pidsPeak ?? after.pids).map { Double($0) }, reason("pidsPeak"))
        set(
            .oom_kills, after.oomKills.flatMap { last in before.oomKills.map { Double(last - $0) } }, reason("oomKills")
        )
        set(.io_bytes, after.ioBytes.flatMap { last in before.ioBytes.map { Double(last - $0) } }, reason("ioBytes"))
    }
}
