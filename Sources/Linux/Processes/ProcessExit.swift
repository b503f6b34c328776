public import FoundationEssentials

/// How a process ended.
public enum ProcessExit: Equatable, Hashable, Codable, Sendable, CustomStringConvertible {
    /// By itself, with this code (0 ... 255).
    case exited(Int32)
    /// By this signal.
    case signaled(Int32)

    /// Whether it exited with 0.
    public var isSuccess: Bool { self == .exited(0) }

    /// What a shell would show: the exit code, or 128 + the signal.
    public var shellCode: Int32 {
        switch self {
        case .exited(let code): code
        case .signaled(let signal): 128 + signal
        }
    }

    /// `exit code 3`, `killed by signal 9`.
    public var description: String {
        switch self {
        case .exited(let code): "exit code \(code)"
        case .signaled(let signal): "killed by signal \(signal)"
        }
    }
}

/// What a finished helper program gave.
public struct ProcessOutput: Sendable, Equatable {
    /// How it ended.
    public let exit: ProcessExit
    /// Its standard output, up to the limit.
    public let stdout: Data
    /// Its standard error, up to the limit.
    public let stderr: Data
    /// Whether it was killed because its time was up. `exit` is then `.signaled(9)`, or what it still managed itself.
    public let timedOut: Bool
    /// Whether more was written than the limit; the rest was read and dropped.
    public let truncated: Bool

    /// Whether it exited with 0, in time.
    public var isSuccess: Bool { exit.isSuccess && !timedOut }

    /// Standard output as text.
    public var output: String { String(decoding: stdout, as: UTF8.self) }
    /// Standard error as text.
    public var errorOutput: String { String(decoding: stderr, as: UTF8.self) }
}
