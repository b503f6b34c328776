import Cgroups
import CSandbox
import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// All sandboxes of an engine are forked from one small process.
@Suite(.enabled(if: Host.isRoot)) struct ZygoteTests {
    @Test func sandboxesOfOneEngineComeOfOneProcess() async throws {
        try await Host.withDirectory { directory in
            let engine = try Host.engine(directory)
            var sandboxes: [Sandbox] = []
            for _ in 0..<6 {  // more than are made ahead
                sandboxes.append(try await engine.start(SandboxSpecification(profile: Host.profile())))
            }
            let zygote = try #require(engine.zygote.pid)
            for sandbox in sandboxes {
                #expect(try await sandbox.shell("echo here").out == "here\n")
                let first = try #require(try sandbox.cgroup?.processes().first)
                #expect(Processes.parent(of: first) == zygote)
            }
            for sandbox in sandboxes { _ = try await sandbox.end() }
            #expect(engine.zygote.pid == zygote)
        }
    }

    @Test func everySandboxHasNamespacesOfItsOwn() async throws {
        try await Host.withDirectory { directory in
            let engine = try Host.engine(directory)
            var seen: [String: Set<String>] = [:]
            var sandboxes: [Sandbox] = []
            for _ in 0..<6 { sandboxes.append(try await engine.start(SandboxSpecification(profile: Host.profile()))) }
            for name in ["net", "user", "pid", "mnt", "ipc", "uts", "cgroup"] {
                let host = try Files.readlink("/proc/self/ns/\(name)").string ?? ""
                for sandbox in sandboxes {
                    seen[name, default: []].insert(try await sandbox.shell("readlink /proc/self/ns/\(name)").out)
                }
                #expect(seen[name]?.count == 6, "\(name)")
                #expect(seen[name]?.contains(host + "\n") == false, "\(name)")
            }
            for sandbox in sandboxes { _ = try await sandbox.end() }
        }
    }

    @Test func aSandboxHoldsNoDescriptorOfTheZygoteOrOfAnother() async throws {
        try await Host.withDirectory { directory in
            let engine = try Host.engine(directory)
            var sandboxes: [Sandbox] = []
            for _ in 0..<3 { sandboxes.append(try await engine.start(SandboxSpecification(profile: Host.profile()))) }
            for sandbox in sandboxes {
                let first = try #require(try sandbox.cgroup?.processes().first)
                let open = try Files.entries("/proc/\(first)/fd").map { String(decoding: $0, as: UTF8.self) }
                let targets = try open.map { try Files.readlink("/proc/\(first)/fd/\($0)").string ?? "" }
                #expect(targets.filter { $0.hasPrefix("socket:") }.count == 1)  // its own control socket
                #expect(
                    targets.allSatisfy { !$0.contains(":[") || $0.hasPrefix("socket:") || $0.hasPrefix("anon_inode:") })
                #expect(targets.allSatisfy { !$0.contains("cgroup") && !$0.contains("memfd") })
                #expect(try await sandbox.shell("ls /proc/self/fd").out == "0\n1\n2\n3\n")  // 3: ls itself
            }
            for sandbox in sandboxes { _ = try await sandbox.end() }
        }
    }

    @Test func aKilledZygoteTakesItsSandboxesAlongAndTheNextStartGetsANewOne() async throws {
        try await Host.withDirectory { directory in
            let engine = try Host.engine(directory)
            let sandbox = try await engine.start(SandboxSpecification(profile: Host.profile()))
            let process = try await sandbox.spawn(Command(arguments: ["/bin/sleep", "1000"]))
            let zygote = try #require(engine.zygote.pid)
            let cgroup = try #require(sandbox.cgroup)
            #expect(try cgroup.processes().count == 2)
            try Processes.kill(zygote, SIGKILL)
            #expect(try await process.wait() == .signaled(SIGKILL))
            _ = try await sandbox.end()
            #expect(try cgroup.processes().isEmpty)
            let next = try await engine.start(SandboxSpecification(profile: Host.profile()))
            #expect(try await next.shell("echo again").out == "again\n")
            #expect(engine.zygote.pid != zygote)
            #expect(engine.zygote.death?.contains("and they with it") == true)
            _ = try await next.end()
        }
    }

    /// Whoever waits for sandboxes is held up, hears of the old one's end late, and must not take the new one's sandbox for its child.
    @Test func theEndOfOneIsNotThatOfTheNextOnesSandboxes() async throws {
        try await Host.withDirectory { directory in
            let engine = try Host.engine(directory)
            _ = try await engine.start(SandboxSpecification(profile: Host.profile())).end()
            let zygote = try #require(engine.zygote.pid)
            let holdUp = try StopFlag()
            try Watcher.shared.get().watch(holdUp.descriptor) {
                usleep(500_000)
                return .done
            }
            holdUp.raise()
            usleep(50_000)
            try Processes.kill(zygote, SIGKILL)
            for _ in 0..<400 where Processes.state(of: zygote) != "Z" { usleep(1000) }
            #expect(Processes.state(of: zygote) == "Z")  // nobody has heard of it
            let next = try await engine.start(SandboxSpecification(profile: Host.profile()))
            #expect(try await next.shell("echo there").out == "there\n")
            #expect(engine.zygote.pid != zygote)
            _ = try await next.end()
        }
    }

    @Test func theZygoteEndsWithTheLastOfItsEngineAndSandboxes() async throws {
        try await Host.withDirectory { directory in
            var engine: SandboxEngine? = try Host.engine(directory)
            var sandbox = try await engine?.start(SandboxSpecification(profile: Host.profile()))
            let zygote = try #require(engine?.zygote.pid)
            engine = nil
            #expect(try await sandbox?.shell("echo still").out == "still\n")  // a sandbox outlives its engine
            _ = try await sandbox?.end()
            sandbox = nil
            for _ in 0..<200 where Processes.startTime(of: zygote) != nil {
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(Processes.startTime(of: zygote) == nil)
        }
    }

    @Test func aRefusedPlanIsToldOverItsOwnSocketAndTheZygoteGoesOn() async throws {
        try await Host.withDirectory { directory in
            let engine = try Host.engine(directory)
            let first = try await engine.start(SandboxSpecification(profile: Host.profile()))
            let zygote = engine.zygote.pid
            for (bytes, step) in [
                (Data("no plan".utf8), CSANDBOX_STEP_PLAN), (Data(count: 4096), CSANDBOX_STEP_PLAN),
            ] {
                var ends: [Int32] = [-1, -1]
                #expect(csandbox_control_pair(&ends) == 0)
                let theirs = Descriptor(owning: ends[1])
                let channel = try Channel(socket: Descriptor(owning: ends[0]))
                let plan = try Descriptor.memory(name: "test")
                try Files.write(plan, bytes)
                try engine.zygote.spawn([plan, theirs], for: channel)
                theirs.close()
                guard case .failed(let failed, let code, let detail) = await channel.greeting() else {
                    Issue.record("it was not refused")
                    return
                }
                #expect(failed == Int32(step.rawValue))
                #expect(code == EINVAL)
                #expect(detail.contains("plan"))
                await channel.finished()
            }
            #expect(try await first.shell("echo on").out == "on\n")
            #expect(engine.zygote.pid == zygote)
            _ = try await first.end()
        }
    }
}
