import Agent
import ArgumentParser
import Cgroups
import Documents
import Glibc
import Linux
import Sandbox

struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what this kernel and host can do for Grace, line by line, and how to mend what they can't.")
    @OptionGroup var placesOptions: PlacesOptions
    @Flag(help: "Print JSON instead of text.") var json = false

    func run() async throws {
        let facts = try HostFacts.read()
        let scratch = try Temporary.directory("grace-doctor")
        defer { try? Files.removeTree(scratch) }
        var features: [FeatureStatus] = []
        var helperProblem: String?
        do {
            let engine = SandboxEngine(
                cgroups: try? CgroupHost.detect(), cgroupParent: "grace", helper: try SandboxEngine.locateHelper(),
                scratch: scratch)
            features = engine.features()
        } catch {
            helperProblem = "\(error)"
        }
        let tools = Self.tools()
        if json {
            Terminal.line(
                JSON.object([
                    "host": try JSON(encoding: facts), "features": try JSON(encoding: features),
                    "tools": .object(tools.reduce(into: [:]) { $0[$1.name] = .bool($1.found) }),
                    "problem": helperProblem.map { .string($0) } ?? .null,
                ]).canonicalText)
        } else {
            show(facts, features, tools, helperProblem)
        }
        let missing = features.contains { !$0.available } || helperProblem != nil || tools.contains { !$0.found }
        if missing { throw ExitCode(1) }
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
            line(false, "cgroup \(name)", reason, nil)
        }
        for status in features { line(status.available, status.feature.rawValue, status.detail, status.mend) }
        for tool in tools {
            line(tool.found, tool.name, tool.found ? "found" : tool.why, tool.found ? nil : "apt-get install it")
        }
        if let problem { line(false, "sandbox engine", problem, nil) }
    }

    private func line(_ good: Bool, _ name: String, _ detail: String, _ mend: String?) {
        let mark = good ? Terminal.styled("ok ", .green) : Terminal.styled("no ", .red, .bold)
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
