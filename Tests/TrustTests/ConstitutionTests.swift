import Documents
import Fork
import FoundationEssentials
import Linux
import Measurement
import Missions
import Testing
import Trust

@Suite("The constitution")
struct ConstitutionTests {
    private func violated(
        _ context: ConstitutionContext, _ constitution: Constitution = .standard, stage: PrincipleStage = .evidence
    ) -> [String] {
        constitution.evaluate(stage: stage, context).filter { !$0.satisfied }.map(\.principle)
    }

    private static func facts(_ edit: (inout ExecutionFacts) -> Void = { _ in }) -> ExecutionFacts {
        let digest = Digest(of: Data())
        var facts = ExecutionFacts(
            approvers: ["ada"], approvalsNeeded: 1, expires: Fixture.now.addingTimeInterval(60), now: Fixture.now,
            pairs: [
                .init("mission file", tested: digest, now: digest), .init("change set", tested: digest, now: digest),
            ], conflicts: [])
        edit(&facts)
        return facts
    }

    @Test("the ordinary mission satisfies every principle of its stage")
    func ordinary() {
        #expect(violated(Fixture.constitution()) == [])
        #expect(Constitution.standard.evaluate(stage: .evidence, Fixture.constitution()).count == 6)
        #expect(violated(Fixture.constitution(execution: Self.facts()), stage: .execution) == [])
        #expect(Constitution.standard.evaluate(stage: .execution, Fixture.constitution()).count == 3)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var context: ConstitutionContext
        var principle: String
        var testDescription: String { name }
    }

    static func files(_ edit: (inout MissionFile) -> Void = { _ in }) -> MissionFile {
        Fixture.mission {
            $0.change = ChangeSpecification(action: .files([FileChange(path: "/etc/nginx/nginx.conf", content: "")]))
            edit(&$0)
        }
    }

    static func incomplete(_ edit: (inout EvidenceCompleteness) -> Void) -> ConstitutionContext {
        var context = Fixture.constitution()
        edit(&context.completeness)
        return context
    }

    static func without(gracePaths: [String]) -> ConstitutionContext {
        var context = Fixture.constitution()
        context.gracePaths = gracePaths
        return context
    }

    static let cases: [Case] = [
        Case(
            name: "a rerun without undo", context: Fixture.constitution(Fixture.mission { $0.change.undo = nil }),
            principle: "reversible"),
        Case(
            name: "a rerun with a blank effect",
            context: Fixture.constitution(Fixture.mission { $0.change.effect = " " }), principle: "reversible"),
        Case(
            name: "files without a base", context: Fixture.constitution(files(), changes: []), principle: "reversible"),
        Case(
            name: "files whose base lacks a path",
            context: Fixture.constitution(
                files(), changes: [Fixture.change("/etc/nginx/nginx.conf")], base: try? Base([])),
            principle: "reversible"),
        Case(
            name: "files whose base moved",
            context: Fixture.constitution(
                files(), changes: [Fixture.change("/etc/nginx/nginx.conf")],
                base: try? Base([BaseEntry(path: "/etc/nginx/nginx.conf", state: .movedUnderFork)])),
            principle: "reversible"),
        Case(
            name: "no rationale", context: Fixture.constitution(Fixture.mission { $0.rationale = "\n" }),
            principle: "explained"),
        Case(name: "no trial", context: Fixture.constitution(trial: nil), principle: "measured"),
        Case(
            name: "only shown KPIs",
            context: Fixture.constitution(trial: Fixture.result(.PASS, [Fixture.line(.cpu_time, .shown)])),
            principle: "measured"),
        Case(
            name: "an unmeasured guardrail",
            context: Fixture.constitution(
                trial: Fixture.result(
                    .PASS, [Fixture.line(.cpu_time, .goal), Fixture.line(.error_rate, .guardrail, measured: false)])),
            principle: "measured"),
        Case(
            name: "no block that counts",
            context: Fixture.constitution(
                trial: TrialResult(
                    verdict: .PASS, reason: "", blocks: 3, discarded: 3, kpis: [Fixture.line(.cpu_time, .goal)])),
            principle: "measured"),
        Case(
            name: "a path beside the scope",
            context: Fixture.constitution(changes: [Fixture.change("/srv/application/x")]), principle: "within_scope"),
        Case(
            name: "a path beside the only file of a files change",
            context: Fixture.constitution(
                files(), changes: [Fixture.change("/etc/nginx/other.conf")],
                base: try? Base([BaseEntry(path: "/etc/nginx/other.conf", state: .absent)])), principle: "within_scope"),
        Case(
            name: "Grace's policy",
            context: Fixture.constitution(
                Fixture.mission { $0.change.touches = ["/"] }, changes: [Fixture.change("/etc/grace/governance.yaml")]),
            principle: "hands_off_grace"),
        Case(
            name: "the directory above Grace's state is gone",
            context: Fixture.constitution(
                Fixture.mission { $0.change.touches = ["/"] },
                changes: [Fixture.change("/var/lib", .delete, type: .directory)]),
            principle: "hands_off_grace"),
        Case(
            name: "the directory above Grace's state becomes a link",
            context: Fixture.constitution(
                Fixture.mission { $0.change.touches = ["/"] },
                changes: [Fixture.change("/var/lib", .replace, type: .symlink)]),
            principle: "hands_off_grace"),
        Case(
            name: "a rerun names Grace",
            context: Fixture.constitution(
                Fixture.mission { $0.change.action = .run("echo > /etc/grace/approvers.yaml") }),
            principle: "hands_off_grace"),
        Case(
            name: "an undo names Grace",
            context: Fixture.constitution(Fixture.mission { $0.change.undo = "rm -rf /var/lib/grace" }),
            principle: "hands_off_grace"),
        Case(
            name: "live.apply names Grace",
            context: Fixture.constitution(Fixture.mission { $0.live.apply.run = ["/usr/bin/grace resume"] }),
            principle: "hands_off_grace"),
        Case(name: "nobody says where Grace is", context: without(gracePaths: []), principle: "hands_off_grace"),
        Case(
            name: "Grace's paths are relative", context: without(gracePaths: ["etc/grace"]),
            principle: "hands_off_grace"),
        Case(
            name: "commands are missing", context: incomplete { $0.commands = .missing("x") },
            principle: "nothing_hidden"),
        Case(
            name: "denied calls are missing", context: incomplete { $0.deniedCalls = .missing("x") },
            principle: "nothing_hidden"),
        Case(
            name: "network use is missing", context: incomplete { $0.network = .missing("x") },
            principle: "nothing_hidden"),
    ]

