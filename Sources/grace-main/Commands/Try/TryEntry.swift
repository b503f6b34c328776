import ArgumentParser
import Fork
import Local
import Promotion

/// `grace try` as a whole: forks (`Local`), and what is beyond them.
struct TryEntry: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "try",
        abstract: "Run a command in a fork of this host, see what it changed, then commit or drop it.",
        usage: TryOptions.usage)
    @Argument(parsing: .captureForPassthrough, help: "Options, then the command or subcommand.") var arguments:
        [String] =
            []

    func run() async throws { throw ExitCode(try await Self.execute(arguments)) }

    static func execute(_ arguments: [String]) async throws -> Int32 {
        try await TryCommand.execute(TryOptions.parse(arguments), beyond: Beyond())
    }

    private struct Beyond: TryBeyond {
        private var committer: TryCommit { TryCommit(places: TryCommand.places) }

        func checkAllowed() throws { try committer.checkAllowed() }
        func commit(_ fork: TryFork, _ filter: PathFilter) async throws {
            try await asFailure { try await committer.commit(fork, filter) }
        }
        func ask(_ fork: TryFork, _ filter: PathFilter) async throws {
            try await asFailure { try await TryQuestion.ask(fork, filter, committer) }
        }
        func propose(_ fork: TryFork, _ filter: PathFilter, mission: String) async throws {
            try await TryProposal.submit(fork, filter, mission: mission)
        }
        func rollback(_ id: String) async throws -> Int32 {
            try await asFailure { try await committer.rollback(id) }
        }

        private func asFailure<Result>(_ body: () async throws -> Result) async throws -> Result {
            do {
                return try await body()
            } catch let error as PromotionError {
                throw Failure("\(error)", code: 1)
            }
        }
    }
}
