import Agent
import ArgumentParser
import Cgroups
import Documents
import Glibc
import Linux
import Local
import Sandbox

struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what this kernel and host can do for Grace, line by line, and how to mend what they can't.",
        discussion: """
            Every feature is tried on the spot. A line says “ok ”, “low” for something Grace does without, visibly, or “no ” for what no \
            sandbox starts without. Exits with 0 when everything required works, else with 1. --clean and --holds do their own \
            work alone.
            """)
    @OptionGroup var placesOptions: PlacesOptions
    @Flag(help: "Print JSON instead of text.") var json = false
    @Flag(
        help:
            "Remove what killed processes of Grace's left: control groups, scratch directories, mounts, network interfaces. Nothing of a living one is touched."
    ) var clean = false
    @Flag(help: "With --clean: say what would be removed, and remove nothing.") var dryRun = false
    @Option(
        help: ArgumentHelp(
            "Say which sandboxes, forks and other processes keep a device busy: a block device, a mount point or MAJOR:MINOR.",
            valueName: "device")) var holds: String?

    func validate() throws {
        if clean, holds != nil { throw ValidationError("--clean and --holds are two different things; give one.") }
        if dryRun, !clean { throw ValidationError("--dry-run goes with --clean.") }
    }

    func run() async throws {
        if let holds { return try showHolders(of: holds) }
        if clean { return try removeLeftovers() }
        let facts = try HostFacts.read()
        let scratch = try Temporary.directory("grace-doctor", beside: placesOptions.places.state)
        defer { try? Files.removeTree(scratch) }
        var features: [FeatureStatus] = []
        var helperProblem: String?
        do {
            let engine = SandboxEngine(
                cgroups: try? CgroupHost.detect(), cgroupParent: "grace", helper: try SandboxEngine.locateHelper(),
                scratch: scratch, sweeps: false)
            features = engine.features()
        } catch {
            helperProblem = "\(error)"
        }
        let left = leftovers().find()
        let tools = Self.tools()
        if json {
            Terminal.line(
                JSON.object([
                    "host": try JSON(encoding: facts), "features": .array(try features.map(Self.json)),
                    "leftovers": try JSON(encoding: left),
                    "tools": .object(tools.reduce(into: [:]) { $0[$1.name] = .bool($1.found) }),
                    "problem": helperProblem.map { .string($0) } ?? .null,
                ]).canonicalText)
        } else {
            show(facts, features, tools, helperProblem)
            if !left.isEmpty {
                line(
                    .low, "leftovers", "\(left.count) of killed processes of Grace's",
                    "grace doctor --clean --dry-run lists them, grace doctor --clean removes them")
            }
        }
        // Tools and leftovers keep no sandbox from starting; what a feature is needed for says the feature.
        if helperProblem != nil || features.contains(where: { !$0.available && $0.isRequired }) { throw ExitCode(1) }
    }

    private static func json(_ status: FeatureStatus) throws -> JSON {
        guard case .object(var members) = try JSON(encoding: status) else { return .null }
        members["required"] = .bool(status.isRequired)
        return .object(members)
    }

    private func show(
        _ facts: HostFacts, _ features: [FeatureStatus], _ tools: [(name: String, found: Bool, why: String)],
        _ problem: String?
    ) {
        Terminal.line(
            "\(Terminal.styled("host", .bold))      \(facts.name), Linux \(facts.kernel) \(facts.machine), \(facts.cores) processors, \(facts.memory >> 20) MiB"
        )
        Terminal.line(
            "\(Terminal.styled("user", .bold))      "
                + (geteuid() == 0
                    ? "root" : "uid \(geteuid()): sandboxes run in a user namespace; promotion and limits need root"))
        Terminal.line(
            "\(Terminal.styled("cgroups", .bold))   \(facts.layout?.rawValue ?? "none"): \(facts.controllers.joined(separator: ", "))"
        )
        for (name, reason) in facts.missing.sorted(by: { $0.key < $1.key }) {
            line(.low, "cgroup \(name)", reason, nil)
        }
        for status in features {
            line(
                status.available ? .good : status.isRequired ? .bad : .low, status.feature.rawValue, status.detail,
                status.mend)
        }
        for tool in tools {
            line(
                tool.found ? .good : .low, tool.name, tool.found ? "found" : tool.why,
                tool.found ? nil : "apt-get install it")
        }
        if let problem { line(.bad, "sandbox engine", problem, nil) }
    }

    enum Mark {
        case good, low, bad
    }

    func line(_ mark: Mark, _ name: String, _ detail: String, _ mend: String?) {
        let mark =
            switch mark {
            case .good: Terminal.styled("ok ", .green)
            case .low: Terminal.styled("low", .yellow)
            case .bad: Terminal.styled("no ", .red, .bold)
            }
        let padding = String(repeating: " ", count: max(1, 22 - name.count))
        Terminal.line("\(mark) \(name)\(padding)\(detail)" + (mend.map { "  → \($0)" } ?? ""))
    }

    private static func tools() -> [(name: String, found: Bool, why: String)] {
        [
            ("ssh-keygen", "people sign with it (package openssh-client)"),
            ("patch", "patch missions need it (package patch)"),
            ("git", "git missions need it (package git)"),
        ].map { name, why in (name, (try? Processes.locate(name)) != nil, why) }
    }
}
