private import Glibc

extension Judge {
    /// Everything the blocks so far show. Walsh averages make this quadratic in the number of blocks: a few milliseconds.
    public func result() -> TrialResult {
        let findings = findings()
        let decision = decision(findings)
        var lines = findings.map(line)
        let demanded = Set(plan.boundaries.map(\.kpi))
        for kpi in KPI.allCases where !demanded.contains(kpi) {
            if let shown = shownLine(kpi) { lines.append(shown) }
        }
        let rank: [KPIResult.Role: Int] = [.goal: 0, .guardrail: 1, .shown: 2]
        let sorted = lines.enumerated().sorted {
            let left = (rank[$0.element.role] ?? 3, $0.offset)
            return left < (rank[$1.element.role] ?? 3, $1.offset)
        }
        let noise = plan.noiseCheck ? noiseCheck() : NoiseCheck()
        return TrialResult(
            verdict: decision.verdict, reason: decision.reason, blocks: blocks, discarded: discarded,
            moreBlocksCanHelp: decision.open, kpis: sorted.map(\.element), noise: noise.smallestEffect,
            notes: noise.sentences + refusedDiscards
                + cutShort.map { "block \($0.block) was cut short and ran again: \($0.reason)" })
    }

    private func line(_ finding: Finding) -> KPIResult {
        let boundary = finding.boundary
        var line = KPIResult(kpi: boundary.kpi, role: boundary.role == .goal ? .goal : .guardrail, boundary: boundary)
        line.maxE = finding.maxE
        line.maxEMirrored = finding.maxMirrored
        line.h = finding.h
        line.reason = finding.reason
        switch finding.state {
        case .met: line.verdict = .PASS
        case .broken where boundary.role == .guardrail: line.verdict = .REGRESSION
        case .broken:
            line.verdict = .INCONCLUSIVE
            line.reason = "no improvement of \(boundary.amountText) (\(Wording.percent(plan.confidence)) confidence)"
        case .open, .tooFewRequests, .unmeasured: line.verdict = .INCONCLUSIVE
        }
        fill(&line)
        return line
    }

    /// The line of a KPI of which nothing was demanded; `nil` when no arm ever spoke of it.
    private func shownLine(_ kpi: KPI) -> KPIResult? {
        var line = KPIResult(kpi: kpi, role: .shown)
        if kpi.scale == .once {
            guard let measurement = once[kpi] else { return nil }
            line.reason = measurement.reason
        } else {
            guard let data = series[kpi] else { return nil }
            line.reason = data.missing.map { "not measured: \($0)" }
        }
        fill(&line)
        return line
    }

    private func fill(_ line: inout KPIResult) {
        let kpi = line.kpi
        guard kpi.scale != .once else {
            line.baselineMedian = once[kpi]?.baseline
            line.candidateMedian = once[kpi]?.candidate
            guard let baseline = once[kpi]?.baseline, let candidate = once[kpi]?.candidate else { return }
            line.measured = baseline.isFinite && candidate.isFinite
            line.estimate = candidate - baseline
            return
        }
        guard let data = series[kpi], data.missing == nil, !data.differences.isEmpty else { return }
        line.measured = true
        line.baselineMedian = Quantiles.median(data.baseline)
        line.candidateMedian = Quantiles.median(data.candidate)
        guard let walsh = WalshAverages(data.differences, confidence: plan.confidence) else { return }
        line.estimate = Self.change(walsh.estimate, of: kpi)
        line.low = walsh.interval.map { Self.change($0.lowerBound, of: kpi) }
        line.high = walsh.interval.map { Self.change($0.upperBound, of: kpi) }
    }

    /// A difference (positive = better) as a change people read: a fraction of the baseline, or a difference of shares.
    ///
    /// A latency that grew to 1.05 of the baseline is -0.05, one that fell to 0.9 is +0.1.
    static func change(_ difference: Double, of kpi: KPI) -> Double {
        guard kpi.scale == .logRatio else { return difference }
        return kpi.higherIsBetter ? expm1(difference) : -expm1(-difference)
    }
}
