package import ArgumentParser
internal import Cgroups
internal import Documents
internal import FoundationEssentials
internal import Glibc
internal import Linux
internal import Sandbox

/// `grace run`: a command in a sandbox over this host; nothing of what it writes stays.
package struct Run: AsyncParsableCommand {
    package init() {}

    package static let configuration = CommandConfiguration(
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
    @Argument(parsing: .postTerminator, help: "The command and its arguments, after --.") var command: [String]

    package func run() async throws {
        guard !command.isEmpty else { throw Failure("Give a command: grace run -- CMD…", code: 2) }
        let code: Int32
        do {
            code = try await execute()
        } catch let error as SandboxError {
            throw Failure("\(error)", code: error.shellCode)
        } catch let error as Failure {
            throw Failure(error.description, code: error.code == 2 ? 2 : 125)
        } catch {
            throw Failure("\(error)", code: 125)
        }
        throw ExitCode(code)
    }

    private func execute() async throws -> Int32 {
        let library = ProfileLibrary(
            directories: profiles.map(\.absolute) + [placesOptions.places.profiles] + ProfileDirectories.standard)
        var effective = try library.profile(named: profile)
        for name in without {
            guard let feature = Feature(rawValue: name) else {
                throw Failure(
                    "“\(name)” is no feature of a sandbox; known: \(Feature.allCases.map(\.rawValue).joined(separator: ", ")).",
                    code: 2)
            }
            effective.require.removeAll { $0 == feature }
            effective.optional.append(feature)
        }
        let scratch = try Temporary.directory("grace-run")
        defer { try? Files.removeTree(scratch) }
        let engine = SandboxEngine(
            cgroups: try? CgroupHost.detect(), cgroupParent: "grace", helper: try SandboxEngine.locateHelper(),
            scratch: scratch)
        var line = Command(arguments: command)
        line.environment = Self.environment(effective)
        line.directory = Processes.currentEnvironment()["PWD"] ?? "/"
        let specification = SandboxSpecification(
            profile: effective, masks: placesOptions.places.all, hostname: "grace", label: "run-\(getpid())")
        let begin = ContinuousClock.now
        let result = try await engine.run(specification, line)
        let elapsed = (ContinuousClock.now - begin) / .seconds(1)
        if json || kpi != nil {
            let report = JSON.object([
                "exit_code": .integer(Int64(result.exit.shellCode)), "duration_seconds": .number(elapsed),
                "outcome": try JSON(encoding: result.outcome), "fallbacks": try JSON(encoding: result.fallbacks),
                "profile": .string(effective.name),
            ]).canonicalText
            if let kpi { try Files.writeAtomically(kpi.absolute, Data((report + "\n").utf8), mode: 0o644) }
            if json { FileHandleless.write(report + "\n", to: STDERR_FILENO) }
        }
        for fallback in result.fallbacks {
            Terminal.error("this sandbox did without \(fallback.feature.rawValue): \(fallback.detail)")
        }
        if let breach = result.outcome.breach { Terminal.error(breach.sentence(effective.limits)) }
        return result.exit.shellCode
    }

    /// What a command can't do without: its terminal's kind and the caller's language; everything else is the profile's.
    private static func environment(_ profile: Profile) -> [String: String] {
        let own = Processes.currentEnvironment()
        var result: [String: String] = [:]
        for name in ["TERM", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "COLUMNS", "LINES", "NO_COLOR"] {
            result[name] = own[name]
        }
        return result
    }
}
