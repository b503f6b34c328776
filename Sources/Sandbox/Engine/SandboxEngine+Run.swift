internal import CSandbox
internal import Glibc
public import Linux

extension SandboxEngine {
    /// Runs one command in a sandbox of its own, with the caller's standard streams: `grace run`.
    ///
    /// On a terminal the command gets the foreground, so that its keys (interrupt, quit) reach it and job control works. Hang-up,
    /// interrupt, quit and terminate sent to the caller are passed on to its process group, unless the caller ignores them
    /// (``SignalRelay``).
    ///
    /// `streams` are standard input, output and error; `extra` further descriptors, by the number that the command finds each at;
    /// `signals` is a relay that the caller made before; without `figures` the outcome has those alone that tell a breach; `ready` is
    /// called once the sandbox is there and nothing runs in it.
    ///
    /// - Returns: how the command ended, how its sandbox did, and what it had to do without.
    /// - Throws: ``SandboxError`` when the sandbox or the command cannot be started.
    public func run(
        _ specification: SandboxSpecification, _ command: Command,
        streams: (stdin: Stdio, stdout: Stdio, stderr: Stdio) = (.inherit, .inherit, .inherit),
        extra: [Int32: Descriptor] = [:], signals: SignalRelay? = nil, figures: Bool = true, ready: () -> Void = {}
    ) async throws -> (exit: ProcessExit, outcome: SandboxOutcome, fallbacks: [FeatureStatus]) {
        let relay = try signals ?? SignalRelay()
        defer { if signals == nil { relay.stop() } }
        let sandbox = try await start(specification)
        do {
            let terminal = Self.isForegroundTerminal(streams.stdin)
            ready()
            relay.starting()
            let process = try await sandbox.spawn(
                command, streams: [streams.stdin, streams.stdout, streams.stderr], extra: extra, foreground: terminal)
            relay.began { process.channel.signal(id: process.id, $0, group: true) }
            // While the command runs, and not while it is waited for.
            if sweepsBesideCommands { try? Threads.start("sweep") { [self] in sweep() } }
            let exit = try await process.wait()
            relay.ended()
            if terminal { _ = csandbox_take_terminal(0, 0) }
            let outcome = try await sandbox.end(figures: figures) { _ in }
            return (exit, outcome, sandbox.fallbacks)
        } catch {
            _ = try? await sandbox.end()
            relay.failed()
            throw error
        }
    }

    private static func isForegroundTerminal(_ stdin: Stdio) -> Bool {
        guard case .inherit = stdin, isatty(0) == 1 else { return false }
        return tcgetpgrp(0) == getpgrp()
    }
}
