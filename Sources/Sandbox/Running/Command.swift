/// A program to run in a sandbox.
public struct Command: Codable, Equatable, Sendable {
    /// The program and its arguments. A name without a slash is searched in the command's `PATH`, inside the sandbox.
    public var arguments: [String]
    /// Added to, and over, the profile's environment.
    public var environment: [String: String]
    public var directory: String
    /// A user of the host's passwd, by name or number; `nil`: root inside.
    public var user: String?

    public init(arguments: [String], environment: [String: String] = [:], directory: String = "/", user: String? = nil)
    {
        self.arguments = arguments
        self.environment = environment
        self.directory = directory
        self.user = user
    }

    /// A line for the shell: `/bin/sh -c line`.
    public static func shell(_ line: String) -> Command {
        Command(arguments: ["/bin/sh", "-c", line])
    }
}
