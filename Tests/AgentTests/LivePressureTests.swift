import Cgroups
import Linux
import Sandbox
import Synchronization
import Testing

@testable import Agent

/// Testing does not hurt live: what live feels is held against limits, and trials stop when it is too much.
@Suite("Live's limits")
struct LivePressureTests {
    static let gibi: Int64 = 1 << 30
    static let limits = LiveLimits(
        memoryReserve: .bytes(gibi), pressure: [.cpu: 1, .memory: 0.1, .io: 0.5], lasting: 10, rest: 60)

    /// One sample a second; `share` of each second is lost.
    static func feed(
        _ resource: LiveResource, _ shares: [Double], limits: LiveLimits = limits, available: Int64 = 8 * gibi
    ) -> (at: Int, reason: String)? {
        var pressure = LivePressure(limits: limits, memoryTotal: 16 * gibi)
        var total = 1000.0
        for (index, share) in ([0] + shares).enumerated() {
            total += share
            let sample = LiveSample(stalled: [resource: ["system.slice": total]], memoryAvailable: available)
            if let reason = pressure.take(sample, at: Double(index)) { return (index, reason) }
        }
        return nil
    }

    static func steady(_ share: Double, _ seconds: Int) -> [Double] { Array(repeating: share, count: seconds) }

    /// What is lost each second, and when the trial stops.
    static let cases: [(resource: LiveResource, shares: [Double], at: Int?)] = [
        (.memory, steady(0.11, 60), 10), (.memory, steady(0.09, 60), nil), (.memory, steady(0.3, 9), nil),
        // 30 calm seconds first: the average of ten passes the limit after three of these.
        (.memory, steady(0, 30) + steady(0.5, 60), 33),
        (.memory, steady(0, 30) + steady(0.9, 1) + steady(0, 60), nil),
        (.io, steady(0.49, 60), nil), (.io, steady(0.51, 60), 10), (.io, steady(0.3, 20) + steady(0.9, 60), 24),
        (.io, (0..<60).map { $0.isMultiple(of: 2) ? 0.9 : 0.05 }, nil),
        // 100 % is never.
        (.cpu, steady(1, 60), nil),
    ]

    @Test("a limit must be broken for as long as it says, on the average of that time", arguments: cases.indices)
    func table(index: Int) {
        let (resource, shares, at) = Self.cases[index]
        let found = Self.feed(resource, shares)
        #expect(found?.at == at)
        if let found {
            #expect(found.reason.contains("live (system.slice) waited for \(resource.rawValue)"))
            #expect(found.reason.contains("pressure.\(resource.rawValue) in agent.yaml"))
        }
    }

    @Test("memory below the reserve for the whole time stops a trial, whatever else is well")
    func reserve() {
        #expect(Self.feed(.io, Self.steady(0, 60), available: Self.gibi - 1)?.at == 10)
        #expect(Self.feed(.io, Self.steady(0, 60), available: Self.gibi) == nil)
        var pressure = LivePressure(limits: Self.limits, memoryTotal: 16 * Self.gibi)
        for second in 0..<100 {
            // Short for nine seconds of ten.
            let available = second.isMultiple(of: 10) ? 2 * Self.gibi : 0
            #expect(pressure.take(LiveSample(memoryAvailable: available), at: Double(second)) == nil)
        }
    }

    @Test("what is not counted is not judged, and a part of live that comes or goes breaks nothing")
    func absent() {
        var pressure = LivePressure(limits: Self.limits, memoryTotal: 16 * Self.gibi)
        for second in 0..<60 {
            let parts = second.isMultiple(of: 2) ? [:] : ["new-\(second).slice": 1e6]
            #expect(pressure.take(LiveSample(stalled: [.memory: parts]), at: Double(second)) == nil)
        }
    }

    @Test("a share is one of the host's memory")
    func share() {
        #expect(LiveLimits.Reserve.share(0.1).bytes(of: 10 * Self.gibi) == Self.gibi)
        #expect(LiveLimits.Reserve.bytes(5).bytes(of: 10 * Self.gibi) == 5)
    }

