/// A cgroup's figures at one moment; `nil` where this host or cgroup can't tell, with the reason in ``reasons``.
public struct CgroupSample: Codable, Equatable, Sendable {
    /// CPU time used, user and system, seconds.
    public var cpuSeconds: Double?
    /// Time its CPU limit held it back, seconds.
    public var throttledSeconds: Double?
    /// Memory now, page cache and kernel memory included, bytes.
    public var memoryCurrent: Int64?
    /// Anonymous memory now (heap, stacks; not shared memory or page cache), bytes. The memory KPI is this one's peak.
    public var memoryAnonymous: Int64?
    /// The kernel's own peak of ``memoryCurrent``, bytes: with page cache, so that it soon sits at the limit.
    public var memoryPeak: Int64?
    /// Processes and threads now.
    public var pids: Int64?
    /// The most there were.
    public var pidsPeak: Int64?
    /// Processes killed because the memory limit was reached.
    public var oomKills: Int64?
    /// How often a fork was refused because of the limit of processes.
    public var pidsRefused: Int64?
    /// Read from and written to block devices, bytes.
    public var ioBytes: Int64?
    /// Time in which some task waited for a CPU, seconds.
    public var cpuStallSeconds: Double?
    /// Time in which some task waited for memory, seconds.
    public var memoryStallSeconds: Double?
    /// Time in which some task waited for input or output, seconds.
    public var ioStallSeconds: Double?
    /// For every `nil` above, by its name: why.
    public var reasons: [String: String] = [:]

    /// A sample without figures.
    public init() {}
}
