import Cgroups
import CSandbox
import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// Nothing survives a sandbox, and nothing is left of it.
@Suite struct EndTests {
    /// A daemon that has left its session, process group and parent.
    private static let daemon = "setsid sh -c '(trap \"\" HUP TERM INT; exec sleep 777) &' & sleep 0.2; echo started"

    @Test func daemonsDieWithTheirSandbox() async throws {
        let (pids, _) = try await Host.withSandbox { sandbox, _ in
            let result = try await sandbox.shell(Self.daemon)
            #expect(result.out == "started\n")
            return try sandbox.cgroup?.processes() ?? []
        }
        if Host.isRoot { #expect(pids.count >= 2) }
        for pid in pids { #expect(Processes.startTime(of: pid) == nil || !isOurs(pid)) }
    }

    private func isOurs(_ pid: Int32) -> Bool {
        ((try? Files.readString("/proc/\(pid)/cmdline")) ?? "").contains("sleep")
    }

    @Test(.enabled(if: Host.isRoot)) func anEngineThatIsDroppedTakesItsSandboxAlong() async throws {
        try await Host.withDirectory { directory in
            var sandbox: Sandbox? = try await Host.engine(directory).start(
                SandboxSpecification(profile: Host.profile()))
            _ = try await sandbox?.shell(Self.daemon)
            let cgroup = try #require(sandbox?.cgroup)
            #expect(try cgroup.processes().count >= 2)
            sandbox = nil
            for _ in 0..<200 where try !cgroup.processes().isEmpty { try await Task.sleep(for: .milliseconds(20)) }
            #expect(try cgroup.processes().isEmpty)
            try await cgroup.remove()
        }
    }

    /// The launcher's parent, here a shell in the agent's place, is killed with SIGKILL while the control socket stays open.
    @Test(.enabled(if: Host.isRoot)) func killingTheAgentKillsTheSandbox() async throws {
        try await Host.withDirectory { directory in
            try Files.makeDirectory("\(directory)/stage", mode: 0o700)
            let profile = Host.profile()
            let cgroup = try Cgroup.create(
                on: try CgroupHost.detect(), path: "grace-test-\(getpid())-killed", limits: CgroupLimits())
            let plan = try PlanWriter(
                mode: CSANDBOX_MAPPED, specification: SandboxSpecification(profile: profile),
                overlays: [PlannedOverlay(mountPoint: "/", lowers: [], volatile: true)], masks: [],
                stage: "\(directory)/stage",
                cgroups: try cgroup.joinDescriptors().count, showCgroup: false
            ).write()
            var ends: [Int32] = [-1, -1]
            #expect(csandbox_control_pair(&ends) == 0)
            let ours = Descriptor(owning: ends[0])
            let theirs = Descriptor(owning: ends[1])
            let filter = try SeccompCompiler.compile(FilterPlan(profile.seccomp, capabilities: []), reporting: false)
            let joins = try cgroup.joinDescriptors()
            var descriptors: [(Int32, Int32)] = [(3, plan.raw), (4, theirs.raw), (5, filter.raw)]
            for (index, join) in joins.enumerated() { descriptors.append((6 + Int32(index), join.raw)) }
            let agent = try Processes.spawn(
                "/bin/sh", arguments: ["-c", "\(try SandboxEngine.locateHelper()) run & wait; true"],
                descriptors: descriptors)
            theirs.close()
            var message = csandbox_message()
            var raw = [Int32](repeating: -1, count: 64)
            var count: Int32 = 0
            #expect(csandbox_receive(ours.raw, &message, &raw, &count, 1) == 1)
            #expect(message.type == UInt32(CSANDBOX_READY.rawValue))
            let held = raw.prefix(Int(count)).map { Descriptor(owning: $0) }
            #expect(held.count == 3)
            #expect(try cgroup.processes().count == 1)
            try Processes.kill(agent, SIGKILL)
            _ = try await Processes.wait(agent)
            withExtendedLifetime(joins) {}
            for _ in 0..<200 where try !cgroup.processes().isEmpty { try await Task.sleep(for: .milliseconds(20)) }
            #expect(try cgroup.processes().isEmpty)
            try await cgroup.kill()
            #expect(csandbox_receive(ours.raw, &message, &raw, &count, 1) == 0)  // PID 1 is gone
            try await cgroup.remove()
        }
    }

    @Test func fiftyRunsLeaveNothingBehind() async throws {
        try await Host.withDirectory { directory in
            let engine = try Host.engine(directory)
            let specification = SandboxSpecification(profile: Host.profile())
            for _ in 0..<2 { _ = try await engine.run(specification, .shell("true"), streams: (.null, .null, .null)) }
            let before = try Traces(engine)
            for _ in 0..<50 {
                let (exit, outcome, _) = try await engine.run(
                    specification, .shell("true & exit 3"), streams: (.null, .null, .null))
                #expect(exit == .exited(3))
                #expect(outcome.breach == nil)
            }
            var after = try Traces(engine)
            for _ in 0..<100 where after != before {
                try await Task.sleep(for: .milliseconds(20))  // detached threads close their last descriptors
                after = try Traces(engine)
            }
            #expect(after == before)
        }
    }

    /// What a sandbox could leave behind. Other tests run at the same time: only what is this engine's own counts.
    private struct Traces: Equatable {
        var mounts: Int
        var scratch: [String]
        var cgroups: [String]

        init(_ engine: SandboxEngine) throws {
            mounts = try MountInfo.read().filter { ($0.mountPoint.string ?? "").hasPrefix(engine.scratch) }.count
            scratch = try Files.entries(engine.scratch).map { String(decoding: $0, as: UTF8.self) }
            cgroups = []
            for place in ["memory", "pids", "unified", "."] {
                let names = (try? Files.entries("/sys/fs/cgroup/\(place)/\(engine.cgroupParent)")) ?? []
                let own = names.map { String(decoding: $0, as: UTF8.self) }.filter { $0.hasSuffix("-sandbox") }
                cgroups += own
            }
        }
    }

    @Test func endingTwiceGivesTheSameOutcomeAndLaterCommandsAreRefused() async throws {
        try await Host.withDirectory { directory in
            let sandbox = try await Host.engine(directory).start(SandboxSpecification(profile: Host.profile()))
            let first = try await sandbox.end()
            let second = try await sandbox.end()
            #expect(first == second)
            await #expect(throws: SandboxError.self) { _ = try await sandbox.spawn(.shell("true")) }
        }
    }

    @Test func theWatchdogThawsWhenTheFreezerDiesOrTakesTooLong() async throws {
        try await Host.withDirectory { directory in
            let path = "\(directory)/freezer.state"
            for (input, seconds) in [(Data(), "60"), (Data("still here\n".utf8), "0.2")] {
                try Files.writeAtomically(path, Data("FROZEN".utf8), mode: 0o600)
                let output = try await Processes.run(
                    try SandboxEngine.locateHelper(), arguments: ["thaw", path, "THAWED", seconds], input: input)
                #expect(output.exit == .exited(0))
                #expect(try Files.readString(path) == "THAWED")
            }
            let wrong = try await Processes.run(
                try SandboxEngine.locateHelper(), arguments: ["thaw", "\(directory)/none", "1", "1"])
            #expect(wrong.exit == .exited(1))
            #expect(wrong.errorOutput.contains("cannot be opened"))
        }
    }
}
