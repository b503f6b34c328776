/// Where one boundary stands.
struct Finding: Sendable, Equatable {
    enum State: Sendable, Equatable {
        /// Conclusively met.
        case met
        /// Evidence suffices, but the pooled error counts don't.
        case tooFewRequests
        /// Conclusively not met.
        case broken
        /// Neither.
        case open
        /// Not measured in every arm: can't be met any more.
        case unmeasured
    }

    var boundary: Boundary
    var state: State
    var maxE = 1.0
    var maxMirrored = 1.0
    /// Evidence against the boundary as of now.
    var mirrored = 1.0
    var reason: String?

    var h: Double { state == .unmeasured ? 0 : 1 - min(1, 1 / maxE) }
}

extension Judge {
    /// Where each boundary stands, in the plan's order.
    func findings() -> [Finding] {
        plan.boundaries.enumerated().map { index, boundary in
            boundary.kpi.scale == .once ? counted(boundary) : tested(boundary, tests[index])
        }
    }

    private func counted(_ boundary: Boundary) -> Finding {
        let measurement = once[boundary.kpi]
        guard let baseline = measurement?.baseline, let candidate = measurement?.candidate, baseline.isFinite,
            candidate.isFinite
        else {
            let why = measurement?.reason ?? "no check reported it in both arms"
            return Finding(boundary: boundary, state: .unmeasured, reason: "not measured: \(why)")
        }
        let difference = boundary.kpi.higherIsBetter ? candidate - baseline : baseline - candidate
        // Shares are ratios of counts: a difference that equals its margin but for rounding meets it.
        let met = difference >= boundary.threshold - 1e-9
        // Certain either way, so h is 1 or 0; evidence is shown at its cap.
        var finding = Finding(boundary: boundary, state: met ? .met : .broken)
        finding.maxE = met ? Self.certain : 1
        finding.maxMirrored = met ? 1 : Self.certain
        finding.mirrored = finding.maxMirrored
        return finding
    }

    /// The evidence that stands for a plain count: large enough that 1 - 1/E is 1.
    static let certain = 1e300

    private func tested(_ boundary: Boundary, _ test: SignFlipTest) -> Finding {
        guard let data = series[boundary.kpi] else { return Finding(boundary: boundary, state: .open) }
        if let missing = data.missing {
            return Finding(boundary: boundary, state: .unmeasured, reason: "not measured: \(missing)")
        }
        var finding = Finding(
            boundary: boundary, state: .open, maxE: test.maxE, maxMirrored: test.maxMirrored, mirrored: test.mirrored)
        if test.maxMirrored >= plan.decisionThreshold {
            finding.state = .broken
        } else if test.maxE >= plan.decisionThreshold {
            finding.state = .met
            if boundary.kpi == .error_rate, let shortage = shortageOfRequests(boundary) {
                finding.state = .tooFewRequests
                finding.reason = shortage
            }
        }
        return finding
    }

    /// Why the pooled counts don't support a met error-rate boundary yet; `nil` when they do or there are none.
    private func shortageOfRequests(_ boundary: Boundary) -> String? {
        guard
            let bound = PooledBound.increase(
                baselineErrors: counts.baselineErrors, baselineRequests: counts.baselineRequests,
                candidateErrors: counts.candidateErrors, candidateRequests: counts.candidateRequests,
                confidence: plan.confidence)
        else { return "no requests were counted, so the error rate's margin of \(boundary.amountText) can't be shown" }
        guard bound > -boundary.threshold else { return nil }
        let seen = "\(counts.candidateErrors) errors in \(counts.candidateRequests) requests"
        if bound >= 0 {
            return "\(seen) of the candidate still allow an error rate \(Wording.points(bound)) above the baseline's; "
                + "\(boundary.amountText) is asked: make more requests"
        }
        return "\(seen) of the candidate show an improvement of \(Wording.points(-bound)) at least; "
            + "\(boundary.amountText) is asked: make more requests"
    }
}
