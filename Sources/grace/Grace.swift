import ArgumentParser
import Glibc

/// The command line. Exit codes of `verify` and `propose --wait`: 0 pass, 1 regression or denied, 2 usage, 3 inconclusive,
/// 4 infrastructure.
@main
struct Grace: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "grace",
        abstract: "Find out what a change does before it is live. Grace proposes, people decide, Grace executes.",
        version: "0.1.0",
        subcommands: [
            Up.self, AgentCommand.self, Run.self, TryCommand.self, ChangesCommand.self, Verify.self, Propose.self,
            MissionsCommand.self, Vote.self,
            FeedbackCommand.self,
            Rollback.self, Override.self, Revoke.self, Pause.self, Resume.self, Log.self, Keys.self,
            ProfilesCommand.self, Doctor.self,
        ])

    static func main() async {
        signal(SIGPIPE, SIG_IGN)
        if let verb = CommandLine.arguments.dropFirst().first, ["up", "agent"].contains(verb) { Signals.handle() }
        do {
            if CommandLine.arguments.dropFirst().first == "try" {
                // Its arguments are another program's: no parser may look for options among them.
                throw ExitCode(try await TryCommand.execute(Array(CommandLine.arguments.dropFirst(2))))
            }
            if CommandLine.arguments.dropFirst().first == "run",
                let command = try? Run.parse(Array(CommandLine.arguments.dropFirst(2)))
            {
                // The parser looks at every option of every subcommand before it reads a word, which takes longer than most runs.
                // What it would refuse, or help, goes the long way.
                return try await command.run()
            }
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let error as Failure {
            Terminal.error(error.description)
            Glibc.exit(error.code)
        } catch let error as ExitCode {
            Glibc.exit(error.rawValue)
        } catch let error where exitCode(for: error) == .validationFailure {
            Terminal.error(fullMessage(for: error))
            Glibc.exit(2)
        } catch let error where error is CleanExit || exitCode(for: error) == .success {
            print(fullMessage(for: error))
            Glibc.exit(0)
        } catch {
            Terminal.error("\(error)")
            Glibc.exit(4)
        }
    }
}

/// A sentence and the exit code that goes with it.
struct Failure: Error, CustomStringConvertible {
    let description: String
    let code: Int32

    init(_ description: String, code: Int32 = 4) {
        self.description = description
        self.code = code
    }
}
