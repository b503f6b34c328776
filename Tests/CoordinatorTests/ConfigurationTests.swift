import Documents
import Testing

@testable import Coordinator

@Suite("coordinator.yaml")
struct ConfigurationTests {
    @Test("everything it says is read")
    func whole() throws {
        let digest = Digest(of: Array("secret".utf8)).hex
        let text = """
            listen: "[::1]:9000"
            state: /srv/grace
            name: fleet
            trust_threshold: 90%
            cooldown: 2h
            ledger: {public: true}
            tokens: [{principal: ann, role: approver, sha256: \(digest)}]
            parliament: {electorate: [ops], groups: {ops: [ann, bob]}, approval_threshold: 50%, quorum: 2, expires: 30m}
            notify: [{webhook: "https://example.org/x", events: [frozen]}, {command: [/bin/true]}]
            limits: {body: 2Mi, blob: 1Gi}
            """
        let configuration = try CoordinatorConfiguration.parse(file: "c.yaml", text: text, state: "/default")
        #expect(configuration.host == "::1" && configuration.port == 9000 && configuration.state == "/srv/grace")
        #expect(configuration.trustThreshold == 0.9 && configuration.cooldown == 7200 && configuration.publicLedger)
        #expect(configuration.tokens.map(\.principal) == ["ann"])
        #expect(configuration.parliament.quorum == 2 && configuration.parliament.expires == 1800)
        #expect(configuration.hooks.map(\.events) == [[.frozen], Set(NoticeKind.allCases)])
        #expect(configuration.bodyLimit == 2 << 20 && configuration.blobLimit == 1 << 30)
    }

    @Test("every mistake is told at once, with its line and path")
    func mistakes() throws {
        let text = """
            listen: nowhere
            tokens: [{principal: ann, role: king, sha256: abc}]
            parliament: {quorum: 0, expires: 5}
            notify: [{}]
            colour: red
            """
        do {
            _ = try CoordinatorConfiguration.parse(file: "c.yaml", text: text, state: "/s")
            Issue.record("it was taken")
        } catch let problems as Problems {
            let paths = problems.all.map(\.path)
            for path in ["listen", "tokens[0].role", "parliament.quorum", "parliament.expires", "notify[0]", "colour"] {
                #expect(paths.contains(path), "nothing about \(path): \(problems)")
            }
            #expect(problems.all.allSatisfy { $0.line != nil })
        }
    }

    @Test("an empty file is the defaults, and roles cover what they should")
    func defaults() throws {
        let configuration = try CoordinatorConfiguration.parse(file: "c", text: "# nothing\n{}\n", state: "/s")
        #expect(configuration == CoordinatorConfiguration(state: "/s"))
        #expect(Role.admin.covers(.viewer) && Role.operator.covers(.approver) && !Role.viewer.covers(.approver))
        #expect(!Role.agent.covers(.viewer) && !Role.admin.covers(.agent) && Role.agent.covers(.agent))
    }
}
