/// What a cgroup may use up; `nil` is no limit.
public struct CgroupLimits: Codable, Equatable, Sendable {
    /// Bytes of memory, page cache included; rounded down to whole pages.
    public var memory: Int64?
    /// Bytes of swap beyond that. On version 1 it needs ``memory``, which the kernel counts it together with.
    public var swap: Int64?
    /// Processes and threads.
    public var pids: Int64?
    /// Processors' worth of CPU time: 0.5 is half of one. At least 0.01.
    public var cpu: Double?
    /// Share of CPU time under contention, 1 ... 10000, where 100 is what every other cgroup has.
    public var cpuWeight: Int?
    /// Share of input and output under contention, 1 ... 10000, where 100 is what every other cgroup has.
    public var ioWeight: Int?

    /// Limits.
    public init(
        memory: Int64? = nil, swap: Int64? = nil, pids: Int64? = nil, cpu: Double? = nil, cpuWeight: Int? = nil,
        ioWeight: Int? = nil
    ) {
        self.memory = memory
        self.swap = swap
        self.pids = pids
        self.cpu = cpu
        self.cpuWeight = cpuWeight
        self.ioWeight = ioWeight
    }

    /// The first value that is no limit at all: (field, why).
    var fault: (String, String)? {
        if let memory, memory < 1 << 20 { return ("memory", "\(memory) bytes is less than any program needs (1 MiB)") }
        if let swap, swap < 0 { return ("swap", "\(swap) is negative") }
        if let pids, pids < 1 { return ("pids", "\(pids) lets no process start") }
        if let cpu, !(cpu >= 0.01 && cpu <= 100_000) {
            return ("cpu", "\(cpu) is not between 0.01 and 100000 processors")
        }
        if let cpuWeight, !(1...10000).contains(cpuWeight) {
            return ("cpuWeight", "\(cpuWeight) is not within 1 ... 10000")
        }
        if let ioWeight, !(1...10000).contains(ioWeight) {
            return ("ioWeight", "\(ioWeight) is not within 1 ... 10000")
        }
        return nil
    }
}
