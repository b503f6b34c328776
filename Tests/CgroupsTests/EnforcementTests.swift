import Cgroups
import Glibc
import Linux
import Testing

extension OnThisKernel {
    /// Limits are what the kernel makes of them: each is run into.
    @Suite("limits are run into")
    struct EnforcementTests {
        private static let available = (try? CgroupHost.detect().available()) ?? []
        private static var views: [View] { View.possible.filter { $0 != .unifiedOnly } }

        @Test(
            "memory beyond the limit is killed and counted; memory below is not",
            .enabled(if: available.contains(.memory)), arguments: views)
        func memory(view: View) async throws {
            try await view.run { host in
                try await withCgroup(on: host, "memory", CgroupLimits(memory: 48 << 20, swap: swap(host))) { cgroup in
                    let fits = try start("head -c 8000000 /dev/zero | tail -c 8000000 > /dev/null", in: cgroup)
                    #expect(try await Processes.wait(fits) == .exited(0))
                    #expect(cgroup.sample().oomKills == 0)
                    let tooBig = try start("exec tail -c 200000000 < <(cat /dev/zero)", in: cgroup)
                    #expect(try await Processes.wait(tooBig) == .signaled(SIGKILL))
                    let sample = cgroup.sample()
                    #expect((sample.oomKills ?? 0) >= 1)
                    #expect((sample.memoryPeak ?? 0) > 24 << 20 && (sample.memoryPeak ?? .max) <= 48 << 20)
                }
            }
        }

        @Test(
            "sampled anonymous memory follows the heap, and page cache doesn't count",
            .enabled(if: available.contains(.memory)), arguments: views)
        func anonymous(view: View) async throws {
            try await view.run { host in
                try await withCgroup(on: host, "anon") { cgroup in
                    try await withDirectory { directory in
                        let cache = try start("head -c 60000000 /dev/zero > \(directory)/big; sync", in: cgroup)
                        _ = try await Processes.wait(cache)
                        #expect((cgroup.sample().memoryCurrent ?? 0) > 50_000_000)
                        #expect((cgroup.anonymousMemory() ?? .max) < 20_000_000)
                        let heap = try start("x=$(head -c 40000000 /dev/zero | tr '\\0' x); sleep 1000; :", in: cgroup)
                        try await eventually("40 MB of heap are seen") { (cgroup.anonymousMemory() ?? 0) > 40_000_000 }
                        try await cgroup.kill()
                        _ = try await Processes.wait(heap)
                    }
                }
            }
        }

        @Test("forks beyond the limit fail, and are counted", .enabled(if: available.contains(.pids)), arguments: views)
        func pids(view: View) async throws {
            try await view.run { host in
                try await withCgroup(on: host, "pids", CgroupLimits(pids: 10)) { cgroup in
                    let pid = try start("for i in $(seq 30); do sleep 1000 & done 2>/dev/null; sleep 1000", in: cgroup)
                    try await eventually("a fork was refused") { (cgroup.sample().pidsRefused ?? 0) > 0 }
                    let sample = cgroup.sample()
                    #expect(sample.pids ?? 99 <= 10)
                    if let peak = sample.pidsPeak {
                        #expect(peak <= 10)
                    } else {
                        #expect(sample.reasons["pidsPeak"] != nil)
                    }
                    try await cgroup.kill()
                    _ = try await Processes.wait(pid)
                }
            }
        }

        @Test(
            "CPU time is held to the limit: a quarter of a processor cannot use half of one",
            .enabled(if: available.contains(.cpu)), arguments: views)
        func cpu(view: View) async throws {
            try await view.run { host in
                try await withCgroup(on: host, "cpu", CgroupLimits(cpu: 0.25)) { cgroup in
                    let pids = try (0..<2).map { _ in try start("while :; do :; done", in: cgroup) }
                    let begin = BootID.monotonicNanoseconds()
                    let before = try #require(cgroup.sample().cpuSeconds)
                    // Not a time assertion: the ratio of used to elapsed, however long it took. More than two periods of slack.
                    try await eventually("it was throttled for a while") {
                        (cgroup.sample().throttledSeconds ?? 0) > 0.5
                    }
                    let used = try #require(cgroup.sample().cpuSeconds) - before
                    let elapsed = Double(BootID.monotonicNanoseconds() - begin) / 1e9
                    #expect(used < elapsed * 0.25 + 0.1, "\(used) s used in \(elapsed) s")
                    try await cgroup.kill()
                    for pid in pids { _ = try await Processes.wait(pid) }
                }
            }
        }

        @Test(
            "pressure is counted where processes compete for a processor", .enabled(if: available.contains(.pressure)))
        func pressure() async throws {
            let host = try CgroupHost.detect()
            try await withCgroup(on: host, "pressure") { cgroup in
                let pids = try (0..<(Kernel.onlineProcessors() * 2 + 1)).map { _ in
                    try start("while :; do :; done", in: cgroup)
                }
                try await eventually("pressure is seen") { (cgroup.sample().cpuStallSeconds ?? 0) > 0.01 }
                try await cgroup.kill()
                for pid in pids { _ = try await Processes.wait(pid) }
            }
        }

        @Test("weights are set where the kernel has them", .enabled(if: available.contains(.cpu)))
        func weights() async throws {
            let host = try CgroupHost.detect()
            try await withCgroup(on: host, "weight", CgroupLimits(cpuWeight: 10)) { _ in }
            do {
                try await withCgroup(on: host, "weight", CgroupLimits(ioWeight: 10)) { _ in }
            } catch CgroupError.limit(let field, _, let reason) {
                #expect(field == "ioWeight" && reason.contains("iocost or BFQ"))
            }
        }

        @Test(
            "a limit on a host without the controller is refused and leaves no cgroup",
            .enabled(if: View.possible.contains(.unifiedOnly)))
        func refused() async throws {
            try await View.unifiedOnly.run { host in
                let path = testPath("refused")
                #expect(throws: CgroupError.self) {
                    try Cgroup.create(on: host, path: path, limits: CgroupLimits(memory: 1 << 24))
                }
                #expect(throws: CgroupError.missing(path: path)) { try Cgroup.open(on: host, path: path) }
            }
        }

        @Test("a removed cgroup's sample is all nil with reasons; sampling keeps no descriptor afterwards")
        func removed() async throws {
            let host = try CgroupHost.detect()
            func open() throws -> Int {
                try Files.entries("/proc/self/fd").filter {
                    let link = try? Files.readlink("/proc/self/fd/\(String(decoding: $0, as: UTF8.self))")
                    return link?.display.contains("removed") == true
                }.count
            }
            let kept = try await withCgroup(on: host, "removed") { cgroup in
                #expect(cgroup.sample().cpuSeconds != nil)
                let opened = try open()
                #expect(opened > 0)
                return cgroup
            }
            #expect(try open() == 0)
            let sample = kept.sample()
            #expect(sample.cpuSeconds == nil && sample.reasons["cpuSeconds"] != nil)
        }

        @Test("the host's facts are this host's")
        func facts() throws {
            let facts = try HostFacts.read()
            #expect(facts.cores >= 1 && facts.memory > 1 << 26 && facts.memoryAvailable <= facts.memory)
            #expect(
                try facts.bootID == BootID.bootID() && facts.layout == CgroupHost.detect().layout
                    && !facts.controllers.isEmpty)
        }

        /// No swap where the host counts it.
        private func swap(_ host: CgroupHost) -> Int64? {
            host.layout == .unified
                || ((try? Files.status("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes")) ?? nil) != nil ? 0 : nil
        }
    }
}
