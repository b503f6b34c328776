import Local
import Documents
import Measurement
import Missions
import Trust

/// Evidence in the formats that CI systems read.
enum CIReports {
    /// JUnit XML: a test case for each goal, guardrail and check, and one for whatever bars the mission.
    static func junit(_ evidence: Evidence, blocking: [String]) -> String {
        var cases: [String] = []
        var failures = 0
        func add(_ name: String, _ failure: String?) {
            if let failure {
                failures += 1
                cases.append(
                    "    <testcase classname=\"grace\" name=\"\(xml(name))\"><failure message=\"\(xml(failure))\"/></testcase>"
                )
            } else {
                cases.append("    <testcase classname=\"grace\" name=\"\(xml(name))\"/>")
            }
        }
        for kpi in evidence.trial.kpis where kpi.role != .shown {
            let verdict = kpi.verdict?.rawValue ?? "not measured"
            add(
                "\(kpi.role.rawValue) \(kpi.kpi.rawValue)",
                kpi.verdict == .PASS ? nil : "\(verdict) \(kpi.reason ?? "")")
        }
        for check in evidence.checks { add("check \(check.name)", check.passed ? nil : check.message) }
        add("allowed", blocking.isEmpty ? nil : blocking.joined(separator: " "))
        return """
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuites>
              <testsuite name="grace verify" tests="\(cases.count)" failures="\(failures)">
            \(cases.joined(separator: "\n"))
              </testsuite>
            </testsuites>

            """
    }

    static func sarif(_ evidence: Evidence) -> JSON { evidence.hunter.sarif }

    static func markdown(_ evidence: Evidence, blocking: [String]) -> String {
        var lines = [
            "## Grace: \(evidence.trial.verdict.rawValue)", "", markdown(evidence.trial.reason), "",
            "| KPI | role | baseline | candidate | better by | verdict |", "|---|---|---|---|---|---|",
        ]
        for kpi in evidence.trial.kpis where kpi.measured || kpi.role != .shown {
            func value(_ number: Double?) -> String {
                number.map { Format.value($0, unit: kpi.kpi.unit) } ?? "not measured"
            }
            let better = kpi.estimate.map {
                kpi.kpi.scale == .percentagePoints ? Format.decimal($0 * 100, 2) + " pp" : Format.percent($0)
            }
            lines.append(
                "| \(kpi.kpi.rawValue) | \(kpi.role.rawValue) | \(value(kpi.baselineMedian)) | \(value(kpi.candidateMedian)) "
                    + "| \(better ?? "-") | \(kpi.verdict?.rawValue ?? "-") |")
        }
        lines += ["", "Trust \(Format.percent(evidence.trust.total))"]
        lines += blocking.map { "- **barred**: " + markdown($0) }
        lines += evidence.hunter.findings.map { "- \($0.severity.rawValue): `\($0.path)` " + markdown($0.message) }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Go's benchmark format (golang.org/design/14313-benchmark-format), one line an arm and KPI unit.
    static func benchfmt(_ evidence: Evidence) -> String {
        var lines = ["goos: linux", "host: \(evidence.host.name)"]
        for kpi in evidence.trial.kpis where kpi.measured {
            for (arm, value) in [("baseline", kpi.baselineMedian), ("candidate", kpi.candidateMedian)] {
                guard let value else { continue }
                lines.append(
                    "BenchmarkGrace/kpi=\(kpi.kpi.rawValue)/arm=\(arm) \(evidence.trial.blocks * 2) \(value) \(kpi.kpi.unit.replacing(" ", with: "-"))"
                )
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func xml(_ text: String) -> String {
        Terminal.escaped(text).replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }

    private static func markdown(_ text: String) -> String {
        Terminal.escaped(text).replacing("|", with: "\\|").replacing("<", with: "&lt;").replacing("\n", with: " ")
    }
}
