internal import Documents
public import Fork
internal import FoundationEssentials
internal import Linux
internal import Measurement
public import Missions
internal import Sandbox

/// Phase 2 of a mission: fork, apply, check, try, scan, judge (DESIGN section 2).
///
/// Everything that must survive a kill lies in the mission's folder; a test that is begun again goes on with the same trial
/// when its fork still stands on the same live files, and says so when it can't.
public struct MissionTester: Sendable {
    public let bench: TestBench
    public let mission: MissionFile
    public let missionID: String
    public let folder: MissionFolder
    public let policies: Policies
    /// Held while a block runs, so that a promotion never runs beside a trial.
    public let lock: HostLock
    public let progress: @Sendable (TestProgress) async -> Void

    public init(
        bench: TestBench, mission: MissionFile, missionID: String, folder: MissionFolder, policies: Policies,
        lock: HostLock,
        progress: @escaping @Sendable (TestProgress) async -> Void
    ) {
        self.bench = bench
        self.mission = mission
        self.missionID = missionID
        self.folder = folder
        self.policies = policies
        self.lock = lock
        self.progress = progress
    }

    /// The evidence of one test and everything that goes with it.
    public struct Outcome: Sendable {
        public var evidence: Evidence
        public var changeSet: ChangeSet
        public var base: Base
        public var diff: String
        /// What bars the mission from people's decision whatever the score; empty when nothing does.
        public var blocking: [String]
    }

    /// Carries the test out, as far as live allows.
    ///
    /// - Throws: ``LiveSuffers`` when live needs the host for itself. What was measured is kept, the block in hand is not: the
    ///   same trial goes on when this is called again.
    public func run() async throws -> Outcome {
        guard let live = bench.live else { return try await test(BlockInHand()) }
        let hand = BlockInHand()
        do {
            return try await live.protecting { try await self.test(hand) }
        } catch let suffering as LiveSuffers {
            if let block = hand.number {
                try folder.write("cut.json", try folder.cutShort() + [CutShort(block: block, reason: "\(suffering)")])
            }
            throw suffering
        }
    }

    private func test(_ hand: BlockInHand) async throws -> Outcome {
        let clock = ContinuousClock()
        let begin = clock.now
        let prepared = try await prepare()
        var outcome = try await judge(prepared, trial: nil, checks: [], once: [:], elapsed: 0)
        guard outcome.blocking.isEmpty else {
            try bench.forks().discard(id: missionID)
            return outcome
        }
        await progress(
            TestProgress(
                stage: "checks",
                text: mission.checks.isEmpty ? "No checks are declared." : "Running \(mission.checks.count) checks…"))
        let checks = try await CheckRunner(sandboxes: prepared.sandboxes, checks: mission.checks).run()
        let hunter = outcome.evidence.hunter
        var once = checks.once
        once[.security_score] = OnceMeasurement(baseline: 1, candidate: hunter.score)
        let trial = try await runTrial(prepared, once: once, hand)
        outcome = try await judge(
            prepared, trial: trial, checks: checks.results, once: once, elapsed: (clock.now - begin) / .milliseconds(1))
        return outcome
    }

    // MARK: - Fork and change

    struct Prepared: Sendable {
        var sandboxes: MissionSandbox
        var changeSet: ChangeSet
        var base: Base
        var diff: String
        var applied: ChangeApplier.Output
        var fallbacks: [String]
        var pause: Double?
        /// Whether the fork is the one of an interrupted test.
        var resumed: Bool
    }