    @Test("a stopped trial rests longer each time it got nothing done, for an hour at most")
    func rest() {
        var rest = TrialRest()
        #expect(rest.until == -.infinity)
        func stop(_ mission: String, _ blocks: Int, at now: Double) -> Double {
            rest.stopped(mission, blocks: blocks, at: now, rest: 60)
        }
        #expect(stop("a", 0, at: 100) == 60)
        #expect(rest.until == 160)
        #expect(stop("a", 0, at: 200) == 120 && stop("a", 0, at: 400) == 240)
        #expect(stop("a", 1, at: 700) == 60, "it got a block done")
        #expect(stop("a", 1, at: 800) == 120)
        #expect(stop("b", 0, at: 900) == 60, "another mission")
        for _ in 0..<200 { _ = stop("b", 0, at: 1000) }
        #expect(stop("b", 0, at: 1000) == 3600 && rest.until == 4600)
        rest.ended()
        #expect(stop("b", 0, at: 2000) == 60)
    }
}

@Suite("The guard of live")
struct LiveGuardTests {
    static let mebi: Int64 = 1 << 20

    /// A guard whose clock goes one second with each sample, without waiting.
    static func guarding(_ sample: @escaping @Sendable (Int) -> LiveSample) -> LiveGuard {
        let count = Mutex(0)
        return LiveGuard(
            limits: LivePressureTests.limits, memoryTotal: 16 << 30,
            sample: {
                sample(
                    count.withLock {
                        $0 += 1
                        return $0
                    })
            },
            now: { Double(count.withLock { $0 }) },
            sleep: { _ in try await Task.sleep(for: .milliseconds(1)) })
    }

    /// The sandbox's limit, the host's memory and what is available, in MiB; what is said. The reserve is 1 GiB.
    static let admissions: [(limit: Int64, total: Int64, available: Int64, part: String?)] = [
        (1024, 8192, 2048, nil), (1025, 8192, 2048, "only 1024 MiB are free beside live's reserve"),
        (1024, 8192, 900, "only 0 MiB are free"), (7168, 8192, 8192, nil),
        (7169, 8192, 8192, "Lower the sandbox's limit to 7168 MiB at most"),
    ]

    @Test(
        "a sandbox starts only if live keeps its reserve even when it uses all it may", arguments: admissions.indices)
    func admission(index: Int) {
        let (limit, total, available, part) = Self.admissions[index]
        let live = LiveGuard(
            limits: LivePressureTests.limits, memoryTotal: total * Self.mebi,
            sample: { LiveSample(memoryAvailable: available * Self.mebi) }, now: { 0 }, sleep: { _ in })
        let said = refusal { try live.admit(memory: limit * Self.mebi) }
        #expect((said == nil) == (part == nil), "\(said ?? "")")
        if let part { #expect(said?.contains(part) ?? false, "\(said ?? "")") }
    }

    @Test("what can never fit is refused, what only now doesn't waits")
    func kinds() {
        let live = Self.guarding { _ in LiveSample(memoryAvailable: 0) }
        #expect(throws: LiveSuffers.self) { try live.admit(memory: Self.mebi) }
        #expect(throws: AgentError.self) { try live.admit(memory: 16 << 30) }
        #expect(refusal { try live.admit(memory: nil) }?.contains("has no memory limit") ?? false)
        let blind = Self.guarding { _ in LiveSample() }
        #expect(refusal { try blind.admit(memory: Self.mebi) }?.contains("no trial is begun") ?? false)
    }

    @Test("what runs is cancelled and has ended before live's suffering is said")
    func stops() async throws {
        let live = Self.guarding { LiveSample(stalled: [.memory: ["a.slice": Double($0)]]) }
        let ended = Mutex(false)
        let said = await refusal {
            try await live.protecting {
                do {
                    try await Task.sleep(for: .seconds(3600))
                } catch {
                    try? await Task.detached { try await Task.sleep(for: .milliseconds(50)) }.value
                    ended.withLock { $0 = true }
                    throw error
                }
            }
        }
        #expect(said?.contains("live (a.slice) waited for memory in 100 %") ?? false, "\(said ?? "")")
        #expect(ended.withLock { $0 })
    }

    @Test("what ends by itself, well or not, is what comes of it")
    func passes() async throws {
        let live = Self.guarding { _ in LiveSample(memoryAvailable: 8 << 30) }
        #expect(try await live.protecting { 7 } == 7)
        #expect(await refusal { try await live.protecting { throw Failure("broken") } } == "broken")
        let task = Task { try await live.protecting { try await Task.sleep(for: .seconds(3600)) } }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }
}

@Suite("What live feels, read from this host")
struct LiveReaderTests {
    static func pressure(_ seconds: Double) -> String {
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=\(Int64(seconds * 1e6))\n"
            + "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
    }

