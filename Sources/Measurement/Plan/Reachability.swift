private import Glibc

extension TrialPlan {
    /// Boundaries that this plan can't reach whatever the candidate does, as sentences for the mission's author.
    ///
    /// An error rate judged from counts needs requests: without any error, n requests of the candidate only show that the
    /// rate lies below about 3/n. And a margin of 0 can be met only by something that is better.
    /// - Parameter requestsPerArm: requests of one run of one arm; for a command workload the operations it reports, or 1.
    /// - Returns: one sentence for each such boundary.
    public func unreachable(requestsPerArm: Int) -> [String] {
        var found: [String] = []
        for boundary in boundaries {
            if boundary.role == .guardrail, boundary.amount == 0, boundary.kpi.scale != .once {
                found.append(
                    "\(boundary.kpi): a margin of 0 can only be met by an improvement; "
                        + "allow a small regression or write a goal")
                continue
            }
            guard boundary.kpi == .error_rate, boundary.role == .guardrail else { continue }
            let needed = PooledBound.requestsNeeded(margin: boundary.amount, confidence: confidence)
            let planned = 2 * Double(max(0, requestsPerArm)) * Double(maxBlocks)
            guard planned < needed else { continue }
            let perArm = (needed / (2 * Double(maxBlocks))).rounded(.up)
            let best = planned > 0 ? min(1, -log(1 - confidence) / planned) : 1
            found.append(
                "error_rate: a margin of \(boundary.amountText) needs \(Wording.number(needed.rounded(.up), 0)) requests "
                    + "of the candidate without an error, but \(maxBlocks) blocks make only "
                    + "\(Wording.number(planned, 0)); make at least \(Wording.number(perArm, 0)) requests in each run, "
                    + "or allow \(Wording.points((best * 10000).rounded(.up) / 10000))")
        }
        return found
    }

    /// Boundaries that can be reached, but not in `minBlocks`: the trial will take longer than its minimum.
    public func slow(requestsPerArm: Int) -> [String] {
        boundaries.compactMap { boundary in
            guard boundary.kpi == .error_rate, boundary.role == .guardrail, boundary.amount > 0, requestsPerArm > 0
            else { return nil }
            let needed = PooledBound.requestsNeeded(margin: boundary.amount, confidence: confidence)
            let blocks = (needed / (2 * Double(requestsPerArm))).rounded(.up)
            guard blocks > Double(minBlocks), blocks <= Double(maxBlocks) else { return nil }
            return "error_rate: a margin of \(boundary.amountText) needs at least \(Wording.number(blocks, 0)) blocks "
                + "with \(requestsPerArm) requests in each run"
        }
    }
}
