import Cgroups
import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// The agent is killed with SIGKILL at any moment: no process of its sandboxes lives on, and what is left is found and removed.
@Suite(.enabled(if: Host.isRoot)) struct KillTests {
    @Test func anAgentKilledAtAnyMomentLeavesNoProcessAndWhatItLeavesIsCleanedUp() async throws {
        let rounds = Int(Variables.value("GRACE_KILLS") ?? "") ?? 25
        let seed = UInt64(Variables.value("GRACE_SEED") ?? "") ?? UInt64.random(in: 0 ... .max)
        var random = Seeded(seed)
        print("seed \(seed)")
        try await Host.withDirectory { directory in
            let host = try CgroupHost.detect()
            let parent = Host.group(directory)
            let scratch = "\(directory)/scratch"
            try Files.makeDirectory(scratch, mode: 0o700)
            let leftovers = Leftovers([
                CgroupLeftovers(host: host, parent: parent),
                ScratchLeftovers(directories: [scratch], temporary: directory),
            ])
            let loops = DiskTests.loops()
            for _ in 0..<rounds {
                let (read, write) = try Descriptor.pipe()
                let victim = try Processes.spawn(
                    try Programs.path("sandbox-victim"),
                    arguments: [scratch, parent, try SandboxEngine.locateHelper()],
                    descriptors: [(1, write.raw)])
                write.close()
                _ = try Files.pread0(read)
                usleep(UInt32(random.next() % 60_000))
                // A living agent's is left alone.
                let living = leftovers.find()
                #expect(living.isEmpty, "seed \(seed): \(living)")
                try Processes.kill(victim, SIGKILL)
                _ = try await Processes.wait(victim)
                // Its sandboxes end by themselves.
                var left = Self.processes(host, parent)
                for _ in 0..<250 where !left.isEmpty {
                    try await Task.sleep(for: .milliseconds(20))
                    left = Self.processes(host, parent)
                }
                #expect(
                    left.isEmpty, "seed \(seed): \(left.map { (try? Files.readString("/proc/\($0)/cmdline")) ?? "" })")
                for (leftover, problem) in leftovers.clean() where problem != nil {
                    Issue.record("seed \(seed): \(leftover): \(problem ?? "")")
                }
                #expect(leftovers.find().isEmpty)
                #expect(try Files.entries(scratch).isEmpty, "seed \(seed)")
                #expect(host.names(below: parent).isEmpty, "seed \(seed)")
            }
            var now = DiskTests.loops()
            for _ in 0..<100 where now != loops {
                try await Task.sleep(for: .milliseconds(20))
                now = DiskTests.loops()
            }
            #expect(now == loops, "seed \(seed)")
            #expect(try !MountInfo.read().contains { ($0.mountPoint.string ?? "").hasPrefix(directory) })
        }
    }

    private static func processes(_ host: CgroupHost, _ parent: String) -> [Int32] {
        (try? Cgroup.open(on: host, path: parent).processes()) ?? []
    }

    @Test func whatIsOfALivingProcessIsNoLeftover() async throws {
        try await Host.withDirectory { directory in
            let scratch = "\(directory)/scratch"
            for name in [Scratch.name("mine"), "999999999-1-dead", "not-ours", "12-x-y"] {
                try Files.makeDirectory("\(scratch)/\(name)", intermediate: true)
            }
            for name in ["grace-run.\(Scratch.name("x"))", "grace-run.999999999-1-dead", "other.999999999-1-x"] {
                try Files.makeDirectory("\(directory)/\(name)")
            }
            let source = ScratchLeftovers(directories: [scratch], temporary: directory)
            #expect(
                source.find().map(\.place) == [
                    "\(scratch)/999999999-1-dead", "\(directory)/grace-run.999999999-1-dead",
                ])
            #expect(Leftovers([source]).clean().count == 2)
            #expect(source.find().isEmpty)
            #expect(try Files.entries(scratch).count == 3)
        }
    }

    @Test func whatIsMountedInALeftoverIsTakenAwayFirst() async throws {
        try await Host.withDirectory { directory in
            let left = "\(directory)/scratch/999999999-1-dead"
            try Files.makeDirectory(left, intermediate: true)
            let place = try BoundedPlace.make(
                "\(left)/inner", image: "\(directory)/disk.img", limit: DiskLimit(bytes: 16 << 20))
            try Files.writeAtomically("\(place.directory)/kept", Data("x".utf8))
            let source = ScratchLeftovers(directories: ["\(directory)/scratch"], temporary: directory)
            #expect(Leftovers([source]).clean().map(\.problem) == [nil])
            #expect(try Files.status(left) == nil)
            if place.means == .image {
                // Not deleted through the mount.
                try Files.makeDirectory("\(directory)/look")
                try LoopDevice.attach(try Files.open("\(directory)/disk.img", flags: O_RDWR)).mountExt4(
                    at: "\(directory)/look")
                #expect(try Files.status("\(directory)/look/kept") != nil)
                try Mounts.detach("\(directory)/look")
            }
        }
    }
}

/// SplitMix64: the same moments for the same seed.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

enum Variables {
    static func value(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}

/// The programs of this build, beside `grace-sandbox`.
enum Programs {
    static func path(_ name: String) throws -> String {
        let helper = try SandboxEngine.locateHelper()
        return String(helper.dropLast("grace-sandbox".count)) + name
    }

    /// Copies those that a sandbox needs to where everybody may execute them: the build's directory may be closed or mounted.
    static func copy(to directory: String) async throws {
        let names = ["grace-sandbox", "sandbox-victim"]
        // The run-time libraries that scripts/vm-test lays beside the programs come along; elsewhere none lies there.
        let folder = try Self.path("")
        let libraries = try Files.entries(folder).map { folder + String(decoding: $0, as: UTF8.self) }
            .filter { $0.hasSuffix(".so") && !$0.contains("Package") }
        let copied = try await Processes.run("cp", arguments: try names.map(path) + libraries + [directory])
        try #require(copied.exit.isSuccess, "\(copied.errorOutput)")
    }
}

extension Files {
    /// Waits for a first byte.
    static func pread0(_ descriptor: Descriptor) throws -> Int {
        var byte: UInt8 = 0
        return descriptor.withRaw { Glibc.read($0, &byte, 1) }
    }
}
