import Documents
import Foundation
import Missions
import Parliament
import Testing

@Suite("approvers.yaml")
struct ApproversTests {
    private let text = """
        groups:
          operators: [alice, bob, carol]
          security: [dave]
        rules:
          - require: [{group: operators}]
          - severity: [high, critical]
            require: [{group: operators, count: 2}, {group: security, count: 1}]
            proposer: barred
          - labels: {role: database}
            require: [{group: security, count: 1}]
            user_presence: true
        """

    private func parse(_ text: String) throws -> Approvers { try Approvers.parse(file: "approvers.yaml", text: text) }

    @Test("all rules that match apply together")
    func requirement() throws {
        let approvers = try parse(text)
        #expect(approvers.digest == Digest(of: Data(text.utf8)))
        let low = try #require(approvers.requirement(severity: .low, labels: ["role": "app"]))
        #expect(low.demands == [.init(group: "operators", count: 1)])
        #expect(!low.proposerBarred && !low.userPresence && low.people == ["alice", "bob", "carol"] && low.least == 1)
        let high = try #require(approvers.requirement(severity: .high, labels: ["role": "database"]))
        #expect(high.demands == [.init(group: "operators", count: 2), .init(group: "security", count: 1)])
        #expect(
            high.proposerBarred && high.userPresence && high.people == ["alice", "bob", "carol", "dave"]
                && high.least == 2)
        #expect(approvers.people == ["alice", "bob", "carol", "dave"])
    }

    @Test("a person counts once in a group and in each group that holds them")
    func counting() throws {
        let approvers = try parse(
            "groups: {a: [x, y], b: [x]}\nrules: [{require: [{group: a, count: 2}, {group: b, count: 1}]}]")
        let need = try #require(approvers.requirement(severity: .low, labels: [:]))
        func short(_ people: [String], _ identity: (String) -> String = { $0 }) -> [String] {
            need.shortfalls(of: need.demands, people: people, identity: identity).map {
                "\($0.demand.group) \($0.have)"
            }
        }
        #expect(short(["x", "y"]) == [])
        #expect(short(["x", "x"]) == ["a 1"])
        #expect(short(["y"]) == ["a 1", "b 0"])
        #expect(short(["x", "y"]) { _ in "one" } == ["a 1"])
        #expect(short(["z"]) == ["a 0", "b 0"])
    }

    @Test(
        "mistakes are named with their place, all at once",
        arguments: [
            ("rules: []\n", ["groups", "no rule"]), ("groups: {a: [x]}\n", ["“rules” is missing"]),
            ("groups: {a: [x]}\nrules: []\n", ["nobody could ever"]),
            (
                "groups: {a: [x, x, \"b*\"]}\nrules: [{require: [{group: a}]}]",
                ["stands here twice", "name of one person"]
            ),
            ("groups: {a: [x]}\nrules: [{require: [{group: b, count: 1}]}, {}]", ["one of a", "“require” is missing"]),
            ("groups: {a: [x]}\nrules: [{require: [{group: a, count: 2}]}]", ["could never be fulfilled"]),
            ("groups: {a: [x]}\nrules: [{require: [{group: a, count: 0}]}]", ["from 1 to 1000"]),
            ("groups: {a: [x]}\nrules: [{require: []}]", ["nobody is not approval"]),
            ("groups: {a: [x]}\nrules: [{require: [{group: a}], severity: [grave]}]", ["one of low"]),
            ("groups: {a: [x]}\nrules: [{require: [{group: a}], severity: []}]", ["never apply"]),
            (
                "groups: {a: [x]}\nrules: [{require: [{group: a}], proposer: maybe, user_presence: yes}]",
                ["barred, allowed", "true or false"]
            ),
            (
                "groups: {a: [x]}\nrules: [{require: [{group: a}], veto: true}]\noverride: {}",
                ["unknown key “veto”", "unknown key “override”"]
            ),
            ("groups: {a: [x]}\nrules: [{require: [{group: a}]}]\noverrides: {}", ["“require” is missing"]),
        ])
    func mistakes(text: String, wanted: [String]) {
        do {
            _ = try parse(text)
            Issue.record("nothing was refused")
        } catch {
            for part in wanted { #expect("\(error)".contains(part), "\(error)") }
            #expect("\(error)".contains("approvers.yaml:"))
        }
    }
}
