import Local
import Documents
import FoundationEssentials
import Measurement
import Missions
import Sandbox

/// A mission as text: what a person needs in order to decide.
enum MissionView {
    static func lines(_ mission: JSON, evidence: JSON?, changes: JSON?) -> [String] {
        func text(_ key: String) -> String { Terminal.escaped(mission[key]?.string ?? "-") }
        var lines = [
            Terminal.styled(text("title"), .bold),
            text("description"),
            "Why:      " + text("rationale"),
            "Mission:  " + text("mission_id"),
            "Phase:    " + Terminal.styled(text("phase"), .blue)
                + (mission["reason"]?.string.map { " — " + Terminal.escaped($0) } ?? ""),
            "Session:  " + text("parliament_session_id"),
        ]
        for note in mission["user_feedback"]?.array ?? [] {
            lines.append("Feedback: " + Terminal.escaped(note["text"]?.string ?? note.canonicalText))
        }
        if let evidence, let decoded = Self.evidence(evidence) { lines += [""] + Self.lines(of: decoded) }
        if let diff = changes?["diff"]?.string, !diff.isEmpty {
            lines +=
                ["", Terminal.styled("Change", .bold)]
                + diff.split(separator: "\n", omittingEmptySubsequences: false)
                .prefix(200).map { Self.diffLine(Terminal.escaped(String($0))) }
        }
        return lines
    }

    /// The evidence inside a DSSE envelope as the API serves it, or a bare predicate.
    static func evidence(_ json: JSON) -> Evidence? {
        if let payload = json["payload"]?.string, let data = Data(base64Encoded: payload),
            let statement = try? JSON(parsing: data), let predicate = statement["predicate"]
        {
            return try? predicate.decode()
        }
        return try? json.decode()
    }

    /// Verdict, trust and whatever speaks against it: what a signature is put under.
    static func summary(of evidence: Evidence) -> [String] {
        [verdict(of: evidence.trial), "Trust:    " + Format.percent(evidence.trust.total)] + objections(to: evidence)
    }

    static func lines(of evidence: Evidence) -> [String] {
        var lines =
            kpis(evidence.trial) + ["", verdict(of: evidence.trial)] + trust(evidence.trust) + objections(to: evidence)
        if let pause = evidence.sandbox.snapshot_pause {
            lines.append("Snapshot: live paused for " + Format.value(pause, unit: "seconds"))
        }
        lines += ["Changes:"] + evidence.changes.prefix(40).map { "  " + Terminal.escaped($0) }
        if evidence.changes.count > 40 { lines.append("  … and \(evidence.changes.count - 40) more") }
        return lines
    }

    /// Every command that an approval lets run on live, as root and unconfined.
    static func commands(of mission: MissionFile) -> [String] {
        var lines: [String] = []
        func add(_ name: String, _ command: String?) {
            if let command { lines.append("  \(name): " + Terminal.escaped(command)) }
        }
        if mission.change.promote == .rerun, case .run(let command) = mission.change.action { add("run", command) }
        if mission.change.promote == .rerun {
            add("effect", mission.change.effect)
            add("undo", mission.change.undo)
        }
        for unit in mission.live.apply.reload { add("reload", unit) }
        for unit in mission.live.apply.restart { add("restart", unit) }
        for command in mission.live.apply.run { add("then run", command) }
        for probe in mission.live.watch.probes { add("watch", probe.http) }
        guard !lines.isEmpty else { return ["On live: files are put in place; no command runs."] }
        return [Terminal.styled("On live, as root and outside any sandbox:", .bold, .yellow)] + lines
    }

    private static func verdict(of trial: TrialResult) -> String {
        let style: Terminal.Style = trial.verdict == .PASS ? .green : trial.verdict == .REGRESSION ? .red : .yellow
        return "Verdict:  " + Terminal.styled(trial.verdict.rawValue, style, .bold) + " — "
            + Terminal.escaped(trial.reason)
    }

