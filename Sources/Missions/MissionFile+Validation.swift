internal import Fork
internal import Measurement

extension MissionFile {
    /// Everything that a mission's parser would refuse and a decoded document may still hold: numbers out of range, relative
    /// paths, a plan that contradicts itself. Empty for a mission that may be tested.
    ///
    /// A document reaches an agent through a coordinator, which is not to be trusted: the agent asks this before it tests.
    public var faults: [String] {
        var found: [String] = []
        func range(_ name: String, _ value: Double, _ range: ClosedRange<Double>) {
            if !range.contains(value) {
                found.append("\(name) must be from \(range.lowerBound) to \(range.upperBound), found \(value)")
            }
        }
        func path(_ name: String, _ text: String) {
            let parts = text.split(separator: "/", omittingEmptySubsequences: false)
            if !text.hasPrefix("/") || text.utf8.contains(0) || parts.contains("..") || parts.contains(".") {
                found.append("\(name) must be an absolute path without “.” and “..”, found “\(text.prefix(200))”")
            }
        }
        for text in [title, description, rationale] where !text.contains(where: { !$0.isWhitespace }) {
            found.append("title, description and rationale must say something")
        }
        found += trial.problems.map { "trial: \($0)" }
        for (name, blocks) in [("min", trial.minBlocks), ("max", trial.maxBlocks)]
        where !MissionBounds.blocks.contains(Int64(blocks)) {
            found.append("trial.blocks.\(name) must be from 10 to 80, found \(blocks)")
        }
        if case .http(let plan)? = workload { found += plan.problems.map { "workload: \($0)" } }
        for service in services {
            path("services.directory", service.directory)
            if let ready = service.ready { range("services.ready.within", ready.within, MissionBounds.readyWithin) }
            for secret in service.secrets.values { path("services.secrets.file", secret.file) }
        }
        for check in checks { range("checks.timeout", check.timeout, MissionBounds.checkTimeout) }
        range("live.watch.for", live.watch.duration, MissionBounds.watch)
        range("live.watch.interval", live.watch.interval, MissionBounds.watchInterval)
        if let rate = live.watch.limits.errorRate {
            range("live.watch.limits.error_rate", rate, MissionBounds.watchErrorRate)
        }
        if let p95 = live.watch.limits.latencyP95 {
            range("live.watch.limits.latency_p95", p95, MissionBounds.watchLatency)
        }
        if !MissionBounds.probes.contains(live.watch.probes.count) {
            found.append("live.watch.probes holds more than \(MissionBounds.probes.upperBound) probes")
        }
        for scope in change.touches { path("change.touches", scope) }
        for snapshot in sandbox.snapshot {
            range("sandbox.snapshot.max_pause", snapshot.maxPause, MissionBounds.snapshotPause)
        }
        switch change.action {
        case .files(let files): for file in files { path("change.files.path", file.path) }
        case .patch(let patch): path("change.patch.directory", patch.directory)
        case .git(let git):
            path("change.git.directory", git.directory)
            path("change.git.repository", git.repository)
            for revision in [git.baseline, git.candidate] where revision.hasPrefix("-") || revision.isEmpty {
                found.append("change.git names the revision “\(revision.prefix(80))”")
            }
        case .run: break
        }
        if change.promote == .rerun, change.undo == nil || change.effect == nil {
            found.append("a rerun needs change.undo and change.effect")
        }
        return found
    }
}
