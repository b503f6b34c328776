public import FoundationEssentials
public import Linux

/// A command running in a sandbox.
public final class SandboxProcess: Sendable {
    /// Its number inside the sandbox's pid namespace.
    public let pid: Int32
    let id: UInt32
    let channel: Channel
    let captures: [Capture]
    private let exited: @Sendable () -> Void

    /// `exited` is called when somebody has waited for the command, before the answer.
    init(pid: Int32, id: UInt32, channel: Channel, captures: [Capture], exited: @escaping @Sendable () -> Void) {
        self.pid = pid
        self.id = id
        self.channel = channel
        self.captures = captures
        self.exited = exited
    }

    /// Waits until the command has ended. `.signaled(9)` when it ended with its whole sandbox.
    ///
    /// May be called any number of times. Cancelling the waiting task does not end the command.
    public func wait() async throws -> ProcessExit {
        let exit = await channel.exit(of: id)
        for capture in captures { capture.finish() }
        exited()
        return exit
    }

    /// Sends a signal to the command, not to its children. Nothing happens when it has ended.
    public func signal(_ number: Int32) async {
        channel.signal(id: id, number, group: false)
    }

    /// Sends a signal to the command's process group.
    public func signalGroup(_ number: Int32) async {
        channel.signal(id: id, number, group: true)
    }

    /// What was captured of standard output so far; complete after ``wait()``. Empty when it is not captured.
    public var stdout: Data { captures.first { $0.stream == 1 }?.data ?? Data() }
    /// What was captured of standard error so far.
    public var stderr: Data { captures.first { $0.stream == 2 }?.data ?? Data() }
}