    private static func objections(to evidence: Evidence) -> [String] {
        var lines: [String] = []
        let failed = evidence.governance.filter { $0.applicable && !$0.passed }
        lines += failed.map { "Rule:     \($0.rule) (\($0.level.rawValue)): " + Terminal.escaped($0.message) }
        lines += evidence.constitution.filter { !$0.satisfied }.map {
            "Principle: \($0.principle): " + Terminal.escaped($0.message)
        }
        lines += evidence.hunter.findings.map {
            "Finding:  \($0.severity.rawValue) \($0.rule) \(Terminal.escaped($0.path)): " + Terminal.escaped($0.message)
        }
        lines += evidence.checks.map {
            "Check:    \($0.name): " + ($0.passed ? "passed" : "failed") + " — " + Terminal.escaped($0.message)
        }
        for report in evidence.sandbox.denied_calls ?? [] where report.denied.total != 0 {
            let calls = report.denied.calls.prefix(8).map {
                "\($0.call) by \($0.program ?? "a program that was gone") (\($0.count))"
            }
            let said = report.denied.reason ?? calls.joined(separator: ", ")
            let more = report.denied.calls.count - calls.count
            lines.append(
                "Denied:   \(Terminal.escaped(report.part + ": " + said))\(more > 0 ? " and \(more) more" : "")")
        }
        lines += (evidence.sandbox.limits_hit ?? []).map {
            "Limit:    \(Terminal.escaped($0.part)): \($0.limit.rawValue), in \($0.times) \($0.times == 1 ? "sandbox" : "sandboxes")"
        }
        lines += evidence.sandbox.fallbacks.map { "Fallback: " + Terminal.escaped($0) }
        return lines
    }

    /// The trial's figures as a table.
    static func kpis(_ trial: TrialResult) -> [String] {
        var table = Table("KPI", "ROLE", "BASELINE", "CANDIDATE", "BETTER BY", "INTERVAL", "E", "VERDICT")
        for kpi in trial.kpis {
            guard kpi.role != .shown || kpi.measured else { continue }
            func value(_ number: Double?) -> String { number.map { Format.value($0, unit: kpi.kpi.unit) } ?? "-" }
            let points = kpi.kpi.scale == .percentagePoints
            func change(_ number: Double?) -> String {
                number.map { points ? Format.decimal($0 * 100, 2) + " pp" : Format.percent($0) } ?? "-"
            }
            let boundary = kpi.boundary.map { "\($0.role.rawValue) \($0.amountText)" } ?? "shown"
            table.add(
                kpi.kpi.rawValue, boundary, value(kpi.baselineMedian), value(kpi.candidateMedian), change(kpi.estimate),
                kpi.low != nil ? "\(change(kpi.low)) … \(change(kpi.high))" : kpi.reason ?? "-",
                kpi.role == .shown ? "" : Format.decimal(min(kpi.maxE, 99999), 1),
                kpi.role == .shown ? "" : kpi.verdict?.rawValue ?? "-")
        }
        return table.lines
    }

    static func trust(_ trust: TrustScore) -> [String] {
        func part(_ name: String, _ share: Double, _ weight: String) -> String {
            let padding = String(repeating: " ", count: max(0, 13 - name.count))
            return "  \(name)\(padding) \(weight)  \(Format.bar(share)) \(Format.decimal(share, 3))"
        }
        return [
            "Trust:    " + Terminal.styled(Format.percent(trust.total), .bold),
            part("KPIs", trust.kpi, "40 %"), part("governance", trust.governance, "25 %"),
            part("constitution", trust.constitution, "20 %"), part("security", trust.security, "15 %"),
        ] + trust.reasons.map { "  · " + Terminal.escaped($0) }
    }

    private static func diffLine(_ line: String) -> String {
        if line.hasPrefix("+") { return Terminal.styled(line, .green) }
        if line.hasPrefix("-") { return Terminal.styled(line, .red) }
        return line
    }
}
