import Agent
import ArgumentParser
import Documents
import Fork
import FoundationEssentials
import Glibc
import Linux
import Promotion
import Sandbox

/// `grace try`: a command in a copy-on-write fork of the live host, then commit, keep or drop. See docs/try.md.
struct TryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "try",
        abstract: "Run a command in a fork of this host, see what it changed, then commit or drop it.",
        usage: TryOptions.usage)
    @Argument(parsing: .captureForPassthrough, help: "Options, then the command or subcommand.") var arguments:
        [String] =
            []

    func run() async throws { throw ExitCode(try await Self.execute(arguments)) }

    static func execute(_ arguments: [String]) async throws -> Int32 {
        if arguments.first == "rollback", arguments.count == 2 {
            return try await TryCommit(places: places).rollback(arguments[1])
        }
        let options = try TryOptions.parse(arguments)
        if options.action == .version || options.action == .help {
            let text =
                options.action == .version ? "grace try version \(Grace.configuration.version)" : TryOptions.usage
            FileHandleless.write(text + "\n", to: STDERR_FILENO)
            return 0
        }
        do {
            return try await perform(options)
        } catch let error as SandboxError {
            throw Failure("\(error)", code: error.shellCode)
        } catch let error as Failure {
            throw error
        } catch let error as PromotionError {
            throw Failure("\(error)", code: 1)
        } catch let error as ForkError {
            throw Failure("\(error)", code: 1)
        } catch {
            throw Failure("\(error)", code: 125)
        }
    }

    private static func perform(_ options: TryOptions) async throws -> Int32 {
        let filter = try PathFilter(
            include: options.include, exclude: ["^/run/mount", "^\(TryTrace.log)$"] + options.exclude)
        let committer = TryCommit(places: places)
        if options.ending == .commit || options.action == .commit { try committer.checkAllowed() }
        switch options.action {
        case .run(let words):
            return try await run(words.joined(separator: " "), options, filter, committer)
        case .explore:
            return try await run(nil, options, filter, committer)
        case .summary:
            let changes = try TryFork.open(options.directory ?? "").changeSet(filter)
            return TrySummary.write(changes, to: STDOUT_FILENO) ? 0 : 1
        case .commit:
            try await committer.commit(TryFork.open(options.directory ?? ""), filter)
            return 0
        case .propose:
            try await TryProposal.submit(TryFork.open(options.directory ?? ""), filter, mission: options.mission ?? "")
            return 0
        case .merge:
            try TryFork.merge(options.lowers, into: options.directory ?? "")
            return 0
        case .version, .help: return 0
        }
    }

    /// Runs `line`, or a shell, in the fork, then does what was asked for.
    private static func run(
        _ line: String?, _ options: TryOptions, _ filter: PathFilter, _ committer: TryCommit
    ) async throws -> Int32 {
        let fork =
            try options.directory.map {
                try TryFork.open($0, orMake: options.action != .explore, over: options.lowers)
            } ?? TryFork.make(over: options.lowers)
        try fork.hide(options.hide)
        let code = try await TryRun(fork: fork, places: places, options: options).run(line)
        switch options.ending {
        case .keep:
            // Nobody has named its place: it is worth nothing, or has to be found.
            guard fork.isOwnDirectory else { break }
            // Patterns say what is shown and committed, not what is thrown away.
            if try fork.changeSet(PathFilter(include: [], exclude: [])).isEmpty {
                try fork.discard()
            } else {
                Terminal.line(fork.directory)
            }
        case .keepAndPrint: Terminal.line(fork.directory)
        case .commit:
            // The command's own code, unless the commit fails.
            try await committer.commit(fork, filter)
        case .ask: try await TrySummary.ask(fork, filter, committer)
        }
        return code
    }

    /// Root's state is the host's; everyone else has some of their own, so that nobody needs rights for `try`.
    static var places: Places {
        let environment = Processes.currentEnvironment()
        var places = Places(environment: environment)
        if geteuid() != 0, environment["GRACE_STATE_DIR"] == nil {
            let home = environment["XDG_STATE_HOME"] ?? (environment["HOME"] ?? "/nonexistent") + "/.local/state"
            places.state = home + "/grace"
        }
        return places
    }
}
