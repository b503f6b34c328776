import ArgumentParser
import Linux
import Local

/// `grace run` with help and with words about what is wrong; a right command line never comes here (``RunOptions/parse(_:environment:)``).
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a command in a sandbox over this host; what it writes is thrown away.",
        discussion: """
            Exits with the command's own code; 125 when Grace failed, 126 when the command can't be executed, 127 when it is not \
            found, 128+n on a signal.
            """)
    @OptionGroup var placesOptions: PlacesOptions
    @Option(help: "The sandbox profile.") var profile = "strict"
    @Option(help: "A directory of sandbox profiles, searched first.") var profiles: [String] = []
    @Option(
        help:
            "Do without this feature where the host can't give it, and say so (memory_limit, mapped_root, …); may be repeated."
    )
    var without: [String] = []
    @Option(help: "Write the run's figures as JSON to this file.") var kpi: String?
    @Flag(help: "Print the run's figures as JSON to standard error at the end.") var json = false
    @Flag(
        help:
            "Make this sandbox here, also where the host's agent has some ready (ready_sandboxes in agent.yaml)."
    )
    var alone = false
    @Argument(parsing: .postTerminator, help: "The command and its arguments, after --.") var command: [String]

    func run() async throws {
        var options = RunOptions(environment: Processes.variable)
        options.places = placesOptions.places
        options.profile = profile
        options.profiles = profiles
        options.without = without
        options.kpi = kpi
        options.json = json
        options.alone = alone
        options.command = command
        throw ExitCode(try await Run.execute(options))
    }
}
