internal import Fork
internal import Glibc
package import Linux
internal import Sandbox

/// What `grace try` does beyond its fork: commit to live, and speak to a coordinator. The whole program has it
/// (``TryOptions/reachesBeyondTheFork`` says when it is needed); the small one that starts forks fast does without.
package protocol TryBeyond: Sendable {
    /// - Throws: ``Failure`` where this host does not let `grace try` commit.
    func checkAllowed() throws
    /// Commits what `filter` wants of a fork's changes.
    func commit(_ fork: TryFork, _ filter: PathFilter) async throws
    /// Shows the changes and asks what is to become of them.
    func ask(_ fork: TryFork, _ filter: PathFilter) async throws
    /// Submits the changes as the change of a mission.
    func propose(_ fork: TryFork, _ filter: PathFilter, mission: String) async throws
    /// Takes a commit back; the result is the exit code.
    func rollback(_ id: String) async throws -> Int32
}

/// `grace try`: a command in a copy-on-write fork of the live host, then commit, keep or drop. See docs/try.md.
package struct TryCommand {
    let options: TryOptions
    let beyond: (any TryBeyond)?

    /// - Returns: The exit code.
    /// - Throws: ``Failure``.
    package static func execute(_ options: TryOptions, beyond: (any TryBeyond)?) async throws -> Int32 {
        do {
            return try await TryCommand(options: options, beyond: beyond).perform()
        } catch let error as SandboxError {
            throw Failure("\(error)", code: error.shellCode)
        } catch let error as Failure {
            throw error
        } catch let error as ForkError {
            throw Failure("\(error)", code: 1)
        } catch {
            throw Failure("\(error)", code: 125)
        }
    }

    private func perform() async throws -> Int32 {
        let filter = try PathFilter(
            include: options.include, exclude: ["^/run/mount", "^\(TryTrace.log)$"] + options.exclude)
        if options.commits { try needed().checkAllowed() }
        switch options.action {
        case .run(let words):
            return try await run(words.joined(separator: " "), filter)
        case .explore:
            return try await run(nil, filter)
        case .summary:
            let changes = try TryFork.open(options.directory ?? "").changes(filter).changes
            return TrySummary.write(changes, to: STDOUT_FILENO) ? 0 : 1
        case .commit:
            try await needed().commit(TryFork.open(options.directory ?? ""), filter)
        case .propose:
            try await needed().propose(
                TryFork.open(options.directory ?? ""), filter, mission: options.mission ?? "")
        case .rollback(let id):
            return try await needed().rollback(id)
        case .merge:
            try TryFork.merge(options.lowers, into: options.directory ?? "")
        case .version: FileHandleless.write("grace try version \(Version.text)\n", to: STDERR_FILENO)
        case .help: FileHandleless.write(TryOptions.usage + "\n", to: STDERR_FILENO)
        }
        return 0
    }

    /// Runs `line`, or a shell, in the fork, then does what was asked for.
    private func run(_ line: String?, _ filter: PathFilter) async throws -> Int32 {
        let ahead = HeadStart(helper: try SandboxEngine.locateHelper())
        let unfinished = Unfinished()
        let relay = try SignalRelay { unfinished.remove() }
        defer { relay.stop() }
        let fork =
            try options.directory.map {
                try TryFork.open(
                    $0, orMake: options.action != .explore, over: options.lowers, secrets: ahead.secrets())
            } ?? TryFork.make(over: options.lowers, unfinished: unfinished, secrets: ahead.secrets())
        try fork.hide(options.hide)
        let code = try await TryRun(fork: fork, places: Self.places, options: options, ahead: ahead).run(
            line, signals: relay)
        relay.stop()
        switch options.ending {
        case .keep:
            // Nobody has named its place: it is worth nothing, or has to be found.
            guard fork.isOwnDirectory else { break }
            // Patterns say what is shown and committed, not what is thrown away.
            if try fork.changes(PathFilter(include: [], exclude: [])).changes.isEmpty {
                try fork.discard()
            } else {
                Terminal.line(fork.directory)
            }
        case .keepAndPrint: Terminal.line(fork.directory)
        case .commit:
            // The command's own code, unless the commit fails.
            try await needed().commit(fork, filter)
        case .ask: try await needed().ask(fork, filter)
        }
        return code
    }

    private func needed() throws -> any TryBeyond {
        guard let beyond else {
            throw Failure("This program only makes forks; ask grace-main for the rest.", code: 125)
        }
        return beyond
    }

    /// Root's state is the host's; everyone else has some of their own, so that nobody needs rights for `try`.
    package static var places: Places {
        let environment = Processes.currentEnvironment()
        var places = Places(environment: environment)
        if geteuid() != 0, environment["GRACE_STATE_DIR"] == nil {
            let home = environment["XDG_STATE_HOME"] ?? (environment["HOME"] ?? "/nonexistent") + "/.local/state"
            places.state = home + "/grace"
        }
        return places
    }
}
