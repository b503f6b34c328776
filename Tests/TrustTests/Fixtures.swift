import Documents
import Fork
import FoundationEssentials
import Glibc
import Linux
import Measurement
import Missions
import Testing
import Trust

/// What an ordinary mission looks like to the judges; tests alter one thing each.
enum Fixture {
    static let now = Date(timeIntervalSince1970: 1_763_928_724)

    static func mission(_ edit: (inout MissionFile) -> Void = { _ in }) -> MissionFile {
        var mission = MissionFile(
            title: "Optimize database queries", description: "Add index to users table", rationale: "Latency rose",
            change: ChangeSpecification(
                action: .run("sqlite3 /srv/app/app.db 'CREATE INDEX …'"), promote: .rerun,
                undo: "sqlite3 /srv/app/app.db 'DROP INDEX …'",
                effect: "true", touches: ["/srv/app"]),
            workload: .http(LoadPlan(urls: ["http://127.0.0.1:80/"], rate: 200, connections: 16, duration: 1)),
            trial: TrialPlan(boundaries: [
                Boundary(kpi: .latency_p95, role: .goal, amount: 0.1),
                Boundary(kpi: .error_rate, role: .guardrail, amount: 0.005),
                Boundary(kpi: .memory_peak, role: .guardrail, amount: 0.05),
                Boundary(kpi: .cpu_time, role: .guardrail, amount: 0.1),
            ]))
        edit(&mission)
        return mission
    }

    static func change(
        _ path: String, _ kind: Change.Kind = .create, type: FileType = .file, mode: UInt32 = 0o644, uid: UInt32 = 0
    ) -> Change {
        let bytes = kind == .create || kind == .modify || kind == .replace
        return Change(
            path: BytePath(path), kind: kind, type: type, mode: kind == .delete ? 0 : mode,
            uid: kind == .delete ? 0 : uid,
            size: bytes && type == .file ? 0 : nil, content: bytes && type == .file ? Digest(of: Data()) : nil)
    }

    static func line(
        _ kpi: KPI, _ role: KPIResult.Role, _ verdict: Verdict = .PASS, h: Double = 1, measured: Bool = true
    ) -> KPIResult {
        var line = KPIResult(kpi: kpi, role: role)
        line.verdict = role == .shown ? nil : verdict
        line.h = h
        line.measured = measured
        return line
    }

    static func result(
        _ verdict: Verdict = .PASS, more: Bool = false,
        _ lines: [KPIResult] = [
            line(.latency_p95, .goal), line(.error_rate, .guardrail), line(.memory_peak, .guardrail),
            line(.cpu_time, .guardrail),
        ]
    ) -> TrialResult {
        TrialResult(verdict: verdict, reason: "because", blocks: 12, moreBlocksCanHelp: more, kpis: lines)
    }

    static let clean = HunterReport(findings: [], scanners: ["native": "RAN"], score: 1)

    static func context(
        _ mission: MissionFile = mission(), changes: [Change] = [change("/srv/app/app.db", .modify)], base: Base? = nil,
        result: TrialResult? = result(), hunter: HunterReport? = clean, now: Date = now
    ) -> GovernanceContext {
        GovernanceContext(mission: mission, changes: changes, base: base, result: result, hunter: hunter, now: now)
    }

    static func constitution(
        _ mission: MissionFile = mission(), changes: [Change] = [change("/srv/app/app.db", .modify)], base: Base? = nil,
        trial: TrialResult? = result(), execution: ExecutionFacts? = nil
    ) -> ConstitutionContext {
        ConstitutionContext(
            mission: mission, changes: changes, base: base, trial: trial,
            completeness: EvidenceCompleteness(commands: .recorded, deniedCalls: .recorded, network: .recorded),
            gracePaths: ConstitutionContext.standardGracePaths, execution: execution)
    }

    static func rule(
        _ level: RuleLevel = .hardMandatory, passed: Bool = true, applicable: Bool = true, name: String = "r"
    ) -> RuleResult {
        RuleResult(rule: name, level: level, applicable: applicable, passed: passed, message: "m")
    }

    static func principle(_ satisfied: Bool = true) -> PrincipleResult {
        PrincipleResult(principle: "explained", stage: .evidence, satisfied: satisfied, message: "m")
    }

    static func date(_ text: String) throws -> Date { try #require(Timestamp.parse(text)) }
}
