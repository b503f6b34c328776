private import Glibc

/// What the baseline says about itself: two runs of the same thing in each block.
struct NoiseCheck: Sendable, Equatable {
    /// Per KPI the half-width of an A/A interval, as a fraction or a difference of shares.
    var smallestEffect: [KPI: Double] = [:]
    /// One for each boundary that the noise drowns.
    var sentences: [String] = []
}

extension Judge {
    /// The A/A check of the kept blocks.
    ///
    /// The difference of two single runs has twice the variance of a block's difference of two means, hence the root of
    /// two. The half-width is that of the Walsh interval, over all blocks so far; it shrinks with the root of their
    /// number.
    func noiseCheck() -> NoiseCheck {
        var check = NoiseCheck()
        for kpi in KPI.allCases {
            guard let width = halfWidth(kpi) else { continue }
            check.smallestEffect[kpi] = kpi.scale == .logRatio ? expm1(width) : width
        }
        for boundary in plan.boundaries {
            guard let width = halfWidth(boundary.kpi), width > abs(boundary.threshold),
                let effect = check.smallestEffect[boundary.kpi]
            else { continue }
            let most = max(plan.maxBlocks, kept)
            let later = width * (Double(kept) / Double(most)).squareRoot()
            let laterEffect = boundary.kpi.scale == .logRatio ? expm1(later) : later
            var sentence =
                "this host is too noisy to judge \(boundary.kpi) within \(boundary.amountText) in "
                + "\(Wording.count(kept, "block")): the smallest detectable effect is "
                + Wording.change(effect, of: boundary.kpi)
            if most > kept {
                sentence += "; \(most) blocks would bring it to about \(Wording.change(laterEffect, of: boundary.kpi))"
            }
            check.sentences.append(sentence)
        }
        return check
    }

    private func halfWidth(_ kpi: KPI) -> Double? {
        guard let data = series[kpi], data.missing == nil else { return nil }
        let scaled = data.baselineDifferences.map { $0 / 2.0.squareRoot() }
        guard let interval = WalshAverages(scaled, confidence: plan.confidence)?.interval else { return nil }
        return (interval.upperBound - interval.lowerBound) / 2
    }
}
