import Cgroups
import Measurement
import Sandbox
import Testing

@testable import Agent

@Suite("Resource figures")
struct ResourceFiguresTests {
    static let all: [KPI] = [
        .cpu_time, .cpu_throttled, .cpu_stall, .memory_peak, .memory_stall, .io_bytes, .io_stall, .pids_peak,
        .oom_kills,
    ]

    static func sample(_ factor: Double) -> CgroupSample {
        var sample = CgroupSample()
        sample.cpuSeconds = 1 * factor
        sample.throttledSeconds = 0.2 * factor
        sample.cpuStallSeconds = 0.4 * factor
        sample.memoryStallSeconds = 0.6 * factor
        sample.ioStallSeconds = 0.8 * factor
        sample.oomKills = Int64(2 * factor)
        sample.ioBytes = Int64(1000 * factor)
        sample.pidsPeak = 9
        sample.pids = 3
        return sample
    }

    @Test("no denied call is zero, a kernel that can't count them is no figure")
    func deniedCalls() {
        var arm = ArmMeasurement()
        ResourceFigures.add(DeniedCalls([]), to: &arm)
        #expect(arm.values[.denied_calls] == 0 && arm.notMeasured[.denied_calls] == nil)
        var other = ArmMeasurement()
        ResourceFigures.add(DeniedCalls(notCounted: "too old"), to: &other)
        #expect(other.values[.denied_calls] == nil && other.notMeasured[.denied_calls] == "too old")
    }

    static func figures(
        _ before: CgroupSample?, _ after: CgroupSample?, peak: Int64? = 4096, elapsed: Double = 2
    ) -> ArmMeasurement {
        var arm = ArmMeasurement()
        ResourceFigures.add(to: &arm, before: before, after: after, memoryPeak: peak, elapsed: elapsed)
        return arm
    }

    @Test("are what was counted between the two samples, stalls as shares of the time")
    func values() {
        let arm = Self.figures(Self.sample(1), Self.sample(3))
        #expect(arm.notMeasured.isEmpty)
        let expected: [KPI: Double] = [
            .cpu_time: 2, .cpu_throttled: 0.2, .cpu_stall: 0.4, .memory_stall: 0.6, .io_stall: 0.8, .memory_peak: 4096,
            .pids_peak: 9,
            .oom_kills: 4, .io_bytes: 2000,
        ]
        #expect(Set(arm.values.keys) == Set(expected.keys))
        for (kpi, value) in expected { #expect(abs((arm.values[kpi] ?? -1) - value) < 1e-9, "\(kpi)") }
    }

    @Test("nothing happened is zero, and measured")
    func zero() {
        let arm = Self.figures(Self.sample(1), Self.sample(1))
        #expect(arm.values[.cpu_time] == 0 && arm.values[.io_bytes] == 0 && arm.values[.oom_kills] == 0)
        #expect(arm.notMeasured.isEmpty)
    }

    @Test("without a control group none is measured, and none is zero")
    func noGroup() {
        for (before, after) in [(nil, nil), (Self.sample(1), nil), (nil, Self.sample(1))]
            as [(CgroupSample?, CgroupSample?)]
        {
            let arm = Self.figures(before, after)
            #expect(arm.values.isEmpty)
            #expect(Set(arm.notMeasured.keys) == Set(Self.all))
        }
    }

    @Test("what the host cannot count is not measured, with the host's own reason")
    func reasons() {
        var before = CgroupSample()
        var after = CgroupSample()
        before.cpuSeconds = 1
        after.cpuSeconds = 2
        after.reasons = ["ioBytes": "no blkio here", "oomKills": "no memory events here"]
        let arm = Self.figures(before, after, peak: nil)
        #expect(arm.values == [.cpu_time: 1])
        #expect(arm.notMeasured[.io_bytes] == "no blkio here" && arm.notMeasured[.oom_kills] == "no memory events here")
        #expect(Set(arm.notMeasured.keys) == Set(Self.all).subtracting([.cpu_time]))
        #expect(arm.notMeasured.values.allSatisfy { !$0.isEmpty })
    }

    @Test("a count that has no beginning is no difference")
    func oneSided() {
        let arm = Self.figures(CgroupSample(), Self.sample(1))
        // Peaks alone need no beginning.
        #expect(Set(arm.values.keys) == [.memory_peak, .pids_peak])
    }

    @Test("no time passed: shares are not measured")
    func noTime() {
        let arm = Self.figures(Self.sample(1), Self.sample(2), elapsed: 0)
        #expect(arm.values[.cpu_stall] == nil && arm.notMeasured[.cpu_stall] != nil)
        #expect(arm.values[.cpu_time] == 1)
    }
}
