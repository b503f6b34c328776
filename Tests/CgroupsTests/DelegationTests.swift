import Cgroups
import FoundationEssentials
import Glibc
import Linux
import Testing

extension OnThisKernel {
    /// As systemd's Delegate=yes leaves it: the service's own process stands in the group that it was handed.
    @Suite("a delegated group", .enabled(if: (try? CgroupHost.detect().layout) == .unified))
    struct DelegationTests {
        @Test("Grace moves its own process one down, and its children get their limits")
        func makesRoom() async throws {
            try await inside(delegated: true) { host, path in
                let cgroup = try Cgroup.create(
                    on: host, path: "\(path)/sandboxes/one", limits: CgroupLimits(memory: 64 << 20, pids: 10))
                let own = try Files.readString("/proc/self/cgroup")
                #expect(own.contains("0::/\(path)/supervisor\n"))
                let pid = try start("sleep 1000", in: cgroup)
                #expect(try cgroup.processes() == [pid])
                try await cgroup.kill()
                _ = try await Processes.wait(pid)
                try await cgroup.remove()
            }
        }

        @Test("a group that nobody handed over is left as it is, with a sentence")
        func leavesOthersAlone() async throws {
            try await inside(delegated: false) { host, path in
                #expect {
                    try Cgroup.create(on: host, path: "\(path)/sandboxes/one", limits: CgroupLimits(pids: 10))
                } throws: { "\($0)".contains("Delegate=yes") }
                let (own, made) = try (
                    Files.readString("/proc/self/cgroup"), Files.status("/sys/fs/cgroup/\(path)/sandboxes/one")
                )
                #expect(own.contains("0::/\(path)\n") && made == nil)
            }
        }

        /// Runs `body` with this very process in a group of its own, and puts it back.
        private func inside(delegated: Bool, _ body: (CgroupHost, String) async throws -> Void) async throws {
            let host = try CgroupHost.detect()
            let text = try Files.readString("/proc/self/cgroup")
            let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("0::/") })
            let home = try Cgroup.open(on: host, path: String(line.dropFirst(4)))
            let path = testPath("delegated")
            let directory = "/sys/fs/cgroup/\(path)"
            try Files.makeDirectory(directory, mode: 0o755)
            if delegated { try Files.setXattr(directory, name: "trusted.delegate", value: Data("1".utf8)) }
            let group = try Cgroup.open(on: host, path: path)
            let result: Result<Void, any Error>
            do {
                try group.add(pid: getpid())
                result = .success(try await body(host, path))
            } catch {
                result = .failure(error)
            }
            try home.add(pid: getpid())
            for name in ["sandboxes/one", "sandboxes", "supervisor", ""] {
                try? Files.removeDirectory("\(directory)/\(name)")
            }
            #expect(try Files.status(directory) == nil)
            try result.get()
        }
    }
}
