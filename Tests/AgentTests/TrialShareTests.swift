import FoundationEssentials
import Linux
import Missions
import Sandbox
import Testing

@testable import Agent

/// Testing does not hurt live: no sandbox of a mission gets more of the processors than the host's share for trials.
@Suite("The share of the host that trials may use", .enabled(if: isRoot, "control groups need root"))
struct TrialShareTests {
    private func limit(_ asked: String, share: Double) async throws -> Double? {
        try await Ground.with { ground async throws in
            try ground.write("profiles/small.yaml", "name: small\ndescription: d\nlimits: {cpu: 0.01}\n")
            try ground.write("profiles/wide.yaml", "name: wide\ndescription: d\nlimits: {cpu: 512}\n")
            try ground.write("profiles/open.yaml", "name: open\ndescription: d\n")
            let library = ProfileLibrary(directories: [ground.path("profiles")])
            let bench = try TestBench.make(
                places: ground.places,
                configuration: AgentConfiguration(name: "app1", tokenFile: "/token", trialShare: share),
                profiles: library,
                host: HostIdentity(id: "h", name: "app1", labels: [:], kernel: "6.1"))
            let mission = try MissionFile.parse(
                file: "m.yaml",
                text: """
                    title: t
                    description: d
                    rationale: r
                    change: {run: "true"}
                    sandbox: \(asked)
                    checks: [{name: c, run: "true", junit: r.xml}]
                    guardrails: {code_quality: {regresses: 1pp}}
                    """,
                directory: ground.directory, profiles: library)
            return try bench.profile(for: mission).limits.cpu
        }
    }

    @Test(
        "a profile that asks for more, a mission that does, and one that sets no limit get the share",
        arguments: ["{profile: wide}", "{profile: small, limits: {cpu: 512}}", "{profile: open}"])
    func bounded(asked: String) async throws {
        let processors = Double(Kernel.onlineProcessors())
        #expect(try await limit(asked, share: 0.25) == max(0.1, 0.25 * processors))
        #expect(try await limit(asked, share: 0.5) == max(0.1, 0.5 * processors))
    }

    @Test("who asks for less gets less")
    func less() async throws {
        #expect(try await limit("{profile: small}", share: 0.25) == 0.01)
    }
}
