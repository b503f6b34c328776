import ArgumentParser
import Glibc
import Local

/// The whole command line; `grace` is the small program before it, which does what must start fast itself. Exit codes of `verify` and
/// `propose --wait`: 0 pass, 1 regression or denied, 2 usage, 3 inconclusive, 4 infrastructure.
@main
struct Grace: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "grace",
        abstract: "Find out what a change does before it is live. Grace proposes, people decide, Grace executes.",
        version: Version.text,
        subcommands: [
            Up.self, AgentCommand.self, RunCommand.self, TryEntry.self, ChangesCommand.self, Verify.self, Propose.self,
            MissionsCommand.self, Vote.self,
            FeedbackCommand.self,
            Rollback.self, Override.self, Revoke.self, Pause.self, Resume.self, Log.self, Keys.self,
            ProfilesCommand.self, Doctor.self,
        ])

    static func main() async {
        unsetenv("GRACE_BECOMES_WHOLE")
        signal(SIGPIPE, SIG_IGN)
        if let verb = CommandLine.arguments.dropFirst().first, ["up", "agent"].contains(verb) { Signals.handle() }
        do {
            if CommandLine.arguments.dropFirst().first == "try" {
                // Its arguments are another program's: no parser may look for options among them.
                throw ExitCode(try await TryEntry.execute(Array(CommandLine.arguments.dropFirst(2))))
            }
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            ProgramEnd.exit(error, of: Self.self)
        }
    }
}
