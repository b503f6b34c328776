import Cgroups
import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// Sandboxes started ahead are as good as those that are not, and none is used twice.
@Suite(.enabled(if: Host.isRoot)) struct PoolTests {
    private static func parked(_ engine: SandboxEngine, _ specification: SandboxSpecification) throws -> Int {
        engine.pool.count(specification, try engine.ground.generation())
    }

    /// Whoever else mounts something on this machine meanwhile makes those that wait stale.
    private static func fill(_ engine: SandboxEngine, _ specification: SandboxSpecification, _ count: Int) async throws
    {
        for _ in 0..<50 {
            try await engine.prewarm(specification, count: count)
            if engine.pool.all.count == count { return }
        }
    }

    @Test func eachIsUsedOnceAndShowsNothingOfAnother() async throws {
        try await Host.withDirectory { directory in
            let engine = try Host.engine(directory)
            let specification = SandboxSpecification(profile: Host.profile(), label: "ahead")
            try await engine.prewarm(specification, count: 2)
            try await engine.prewarm(specification, count: 2)
            #expect(try Self.parked(engine, specification) == 2)
            var numbers: Set<String> = []
            for left in [1, 0, 0] {
                let sandbox = try await engine.start(specification)
                #expect(try Self.parked(engine, specification) == left)
                let process = try await sandbox.spawn(
                    .shell("test ! -e /root/mark && touch /root/mark && readlink /proc/self/ns/net"),
                    stdout: .capture(limit: 100))
                #expect(try await process.wait().isSuccess)
                numbers.insert(String(decoding: process.stdout, as: UTF8.self))
                _ = try await sandbox.end()
            }
            #expect(numbers.count == 3)
        }
    }

    @Test func anotherSpecificationGetsOneOfItsOwn() async throws {
        try await Host.withDirectory { directory in
            let engine = try Host.engine(directory)
            try await engine.prewarm(SandboxSpecification(profile: Host.profile(), label: "ahead"), count: 1)
            var other = SandboxSpecification(profile: Host.profile(), label: "ahead")
            other.masks = ["/srv"]
            let sandbox = try await engine.start(other)
            #expect(sandbox.specification == other)
            _ = try await sandbox.end()
            await engine.discardPrewarmed()
            #expect(engine.pool.isEmpty)
        }
    }

    @Test func aChangeOfTheHostsMountsAndADeathMakeItStale() async throws {
        try await Host.withDirectory { directory in
            let engine = try Host.engine(directory)
            let specification = SandboxSpecification(profile: Host.profile(), label: "ahead")
            try await engine.prewarm(specification, count: 1)
            try Files.makeDirectory("\(directory)/mount", mode: 0o755)
            _ = try await Processes.run("mount", arguments: ["-t", "tmpfs", "grace-test", "\(directory)/mount"])
            defer { try? Mounts.detach("\(directory)/mount") }
            #expect(try Self.parked(engine, specification) == 0)
            try await engine.prewarm(specification, count: 1)
            #expect(try Self.parked(engine, specification) == 1)
            for sandbox in engine.pool.all { sandbox.break(.oom) }
            while try Self.parked(engine, specification) != 0 { try await Task.sleep(for: .milliseconds(5)) }
            let sandbox = try await engine.start(specification)
            #expect(try await sandbox.spawn(Command(arguments: ["/bin/true"])).wait().isSuccess)
            _ = try await sandbox.end()
        }
    }

    @Test func askingAgainAndAgainKeepsNoMoreThanWasAskedFor() async throws {
        try await Host.withDirectory { directory in
            let engine = try Host.engine(directory)
            let specification = SandboxSpecification(profile: Host.profile(), label: "ahead")
            for round in 0..<3 {
                try await engine.prewarm(specification, count: 2)
                try Files.makeDirectory("\(directory)/mount-\(round)", mode: 0o755)
                _ = try await Processes.run(
                    "mount", arguments: ["-t", "tmpfs", "grace-test", "\(directory)/mount-\(round)"])
            }
            defer { for round in 0..<3 { try? Mounts.detach("\(directory)/mount-\(round)") } }
            try await Self.fill(engine, specification, 2)
            #expect(engine.pool.all.count == 2)
            #expect(Self.groups(below: engine.cgroupParent).count == 2)
            await engine.discardPrewarmed()
            await #expect(throws: SandboxError.self) {
                let layer = OverlayMount(mountPoint: "/", upper: "\(directory)/upper", work: "\(directory)/work")
                try await engine.prewarm(SandboxSpecification(profile: Host.profile(), overlays: [layer]), count: 1)
            }
        }
    }

    @Test func itsTimeBeginsWhenItIsTaken() async throws {
        try await Host.withDirectory { directory in
            let engine = try Host.engine(directory)
            var profile = Host.profile()
            profile.limits.time = 1
            let specification = SandboxSpecification(profile: profile, label: "ahead")
            try await engine.prewarm(specification, count: 1)
            try await Task.sleep(for: .milliseconds(1200))
            let sandbox = try await engine.start(specification)
            #expect(try await sandbox.spawn(Command(arguments: ["/bin/true"])).wait().isSuccess)
            let outcome = try await sandbox.end()
            #expect(outcome.breach == nil && outcome.elapsed < 1)
        }
    }

    @Test func nothingIsLeftOfThoseThatNobodyTook() async throws {
        try await Host.withDirectory { directory in
            let group: String
            do {
                let engine = try Host.engine(directory)
                group = engine.cgroupParent
                try await Self.fill(engine, SandboxSpecification(profile: Host.profile(), label: "ahead"), 3)
                #expect(Self.groups(below: group).count == 3)
            }
            for _ in 0..<400 where !Self.groups(below: group).isEmpty {
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(Self.groups(below: group).isEmpty)
        }
    }

    private static func groups(below parent: String) -> Set<String> {
        let places = ["/sys/fs/cgroup/\(parent)", "/sys/fs/cgroup/pids/\(parent)"]
        let names = places.compactMap { try? Files.entries($0) }.joined().map { String(decoding: $0, as: UTF8.self) }
        return Set(names.filter { $0.hasSuffix("-ahead") })
    }
}