    private func prepare() async throws -> Prepared {
        let faults = mission.faults
        guard faults.isEmpty else { throw AgentError("The mission is refused: \(faults.joined(separator: "; ")).") }
        try bench.check(mission)
        let profile = try bench.profile(for: mission)
        try bench.live?.admit(memory: profile.limits.memory)
        let unprotected = bench.weigh()
        if let resumed = try await resume(profile) { return resumed }
        try? bench.forks().discard(id: missionID)
        try folder.forgetTest()
        await progress(TestProgress(stage: "fork", text: "Forking the live host…"))
        let fork = try bench.forks().create(id: missionID, disk: profile.limits.diskLimit)
        var pause: Double?
        if !mission.sandbox.snapshot.isEmpty {
            let report = try await fork.snapshot(mission.sandbox.snapshot, cgroups: bench.cgroups, helper: bench.helper)
            pause = report.longestPause
            await progress(
                TestProgress(
                    stage: "fork",
                    text: "Snapshot of \(report.parts.reduce(0) { $0 + $1.files }) stateful files; "
                        + (pause.map { "live paused for \(Int(($0 * 1000).rounded())) ms." } ?? "live was not paused."))
            )
        }
        let sandboxes = MissionSandbox(
            engine: bench.engine, fork: fork, profile: profile, masks: bench.masks + bench.hidden, missionID: missionID,
            denied: try DeniedLog(folder: folder))
        await progress(TestProgress(stage: "apply", text: "Applying the change in the fork…"))
        let sandbox = try await sandboxes.start(.apply, label: "apply")
        let applied: ChangeApplier.Output
        do {
            applied = try await sandbox.untilCancelled {
                let applied = try await ChangeApplier(sandbox: sandbox).apply(mission.change)
                if applied.isSuccess, let effect = mission.change.effect {
                    let check = try await ChangeApplier(sandbox: sandbox).run(.shell(effect), input: nil)
                    guard check.isSuccess else {
                        throw AgentError(
                            "The change ran, but its effect “\(effect)” is not true in the fork (\(check.exit)): \(check.stderr.suffix(400))"
                        )
                    }
                }
                return applied
            }
        } catch {
            _ = try? await sandboxes.end(sandbox, part: DeniedReport.apply)
            throw error
        }
        let fallbacks = sandbox.fallbacks.map { "\($0.feature.rawValue): \($0.detail)" } + unprotected
        let ended = try await sandboxes.end(sandbox, part: DeniedReport.apply)
        guard applied.isSuccess else {
            let breach = ended.breach.map { " \($0.sentence(profile.limits))" } ?? ""
            throw AgentError(
                "The change failed in the fork (\(applied.exit)).\(breach) It wrote: \((applied.stderr + applied.stdout).suffix(800))"
            )
        }
        // Hashing may take long: on a thread of its own.
        let (blobs, reads) = (bench.blobs, mission.change.reads)
        let (changeSet, full, diff) = try await Threads.run("change-set") {
            let changeSet = try fork.changeSet(blobs: blobs)
            let full = try fork.base(of: changeSet, reads: reads, blobs: blobs)
            return (changeSet, full, changeSet.unifiedDiff(blobs: blobs, base: full))
        }
        // A rerun replaces nothing: it is bound to its declared inputs, and state that live keeps writing is none of them.
        let base =
            mission.change.promote == .files
            ? full : try fork.base(of: ChangeSet([]), reads: mission.change.reads, blobs: bench.blobs)
        try folder.write("manifest.json", changeSet.manifest)
        try folder.write("base.json", base.document)
        try folder.write("diff.txt", Data(diff.utf8))
        try folder.write(
            "prepared.json",
            PreparedRecord(
                mission: try mission.digest, profile: profile.digest,
                stdout: String(applied.stdout.suffix(16 << 10)), stderr: String(applied.stderr.suffix(16 << 10)),
                fallbacks: fallbacks, pause: pause))
        await progress(
            TestProgress(
                stage: "apply",
                text: "The change touches \(changeSet.changes.count) paths; change set \(changeSet.digest.short)."))
        return Prepared(
            sandboxes: sandboxes, changeSet: changeSet, base: base, diff: diff, applied: applied, fallbacks: fallbacks,
            pause: pause, resumed: false)
    }

    private struct PreparedRecord: Codable {
        /// What was prepared, and in which sandbox: anything else begins anew.
        var mission: Digest
        var profile: Digest
        var stdout: String
        var stderr: String
        var fallbacks: [String]
        var pause: Double?
    }

