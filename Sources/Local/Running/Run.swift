internal import Cgroups
internal import Documents
internal import FoundationEssentials
internal import Glibc
internal import Linux
internal import Sandbox

/// `grace run`: a command in a sandbox over this host; nothing of what it writes stays.
package struct Run {
    let options: RunOptions

    /// - Returns: The exit code: the command's own, 128 and more for a signal.
    /// - Throws: ``Failure`` with code 2 for wrong input, 125 where Grace failed, 126 and 127 as shells have them.
    package static func execute(_ options: RunOptions) async throws -> Int32 {
        guard !options.command.isEmpty else { throw Failure("Give a command: grace run -- CMD…", code: 2) }
        do {
            return try await Run(options: options).execute()
        } catch {
            throw failure(error)
        }
    }

    static func failure(_ error: any Error) -> Failure {
        switch error {
        case let error as SandboxError: Failure("\(error)", code: error.shellCode)
        case let error as Failure: Failure(error.description, code: error.code == 2 ? 2 : 125)
        default: Failure("\(error)", code: 125)
        }
    }

    private func execute() async throws -> Int32 {
        let ahead = HeadStart(helper: try SandboxEngine.locateHelper())
        let unfinished = Unfinished()
        let relay = try SignalRelay { unfinished.remove() }
        defer { relay.stop() }
        let scratch = try Temporary.directory("grace-run")
        unfinished.add(scratch)
        defer { try? Files.removeTree(scratch) }
        let engine = SandboxEngine(
            cgroups: try? CgroupHost.detect(), ahead: ahead, scratch: scratch, storedFilters: options.places.ownFilters)
        let request = RunRequest(options, environment: Processes.variable)
        var specification = try request.specification()
        specification.label = "run-\(getpid())"
        let begin = ContinuousClock.now
        let result = try await engine.run(specification, request.line, signals: relay, figures: request.wantsFigures)
        let report = RunReport(
            exit: result.exit, outcome: result.outcome, fallbacks: result.fallbacks,
            elapsed: (ContinuousClock.now - begin) / .seconds(1), profile: specification.profile,
            withFigures: request.wantsFigures)
        try report.deliver(options)
        return result.exit.shellCode
    }
}
