import Glibc
import Linux
import Local
import Sandbox

/// What is called `grace`: a small program that starts in a millisecond. It runs commands in sandboxes and forks itself, and
/// becomes `grace-main` for everything else, so that `grace run` before a command costs little more than the sandbox does.
@main
enum Grace {
    static func main() {
        signal(SIGPIPE, SIG_IGN)
        let words = Array(CommandLine.arguments.dropFirst())
        do {
            switch words.first {
            case "run":
                // What it doesn't understand, and help, goes the long way.
                let rest = Array(words.dropFirst())
                if let options = RunOptions.parse(rest, environment: Processes.variable) {
                    exit(try RunHosting.run(options) ?? SandboxEngine.alone { try await Run.execute(options) })
                }
            case "try":
                let options = try TryOptions.parse(Array(words.dropFirst()))
                if !options.reachesBeyondTheFork {
                    exit(try SandboxEngine.alone { try await TryCommand.execute(options, beyond: nil) })
                }
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

    /// - Throws: A sentence where that can't be.
    private static func becomeWhole() throws {
        let program = try SandboxEngine.locateHelper("grace-main", installedApart: false)
        // A link or a copy with that name would begin again here, and again.
        let own = try Files.status(of: Files.open("/proc/self/exe", flags: Files.Flag.path))
        let whole = try Files.status(of: Files.open(program, flags: Files.Flag.path))
        guard (own.device, own.inode) != (whole.device, whole.inode), Processes.variable(mark) == nil else {
            throw Failure(
                "\(program) is this small program and not grace-main; install the one that was built with it.")
        }
        setenv(mark, "1", 1)
        signal(SIGPIPE, SIG_DFL)
        execv(program, CommandLine.unsafeArgv)
        throw Failure("\(SystemError(call: "execv", subject: program, code: errno))")
    }

    /// In the environment from here to `grace-main`, which takes it out.
    private static let mark = "GRACE_BECOMES_WHOLE"
}
