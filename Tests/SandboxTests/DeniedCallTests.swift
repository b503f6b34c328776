import CSandbox
import Cgroups
import FoundationEssentials
import Glibc
import Linux
import Synchronization
import Testing

@testable import Sandbox

/// Calls that the filter denies are reported: which, how often, by which program.
@Suite struct DeniedCallTests {
    /// A line of Perl that makes a system call some times and says what the last one was answered.
    private static func call(_ name: String, times: Int = 1, _ arguments: String = "") throws -> String {
        let number = try #require(SystemCalls.number(of: name))
        return "perl -e 'for (1..\(times)) { $r = syscall(\(number)\(arguments)) } print $r < 0 ? $!+0 : 0'"
    }

    @Test func eachIsAnsweredEPERMAndCountedByProgramAndCall() async throws {
        let (result, outcome) = try await Host.withSandbox { sandbox, _ in
            try await sandbox.shell("\(Self.call("keyctl", times: 3, ", 0, 0, 0")); unshare -U true")
        }
        #expect(result.out == "\(EPERM)")
        #expect(outcome.deniedCalls.reason == nil)
        #expect(outcome.deniedCalls.total == 4)
        #expect(outcome.deniedCalls.calls.map(\.call) == ["keyctl", "unshare"])
        #expect(outcome.deniedCalls.calls.map(\.count) == [3, 1])
        #expect(outcome.deniedCalls.calls.map(\.name) == ["perl", "unshare"])
        #expect(outcome.deniedCalls.calls.map(\.program) == ["/usr/bin/perl", "/usr/bin/unshare"])
    }

    @Test func aRunWithoutOneHasZeroAndNotNothing() async throws {
        let (_, outcome) = try await Host.withSandbox { sandbox, _ in try await sandbox.shell("ls / | wc -l") }
        #expect(outcome.deniedCalls == DeniedCalls([]))
        #expect(outcome.deniedCalls.total == 0)
    }

    /// More than the burst: they are slowed, and not one is missed.
    @Test func aFloodIsCountedWhole() async throws {
        let times = Int(CSANDBOX_DENIED_BURST) * 2
        let (result, outcome) = try await Host.withSandbox { sandbox, _ in
            try await sandbox.shell(Self.call("bpf", times: times, ", 0, 0, 0"))
        }
        #expect(result.out == "\(EPERM)")
        #expect(outcome.deniedCalls.total == times)
    }

    @Test func manyProgramsAtOnceAreToldApart() async throws {
        let line = try Self.call("keyctl", times: 20, ", 0, 0, 0")
        let (_, outcome) = try await Host.withSandbox { sandbox, _ in
            try await sandbox.shell(
                "for i in 1 2 3 4 5; do cp /usr/bin/perl /usr/local/bin/p$i; \(line.replacing("perl", with: "/usr/local/bin/p$i")) & done; wait"
            )
        }
        #expect(outcome.deniedCalls.total == 100)
        #expect(Set(outcome.deniedCalls.calls.map(\.program)) == Set((1...5).map { "/usr/local/bin/p\($0)" }))
    }

    /// A program may call itself what it likes: beyond the table's size names are dropped, counts never.
    @Test func aProgramWithThousandNamesLosesNoCount() async throws {
        let keyctl = try #require(SystemCalls.number(of: "keyctl"))
        let (_, outcome) = try await Host.withSandbox { sandbox, _ in
            try await sandbox.shell("perl -e 'for (1..1000) { $0 = \"n$_\\n\\e\"; syscall(\(keyctl), 0, 0, 0) }'")
        }
        #expect(outcome.deniedCalls.total == 1000)
        #expect(outcome.deniedCalls.calls.count == Int(CSANDBOX_DENIED_PROGRAMS) + 1)
        #expect(outcome.deniedCalls.calls.first?.count == 1000 - Int(CSANDBOX_DENIED_PROGRAMS))
        #expect(outcome.deniedCalls.calls.first?.name == nil)
        let names = outcome.deniedCalls.calls.compactMap(\.name).joined()
        #expect(!names.contains("\u{1B}") && !names.contains("\n"))
    }

    /// Namespaces by clone, sockets of foreign families and typing into the terminal are refused by what stands before the filter.
    @Test(arguments: [
        ("clone", ", 0x10000011, 0, 0, 0, 0"), ("clone", ", 0x20011, 0, 0, 0, 0"), ("socket", ", 38, 5, 0"),
        ("socket", ", 40, 1, 0"), ("socket", ", 17, 3, 0"), ("socket", ", 0x100000028, 1, 0"),
        ("ioctl", ", 0, 0x5412, 0"),
        ("ioctl", ", 0, 0x500005412, 0"),
    ])
    func theGuardsReportToo(_ name: String, _ arguments: String) async throws {
        let (result, outcome) = try await Host.withSandbox { sandbox, _ in
            try await sandbox.shell(Self.call(name, arguments))
        }
        #expect(result.out == "\(EPERM)")
        #expect(outcome.deniedCalls.calls.map(\.call) == [name])
    }

    @Test(arguments: [
        ("clone3", ", 0, 0", ENOSYS), ("personality", ", 0xffffffff", EPERM), ("socket", ", 1, 1, 0", 0),
        ("uselib", ", 0", EPERM),
    ])
    func whatIsHarmlessOrFallsBackIsNotReported(_ name: String, _ arguments: String, _ answer: Int32) async throws {
        let (result, outcome) = try await Host.withSandbox { sandbox, _ in
            try await sandbox.shell(Self.call(name, arguments))
        }
        #expect(result.out == "\(answer)")
        #expect(outcome.deniedCalls.total == 0)
    }

