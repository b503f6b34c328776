import Agent
import ArgumentParser
import Documents
import FoundationEssentials
import Linux
import Local
import Measurement
import Missions
import NIOHTTP1
import Sandbox

struct Propose: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Submit a mission to the coordinator.",
        discussion:
            "With --wait it is followed; exit codes: 0 pass, 1 regression or denied, 2 usage, 3 inconclusive, 4 infrastructure."
    )
    @OptionGroup var client: ClientOptions
    @Argument(help: "The mission file.") var mission: String
    @Flag(help: "Follow it until people are asked, or it is settled.") var wait = false
    @Option(help: "A directory of sandbox profiles, for checking the mission before it is sent.") var profiles:
        [String] = []

    func run() async throws {
        let path = mission.absolute
        let directory = "/" + path.split(separator: "/").dropLast().joined(separator: "/")
        let library = ProfileLibrary(
            directories: profiles.map(\.absolute) + [client.placesOptions.places.profiles] + ProfileDirectories.standard
        )
        let file: MissionFile
        do {
            file = try MissionFile.parse(
                file: mission, text: try Files.readString(path), directory: directory, profiles: library)
        } catch let problems as Problems {
            throw Failure("The mission file is refused:\n\(problems)", code: 2)
        } catch let error as SystemError {
            throw Failure("The mission file can't be read: \(error)", code: 2)
        }
        let api = try client.client()
        let answer = try await api.call(.POST, missionsPath, try file.document)
        guard let id = answer["mission_id"]?.string else {
            throw Failure("The coordinator's answer has no mission_id: \(answer.canonicalText)")
        }
        Terminal.line(client.json ? answer.canonicalText : "Mission \(id) is proposed.")
        guard wait else { return }
        let phase = try await Follower(api: api, json: client.json, until: ["consensus"]).follow(id).phase
        let evidence = try? await api.call(.GET, "\(missionsPath)/\(id)/evidence")
        if !client.json, let evidence, let decoded = MissionView.evidence(evidence) {
            for line in MissionView.lines(of: decoded) { Terminal.line(line) }
        }
        switch phase {
        case .consensus, .liveExecution, .monitoring, .complete:
            let verdict = evidence.flatMap(MissionView.evidence)?.trial.verdict
            if verdict != .PASS { throw ExitCode(3) }
        case .needsMoreTesting: throw ExitCode(3)
        case .failed: throw ExitCode(4)
        default: throw ExitCode(1)
        }
    }
}
