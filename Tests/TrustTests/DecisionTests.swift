import Measurement
import Missions
import Testing
import Trust

@Suite("The trust score")
struct TrustScoreTests {
    private func score(
        _ result: TrialResult? = Fixture.result(), required: Set<KPI> = [], rules: [RuleResult] = [Fixture.rule()],
        principles: [PrincipleResult] = [Fixture.principle()], hunter: HunterReport? = Fixture.clean
    ) -> TrustScore {
        TrustScore.compute(
            result: result, requiredKPIs: required, governance: rules, constitution: principles, hunter: hunter)
    }

    @Test("the weights sum to 1 and each part counts with its own")
    func weights() {
        #expect(score().total == 1)
        #expect(abs(score(nil).total - 0.60) < 1e-12)
        #expect(abs(score(rules: []).total - 0.75) < 1e-12)
        #expect(abs(score(principles: [Fixture.principle(false)]).total - 0.80) < 1e-12)
        #expect(abs(score(hunter: nil).total - 0.85) < 1e-12)
    }

    @Test(
        "the kpi part is the least h, not a mean",
        arguments: [
            ([Fixture.line(.latency_p95, .goal, h: 1), Fixture.line(.error_rate, .guardrail, h: 0.2)], 0.2),
            ([Fixture.line(.latency_p95, .goal, h: 0.95), Fixture.line(.error_rate, .guardrail, h: 0.99)], 0.95),
            (
                [
                    Fixture.line(.latency_p95, .goal, h: 1),
                    Fixture.line(.error_rate, .guardrail, h: 1, measured: false),
                ], 0
            ),
            ([Fixture.line(.latency_p95, .shown, h: 1)], 0), ([], 0), ([Fixture.line(.latency_p95, .goal, h: .nan)], 0),
            ([Fixture.line(.latency_p95, .goal, h: 7)], 1), ([Fixture.line(.latency_p95, .goal, h: -1)], 0),
            ([Fixture.line(.latency_p95, .goal, h: 1), Fixture.line(.cpu_time, .shown, h: 0)], 1),
        ] as [([KPIResult], Double)])
    func kpi(lines: [KPIResult], expected: Double) {
        let trust = score(Fixture.result(.PASS, lines))
        #expect(trust.kpi == expected)
        #expect(expected == 1 || trust.reasons.contains { $0.hasPrefix("kpi:") })
    }

    @Test("a KPI that policy requires counts as 0 where the mission doesn't ask for it")
    func required() {
        #expect(score(required: [.error_rate]).kpi == 1)
        #expect(score(required: [.throughput]).kpi == 0)
        #expect(
            score(
                Fixture.result(.PASS, [Fixture.line(.cpu_time, .goal), Fixture.line(.throughput, .shown, h: 1)]),
                required: [.throughput]
            ).kpi == 0)
    }

    @Test(
        "the governance part is the share of applicable rules, weighted by level",
        arguments: [
            ([], 0), ([Fixture.rule(applicable: false)], 0),
            ([Fixture.rule(.advisory, passed: false), Fixture.rule(.hardMandatory)], 0.75),
            ([Fixture.rule(.softMandatory, passed: false), Fixture.rule(.hardMandatory)], 0.6),
            ([Fixture.rule(passed: false)], 0),
            ([Fixture.rule(passed: false, applicable: false), Fixture.rule(.advisory)], 1),
        ] as [([RuleResult], Double)])
    func governance(rules: [RuleResult], expected: Double) {
        #expect(abs(score(rules: rules).governance - expected) < 1e-12)
    }

    @Test("the constitution part is the share of principles")
    func constitution() {
        #expect(score(principles: []).constitution == 0)
        #expect(
            score(principles: [Fixture.principle(), Fixture.principle(), Fixture.principle(), Fixture.principle(false)])
                .constitution == 0.75)
    }

    @Test("the security part is what the findings leave, whatever a report claims")
    func security() {
        let finding = Finding(id: "x", rule: "cron", severity: .high, path: "/x", message: "m")
        #expect(abs(score(hunter: HunterReport(findings: [finding], scanners: [:], score: 1)).security - 0.6) < 1e-12)
        #expect(
            score(hunter: HunterReport(findings: [finding, finding, finding], scanners: [:], score: 0)).security == 0)
        #expect(score(hunter: HunterReport(findings: [], scanners: [:], score: 0.3)).security == 0.3)
        #expect(score(hunter: HunterReport(findings: [], scanners: [:], score: .nan)).security == 0)
    }

    @Test("whatever is missing is among the reasons")
    func reasons() {
        let trust = score(nil, rules: [], principles: [], hunter: nil)
        #expect(trust.total == 0)
        for part in ["kpi:", "governance:", "constitution:", "security:"] {
            #expect(trust.reasons.contains { $0.hasPrefix(part) })
        }
    }
}

