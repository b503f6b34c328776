internal import Ledger
internal import Logging
internal import Documents
internal import FoundationEssentials
internal import Linux
internal import Missions

extension AgentService {
    /// Phase 1: one detector, for as long as the agent runs.
    func detect(_ detector: Detector) async throws {
        let file = context.places.agentState + "/detectors/\(Digest(of: Data(detector.name.utf8)).short).json"
        let prober = Prober(client: context.http)
        let quiet = (try? JSON(parsing: Files.read(file)))?["quiet_until"]?.number
        var state = DetectorState(detector, quietUntil: quiet ?? -.infinity)
        let clock = ContinuousClock()
        var next = clock.now
        while !Task.isCancelled {
            next = max(next + .seconds(detector.every), clock.now)
            let sample = await prober.probe(detector.http)
            let now = context.now.timeIntervalSince1970
            if sample.failure == nil, let detection = state.take(sample.latency, at: now) {
                do {
                    guard !isPaused else {
                        throw AgentError("The host is paused; the detection is noted and nothing is proposed.")
                    }
                    try await propose(detection)
                    try Files.makeDirectory(context.places.agentState + "/detectors", mode: 0o700, intermediate: true)
                    try Files.writeAtomically(
                        file, JSON.object(["quiet_until": .number(state.quietUntil)]).canonical, mode: 0o600)
                } catch {
                    // A cool-down begins with a mission: without one the problem would go unheard for hours.
                    state.unanswered(at: now)
                    context.logger.warning("\(error)", metadata: ["detector": "\(detector.name)"])
                }
            }
            try await clock.sleep(until: next)
        }
    }

    func propose(_ detection: Detection) async throws {
        guard let remedy = context.remedies[detection.remedy] else {
            throw AgentError(
                "The detector \(detection.detector) names the remedy “\(detection.remedy)”, and there is no such file in "
                    + "\(context.places.remedies); nothing is proposed.")
        }
        context.logger.notice("\(detection.sentence)")
        _ = try context.journal.append(
            kind: "detection",
            body: [
                "detector": .string(detection.detector), "remedy": .string(detection.remedy),
                "usual_seconds": .number(detection.usual), "observed_seconds": .number(detection.observed),
            ])
        _ = try await context.link.create(
            Proposal(
                file: remedy.mission(for: detection), proposer: "detector:\(detection.detector)",
                dedupe_key: "\(detection.detector)/\(detection.remedy)"))
    }
}
