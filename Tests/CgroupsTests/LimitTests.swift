@testable import Cgroups
import Linux
import Testing

@Suite("Limits and figures, on trees of plain files")
struct LimitTests {
    private static let limits = CgroupLimits(memory: 64 << 20, swap: 0, pids: 12, cpu: 0.5, cpuWeight: 50, ioWeight: 10)

    /// Opens a planted cgroup `x`, whose limits then can be set: a new one has no files here.
    private func planted(_ files: [String: String], _ layout: [String: String], _ body: (Cgroup, String) throws -> Void)
        async throws
    {
        try await withDirectory { root in
            try plant(layout, in: root)
            try plant(files, in: root)
            try body(try Cgroup.open(on: try CgroupHost.detect(root: root), path: "x"), root)
        }
    }

    @Test("version 2 writes its own files and units")
    func unified() async throws {
        let files = ["memory.max", "memory.swap.max", "pids.max", "cpu.max", "cpu.weight", "io.weight", "cgroup.procs"]
        try await planted(files.reduce(into: [:]) { $0["x/\($1)"] = "" }, LayoutTests.unified) { cgroup, root in
            try cgroup.set(Self.limits)
            let written = try files.dropLast().map { try Files.readString("\(root)/x/\($0)") }
            #expect(written == ["67108864", "0", "12", "50000 100000", "50", "10"])
        }
    }

    @Test("version 1 writes memory with swap, quota with period, and weights on its own scale")
    func legacy() async throws {
        let files = [
            "memory/x/memory.limit_in_bytes", "memory/x/memory.memsw.limit_in_bytes", "pids/x/pids.max",
            "cpu/x/cpu.cfs_period_us", "cpu/x/cpu.cfs_quota_us", "cpu/x/cpu.shares", "blkio/x/blkio.bfq.weight",
        ]
        let procs = ["memory", "pids", "cpu", "blkio"].reduce(into: [:]) { $0["\($1)/x/cgroup.procs"] = "" }
        let layout = LayoutTests.legacy.reduce(into: [:]) {
            $0[$1.key.replacing("cpu,cpuacct", with: "cpu")] = $1.value
        }
        try await planted(files.reduce(into: procs) { $0[$1] = "" }, layout) { cgroup, root in
            try cgroup.set(Self.limits)
            let written = try files.map { try Files.readString("\(root)/\($0)") }
            #expect(written == ["67108864", "67108864", "12", "100000", "50000", "512", "10"])
            #expect(throws: CgroupError.self) { try cgroup.set(CgroupLimits(swap: 5)) }
        }
    }

    @Test("a demanded limit whose file is missing is an error with the field's name, never passed over")
    func missingFile() async throws {
        try await planted(["x/cgroup.procs": "", "x/memory.max": ""], LayoutTests.unified) { cgroup, _ in
            do {
                try cgroup.set(Self.limits)
                Issue.record("set a limit that isn't there")
            } catch CgroupError.limit(let field, _, let reason) {
                #expect(field == "swap" && reason.contains("memory.swap.max"))
            }
        }
    }

    @Test("nothing is left of a cgroup whose limits can't be set")
    func cleansUp() async throws {
        try await withDirectory { root in
            try plant(LayoutTests.unified, in: root)
            let host = try CgroupHost.detect(root: root)
            #expect(throws: CgroupError.self) { try Cgroup.create(on: host, path: "grace/x", limits: Self.limits) }
            #expect(try Files.status("\(root)/grace/x") == nil)
        }
    }

    @Test(
        "limits that are none are refused before anything is made",
        arguments: [
            CgroupLimits(memory: 0), CgroupLimits(memory: -5), CgroupLimits(swap: -1), CgroupLimits(pids: 0),
            CgroupLimits(cpu: 0),
            CgroupLimits(cpu: .nan), CgroupLimits(cpu: .infinity), CgroupLimits(cpuWeight: 0),
            CgroupLimits(ioWeight: 10001),
        ])
    func nonsense(limits: CgroupLimits) async throws {
        try await withDirectory { root in
            try plant(LayoutTests.unified, in: root)
            let host = try CgroupHost.detect(root: root)
            #expect(throws: CgroupError.self) { try Cgroup.create(on: host, path: "x", limits: limits) }
            #expect(try Files.status("\(root)/x") == nil)
        }
    }

