import Cgroups
import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// However many sandboxes ran, the host is as before. `GRACE_RUNS=10000` for the long one.
@Suite(.enabled(if: Host.isRoot)) struct ManyRunsTests {
    @Test func manyRunsLeaveNothingBehind() async throws {
        let runs = Int(Variables.value("GRACE_RUNS") ?? "") ?? 300
        try await Host.withDirectory { directory in
            let engine = try Host.engine(directory)
            let plain = SandboxSpecification(profile: Host.profile { $0.limits.pids = 64 }, label: "many")
            let image = SandboxSpecification(
                profile: Host.profile {
                    $0.limits.memory = 32 << 20; $0.limits.disk = 24 << 20
                }, label: "many")
            let line = Command.shell("setsid sleep 1000 & echo x > /etc/grace-many; exit 3")
            for specification in [plain, image] {
                _ = try await engine.run(specification, line, streams: (.null, .null, .null))
            }
            let before = try await Traces.settled(engine, directory)
            var most = 0
            for run in 0..<runs {
                let (exit, outcome, _) = try await engine.run(
                    run % 10 == 0 ? image : plain, line, streams: (.null, .null, .null))
                #expect(exit == .exited(3))
                #expect(outcome.breach == nil)
                if run % 50 == 0 { most = max(most, Traces.networkNamespaces() ?? 0) }
            }
            var after = try Traces(engine, directory)
            for _ in 0..<500 where !after.isNoMore(than: before) {
                // The kernel's own clean-up, and threads that close their last descriptor.
                try await Task.sleep(for: .milliseconds(20))
                after = try Traces(engine, directory)
            }
            #expect(after.isNoMore(than: before), "before \(before)\nafter  \(after)")
            // Network namespaces die some 33 ms after their last process (FACTS): they must not pile up.
            #expect(most < (before.networks ?? 0) + 200)
        }
    }

    /// What sandboxes could leave, counted; other programs of the machine are left out where they can be told apart.
    struct Traces: CustomStringConvertible {
        var children: Int
        var mounts: Int
        var cgroups: [String]
        var scratch: [String]
        var descriptors: Int
        var threads: Int
        var loops: Int
        var interfaces: Set<String>
        var abstractSockets: Int
        var networks: Int?

        init(_ engine: SandboxEngine, _ directory: String) throws {
            children = try Files.entries("/proc").compactMap { Int32(String(decoding: $0, as: UTF8.self)) }
                .filter { Processes.parent(of: $0) == getpid() }.count
            mounts = try MountInfo.read().filter { ($0.mountPoint.string ?? "").hasPrefix(directory) }.count
            cgroups = []
            for hierarchy in try Files.entries("/sys/fs/cgroup").map({ String(decoding: $0, as: UTF8.self) }) + ["."] {
                let names = (try? Files.entries("/sys/fs/cgroup/\(hierarchy)/\(engine.cgroupParent)")) ?? []
                cgroups += names.map { "\(hierarchy)/" + String(decoding: $0, as: UTF8.self) }.filter {
                    $0.contains("many")
                }
            }
            scratch = try Files.entries(engine.scratch).map { String(decoding: $0, as: UTF8.self) }
            descriptors = try Files.entries("/proc/self/fd").count
            threads = try Files.entries("/proc/self/task").count
            loops = DiskTests.loops().count
            interfaces = Set(
                try Files.readString("/proc/net/dev").split(separator: "\n").dropFirst(2).compactMap {
                    $0.split(separator: ":").first.map { $0.filter { $0 != " " } }
                })
            abstractSockets = try Files.readString("/proc/net/unix").split(separator: "\n").count
            networks = Self.networkNamespaces()
        }

        /// Network namespaces alive or dying, by the kernel's own count; `nil` where slabs of that kind are merged or hidden.
        static func networkNamespaces() -> Int? {
            guard let text = try? Files.readString("/proc/slabinfo") else { return nil }
            return text.split(separator: "\n").first { $0.hasPrefix("net_namespace ") }
                .flatMap { Int($0.split(separator: " ")[1]) }
        }

        static func settled(_ engine: SandboxEngine, _ directory: String) async throws -> Traces {
            try await Task.sleep(for: .milliseconds(300))
            return try Traces(engine, directory)
        }

        /// Sockets and namespaces are everybody's: a few more may be somebody else's.
        func isNoMore(than before: Traces) -> Bool {
            children <= before.children && mounts == 0 && cgroups.isEmpty && scratch.isEmpty
                && descriptors <= before.descriptors && threads <= before.threads + 2 && loops <= before.loops
                && interfaces.isSubset(of: before.interfaces) && abstractSockets <= before.abstractSockets + 50
                && (networks ?? 0) <= (before.networks ?? 0) + 20
        }

        var description: String {
            "children \(children), mounts \(mounts), cgroups \(cgroups), scratch \(scratch), descriptors \(descriptors), threads \(threads), "
                + "loops \(loops), interfaces \(interfaces.sorted()), sockets \(abstractSockets), networks \(networks ?? -1)"
        }
    }
}
