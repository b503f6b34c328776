import Cgroups
import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// Limits hold, and running into one has a name.
@Suite(.enabled(if: Host.isRoot)) struct LimitTests {
    @Test func everythingInsideIsInItsOwnGroupOfEveryHierarchy() async throws {
        try await Host.withDirectory { directory in
            let engine = try Host.engine(directory)
            let sandbox = try await engine.start(SandboxSpecification(profile: Host.profile(), label: "member"))
            let group = try #require(sandbox.cgroup)
            let process = try await sandbox.spawn(.shell("exec sleep 100"))
            let inside = try group.processes()
            #expect(inside.count == 2)
            for pid in inside {
                // “ID:CONTROLLERS:PATH”; ours are those of the hierarchies that Grace uses.
                let lines = try Files.readString("/proc/\(pid)/cgroup").split(separator: "\n")
                for line in lines
                where !line.contains("name=") && !line.contains("devices:") && !line.contains("cpuset:") {
                    let place = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)[2]
                    let controllers = line.split(separator: ":", omittingEmptySubsequences: false)[1]
                    let used = ["memory", "pids", "cpu", "cpuacct", "blkio", "freezer", ""]
                    guard
                        controllers.split(separator: ",").contains(where: { used.contains(String($0)) })
                            || controllers.isEmpty
                    else { continue }
                    #expect(place.hasSuffix("/" + group.path), "process \(pid): \(line)")
                }
            }
            await process.signalGroup(9)
            _ = try await sandbox.end()
        }
    }

    @Test func memoryBeyondTheLimitIsAnOutOfMemoryBreach() async throws {
        let (result, outcome) = try await Host.withSandbox(
            profile: Host.profile {
                $0.limits.memory = 32 << 20; $0.limits.swap = 0
            }
        ) { sandbox, _ in
            try await sandbox.shell("head -c 200000000 /dev/zero | tail -c 150000000 | wc -c")
        }
        #expect(outcome.breach == .oom)
        #expect(!result.out.contains("150000000"))
    }

    @Test func aForkBombIsAPidsBreachAndDiesWithItsSandbox() async throws {
        let (_, outcome) = try await Host.withSandbox(profile: Host.profile { $0.limits.pids = 16 }) { sandbox, _ in
            try await sandbox.shell("for i in $(seq 40); do sleep 30 & done; wait")
        }
        #expect(outcome.breach == .pids)
    }

    @Test func exactlyAsManyProcessesAsAllowedFit() async throws {
        let (result, outcome) = try await Host.withSandbox(profile: Host.profile { $0.limits.pids = 4 }) { sandbox, _ in
            try await sandbox.shell("sleep 0.2 & sleep 0.2 & sleep 0.2 & wait; echo fine")
        }
        #expect(result.out == "fine\n")
        #expect(outcome.breach == nil)
    }

    @Test func wallTimeIsATimeoutBreach() async throws {
        let (exit, outcome) = try await Host.withSandbox(profile: Host.profile { $0.limits.time = 0.3 }) { sandbox, _ in
            try await sandbox.shell("sleep 60").exit
        }
        #expect(exit == .signaled(SIGKILL))
        #expect(outcome.breach == .timeout)
    }

    @Test func captureIsBoundedAndTooMuchIsAnOutputBreach() async throws {
        let (count, outcome) = try await Host.withSandbox { sandbox, _ in
            let process = try await sandbox.spawn(.shell("sleep 0.2; yes; sleep 60"), stdout: .capture(limit: 10_000))
            _ = try await process.wait()
            return process.stdout.count
        }
        #expect(count == 10_000)
        #expect(outcome.breach == .output)
    }

    @Test func aFullLayerIsADiskBreach() async throws {
        let (result, outcome) = try await Host.withSandbox(profile: Host.profile { $0.limits.disk = 4 << 20 }) {
            sandbox, _ in
            try await sandbox.shell("dd if=/dev/zero of=/var/tmp/big bs=1M count=16")
        }
        #expect(result.err.contains("No space left"))
        #expect(outcome.breach == .disk)
    }

    @Test func openFilesAreLimited() async throws {
        let (result, _) = try await Host.withSandbox(profile: Host.profile { $0.limits.files = 64 }) { sandbox, _ in
            try await sandbox.shell("ulimit -n; ulimit -Hn; ulimit -c")
        }
        #expect(result.out == "64\n64\n0\n")
    }

    @Test func aDemandedLimitThatTheHostCannotSetIsRefusedAndAnOptionalOneIsRecorded() async throws {
        try await Host.withDirectory { directory in
            let engine = SandboxEngine(
                cgroups: nil, helper: try SandboxEngine.locateHelper(), scratch: "\(directory)/scratch")
            var profile = Host.profile { $0.limits.memory = 64 << 20 }
            await #expect(throws: SandboxError.self) {
                _ = try await engine.start(SandboxSpecification(profile: profile))
            }
            #expect(try Files.entries("\(directory)/scratch").isEmpty)
            profile.optional = [.memoryLimit]
            let sandbox = try await engine.start(SandboxSpecification(profile: profile))
            #expect(sandbox.fallbacks.map(\.feature) == [.memoryLimit])
            _ = try await sandbox.end()
        }
    }

    @Test func figuresOfTheWholeRunAreInTheOutcome() async throws {
        let (_, outcome) = try await Host.withSandbox { sandbox, _ in
            try await sandbox.shell("i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done")
        }
        #expect((outcome.final.cpuSeconds ?? 0) > 0.01)
        #expect(outcome.elapsed > 0)
    }
}
