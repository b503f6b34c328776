internal import CSandbox
internal import Glibc
public import Linux

extension SandboxEngine {
    /// Runs one command in a sandbox of its own, with the caller's standard streams: `grace run`.
    ///
    /// On a terminal the command gets the foreground, so that its keys (interrupt, quit) reach it and job control works; elsewhere
    /// hang-up, interrupt, quit and terminate sent to the caller are passed on to its process group.
    ///
    /// `streams` are standard input, output and error; `extra` further descriptors, by the number that the command finds each at;
    /// `sandbox` is called once it runs, for sampling.
    ///
    /// - Returns: how the command ended, how its sandbox did, and what it had to do without.
    /// - Throws: ``SandboxError`` when the sandbox or the command cannot be started.
    public func run(
        _ specification: SandboxSpecification, _ command: Command,
        streams: (stdin: Stdio, stdout: Stdio, stderr: Stdio) = (.inherit, .inherit, .inherit),
        extra: [Int32: Descriptor] = [:], sandbox observe: (@Sendable (Sandbox, SandboxProcess) async -> Void)? = nil
    ) async throws -> (exit: ProcessExit, outcome: SandboxOutcome, fallbacks: [FeatureStatus]) {
        // From the beginning: a signal that comes before there is a command is the command's first one, and the sandbox is taken down.
        let receiver = SignalReceiver()
        let forwarder = try SignalForwarder { receiver.take($0) }
        defer { forwarder.stop() }
        let sandbox = try await start(specification)
        do {
            let terminal = Self.isForegroundTerminal(streams.stdin)
            let process = try await sandbox.spawn(
                command, streams: [streams.stdin, streams.stdout, streams.stderr], extra: extra, foreground: terminal)
            receiver.began(process)
            async let observed: Void? = observe?(sandbox, process)
            let exit = try await process.wait()
            if terminal { _ = csandbox_take_terminal(0, 0) }
            let outcome = try await sandbox.end()
            _ = await observed
            return (exit, outcome, sandbox.fallbacks)
        } catch {
            _ = try? await sandbox.end()
            throw error
        }
    }

    private static func isForegroundTerminal(_ stdin: Stdio) -> Bool {
        guard case .inherit = stdin, isatty(0) == 1 else { return false }
        return tcgetpgrp(0) == getpgrp()
    }
}
