internal import Cgroups
internal import FoundationEssentials
internal import Glibc
package import Linux
internal import Sandbox

/// `grace run` by one of an agent's sandboxes, which wait ready-made (`ready_sandboxes` in agent.yaml): both sides.
package enum RunHosting {
    /// Where agent and command meet: `RUNTIME/sandboxes`.
    static func socket(_ places: Places) -> String { places.runtime + "/sandboxes" }

    /// Has the agent of this host run it.
    ///
    /// - Returns: The exit code; `nil` where no agent does: the sandbox is this process's own to make then.
    /// - Throws: ``Failure``.
    package static func run(_ options: RunOptions) throws -> Int32? {
        // A terminal's foreground is its session's, and the agent's sandboxes are of another.
        guard !options.alone, !options.command.isEmpty, geteuid() == 0, isatty(0) == 0, isOpen(0), isOpen(1), isOpen(2)
        else { return nil }
        do {
            let path = socket(options.places)
            guard access(path, F_OK) == 0 else { return nil }
            let request = RunRequest(options, environment: Processes.variable)
            guard let (exit, report) = try HostedCommand.run(at: path, request: request.bytes) else { return nil }
            try RunReport(report).deliver(options)
            return exit.shellCode
        } catch {
            throw Run.failure(error)
        }
    }

    private static func isOpen(_ number: Int32) -> Bool { fcntl(number, F_GETFD) >= 0 }

    /// Gives the agent's sandboxes away until it is cancelled.
    ///
    /// - Parameters:
    ///   - places: The agent's.
    ///   - cgroupParent: The control group below which they lie.
    ///   - count: How many wait.
    ///   - log: Takes a sentence about what no caller is told.
    /// - Throws: ``SandboxError``, `SystemError` where it can't begin.
    package static func host(
        _ places: Places, cgroupParent: String, count: Int, log: @escaping @Sendable (String) -> Void
    ) async throws {
        try Files.makeDirectory(places.runtime, mode: 0o755, intermediate: true)
        let engine = SandboxEngine(
            cgroups: try? CgroupHost.detect(), cgroupParent: cgroupParent, helper: try SandboxEngine.locateHelper(),
            scratch: places.scratch, sweeps: false)
        let host = try SandboxHost(engine: engine, path: socket(places), count: count, log: log) { bytes in
            let request = try RunRequest(bytes)
            let specification = try request.specification()
            return SandboxHost.Order(
                specification: specification, command: request.line, wantsFigures: request.wantsFigures
            ) {
                exit, outcome, fallbacks, elapsed in
                RunReport(
                    exit: exit, outcome: outcome, fallbacks: fallbacks, elapsed: elapsed,
                    profile: specification.profile, withFigures: request.wantsFigures
                ).data
            }
        }
        try await host.run()
    }
}
