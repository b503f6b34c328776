public import Cgroups
internal import Documents

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

    /// What happened, with the limit and how to raise it: a sentence for people.
    public func sentence(_ limits: SandboxLimits) -> String {
        func size(_ bytes: Int64?) -> String { bytes.map { " (\(ByteSize(bytes: $0)))" } ?? "" }
        switch self {
        case .oom:
            return
                "The sandbox ran out of memory and the kernel killed a process (oom): raise limits.memory\(size(limits.memory)) in "
                + "the profile."
        case .pids:
            return
                "The sandbox could not make another process (pids): raise limits.pids\(limits.pids.map { " (\($0))" } ?? "") in "
                + "the profile."
        case .timeout:
            return "The sandbox's time was up and everything in it was killed (timeout): raise limits.time"
                + "\(limits.time.map { " (\(Span(seconds: $0)))" } ?? "") in the profile."
        case .disk:
            let inodes = limits.inodes.map { ", or limits.inodes (\($0))," } ?? ""
            return
                "The sandbox's layers are full (disk): raise limits.disk\(size(limits.disk))\(inodes) in the profile."
        case .output:
            return
                "A command wrote more than is kept, and everything was killed (output): raise limits.output\(size(limits.output)) in "
                + "the profile."
        }
    }
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
