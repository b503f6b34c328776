import Glibc
import Linux
import Local
import Sandbox

/// What is called `grace`: a small program that starts in two milliseconds. It runs commands in sandboxes and forks itself, and
/// becomes `grace-main` for everything else, so that `grace run` before a command costs little more than the sandbox does.
@main
enum Grace {
    /// On the main thread: each hop to a pool would start threads first.
    @MainActor static func main() async {
        signal(SIGPIPE, SIG_IGN)
        let words = Array(CommandLine.arguments.dropFirst())
        do {
            switch words.first {
            case "run":
                // What it doesn't understand, and help, goes the long way.
                let rest = Array(words.dropFirst())
                if let options = RunOptions.parse(rest, environment: Processes.currentEnvironment()) {
                    exit(try await Run.execute(options))
                }
            case "try":
                let options = try TryOptions.parse(Array(words.dropFirst()))
                if !options.reachesBeyondTheFork { exit(try await TryCommand.execute(options, beyond: nil)) }
            default: break
            }
            try becomeWhole()
        } catch let error as Failure {
            Terminal.error(error.description)
            exit(error.code)
        } catch {
            Terminal.error("\(error)")
            exit(4)
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
