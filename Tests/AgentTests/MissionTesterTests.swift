import Documents
import Fork
import FoundationEssentials
import Linux
import Measurement
import Missions
import Sandbox
import Synchronization
import Testing
import Trust

@testable import Agent

/// Phase 2 on the real kernel: a fork of this very host, real sandboxes, real control groups.
@Suite("A mission's test", .enabled(if: isRoot, "forks of the host need root"))
struct MissionTesterTests {
    @Test("from fork to evidence: what was measured, what was changed, and live as it was")
    func passes() async throws {
        try await Bench.with { scene async throws in
            try scene.ground.write("app/value", "0.02\n")
            let mission = scene.mission("0.01\n") {
                $0.checks = [
                    CheckSpecification(name: "sees the candidate", run: "grep -q 0.01 '\(scene.value)'"),
                    CheckSpecification(
                        name: "sees no state of Grace's", run: "! ls '\(scene.ground.places.state)/agent' 2>/dev/null"),
                ]
            }
            let said = Said()
            let outcome = try await scene.tester(mission, progress: said.add).run()
            let evidence = outcome.evidence

            #expect(outcome.blocking.isEmpty, "\(outcome.blocking)")
            #expect(evidence.trial.verdict == .PASS)
            #expect(evidence.trial.blocks >= 10)
            let goal = try #require(evidence.trial.kpis.first { $0.kpi == .latency_p50 && $0.role == .goal })
            #expect(goal.baselineMedian == 0.02 && goal.candidateMedian == 0.01)
            #expect(evidence.checks.map(\.passed) == [true, true], "\(evidence.checks)")
            #expect(evidence.missionID == "m-1" && evidence.host == scene.bench.host)
            #expect(try evidence.missionDigest == mission.digest)

            let folder = try scene.folder()
            let changeSet = try #require(try folder.changeSet)
            #expect(changeSet.digest == evidence.changeSet && outcome.changeSet.digest == evidence.changeSet)
            #expect(changeSet.changes.map(\.path.display) == [scene.value])
            #expect(changeSet.changes.first?.content == Digest(of: Data("0.01\n".utf8)))
            #expect(try scene.bench.blobs.read(Digest(of: Data("0.01\n".utf8))) == Data("0.01\n".utf8))
            let base = try #require(try folder.base)
            #expect(base.digest == evidence.base)
            #expect(try base.conflicts().isEmpty)
            #expect(outcome.diff.contains("-0.02") && outcome.diff.contains("+0.01"))
            #expect(evidence.policies == (try Policies.loadOrDefault(scene.ground.places)).digests)
            #expect(evidence.hunter.scanners["native"] == "RAN")
            #expect(evidence.nonce.utf8.count >= 43)

            #expect(try scene.ground.text("app/value") == "0.02\n", "live was touched")
            #expect(try folder.blocks().count == evidence.trial.blocks)
            // What the kernel counted is there, or said to be missing.
            for block in try folder.blocks() {
                for arm in block.baseline + block.candidate {
                    #expect(arm.values[.cpu_time] != nil || arm.notMeasured[.cpu_time] != nil)
                }
            }
            #expect(scene.groups.isEmpty, "sandboxes left control groups")
            #expect(Set(said.stages) == ["fork", "apply", "checks", "trial"])
        }
    }

    @Test("a candidate that is worse is a REGRESSION and barred")
    func regression() async throws {
        try await Bench.with { scene async throws in
            try scene.ground.write("app/value", "0.02\n")
            let outcome = try await scene.tester(
                scene.mission("0.04\n") {
                    $0.trial.boundaries = [Boundary(kpi: .latency_p50, role: .guardrail, amount: 0.1)]
                }
            ).run()
            #expect(outcome.evidence.trial.verdict == .REGRESSION)
            #expect(outcome.blocking.contains { $0.hasPrefix("REGRESSION") })
            #expect(AgentService.event(for: outcome, threshold: 0).0 == .testBlocked)
            #expect(try scene.ground.text("app/value") == "0.02\n")
        }
    }

