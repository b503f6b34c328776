import Documents
import Fork
import FoundationEssentials
import Glibc
import Linux
import Measurement
import Missions
import Sandbox
import Synchronization

@testable import Agent

/// A real bench on this machine's kernel: forks of the whole live host, sandboxes in a control group of the test's own.
struct Bench {
    let ground: Ground
    var bench: TestBench
    let cgroup: String

    /// Makes a bench on a ground of its own, runs `body`, and removes everything, the control groups too.
    static func with(_ body: (Bench) async throws -> Void) async throws {
        try await Ground.with { ground async throws in
            let bench = try Bench(ground)
            defer { bench.removeGroups() }
            try await body(bench)
        }
    }

    private init(_ ground: Ground) throws {
        self.ground = ground
        cgroup = "grace-test-\(getpid())-agent-" + String(ground.directory.split(separator: "-").last ?? "0")
        try HostSetup(places: ground.places).makeVerifyDirectories()
        var bench = try TestBench.make(
            places: ground.places,
            configuration: AgentConfiguration(name: "here", tokenFile: "/nowhere", cgroup: cgroup, trialShare: 1),
            profiles: ProfileLibrary(directories: [Repository.profiles]),
            host: HostIdentity(id: "host-1", name: "here", kernel: "test"))
        // Mounts that other tests make and remove meanwhile are none of this one's business.
        bench.forks = {
            let view = HostView.current(mounts: try MountInfo.read(), mask: ground.places.all)
            let own = view.overlays.filter { $0.mountPoint == "/" || ground.directory.hasPrefix($0.mountPoint + "/") }
            return ForkStore(root: ground.places.forks, view: HostView(overlays: own, masks: view.masks))
        }
        self.bench = bench
    }

    private func removeGroups() {
        for place in (try? Files.entries("/sys/fs/cgroup")) ?? [] {
            try? Files.removeDirectory("/sys/fs/cgroup/\(String(decoding: place, as: UTF8.self))/\(cgroup)")
        }
        try? Files.removeDirectory("/sys/fs/cgroup/\(cgroup)")
    }

    /// The control groups that are still there.
    var groups: [String] {
        let places =
            ((try? Files.entries("/sys/fs/cgroup")) ?? []).map { "/" + String(decoding: $0, as: UTF8.self) } + [""]
        return places.map { "/sys/fs/cgroup\($0)/\(cgroup)" }.flatMap { group in
            ((try? Files.entries(group)) ?? []).map { group + "/" + String(decoding: $0, as: UTF8.self) }
        }.filter { (try? Files.status($0))?.isDirectory ?? false }
    }

    /// The file that missions of these tests change, and what the workload reports as its latency, in seconds.
    var value: String { ground.path("app/value") }

    /// A mission that replaces the value.
    func mission(_ new: String, _ change: (inout MissionFile) -> Void = { _ in }) -> MissionFile {
        var file = MissionFile(
            title: "Another value", description: "A smaller value in app/value", rationale: "The value is too large",
            change: ChangeSpecification(
                action: .files([FileChange(path: value, content: Data(new.utf8).base64EncodedString())])),
            workload: .run("read value < '\(value)'; for i in 1 2 3 4; do echo latency_seconds $value >&3; done"),
            trial: TrialPlan(
                minBlocks: 10, maxBlocks: 12,
                boundaries: [
                    Boundary(kpi: .latency_p50, role: .goal, amount: 0.1),
                    Boundary(kpi: .latency_p95, role: .guardrail, amount: 0.1),
                ]))
        change(&file)
        return file
    }

    func folder() throws -> MissionFolder { try MissionFolder(root: ground.places.missions, id: "m-1") }

    func tester(
        _ mission: MissionFile, progress: @escaping @Sendable (TestProgress) async -> Void = { _ in }
    ) throws -> MissionTester {
        MissionTester(
            bench: bench, mission: mission, missionID: "m-1", folder: try folder(),
            policies: try Policies.loadOrDefault(ground.places),
            lock: HostLock(), progress: progress)
    }
}

/// What a test said on its way.
final class Said: Sendable {
    private let steps = Mutex<[TestProgress]>([])
    func add(_ step: TestProgress) { steps.withLock { $0.append(step) } }
    var texts: [String] { steps.withLock { $0.map(\.text) } }
    var stages: [String] { steps.withLock { $0.map(\.stage) } }
}
