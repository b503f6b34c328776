import FoundationEssentials
import Measurement
import Missions
import Sandbox
import Testing

@testable import Agent

@Suite("A remedy")
struct RemedyTests {
    static let detection = Detection(
        detector: "users", remedy: "index", severity: .high, usual: 0.0123, observed: 0.0492)

    static func template(_ severity: Severity = .low) -> MissionFile {
        MissionFile(
            title: "Answer {{rise}}", description: "From {{usual}} to {{observed}}.",
            rationale: "{{detection}} Again: {{detection}}",
            severity: severity,
            change: ChangeSpecification(
                action: .run("echo {{rise}}"), promote: .rerun, undo: "true {{usual}}", effect: "true {{observed}}"),
            trial: TrialPlan(boundaries: [Boundary(kpi: .latency_p95, role: .goal, amount: 0.1)]))
    }

    @Test("says in title, description and rationale what was seen")
    func fills() {
        let mission = Remedy(name: "index", template: Self.template()).mission(for: Self.detection)
        #expect(mission.title == "Answer 300 %")
        #expect(mission.description == "From 12.3 ms to 49.2 ms.")
        #expect(mission.rationale == "\(Self.detection.sentence) Again: \(Self.detection.sentence)")
    }

    @Test("never puts what was seen into what is run")
    func commands() {
        let template = Self.template()
        let mission = Remedy(name: "index", template: template).mission(for: Self.detection)
        #expect(mission.change == template.change)
        #expect(mission.live == template.live && mission.services == template.services)
    }

    @Test("the mission is as severe as the remedy or the problem, whichever is more", arguments: Severity.allCases)
    func severity(of template: Severity) {
        let mission = Remedy(name: "index", template: Self.template(template)).mission(for: Self.detection)
        #expect(mission.severity == max(template, .high))
    }

    @Test("is read as the mission file it is, sources beside it")
    func parse() async throws {
        try await Ground.with { ground async throws in
            try ground.write("remedies/app.conf", "cache = 2\n")
            let text = """
                title: Larger cache
                description: More memory for the cache
                rationale: "{{detection}}"
                change: {files: [{path: /etc/app.conf, source: app.conf}]}
                sandbox: {profile: strict}
                workload: {run: "true"}
                guardrails: {cpu_time: {regresses: 10%}}
                """
            func read(_ text: String) throws -> Remedy {
                try Remedy.parse(
                    name: "cache", file: "cache.yaml", text: text, directory: ground.path("remedies"),
                    profiles: ProfileLibrary(directories: [Repository.profiles]))
            }
            let remedy = try read(text)
            guard case .files(let files) = remedy.template.change.action else { throw Failure("not files") }
            #expect(files.map(\.content) == [Data("cache = 2\n".utf8).base64EncodedString()])
            #expect(remedy.mission(for: Self.detection).rationale == Self.detection.sentence)
            #expect(refusal { _ = try read(text.replacing("strict", with: "nosuch")) } != nil)
            #expect(
                refusal { _ = try read(text.replacing("app.conf}", with: "gone}")) }?.contains("cache.yaml") ?? false)
        }
    }
}
