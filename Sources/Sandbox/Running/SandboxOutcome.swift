public import Cgroups

/// A limit that a sandbox ran into.
public enum Breach: String, Codable, Sendable, CaseIterable, Hashable {
    /// The kernel killed a process because the memory limit was reached.
    case oom
    /// A process could not be made because the limit of processes was reached.
    case pids
    /// The wall-clock time was up; everything was killed.
    case timeout
    /// The private upper layers are full.
    case disk
    /// A command wrote more than is captured; everything was killed.
    case output
}

/// How a sandbox ended.
public struct SandboxOutcome: Codable, Equatable, Sendable {
    /// The limit it ran into, the first one noticed; `nil`: none.
    public var breach: Breach?
    /// The control group's figures after the last process was gone; without a control group every figure is `nil` with a reason.
    public var final: CgroupSample
    /// Seconds from the first process to the last.
    public var elapsed: Double
    /// The calls that its filter denied and reported.
    public var deniedCalls: DeniedCalls
    /// What went out of the sandbox, and what was refused; `nil` without `network: egress`.
    public var network: NetworkUse?

    public init(
        breach: Breach?, final: CgroupSample, elapsed: Double, deniedCalls: DeniedCalls, network: NetworkUse? = nil
    ) {
        self.network = network
        self.breach = breach
        self.final = final
        self.elapsed = elapsed
        self.deniedCalls = deniedCalls
    }
}