    @Test("each principle is violated by what violates it, and no other with it", arguments: cases)
    func violations(_ given: Case) {
        #expect(violated(given.context) == [given.principle])
    }

    @Test(
        "what merely resembles a violation is none",
        arguments: [
            Fixture.constitution(Fixture.mission { $0.change.action = .run("/usr/bin/graceful /etc/grace-notes") }),
            Fixture.constitution(Fixture.mission { $0.change.touches = [] }, changes: [Fixture.change("/anywhere")]),
            Fixture.constitution(changes: [Fixture.change("/srv/app", .metadata, type: .directory)]),
            Fixture.constitution(
                Fixture.mission { $0.change.touches = ["/srv/app/new/dir"] },
                changes: [Fixture.change("/srv/app/new", .create, type: .directory)]),
            incomplete { $0.deniedCalls = .notPossible("this kernel can't tell") },
        ])
    func noViolation(context: ConstitutionContext) {
        #expect(violated(context) == [])
    }

    @Test(
        "execution needs people, freshness and sameness",
        arguments: [
            ("nobody", facts { $0.approvers = [] }, ["approved_by_people"]),
            ("a blank name", facts { $0.approvers = [" "] }, ["approved_by_people"]),
            ("one of two", facts { $0.approvalsNeeded = 2 }, ["approved_by_people"]),
            (
                "nobody needed",
                facts {
                    $0.approvers = []; $0.approvalsNeeded = 0
                }, ["approved_by_people"]
            ),
            ("expired", facts { $0.now = $0.expires }, ["fresh"]),
            ("nothing compared", facts { $0.pairs = [] }, ["unchanged"]),
            ("another digest", facts { $0.pairs[1].now = Digest(of: Data([1])) }, ["unchanged"]),
            ("a conflict", facts { $0.conflicts = ["/x changed"] }, ["unchanged"]),
        ] as [(String, ExecutionFacts, [String])])
    func execution(name: String, facts: ExecutionFacts, expected: [String]) {
        #expect(violated(Fixture.constitution(execution: facts), stage: .execution) == expected, "\(name)")
    }

    @Test("before execution no execution principle is satisfied")
    func notYet() {
        #expect(violated(Fixture.constitution(), stage: .execution).count == 3)
    }

    @Test("a host may protect more paths, and may take no principle away")
    func file() throws {
        #expect(try Constitution.parse(file: "c", text: Constitution.defaultText) == .standard)
        let strict = try Constitution.parse(
            file: "c", text: "protected_paths: [/srv/app/*.db]\nprinciples: {measured: true}")
        #expect(violated(Fixture.constitution(), strict) == ["hands_off_grace"])
        #expect(strict.principles == Principle.allCases)
        #expect(strict.digest != Constitution.standard.digest)
        let error = #expect(throws: Problems.self) {
            try Constitution.parse(
                file: "c", text: "principles: {measured: false, invented: true}\nprotected_paths: [x]\nother: 1")
        }
        #expect(error?.all.count == 4)
        #expect(error?.description.contains("can't be switched off") == true)
    }
}
