import ArgumentParser
import Glibc
import Local

/// How a program of ours ends.
enum ProgramEnd {
    /// Says what there is to say of an error, and ends with its exit code: a ``Failure``'s own, 2 for wrong input, 0 for help, 4 for
    /// everything else.
    ///
    /// - Parameters:
    ///   - error: What the command threw.
    ///   - command: The command whose usage is shown for wrong input.
    static func exit(_ error: any Error, of command: (some ParsableCommand).Type) -> Never {
        if let error = error as? Failure {
            Terminal.error(error.description)
            Glibc.exit(error.code)
        }
        if let error = error as? ExitCode { Glibc.exit(error.rawValue) }
        switch command.exitCode(for: error) {
        case .validationFailure:
            Terminal.error(command.fullMessage(for: error))
            Glibc.exit(2)
        case .success:
            print(command.fullMessage(for: error))
            Glibc.exit(0)
        default:
            Terminal.error("\(error)")
            Glibc.exit(4)
        }
    }
}