    @Test("version 2's figures are read in their units")
    func unifiedFigures() async throws {
        let files = [
            "cgroup.procs": "", "cpu.stat": "usage_usec 1500000\nuser_usec 1\nthrottled_usec 250000\n",
            "memory.current": "4096\n",
            "memory.stat": "anon_thp 7\nanon 12288\nfile 5\n", "memory.peak": "8192\n", "pids.current": "3\n",
            "pids.peak": "5\n",
            "pids.events": "max 2\n", "memory.events": "low 0\noom 4\noom_kill 1\n",
            "io.stat":
                "8:0 rbytes=1000 wbytes=24 rios=1 wios=1 dbytes=9 dios=0\n8:16 rbytes=1 wbytes=0 rios=1 wios=0\n",
            "cpu.pressure":
                "some avg10=0.00 avg60=0.00 avg300=0.00 total=500000\nfull avg10=0.00 avg60=0 avg300=0 total=9\n",
            "memory.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
            "io.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\n",
        ]
        try await planted(files.reduce(into: [:]) { $0["x/\($1.key)"] = $1.value }, LayoutTests.unified) { cgroup, _ in
            let sample = cgroup.sample()
            #expect(sample.cpuSeconds == 1.5 && sample.throttledSeconds == 0.25 && sample.memoryCurrent == 4096)
            #expect(
                sample.memoryAnonymous == 12288 && sample.memoryPeak == 8192 && sample.pids == 3 && sample.pidsPeak == 5
            )
            #expect(sample.pidsRefused == 2 && sample.oomKills == 1 && sample.ioBytes == 1025)
            #expect(sample.cpuStallSeconds == 0.5 && sample.memoryStallSeconds == 0 && sample.ioStallSeconds == 1)
            #expect(sample.reasons.isEmpty)
            #expect(cgroup.anonymousMemory() == 12288)
        }
    }

    @Test("version 1's figures are read in their units; what it can't tell is nil, with the reason")
    func legacyFigures() async throws {
        let files = [
            "cpuacct/x/cgroup.procs": "", "cpuacct/x/cpuacct.usage": "1500000000\n", "cpu/x/cgroup.procs": "",
            "cpu/x/cpu.stat": "nr_periods 1\nnr_throttled 1\nthrottled_time 250000000\n", "memory/x/cgroup.procs": "",
            "memory/x/memory.usage_in_bytes": "4096\n", "memory/x/memory.stat": "rss 1\ntotal_rss 12288\n",
            "memory/x/memory.max_usage_in_bytes": "8192\n",
            "memory/x/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
            "blkio/x/cgroup.procs": "",
            "blkio/x/blkio.throttle.io_service_bytes_recursive":
                "8:0 Read 1000\n8:0 Write 24\n8:0 Discard 7\n8:0 Total 1031\nTotal 1031\n",
        ]
        let layout = LayoutTests.legacy.filter { !$0.key.hasPrefix("cpu,") }.merging(
            ["cpu/cgroup.procs": "", "cpu/cpu.shares": "", "cpuacct/cgroup.procs": "", "cpuacct/cpuacct.usage": ""]) {
                $1
            }
        try await planted(files, layout) { cgroup, _ in
            let sample = cgroup.sample()
            #expect(sample.cpuSeconds == 1.5 && sample.throttledSeconds == 0.25 && sample.memoryCurrent == 4096)
            #expect(sample.memoryAnonymous == 12288 && sample.memoryPeak == 8192 && sample.oomKills == 1)
            #expect(sample.ioBytes == 1024 && sample.pids == nil && sample.cpuStallSeconds == nil)
            #expect(sample.reasons["pids"]?.contains("TasksAccounting=") == true)
            #expect(sample.reasons["cpuStallSeconds"]?.contains("version 1") == true)
            let missing = Set(
                Mirror(reflecting: sample).children.compactMap { child -> String? in
                    guard let label = child.label, label != "reasons" else { return nil }
                    let value = Mirror(reflecting: child.value)
                    return value.displayStyle == .optional && value.children.isEmpty ? label : nil
                })
            #expect(missing == Set(sample.reasons.keys))
        }
    }

    @Test("a file that doesn't hold its figure gives nil and a reason, never zero")
    func garbage() async throws {
        let files = ["x/cgroup.procs": "", "x/memory.current": "many\n", "x/memory.stat": "file 1\n", "x/cpu.stat": ""]
        try await planted(files, LayoutTests.unified) { cgroup, _ in
            let sample = cgroup.sample()
            for name in ["memoryCurrent", "memoryAnonymous", "cpuSeconds", "memoryPeak", "oomKills"] {
                #expect(sample.reasons[name] != nil)
            }
            #expect(sample.memoryCurrent == nil && sample.cpuSeconds == nil && sample.oomKills == nil)
        }
    }

    @Test("meminfo's kB are KiB")
    func meminfo() {
        #expect(
            HostFacts.parse(meminfo: "MemTotal:       2048 kB\nHugePages_Total:    3\n") == [
                "MemTotal": 2_097_152, "HugePages_Total": 3,
            ])
    }
}
