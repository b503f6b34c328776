internal import Cgroups
internal import Documents
internal import Fork
internal import FoundationEssentials
internal import Linux
internal import Measurement
internal import Missions
internal import Sandbox

/// What every sandbox of one mission has in common.
struct MissionSandbox: Sendable {
    let engine: SandboxEngine
    let fork: Fork
    let profile: Profile
    /// Paths hidden in every sandbox: Grace's own.
    let masks: [String]
    let missionID: String
    let denied: DeniedLog

    /// A fresh sandbox over the fork as `arm` sees it.
    func start(_ arm: Fork.Arm, label: String) async throws -> Sandbox {
        try await engine.start(
            SandboxSpecification(
                profile: profile, overlays: try fork.overlays(for: arm), masks: masks, hostname: "grace-fork",
                label: "\(missionID)-\(label)"))
    }

    /// Ends a sandbox and keeps what its filter denied for the evidence. `part`: see ``DeniedReport``.
    @discardableResult
    func end(_ sandbox: Sandbox, part: String) async throws -> SandboxOutcome {
        let outcome = try await sandbox.end()
        try await denied.record(outcome.deniedCalls, part: part)
        if let network = outcome.network { try await denied.record(network, part: part) }
        if let breach = outcome.breach { try await denied.record(breach, part: part) }
        return outcome
    }
}

extension Sandbox {
    /// A cancelled test ends its sandbox at once, however long the command in it would have run (DESIGN section 8.10).
    func untilCancelled<T>(_ body: () async throws -> T) async throws -> T {
        try await withTaskCancellationHandler {
            let result = try await body()
            try Task.checkCancellation()
            return result
        } onCancel: {
            Task { _ = try? await self.end() }
        }
    }
}

/// Runs one arm of a trial: a fresh sandbox, its services, the workload, and what the control group counted meanwhile.
struct ArmRunner: Sendable {
    let sandboxes: MissionSandbox
    let mission: MissionFile

    /// What services may write before it is dropped; the end of it explains a failed start.
    static let outputLimit = 64 << 10

    func run(_ kind: TrialArm, block: Int, position: Int) async throws -> ArmMeasurement {
        let instance = "b\(block)p\(position)"
        let arm: Fork.Arm = kind == .baseline ? .baseline(instance: instance) : .candidate(instance: instance)
        // What a killed run left of this very arm is of no use: its layer is volatile.
        try sandboxes.fork.discardInstance(arm)
        let result: Result<ArmMeasurement, any Error>
        let sandbox = try await sandboxes.start(arm, label: instance)
        do {
            result = .success(try await sandbox.untilCancelled { try await measure(in: sandbox) })
        } catch {
            result = .failure(error)
        }
        let outcome = try await sandboxes.end(
            sandbox, part: kind == .baseline ? DeniedReport.baseline : DeniedReport.candidate)
        try sandboxes.fork.discardInstance(arm)
        var measurement = try result.get()
        ResourceFigures.add(outcome.deniedCalls, to: &measurement)
        if outcome.breach == .oom { measurement.values[.oom_kills] = max(1, measurement.values[.oom_kills] ?? 0) }
        return measurement
    }

    private func measure(in sandbox: Sandbox) async throws -> ArmMeasurement {
        let clock = ContinuousClock()
        // The sandbox's own first process is no part of what is tested, and has more pages to itself in an arm with more layers.
        let own = sandbox.cgroup?.sample().memoryAnonymous ?? 0
        let begin = clock.now
        let services = ServiceGroup(mission.services, sandbox: sandbox)
        try await services.start()
        let startup = (clock.now - begin) / .seconds(1)
        guard let workload = mission.workload else { return ArmMeasurement() }

        let group = sandbox.cgroup
        let before = group?.sample()
        let peak = try MemoryPeakSampler(interval: 0.005) { group?.sample().memoryAnonymous }
        let measured: LoadReport
        let started = clock.now
        do {
            measured = try await run(workload, in: sandbox)
        } catch {
            _ = await peak.stop()
            throw error
        }
        let elapsed = (clock.now - started) / .seconds(1)
        let memory = await peak.stop().peak.map { max(0, $0 - own) }
        let after = group?.sample()
        try await services.stillRunning()

        var arm = measured.measurement
        if mission.services.isEmpty {
            arm.notMeasured[.startup_time] = "the mission starts no service"
        } else {
            arm.values[.startup_time] = startup
        }
        ResourceFigures.add(to: &arm, before: before, after: after, memoryPeak: memory, elapsed: elapsed)
        return arm
    }

    private func run(_ workload: Workload, in sandbox: Sandbox) async throws -> LoadReport {
        switch workload {
        case .http(let plan):
            let network = sandbox.networkNamespace
            return try await LoadGenerator.run(plan) { host, port in
                try NetworkNamespace.connectedSocket(
                    in: network, host: host == "localhost" ? "127.0.0.1" : host, port: port, timeout: .seconds(5))
            }
        case .run(let line):
            return try await CommandRun(line, sandbox: sandbox).report()
        }
    }
}
