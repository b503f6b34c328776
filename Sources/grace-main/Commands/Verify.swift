import Agent
import ArgumentParser
import Documents
import Fork
import FoundationEssentials
import Glibc
import Ledger
import Linux
import Local
import Measurement
import Missions
import Sandbox

struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Test a mission in a fork of this host, without a coordinator: the CI step.",
        discussion: "Exit codes: 0 pass, 1 regression or denied, 2 usage, 3 inconclusive, 4 infrastructure.")
    @OptionGroup var placesOptions: PlacesOptions
    @Argument(help: "The mission file.") var mission: String
    @Option(name: .customLong("json"), help: "Write the evidence as JSON to this file (- is standard output).")
    var jsonFile: String?
    @Option(help: "Write a JUnit report to this file.") var junit: String?
    @Option(help: "Write Hunter's findings as SARIF 2.1.0 to this file.") var sarif: String?
    @Option(help: "Write a Markdown summary to this file.") var markdown: String?
    @Option(help: "Write Go's benchmark format to this file.") var benchfmt: String?
    @Option(help: "A directory of sandbox profiles, searched first.") var profiles: [String] = []

    func run() async throws {
        let path = mission.absolute
        let text: String
        do {
            text = try Files.readString(path)
        } catch {
            throw Failure("The mission file can't be read: \(error)", code: 2)
        }
        let library = ProfileLibrary(
            directories: profiles.map(\.absolute) + [placesOptions.places.profiles] + ProfileDirectories.standard)
        let directory = "/" + path.split(separator: "/").dropLast().joined(separator: "/")
        let file: MissionFile
        do {
            file = try MissionFile.parse(file: mission, text: text, directory: directory, profiles: library)
        } catch let problems as Problems {
            throw Failure("The mission file is refused:\n\(problems)", code: 2)
        }
        let outcome = try await test(file, library)
        for line in MissionView.lines(of: outcome.evidence) { Terminal.line(line) }
        try write(outcome)
        if !outcome.blocking.isEmpty {
            throw Failure("Denied: " + outcome.blocking.joined(separator: " "), code: 1)
        }
        switch outcome.evidence.trial.verdict {
        case .PASS: return
        case .REGRESSION: throw ExitCode(1)
        case .INCONCLUSIVE: throw ExitCode(3)
        }
    }

    private func test(_ file: MissionFile, _ library: ProfileLibrary) async throws -> MissionTester.Outcome {
        // A state of its own: a CI run leaves nothing behind and needs nothing that was there before.
        var places = placesOptions.places
        let temporary = placesOptions.state == nil ? try Temporary.directory("grace-verify") : ""
        defer { if !temporary.isEmpty { try? Files.removeTree(temporary) } }
        if !temporary.isEmpty { places.state = temporary }
        let setup = HostSetup(places: places)
        try setup.makeVerifyDirectories()
        let policies = try Policies.loadOrDefault(places)
        let names = try Kernel.names()
        let host = HostIdentity(id: "verify", name: names.host, kernel: names.release)
        let bench = try TestBench.make(
            places: places,
            configuration: AgentConfiguration(name: names.host, tokenFile: "", trialShare: 1, trialWeight: 100),
            profiles: library,
            host: host)
        let id = "verify-\(getpid())"
        let tester = MissionTester(
            bench: bench, mission: file, missionID: id, folder: try MissionFolder(root: places.missions, id: id),
            policies: policies, lock: HostLock(),
            progress: { step in Terminal.line(Terminal.styled("  " + Terminal.escaped(step.text), .dim)) })
        do {
            let outcome = try await tester.run()
            try? bench.forks().discard(id: id)
            return outcome
        } catch {
            try? bench.forks().discard(id: id)
            throw error
        }
    }

    private func write(_ outcome: MissionTester.Outcome) throws {
        let evidence = outcome.evidence
        func put(_ path: String?, _ text: @autoclosure () throws -> String) throws {
            guard let path else { return }
            if path == "-" {
                Terminal.line(try text())
            } else {
                try ReportFile.write(Data(try text().utf8), to: path.absolute)
            }
        }
        try put(jsonFile, try JSON(encoding: evidence).canonicalText)
        try put(junit, CIReports.junit(evidence, blocking: outcome.blocking))
        try put(sarif, CIReports.sarif(evidence).canonicalText)
        try put(markdown, CIReports.markdown(evidence, blocking: outcome.blocking))
        try put(benchfmt, CIReports.benchfmt(evidence))
    }
}