    static func read(_ files: [String: String], unified: Bool = true, group: String = "grace") throws -> LiveSample {
        let ground = try Ground()
        defer { try? Files.removeTree(ground.directory) }
        for (name, text) in files { try ground.write(name, text) }
        return LiveReader(
            unifiedRoot: unified ? ground.path("cgroup") : nil, group: group, pressureRoot: ground.path("pressure"),
            meminfo: ground.path("meminfo")
        ).sample()
    }

    static let host = [
        "pressure/cpu": pressure(100), "pressure/memory": pressure(20), "pressure/io": pressure(30),
        "meminfo": "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 400 kB\n",
    ]

    @Test("what the trials feel is not live's, and each group beside theirs speaks for itself")
    func groups() throws {
        let sample = try Self.read(
            Self.host.merging([
                "cgroup/grace/cpu.pressure": Self.pressure(90), "cgroup/grace/memory.pressure": Self.pressure(5),
                "cgroup/system.slice/cpu.pressure": Self.pressure(7), "cgroup/cgroup.procs": "",
            ]) { $1 })
        #expect(sample.memoryAvailable == 400 << 10)
        #expect(sample.stalled[.cpu] == ["system.slice": 7, "the host without its trials": 10])
        #expect(sample.stalled[.memory] == ["the host without its trials": 15])
        #expect(sample.stalled[.io] == ["the host without its trials": 30])
    }

    @Test("trials that lie deeper have neighbours at each level")
    func nested() throws {
        let sample = try Self.read(
            Self.host.merging([
                "cgroup/system.slice/cpu.pressure": Self.pressure(50),
                "cgroup/system.slice/grace/cpu.pressure": Self.pressure(40),
                "cgroup/system.slice/app.service/cpu.pressure": Self.pressure(9),
                "cgroup/user.slice/cpu.pressure": Self.pressure(1),
            ]) { $1 }, group: "system.slice/grace")
        #expect(
            sample.stalled[.cpu] == [
                "user.slice": 1, "system.slice/app.service": 9, "the host without its trials": 60,
            ])
    }

    @Test(
        "without a version 2 tree memory and io are the host's, and cpu is not counted: the trials' own wait is in it")
    func legacy() throws {
        let sample = try Self.read(Self.host, unified: false)
        #expect(sample.stalled == [.cpu: [:], .memory: ["the host": 20], .io: ["the host": 30]])
    }

    @Test("a kernel that counts nothing is said so, resource by resource")
    func nothing() throws {
        let ground = try Ground()
        defer { try? Files.removeTree(ground.directory) }
        let reader = LiveReader(
            unifiedRoot: ground.path("cgroup"), group: "grace", pressureRoot: ground.path("pressure"),
            meminfo: ground.path("meminfo"))
        #expect(reader.sample().memoryAvailable == nil)
        #expect(reader.absences().count == 3)
        #expect(reader.absences().allSatisfy { $0.hasPrefix("live_pressure: ") && $0.contains("is not watched") })
    }

    @Test("this host's own figures are read")
    func real() throws {
        let sample = LiveReader(unifiedRoot: try CgroupHost.detect().unifiedRoot, group: "grace-test-none").sample()
        let memory = try HostFacts.memory()
        #expect(memory.available > 0 && memory.available <= memory.total)
        #expect((sample.memoryAvailable ?? 0) > 0)
        if (try? Pressure.read(path: "/proc/pressure/memory")) != nil {
            #expect(sample.stalled[.memory]?.isEmpty == false)
        }
    }
}
