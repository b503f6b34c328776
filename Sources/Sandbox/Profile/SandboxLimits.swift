/// What a sandbox may use up. `nil` means no limit of the sandbox's own.
public struct SandboxLimits: Codable, Equatable, Sendable {
    /// Memory, in bytes, of everything in the sandbox together, its private tmpfs included.
    public var memory: Int64?
    /// Swap on top of memory, in bytes.
    public var swap: Int64?
    /// Processes and threads alive at once, Grace's own reaper not counted.
    public var pids: Int64?
    /// Processors, as a number of whole ones: 0.5 is half of one.
    public var cpu: Double?
    /// Share of CPU time under contention, 1 to 10000, where 100 is what every other control group has.
    public var cpuWeight: Int?
    /// Wall-clock time of the whole sandbox, in seconds.
    public var time: Double?
    /// Bytes that the upper layers may take. Throw-away ones then live on a tmpfs of that size where it fits into half of
    /// ``memory``, elsewhere on an ext4 image; lasting ones need a project quota or an image (``BoundedPlace``).
    public var disk: Int64?
    /// Files, directories and links that the upper layers may hold, rounded up a little; only together with ``disk``.
    public var inodes: Int64?
    /// Open files per process (RLIMIT_NOFILE).
    public var files: Int?
    /// Bytes of captured standard output and error per command; more ends the sandbox.
    public var output: Int64?

    public init(
        memory: Int64? = nil, swap: Int64? = nil, pids: Int64? = nil, cpu: Double? = nil, cpuWeight: Int? = nil,
        time: Double? = nil, disk: Int64? = nil, inodes: Int64? = nil, files: Int? = nil, output: Int64? = nil
    ) {
        self.memory = memory
        self.swap = swap
        self.pids = pids
        self.cpu = cpu
        self.cpuWeight = cpuWeight
        self.time = time
        self.disk = disk
        self.inodes = inodes
        self.files = files
        self.output = output
    }
}
