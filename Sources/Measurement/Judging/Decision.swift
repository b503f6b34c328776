/// What all boundaries together come to.
struct Decision: Sendable, Equatable {
    var verdict: Verdict
    var reason: String
    /// No further block is wanted: the verdict stands, or nothing can change it any more.
    var final: Bool
    /// More blocks, if they were allowed, could still change it.
    var open: Bool
}

extension Judge {
    /// True when no further block is wanted.
    public var decided: Bool { decision(findings()).final }

    /// The plan's outcome so far.
    func decision(_ findings: [Finding]) -> Decision {
        let level = Wording.percent(plan.confidence)
        let after = "after \(Wording.count(kept, "block"))"
        let broken = findings.filter { $0.state == .broken }
        let regressions = broken.filter { $0.boundary.role == .guardrail }
        if !regressions.isEmpty {
            let what = regressions.map { "\($0.boundary.kpi) got worse by more than \($0.boundary.amountText)" }
            return Decision(
                verdict: .REGRESSION, reason: "\(Wording.list(what)) (\(level) confidence, \(after))", final: true,
                open: false)
        }
        if findings.isEmpty {
            let reason = "no goal and no guardrail is set, so there is nothing to decide: name at least one"
            return Decision(verdict: .INCONCLUSIVE, reason: reason, final: true, open: false)
        }
        let enough = kept >= (findings.contains { $0.boundary.kpi.scale != .once } ? plan.minBlocks : 0)
        if enough, findings.allSatisfy({ $0.state == .met }), discarded + cutShort.count <= allowance {
            let reason = "every goal is reached and every guardrail holds (\(level) confidence, \(after))"
            return Decision(verdict: .PASS, reason: reason, final: true, open: false)
        }
        let exhausted = blocks >= plan.maxBlocks
        let hopeless = broken + findings.filter { $0.state == .unmeasured }
        guard hopeless.isEmpty else {
            // Evidence against a guardrail that is building up must not be cut off by a goal that was missed first.
            let brewing = findings.contains {
                $0.boundary.role == .guardrail && $0.state == .open && $0.mirrored > 1
            }
            let reason = Wording.list(hopeless.map(Self.sentence)) + ": more blocks can't make this a PASS"
            return Decision(
                verdict: .INCONCLUSIVE, reason: reason, final: exhausted || (enough && !brewing), open: false)
        }
        return Decision(verdict: .INCONCLUSIVE, reason: openReason(findings, after), final: exhausted, open: true)
    }

    private static func sentence(_ finding: Finding) -> String {
        let kpi = finding.boundary.kpi
        guard finding.state == .broken else { return "\(kpi) is \(finding.reason ?? "not measured")" }
        return "\(kpi) shows no improvement of \(finding.boundary.amountText)"
    }

    private func openReason(_ findings: [Finding], _ after: String) -> String {
        let waiting = findings.filter { $0.state != .met }
        guard !waiting.isEmpty else {
            guard discarded + cutShort.count <= allowance else {
                let cut = "\(Wording.count(cutShort.count, "block")) cut short for live's sake"
                return
                    "all is well \(after), but more than one block in ten is left out (\(cut)), and nobody knows what "
                    + "they would have shown"
            }
            return "all is well \(after), but a PASS needs \(Wording.count(plan.minBlocks, "block"))"
        }
        let parts = waiting.map { finding -> String in
            if let reason = finding.reason { return "\(finding.boundary.kpi) (\(reason))" }
            let verb = finding.boundary.role == .goal ? "improves by" : "regresses by less than"
            return "whether \(finding.boundary.kpi) \(verb) \(finding.boundary.amountText)"
        }
        return "still open \(after): \(Wording.list(parts))"
    }
}
