@testable import Cgroups
import Linux
import Testing

@Suite("Weights of the group that holds all sandboxes")
struct WeightTests {
    private func weigh(_ files: [String: String], _ layout: [String: String]) async throws -> (
        missing: [String], cpu: String?, io: String?, bfq: String?
    ) {
        try await withDirectory { root in
            try plant(layout, in: root + "/cgroup")
            try plant(files, in: root)
            let host = try CgroupHost.detect(root: root + "/cgroup")
            let missing = host.weigh("grace", weight: 10, blocks: root + "/block")
            func text(_ names: String...) -> String? {
                names.lazy.compactMap { try? Files.readString("\(root)/cgroup/\($0)") }.first
            }
            return (
                missing, text("grace/cpu.weight", "cpu/grace/cpu.shares"), text("grace/io.weight"),
                text("grace/io.bfq.weight", "blkio/grace/blkio.bfq.weight")
            )
        }
    }

    private static let legacy = LayoutTests.legacy.reduce(into: [:]) {
        $0[$1.key.replacing("cpu,cpuacct", with: "cpu")] = $1.value
    }

    @Test("version 2 gets both weights, and is silent where a disk heeds them")
    func unified() async throws {
        let result = try await weigh(
            [
                "cgroup/grace/cpu.weight": "", "cgroup/grace/io.weight": "", "cgroup/grace/io.bfq.weight": "",
                "block/vda/queue/scheduler": "none mq-deadline [bfq]\n",
            ], LayoutTests.unified)
        #expect(result.missing.isEmpty)
        #expect(result.cpu == "10" && result.io == "10" && result.bfq == "10")
    }

    @Test("version 1 gets its own files, on its own scale")
    func legacy() async throws {
        let result = try await weigh(
            [
                "cgroup/cpu/grace/cpu.shares": "", "cgroup/blkio/grace/blkio.bfq.weight": "",
                "block/sda/queue/scheduler": "[bfq] none\n",
            ], Self.legacy)
        #expect(result.missing.isEmpty)
        #expect(result.cpu == "102" && result.bfq == "10")
    }

    @Test(
        "a weight that nothing heeds is said, with the mend",
        arguments: [
            (["block/vda/queue/scheduler": "[none] mq-deadline bfq\n"], true),
            (["block/vda/queue/scheduler": "[none] bfq\n", "cgroup/io.cost.qos": "254:0 enable=0 ctrl=auto\n"], true),
            (["block/vda/queue/scheduler": "[none]\n", "cgroup/io.cost.qos": "254:0 enable=1 ctrl=user\n"], false),
            ([:], true),
        ] as [([String: String], Bool)])
    func heeded(files: [String: String], isSaid: Bool) async throws {
        let result = try await weigh(
            files.merging(["cgroup/grace/cpu.weight": "", "cgroup/grace/io.weight": ""]) { $1 }, LayoutTests.unified)
        #expect(result.io == "10")
        #expect(result.missing.contains { $0.hasPrefix("trial_weight (io): ") && $0.contains("echo bfq") } == isSaid)
        #expect(result.missing.count == (isSaid ? 1 : 0))
    }

    @Test("a kernel without a file for it, and one without the controller, are said")
    func absent() async throws {
        let files = try await weigh(["cgroup/grace/cpu.weight": ""], LayoutTests.unified)
        #expect(files.cpu == "10")
        #expect(files.missing.count == 1)
        #expect(files.missing.first?.hasPrefix("trial_weight (io): not available: the kernel offers none") ?? false)
        let controllers = try await weigh(
            [:], LayoutTests.unified.merging(["cgroup.controllers": "memory pids\n"]) { $1 })
        #expect(controllers.missing.count == 2)
    }

    @Test("on the real kernel a low weight stands on the group above sandboxes", .enabled(if: canMakeCgroups))
    func real() async throws {
        let host = try CgroupHost.detect()
        let path = testPath("weight")
        defer { for (root, _) in host.roots { try? Files.removeDirectory("\(root)/\(path)") } }
        let missing = host.weigh(path, weight: 10)
        #expect(!missing.contains { $0.hasPrefix("trial_weight (cpu)") || $0.hasPrefix("trial_weight:") }, "\(missing)")
        let texts = host.roots.compactMap { root, isUnified in
            try? Files.readString("\(root)/\(path)/\(isUnified ? "cpu.weight" : "cpu.shares")")
        }
        #expect(texts.contains("10\n") || texts.contains("102\n"), "\(texts)")
        // A sandbox below it is made as before.
        let cgroup = try Cgroup.create(on: host, path: path + "/x", limits: CgroupLimits(cpu: 0.5))
        try await cgroup.remove()
    }
}
