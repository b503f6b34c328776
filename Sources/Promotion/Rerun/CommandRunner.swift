internal import FoundationEssentials
internal import Glibc
internal import Linux

/// Runs a rerun's commands so that recovery can tell, after a kill of the agent, whether one still runs or could yet start.
///
/// The command's shell holds an exclusive flock(2) on a file beside the journal, inherited by everything it starts, and starts
/// only while the token file is there. Recovery removes the token, then waits for the lock: from then on nothing of the command
/// runs or ever will.
struct CommandRunner: Sendable {
    let directory: BytePath
    let calls: FileCalls

    /// The commands that are started at most once.
    enum Guarded: String, CaseIterable {
        case run, undo
    }

    private func lockFile(_ role: Guarded) -> BytePath { directory.appending("\(role.rawValue).lock") }
    private func token(_ role: Guarded) -> BytePath { directory.appending("\(role.rawValue).token") }
    private static let wrapper = """
        exec 9>>"$1" || exit 125
        flock -n 9 || exit 125
        [ -e "$2" ] || exit 125
        exec /bin/sh -c "$3"
        """

    /// Lets a command start.
    func permit(_ role: Guarded) throws {
        let token = token(role)
        let file = try calls.open(path: token, flags: O_WRONLY | O_CREAT | O_NOFOLLOW, mode: 0o600)
        try calls.call(.fsync, token) { try Files.fsync(file) }
    }

    /// A command that was started and has not begun may not begin any more.
    func forbid(_ role: Guarded) throws {
        let token = token(role)
        guard try calls.call(.status, token, { try Files.status(token) }) != nil else { return }
        try calls.call(.unlink, token) { try Files.unlink(token) }
    }

    /// Waits until nothing of a command runs any more that an agent started which is dead now.
    ///
    /// - Returns: `false` where it still does after `limit` seconds.
    func waitForOrphan(_ role: Guarded, limit: Double) async throws -> Bool {
        let lockFile = lockFile(role)
        let file = try calls.open(path: lockFile, flags: O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
        let end = BootID.bootSeconds() + limit
        while true {
            if try calls.call(.lock, lockFile, { try Files.lock(file) }) {
                StateLock(file).close()
                return true
            }
            if BootID.bootSeconds() >= end { return false }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Runs `run` or `undo` to its end. It must have been permitted.
    func run(_ role: Guarded, _ line: String, of intent: RerunIntent) async throws -> CommandReport {
        try await start(
            role.rawValue, ["-c", Self.wrapper, "grace", lockFile(role).string ?? "", token(role).string ?? "", line],
            intent)
    }

    /// Asks the effect, which may be asked any number of times.
    func askEffect(of intent: RerunIntent) async throws -> CommandReport {
        try await start("effect", ["-c", intent.effect], intent)
    }

    private func start(_ role: String, _ arguments: [String], _ intent: RerunIntent) async throws -> CommandReport {
        try calls.edge.will(.run, role)
        var environment = intent.environment
        if environment["PATH"] == nil {
            environment["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        }
        do {
            let output = try await Processes.run(
                "/bin/sh", arguments: arguments, timeout: .seconds(intent.timeout), environment: environment,
                directory: intent.directory, limit: 256 << 10)
            let text = BytePath.display((output.stdout + output.stderr).suffix(4096))
            return CommandReport(
                role: role, exitCode: output.timedOut ? nil : output.exit.shellCode, output: text,
                timedOut: output.timedOut)
        } catch let error as SystemError {
            return CommandReport(role: role, exitCode: nil, output: "\(error)", timedOut: false)
        }
    }
}
