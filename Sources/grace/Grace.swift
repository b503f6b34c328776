import ArgumentParser
import Glibc
import Linux
import Local
import Sandbox

/// What is called `grace`: a small, statically linked program that starts in a millisecond. It runs commands in sandboxes and forks
/// itself, and becomes `grace-main` for everything else, so that `grace run` before a command costs what the sandbox costs.
@main
enum Grace {
    static func main() async {
        signal(SIGPIPE, SIG_IGN)
        let words = Array(CommandLine.arguments.dropFirst())
        do {
            switch words.first {
            case "run":
                // What the parser would refuse, or help, goes the long way.
                if let command = try? Run.parse(Array(words.dropFirst())) { try await command.run() }
            case "try":
                // Its arguments are another program's: no parser may look for options among them.
                let options = try TryOptions.parse(Array(words.dropFirst()))
                if !options.reachesBeyondTheFork {
                    throw ExitCode(try await TryCommand.execute(options, beyond: nil))
                }
            default: break
            }
            try becomeWhole()
        } catch {
            ProgramEnd.exit(error, of: Run.self)
        }
    }

    /// - Throws: ``Failure`` where that can't be.
    private static func becomeWhole() throws {
        let program: String
        do {
            program = try SandboxEngine.locateHelper("grace-main")
        } catch {
            throw Failure("\(error)")
        }
        signal(SIGPIPE, SIG_DFL)
        execv(program, CommandLine.unsafeArgv)
        throw Failure("\(SystemError(call: "execv", subject: program, code: errno))")
    }
}
