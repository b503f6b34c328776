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
    /// Wall-clock time of the whole sandbox, in seconds.
    public var time: Double?
    /// Bytes that throw-away upper layers may take. They then live on a tmpfs of that size, which counts as memory too.
    public var disk: Int64?
    /// Open files per process (RLIMIT_NOFILE).
    public var files: Int?
    /// Bytes of captured standard output and error per command; more ends the sandbox.
    public var output: Int64?

    public init(
        memory: Int64? = nil, swap: Int64? = nil, pids: Int64? = nil, cpu: Double? = nil, time: Double? = nil,
        disk: Int64? = nil, files: Int? = nil, output: Int64? = nil
    ) {
        self.memory = memory
        self.swap = swap
        self.pids = pids
        self.cpu = cpu
        self.time = time
        self.disk = disk
        self.files = files
        self.output = output
    }
}