    @Test("a candidate whose workload fails is a REGRESSION of the error rate")
    func errors() async throws {
        try await Bench.with { scene async throws in
            try scene.ground.write("app/value", "0.02\n")
            let outcome = try await scene.tester(
                scene.mission("broken\n") {
                    $0.workload = .run("read value < '\(scene.value)'; [ $value != broken ]")
                    $0.trial.boundaries = [Boundary(kpi: .error_rate, role: .guardrail, amount: 0.01)]
                }
            ).run()
            #expect(outcome.evidence.trial.verdict == .REGRESSION, "\(outcome.evidence.trial.reason)")
            #expect(!outcome.blocking.isEmpty)
        }
    }

    @Test("a check that fails bars the mission, whatever the trial measured; each check sees a fork of its own")
    func checks() async throws {
        try await Bench.with { scene async throws in
            try scene.ground.write("app/value", "0.02\n")
            let mission = scene.mission("0.01\n") {
                $0.checks = [
                    CheckSpecification(name: "writes", run: "echo spoiled > '\(scene.value)'"),
                    CheckSpecification(name: "good", run: "grep -q 0.01 '\(scene.value)'"),
                    CheckSpecification(name: "bad", run: "echo the reason >&2; exit 3"),
                    CheckSpecification(name: "endless", run: "sleep 600", timeout: 0.3),
                    CheckSpecification(
                        name: "report",
                        run:
                            "printf '<testsuite><testcase name=\"a\"/><testcase name=\"b\"><failure/></testcase></testsuite>' > /var/tmp/r.xml",
                        junit: "/var/tmp/r.xml"),
                ]
            }
            let outcome = try await scene.tester(mission).run()
            let checks = outcome.evidence.checks
            #expect(checks.map(\.passed) == [true, true, false, false, false])
            #expect(checks[2].exitCode == 3 && checks[2].message.contains("the reason"))
            #expect(checks[4].testsPassed == 1 && checks[4].testsFailed == 1)
            #expect(outcome.evidence.trial.verdict == .PASS)
            for name in ["bad", "endless", "report"] {
                #expect(outcome.blocking.contains { $0.contains("the check \(name) failed") })
            }
            #expect(outcome.blocking.count == 3, "\(outcome.blocking)")
            #expect(AgentService.event(for: outcome, threshold: 0).0 == .testBlocked)
            #expect(!outcome.evidence.sandbox.success)
            #expect(try Files.status("/var/tmp/r.xml") == nil, "a check wrote to live")
        }
    }