    /// The fork and change set of an interrupted test, if they are whole and live still is what they stand on.
    private func resume(_ profile: Profile) async throws -> Prepared? {
        guard let record: PreparedRecord = try folder.value("prepared.json"), let changeSet = try folder.changeSet,
            let base = try folder.base, let fork = try? bench.forks().open(id: missionID),
            try record.mission == mission.digest, record.profile == profile.digest
        else { return nil }
        guard
            try fork.touchedSinceFork(
                mission.change.promote == .files ? changeSet : ChangeSet([]), reads: mission.change.reads
            ).isEmpty
        else {
            await progress(
                TestProgress(stage: "fork", text: "Live changed under the interrupted test; it begins anew."))
            return nil
        }
        let diff = try folder.data("diff.txt").map { String(decoding: $0, as: UTF8.self) } ?? ""
        var applied = ChangeApplier.Output()
        applied.stdout = record.stdout
        applied.stderr = record.stderr
        return Prepared(
            sandboxes: MissionSandbox(
                engine: bench.engine, fork: fork, profile: profile, masks: bench.masks + bench.hidden,
                missionID: missionID, denied: try DeniedLog(folder: folder)),
            changeSet: changeSet, base: base, diff: diff, applied: applied, fallbacks: record.fallbacks,
            pause: record.pause,
            resumed: true)
    }

    // MARK: - Trial

    private func runTrial(_ prepared: Prepared, once: [KPI: OnceMeasurement], _ hand: BlockInHand) async throws
        -> TrialResult
    {
        let recorded = prepared.resumed ? try folder.blocks() : []
        if !recorded.isEmpty {
            await progress(
                TestProgress(stage: "trial", text: "Going on with the same trial after \(recorded.count) blocks."))
        }
        let trial = Trial(
            plan: mission.trial, random: bench.random, blocks: recorded, once: once,
            cutShort: prepared.resumed ? try folder.cutShort() : [])
        let runner = ArmRunner(sandboxes: prepared.sandboxes, mission: mission)
        let watched = mission.change.promote == .files ? prepared.changeSet : try ChangeSet([])
        let watch = try prepared.sandboxes.fork.watch(watched, reads: mission.change.reads)
        let known = BlockRecorder(folder: folder, blocks: recorded)
        var (result, _) = try await trial.run(
            arm: { kind, block, position in
                try await lock.exclusively {
                    hand.number = block
                    return try await runner.run(kind, block: block, position: position)
                }
            },
            progress: { block, result in
                try await known.record(block)
                hand.number = nil
                let moved = try watch.changed()
                guard moved.isEmpty else {
                    throw LiveMoved(paths: moved.map(\.display))
                }
                await progress(Self.progress(of: block, result, plan: mission.trial))
            })
        // It ended by itself: whatever is open still, no more of its blocks may run.
        result.moreBlocksCanHelp = false
        return result
    }

    private actor BlockRecorder {
        let folder: MissionFolder
        var blocks: [Block]

        init(folder: MissionFolder, blocks: [Block]) {
            self.folder = folder
            self.blocks = blocks
        }

        func record(_ block: Block) throws {
            try folder.record(block, all: blocks)
            blocks.append(block)
        }
    }

    private static func progress(of block: Block, _ result: TrialResult, plan: TrialPlan) -> TestProgress {
        let parts = result.kpis.filter { $0.role != .shown }.map { kpi in
            let points = kpi.kpi.scale == .percentagePoints
            let estimate = kpi.estimate.map { value in
                let scaled = (value * 1000).rounded() / 10 + 0  // never “-0”
                return "\(scaled >= 0 ? "+" : "")\(scaled)\(points ? " pp" : " %")"
            }
            return "\(kpi.kpi.rawValue) \(estimate ?? "not measured") (E \(Int(min(kpi.maxE, 99999))))"
        }
        return TestProgress(
            stage: "trial",
            text: "Block \(block.index + 1) of \(plan.minBlocks)–\(plan.maxBlocks): " + parts.joined(separator: ", "),
            body: (try? JSON(encoding: result)) ?? .null)
    }
}

/// Live changed a path that the trial depends on: what was measured no longer speaks of live.
public struct LiveMoved: Error, CustomStringConvertible, Sendable {
    public let paths: [String]

    public var description: String {
        "Live changed under the trial (\(paths.prefix(5).joined(separator: ", "))); the mission must be tested again against live as it is now."
    }
}