@Suite("The execution decision")
struct DecisionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var expected: String
        var event: MissionEvent
        var result: TrialResult? = Fixture.result()
        var rules: [RuleResult] = [Fixture.rule()]
        var principles: [PrincipleResult] = [Fixture.principle()]
        var hunter: HunterReport? = Fixture.clean
        var threshold = 0.95
        var overrides = Overrides.none
        var testDescription: String { name }

        var input: DecisionInput {
            DecisionInput(
                result: result,
                trust: TrustScore.compute(result: result, governance: rules, constitution: principles, hunter: hunter),
                threshold: threshold, governance: rules, constitution: principles, overrides: overrides)
        }
    }

    static let all = Overrides(trust: true, inconclusive: true, rules: ["r"])
    static let undecided = [Fixture.line(.cpu_time, .goal, .INCONCLUSIVE, h: 0.5)]
    static let worse = [Fixture.line(.latency_p95, .goal), Fixture.line(.error_rate, .guardrail, .REGRESSION, h: 0)]
    static let findings = HunterReport(
        findings: [Finding(id: "1", rule: "sudoers", severity: .critical, path: "/etc/sudoers", message: "m")],
        scanners: [:], score: 0)

    static let cases: [Case] = [
        Case(name: "everything holds", expected: "execute", event: .testPassed),
        Case(
            name: "a threshold of 1 is reached by a perfect score", expected: "execute", event: .testPassed,
            threshold: 1),
        Case(
            name: "an advisory failure is shown", expected: "execute", event: .testPassed,
            rules: [Fixture.rule(.advisory, passed: false)] + Array(repeating: Fixture.rule(), count: 6)),
        Case(
            name: "a rule that isn't applicable", expected: "execute", event: .testPassed,
            rules: [Fixture.rule(passed: false, applicable: false), Fixture.rule()]),
        Case(name: "REGRESSION", expected: "blocked", event: .testBlocked, result: Fixture.result(.REGRESSION)),
        Case(
            name: "REGRESSION with every override", expected: "blocked", event: .testBlocked,
            result: Fixture.result(.REGRESSION), overrides: all),
        Case(
            name: "a guardrail in REGRESSION under a PASS", expected: "blocked", event: .testBlocked,
            result: Fixture.result(.PASS, worse), overrides: all),
        Case(
            name: "INCONCLUSIVE, more blocks left", expected: "more", event: .testInconclusive,
            result: Fixture.result(.INCONCLUSIVE, more: true, undecided)),
        Case(
            name: "INCONCLUSIVE, overridden with trust", expected: "execute", event: .testPassed,
            result: Fixture.result(.INCONCLUSIVE, more: true, undecided),
            overrides: Overrides(trust: true, inconclusive: true)),
        Case(
            name: "INCONCLUSIVE, overridden without trust", expected: "more", event: .testInconclusive,
            result: Fixture.result(.INCONCLUSIVE, more: true, undecided), overrides: Overrides(inconclusive: true)),
        Case(
            name: "INCONCLUSIVE, blocks used up", expected: "blocked", event: .testPassed,
            result: Fixture.result(.INCONCLUSIVE, more: false, undecided)),
        Case(
            name: "a PASS whose parts say otherwise", expected: "more", event: .testInconclusive,
            result: Fixture.result(.PASS, more: true, undecided)),
        Case(
            name: "a PASS without goals and guardrails", expected: "blocked", event: .testPassed,
            result: Fixture.result(.PASS, [])),
        Case(name: "no trial", expected: "blocked", event: .testBlocked, result: nil, overrides: all),
        Case(
            name: "a hard rule failed", expected: "blocked", event: .testBlocked, rules: [Fixture.rule(passed: false)],
            overrides: all),
        Case(
            name: "a soft rule failed", expected: "blocked", event: .testPassed,
            rules: [Fixture.rule(.softMandatory, passed: false)], threshold: 0.5),
        Case(
            name: "a soft rule failed, overridden", expected: "execute", event: .testPassed,
            rules: [Fixture.rule(.softMandatory, passed: false)], threshold: 0.5, overrides: Overrides(rules: ["r"])),
        Case(
            name: "another soft rule overridden", expected: "blocked", event: .testPassed,
            rules: [Fixture.rule(.softMandatory, passed: false)], threshold: 0.5, overrides: Overrides(rules: ["s"])),
        Case(
            name: "a principle violated", expected: "blocked", event: .testBlocked,
            principles: [Fixture.principle(false)], threshold: 0, overrides: all),
        Case(
            name: "no principle asked", expected: "blocked", event: .testBlocked, principles: [], threshold: 0,
            overrides: all),
        Case(name: "trust short of what data could give", expected: "blocked", event: .testPassed, hunter: findings),
        Case(
            name: "trust short, overridden", expected: "execute", event: .testPassed, hunter: findings,
            overrides: Overrides(trust: true)),
        Case(
            name: "trust short for want of data", expected: "more", event: .testInconclusive,
            result: Fixture.result(.PASS, more: true, [Fixture.line(.cpu_time, .goal, h: 0.8)])),
        Case(
            name: "trust short for want of data that can't come", expected: "blocked", event: .testPassed,
            result: Fixture.result(.PASS, more: false, [Fixture.line(.cpu_time, .goal, h: 0.8)])),
        Case(name: "no governance at all", expected: "blocked", event: .testPassed, rules: []),
        Case(
            name: "a threshold that is no number", expected: "blocked", event: .testBlocked, threshold: .nan,
            overrides: all),
        Case(name: "a threshold below 0", expected: "blocked", event: .testBlocked, threshold: -1, overrides: all),
        Case(name: "a threshold above 1", expected: "blocked", event: .testBlocked, threshold: 1.5, overrides: all),
        Case(
            name: "blocked wins over more testing", expected: "blocked", event: .testBlocked,
            result: Fixture.result(.INCONCLUSIVE, more: true, undecided), rules: [Fixture.rule(passed: false)]),
    ]

    @Test("decisions are as the table says", arguments: cases)
    func decide(_ given: Case) {
        let decision = ExecutionDecision.decide(given.input)
        let shown: String
        switch decision {
        case .execute: shown = "execute"
        case .moreTesting(let reason):
            shown = "more"
            #expect(!reason.isEmpty)
        case .blocked(let blockers):
            shown = "blocked"
            #expect(!blockers.isEmpty && blockers.allSatisfy { !$0.message.isEmpty })
        }
        #expect(shown == given.expected, "\(decision)")
        #expect(ExecutionDecision.afterTest(given.input).event == given.event, "\(decision)")
    }

    @Test("no override makes a regression, a hard rule, a principle or a missing trial go through")
    func neverOverridden() {
        for kind in [Blocker.Kind.regression, .notMeasured, .hardMandatory(rule: "x"), .principle("x"), .invalid] {
            #expect(!Blocker(kind, "m").isOverridable)
        }
        for kind in [Blocker.Kind.inconclusive, .softMandatory(rule: "x"), .trust] {
            #expect(Blocker(kind, "m").isOverridable)
        }
    }

    @Test("over every mixture of verdict, rules and overrides a regression or hard failure never executes")
    func exhaustive() {
        let flags = [false, true]
        for verdict in [Verdict.PASS, .REGRESSION, .INCONCLUSIVE] {
            for guardrail in [Verdict.PASS, .REGRESSION, .INCONCLUSIVE] {
                for level in RuleLevel.allCases {
                    for passed in flags {
                        for principle in flags {
                            for overridden in flags {
                                for more in flags {
                                    let given = Case(
                                        name: "", expected: "", event: .testPassed,
                                        result: Fixture.result(
                                            verdict, more: more,
                                            [
                                                Fixture.line(.cpu_time, .goal),
                                                Fixture.line(.error_rate, .guardrail, guardrail),
                                            ]),
                                        rules: [Fixture.rule(level, passed: passed)],
                                        principles: [Fixture.principle(principle)], threshold: 0,
                                        overrides: overridden ? Self.all : .none)
                                    let goes = ExecutionDecision.decide(given.input) == .execute
                                    let regression = verdict == .REGRESSION || guardrail == .REGRESSION
                                    let inconclusive = verdict != .PASS || guardrail != .PASS
                                    let hard = level == .hardMandatory && !passed
                                    let soft = level == .softMandatory && !passed
                                    let may =
                                        !regression && !hard && principle && (overridden || !inconclusive && !soft)
                                    #expect(
                                        goes == may,
                                        "\(verdict) \(guardrail) \(level) \(passed) \(principle) \(overridden) \(more)")
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