    @Test("a change outside of its declared scope is barred before anything is measured")
    func scope() async throws {
        try await Bench.with { scene async throws in
            try scene.ground.write("app/value", "0.02\n")
            let said = Said()
            let mission = scene.mission("") {
                $0.change = ChangeSpecification(
                    action: .run("echo 0.01 > '\(scene.value)'; echo x > '\(scene.ground.path("app/other"))'"),
                    touches: [scene.value])
                $0.checks = [CheckSpecification(name: "never", run: "false")]
            }
            let outcome = try await scene.tester(mission, progress: said.add).run()
            #expect(
                outcome.blocking.contains { $0.contains("within_scope") && $0.contains("app/other") },
                "\(outcome.blocking)")
            #expect(outcome.evidence.trial.blocks == 0 && outcome.evidence.checks.isEmpty)
            #expect(!said.stages.contains("trial"))
            #expect(outcome.evidence.trial.verdict == .INCONCLUSIVE)
            #expect(try scene.bench.forks().list().isEmpty)
            #expect(try Files.status(scene.ground.path("app/other")) == nil)
        }
    }

    @Test("a change to Grace's own files is barred")
    func own() async throws {
        try await Bench.with { scene async throws in
            try scene.ground.write("app/value", "0.02\n")
            // The sandbox hides them, so that what is written there is not theirs; what can be seen of Grace's is protected by name.
            let mission = scene.mission("") {
                $0.change = ChangeSpecification(
                    action: .run("mkdir -p /etc/grace && echo x > /etc/grace/approvers.yaml"))
            }
            let said = await refusal {
                let outcome = try await scene.tester(mission).run()
                throw Failure(outcome.blocking.joined(separator: " "))
            }
            #expect(said?.contains("hands_off_grace") ?? false, "\(said ?? "")")
        }
    }

    @Test(
        "a change that fails in the fork fails the test with what it said; one that doesn't read its input kills nobody"
    )
    func fails() async throws {
        try await Bench.with { scene async throws in
            try scene.ground.write("app/value", "0.02\n")
            let broken = scene.mission("") {
                $0.change = ChangeSpecification(action: .run("echo no such luck >&2; exit 9"))
            }
            let said = await refusal { _ = try await scene.tester(broken).run() }
            #expect(said?.contains("no such luck") ?? false, "\(said ?? "")")
            // The target is a directory: cat never runs, and 300 KB find no reader.
            let large = scene.mission("") {
                $0.change.action = .files([
                    FileChange(
                        path: scene.ground.path("app"),
                        content: Data(repeating: 65, count: 300_000).base64EncodedString())
                ])
            }
            let told = await refusal { _ = try await scene.tester(large).run() }
            #expect(told?.contains("failed in the fork") ?? false, "\(told ?? "")")
            #expect(scene.groups.isEmpty)
        }
    }

    @Test("a test that was interrupted goes on with the same blocks of the same trial")
    func resumes() async throws {
        try await Bench.with { scene async throws in
            try scene.ground.write("app/value", "0.02\n")
            let mission = scene.mission("0.01\n")
            let stop = Stop(after: 4)
            let first = try scene.tester(mission) { stop.saw($0) }
            let task = Task { try await first.run() }
            stop.hold(task)
            await #expect(throws: CancellationError.self) { _ = try await task.value }
            let recorded = try scene.folder().blocks()
            #expect(recorded.count == 4)
            let manifest = try scene.folder().data("manifest.json")

            let said = Said()
            let outcome = try await scene.tester(mission, progress: said.add).run()
            #expect(said.texts.contains { $0.contains("same trial after 4 blocks") })
            #expect(!said.stages.contains("apply"), "the change was made a second time")
            let blocks = try scene.folder().blocks()
            #expect(Array(blocks.prefix(4)) == recorded)
            #expect(blocks.map(\.index) == Array(0..<blocks.count))
            #expect(outcome.evidence.trial.verdict == .PASS && outcome.evidence.trial.blocks == blocks.count)
            #expect(try scene.folder().data("manifest.json") == manifest)

            // Live moved on meanwhile: what was measured no longer speaks of it, so it begins anew.
            try scene.ground.write("app/value", "0.03\n")
            let anew = Said()
            let again = try await scene.tester(mission, progress: anew.add).run()
            #expect(anew.texts.contains { $0.contains("begins anew") })
            let goal = try #require(again.evidence.trial.kpis.first { $0.kpi == .latency_p50 })
            #expect(goal.baselineMedian == 0.03)
            #expect(again.evidence.nonce != outcome.evidence.nonce && again.evidence.base != outcome.evidence.base)
        }
    }

    @Test("live that suffers stops the trial; its blocks are kept, and the same trial goes on when live is well")
    func suffers() async throws {
        try await Bench.with { scene async throws in
            var scene = scene
            try scene.ground.write("app/value", "0.02\n")
            let mission = scene.mission("0.01\n")
            let suffering = Flag()
            scene.bench.live = LiveGuardTests.guarding { second in
                LiveSample(
                    stalled: [.io: ["system.slice": suffering.isSet ? Double(second) : 0]], memoryAvailable: 8 << 30)
            }
            let seen = Mutex(0)
            let tester = try scene.tester(mission) { step in
                guard step.stage == "trial",
                    seen.withLock({
                        $0 += 1; return $0 == 4
                    })
                else { return }
                suffering.set(true)
            }
            let said = await refusal { _ = try await tester.run() }
            #expect(said?.contains("live (system.slice) waited for io") ?? false, "\(said ?? "")")
            #expect(scene.groups.isEmpty, "a sandbox outlived the trial")
            let recorded = try scene.folder().blocks()
            #expect(recorded.count >= 4)
            let cut = try scene.folder().cutShort()
            #expect(cut.allSatisfy { $0.block == recorded.count && $0.reason == said })
            #expect(try scene.ground.text("app/value") == "0.02\n", "live was touched")

            suffering.set(false)
            let outcome = try await scene.tester(mission).run()
            let blocks = try scene.folder().blocks()
            #expect(Array(blocks.prefix(recorded.count)) == recorded)
            #expect(blocks.map(\.index) == Array(0..<blocks.count))
            #expect(outcome.evidence.trial.verdict == .PASS, "\(outcome.evidence.trial.reason)")
            #expect(outcome.evidence.trial.notes.filter { $0.contains("was cut short") }.count == cut.count)
        }
    }

    @Test("a sandbox that would take live's reserve of memory is not started")
    func reserve() async throws {
        try await Bench.with { scene async throws in
            var scene = scene
            try scene.ground.write("app/value", "0.02\n")
            scene.bench.live = LiveGuardTests.guarding { _ in LiveSample(memoryAvailable: 1 << 30) }
            let said = Said()
            let tester = try scene.tester(scene.mission("0.01\n"), progress: said.add)
            await #expect(throws: LiveSuffers.self) { _ = try await tester.run() }
            #expect(said.stages.isEmpty && scene.groups.isEmpty)
            #expect(try scene.folder().cutShort().isEmpty)
        }
    }

    @Test(
        "sandboxes lie in a group that gives way to the rest of the host; what the host can't do of it is in the evidence"
    )
    func weight() async throws {
        try await Bench.with { scene async throws in
            var scene = scene
            try scene.ground.write("app/value", "0.02\n")
            scene.bench.weight = 10
            scene.bench.live = LiveGuardTests.guarding { _ in LiveSample(memoryAvailable: 8 << 30) }
            scene.bench.live?.absences = { ["live_pressure: cpu is not watched"] }
            let outcome = try await scene.tester(scene.mission("0.01\n")).run()
            let fallbacks = outcome.evidence.sandbox.fallbacks
            #expect(fallbacks.contains("live_pressure: cpu is not watched"))
            #expect(!fallbacks.contains { $0.hasPrefix("trial_weight (cpu)") }, "\(fallbacks)")
            let weights = [("cpu", "cpu.shares", "102\n"), ("", "cpu.weight", "10\n")].filter {
                (try? Files.readString("/sys/fs/cgroup/\($0.0)/\(scene.cgroup)/\($0.1)")) == $0.2
            }
            #expect(weights.count == 1)
        }
    }

    @Test("a trial that is still open after all its blocks is people's to decide, not to be run again")
    func exhausted() async throws {
        try await Bench.with { scene async throws in
            try scene.ground.write("app/value", "0.02\n")
            let outcome = try await scene.tester(
                scene.mission("0.018\n") {
                    // A tenth less exactly: neither reached nor missed.
                    $0.trial = TrialPlan(
                        minBlocks: 10, maxBlocks: 10,
                        boundaries: [Boundary(kpi: .latency_p50, role: .goal, amount: 0.1)])
                }
            ).run()
            #expect(outcome.evidence.trial.verdict == .INCONCLUSIVE, "\(outcome.evidence.trial.reason)")
            #expect(!outcome.evidence.trial.moreBlocksCanHelp)
            #expect(AgentService.event(for: outcome, threshold: 0.95).0 == .testPassed)
        }
    }

    @Test("every denied call is in the evidence by part, a KPI of each arm, and a finding where the change brought it")
    func denied() async throws {
        try await Bench.with { scene async throws in
            try scene.ground.write("app/value", "0.02\n")
            let mission = scene.mission("0.01\n") {
                $0.checks = [CheckSpecification(name: "tries", run: "unshare -U true; unshare -U true; true")]
                $0.workload = .run(
                    "read value < '\(scene.value)'; echo latency_seconds $value >&3; "
                        + "mount -t tmpfs none /mnt; [ $value = 0.02 ] || unshare -U true; true")
            }
            let outcome = try await scene.tester(mission).run()
            let reports = try #require(outcome.evidence.sandbox.denied_calls)
            #expect(reports.map(\.part) == ["apply", "baseline", "candidate", "check tries"])
            let arms = 2 * outcome.evidence.trial.blocks
            func counts(_ part: String) -> [String: Int] {
                let calls = reports.first { $0.part == part }?.denied.calls ?? []
                return Dictionary(calls.map { ("\($0.call) \($0.program ?? "")", $0.count) }, uniquingKeysWith: +)
            }
            #expect(counts("apply").isEmpty && counts("check tries") == ["unshare /usr/bin/unshare": 2])
            #expect(counts("candidate")["unshare /usr/bin/unshare"] == arms)
            #expect(counts("baseline")["unshare /usr/bin/unshare"] == nil)
            #expect(counts("baseline").values.reduce(0, +) >= arms, "mount was denied in every arm")
            for block in try scene.folder().blocks() {
                let baseline = try #require(block.baseline.first?.values[.denied_calls])
                #expect(block.candidate.allSatisfy { $0.values[.denied_calls] == baseline + 1 })
            }
            let findings = outcome.evidence.hunter.findings.filter { $0.rule == "denied-call" }
            #expect(findings.count == 1 && findings.first?.message.contains("unshare") == true, "\(findings)")
            let principle = outcome.evidence.constitution.first { $0.principle == "nothing_hidden" }
            #expect(principle?.satisfied == true && principle?.message.contains("denied calls:") == false)
        }
    }

    @Test("evidence without a record of denied calls hides something; where the kernel can't count, it says so")
    func completeness() {
        let profile = Profile(name: "p")
        guard case .missing(_) = MissionTester.completeness(profile, denied: nil).deniedCalls else {
            Issue.record("no record passed for complete")
            return
        }
        let counted = DeniedReport(part: DeniedReport.apply, denied: DeniedCalls([]))
        #expect(MissionTester.completeness(profile, denied: [counted]).deniedCalls == .recorded)
        let old = DeniedReport(part: DeniedReport.baseline, denied: DeniedCalls(notCounted: "an old kernel"))
        #expect(
            MissionTester.completeness(profile, denied: [counted, old]).deniedCalls == .notPossible("an old kernel"))
    }

    @Test("with a way out, evidence without a record of it hides something")
    func networkCompleteness() {
        let profile = Profile(name: "p", network: .egress)
        func network(_ reports: [NetworkReport]?) -> EvidenceCompleteness.Record {
            MissionTester.completeness(profile, denied: nil, network: reports).network
        }
        guard case .missing(_) = network(nil), case .missing(_) = network([]) else {
            Issue.record("no record passed for complete")
            return
        }
        #expect(network([NetworkReport(part: DeniedReport.apply, use: NetworkUse())]) == .recorded)
        var lost = NetworkUse()
        lost.incomplete = "the counters are gone"
        #expect(network([NetworkReport(part: DeniedReport.apply, use: lost)]) == .missing("the counters are gone"))
    }

    @Test("live that changes under the trial ends it")
    func moved() async throws {
        try await Bench.with { scene async throws in
            try scene.ground.write("app/value", "0.02\n")
            let path = scene.value
            let tester = try scene.tester(scene.mission("0.01\n")) { step in
                if step.stage == "trial" { try? Files.writeAtomically(path, Data("0.05\n".utf8), mode: 0o644) }
            }
            await #expect(throws: LiveMoved.self) { _ = try await tester.run() }
        }
    }
}

private final class Flag: Sendable {
    private let value = Mutex(false)
    var isSet: Bool { value.withLock { $0 } }
    func set(_ new: Bool) { value.withLock { $0 = new } }
}

/// Cancels a task when its trial has made so many blocks.
private final class Stop: Sendable {
    private let after: Int
    private let state = Mutex<(blocks: Int, task: Task<MissionTester.Outcome, any Error>?)>((0, nil))

    init(after: Int) { self.after = after }

    func hold(_ task: Task<MissionTester.Outcome, any Error>) { state.withLock { $0.task = task } }

    func saw(_ step: TestProgress) {
        guard step.stage == "trial" else { return }
        state.withLock {
            $0.blocks += 1
            if $0.blocks == after { $0.task?.cancel() }
        }
    }
}