    #if arch(x86_64)
        /// getpid by x32's number, and by a number that x32 alone has.
        @Test(arguments: [0x4000_0000 + 39, 0x4000_0000 + 512]) func x32IsRefusedAndReported(_ number: Int) async throws
        {
            let (result, outcome) = try await Host.withSandbox { sandbox, _ in
                try await sandbox.shell("perl -e '$r = syscall(\(number)); print $r < 0 ? $!+0 : 0'")
            }
            #expect(result.out == "\(ENOSYS)")
            #expect(outcome.deniedCalls.calls.first?.call.hasPrefix("x32 ") == true, "\(outcome.deniedCalls)")
        }
    #endif

    @Test func whatAProfileDeniesIsReportedUnlessItSaysQuiet() async throws {
        let line = try Self.call("mlockall", ", 1")
        for (quiet, total) in [([], 1), (["mlockall"], 0)] as [([String], Int)] {
            let (result, outcome) = try await Host.withSandbox(
                profile: Host.profile { $0.seccomp = SeccompPolicy(deny: ["mlockall"], quiet: quiet) }
            ) { sandbox, _ in try await sandbox.shell(line) }
            #expect(result.out == "\(EPERM)")
            #expect(outcome.deniedCalls.total == total)
        }
    }

    /// A kernel that cannot report: the sandbox runs, says so, and has no figure; a profile may refuse that.
    @Test func withoutTheKernelsHelpNothingIsCountedAndThatIsSaid() async throws {
        try await Host.withDirectory { directory in
            let engine = SandboxEngine(
                cgroups: try CgroupHost.detect(), cgroupParent: "grace-test-\(getpid())-old",
                helper: try SandboxEngine.locateHelper(), scratch: "\(directory)/scratch", filters: FilterCache(),
                canReport: { EINVAL })
            let sandbox = try await engine.start(SandboxSpecification(profile: Host.profile()))
            #expect(sandbox.fallbacks.map(\.feature).contains(.deniedCalls))
            let result = try await sandbox.shell(Self.call("keyctl", ", 0, 0, 0"))
            let outcome = try await sandbox.end()
            #expect(result.out == "\(EPERM)")
            #expect(outcome.deniedCalls.total == nil && outcome.deniedCalls.calls.isEmpty)
            #expect(outcome.deniedCalls.reason?.contains("not reported") == true)
            await #expect(throws: SandboxError.self) {
                _ = try await engine.start(
                    SandboxSpecification(profile: Host.profile { $0.require = [.deniedCalls] }))
            }
            for layout in ["", "memory/", "pids/", "cpu/", "cpuacct/", "blkio/", "freezer/", "unified/"] {
                try? Files.removeDirectory("/sys/fs/cgroup/\(layout)\(engine.cgroupParent)")
            }
        }
    }

    /// Compiling costs 2 ms and more, loading 0.1 ms.
    @Test func aPolicyIsCompiledOnceForAllItsSandboxes() async throws {
        try await Host.withDirectory { directory in
            let compilations = Atomic<Int>(0)
            let parent = "grace-test-\(getpid())-cache"
            let engine = SandboxEngine(
                cgroups: try CgroupHost.detect(), cgroupParent: parent, helper: try SandboxEngine.locateHelper(),
                scratch: "\(directory)/scratch",
                filters: FilterCache { _ in compilations.add(1, ordering: .relaxed) },
                canReport: { csandbox_can_report() })
            for _ in 0..<3 {
                _ = try await engine.run(
                    SandboxSpecification(profile: Host.profile()), .shell("true"), streams: (.null, .null, .null))
            }
            #expect(compilations.load(ordering: .relaxed) == 1)
            let other = Host.profile { $0.seccomp.deny = ["mlockall"] }
            _ = try await engine.run(
                SandboxSpecification(profile: other), .shell("true"), streams: (.null, .null, .null))
            #expect(compilations.load(ordering: .relaxed) == 2)
            for layout in ["", "memory/", "pids/", "cpu/", "cpuacct/", "blkio/", "freezer/", "unified/"] {
                try? Files.removeDirectory("/sys/fs/cgroup/\(layout)\(parent)")
            }
        }
    }

    /// Everything but what process 1 needs is denied: it starts the command all the same, and the command gets as far as its loader.
    @Test func processOneNeedsNoMoreThanWhatCannotBeDenied() async throws {
        let deny = Set(SystemCalls.standard).subtracting(SystemCalls.essential).filter {
            SystemCalls.number(of: $0) != nil
        }
        let (process, _) = try await Host.withSandbox(
            profile: Host.profile { $0.seccomp = SeccompPolicy(deny: deny.sorted()) }
        ) { sandbox, _ in
            let process = try await sandbox.spawn(.shell("exit 3"))
            return try await process.wait()
        }
        #expect(process != .signaled(9))
    }

    @Test func sumsKeepEveryCountAndAMissingPartIsNoFigure() {
        let one = DeniedCalls([DeniedCall(call: "mount", program: "/bin/a", name: "a", count: 2)])
        #expect(
            DeniedCalls.sum([one, one]).calls == [DeniedCall(call: "mount", program: "/bin/a", name: "a", count: 4)])
        let many = DeniedCalls((0..<600).map { DeniedCall(call: "bpf", program: "/bin/\($0)", name: "x", count: 1) })
        let sum = DeniedCalls.sum([one, one, many, many])
        #expect(sum.total == 1204 && sum.calls.count == DeniedCalls.kinds + 1)
        #expect(sum.calls.reduce(0) { $0 + $1.count } == 1204)
        #expect(DeniedCalls.sum([one, DeniedCalls(notCounted: "old kernel")]).reason == "old kernel")
    }
}
