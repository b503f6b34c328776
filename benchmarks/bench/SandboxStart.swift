import Cgroups
import FoundationEssentials
import Glibc
import Linux
import Sandbox

extension SandboxBenchmark {
    /// From a running agent to the end of /bin/true: the engine, the floor, and what people use today.
    func starts(_ report: inout Report) async throws {
        let rounds = options.number("rounds", default: 200)
        let filter = "\(try options.value("scratch"))/filter"
        try Files.writeAtomically(filter, try specification.profile.filterProgram(), mode: 0o600)
        let masks = view.masks.map(\.path) + specification.profile.hide
        let overlays = view.overlays.map(\.mountPoint)
        // The engine makes the group above; the floors make theirs below.
        _ = try await cold()
        let floor = try Floor(
            "\(tools)/floor", filter: filter, ahead: false, masks: masks, overlays: overlays, groups: groups("floor"))
        let floorAhead = try Floor(
            "\(tools)/floor", filter: filter, ahead: true, masks: masks, overlays: overlays, groups: groups("ahead"))
        defer {
            floor.end()
            floorAhead.end()
            for group in groups("floor") + groups("ahead") { try? Files.removeDirectory(group.directory) }
        }
        let ahead = makeEngine("ahead")
        let agent = try HostAgent(
            try options.value("grace"), directory: "\(try options.value("scratch"))/agent",
            profiles: try options.value("profiles"), ready: 2)
        defer { agent.end() }
        let (peers, refusals) = able(try Self.peers(options, agent: agent))
        var series: [String: Series] = [:]
        var order: [String] = []
        func note(_ name: String, _ taken: Double) {
            if series[name] == nil {
                order.append(name)
                series[name] = Series(name)
            }
            series[name]?.add(taken)
        }
        let names = ["floor", "ahead", "cold", "pool"] + peers.map(\.name)
        for round in -5..<rounds {
            for name in names.shuffled() {
                var taken: [(String, Double)] = []
                switch name {
                case "floor": taken = [("floor", try floor.run())]
                case "ahead": taken = [("floor, namespaces made ahead", try floorAhead.run())]
                case "cold":
                    let (exit, end) = try await cold()
                    taken = [("grace, cold", exit), ("grace, cold, until nothing is left", end)]
                case "pool":
                    // Started ahead of the clock, long before: what making it leaves to the kernel is over.
                    if round % 10 == 0 || round < 0 {
                        try await ahead.prewarm(specification, count: 10)
                        try await Task.sleep(for: .milliseconds(20))
                    }
                    let (exit, _) = try await cold(ahead)
                    taken = [("grace, from a pool", exit)]
                default:
                    if name == Self.hosted {
                        // As above: one is ready.
                        try await Task.sleep(for: .milliseconds(30))
                    }
                    guard let peer = peers.first(where: { $0.name == name }) else { continue }
                    // Slow peers get fewer rounds; the interleaving stays.
                    if ["runc", "firejail", "crun"].contains(name), round % 5 != 0 { continue }
                    taken = [(name, try peer.run())]
                }
                if round >= 0 { for (name, value) in taken { note(name, value) } }
            }
        }
        await ahead.discardPrewarmed()
        report.heading("Start to exit of /bin/true, milliseconds")
        report.table(
            ["engine", "median", "p95", "runs"],
            order.sorted().compactMap { series[$0] }.sorted { $0.median < $1.median }.map {
                [$0.name, $0.median.text(), $0.p95.text(), "\($0.samples.count)"]
            })
        for name in order { if let one = series[name] { report.measured(one, prefix: "Start") } }
        for refusal in refusals { report.text("\n" + refusal) }
        func median(_ name: String) -> Double { series[name]?.median ?? .nan }
        let nested = Double(view.overlays.count - 1)
        let bound = 0.5 * median("bwrap") + 0.35 * nested
        report.text("")
        report.table(
            ["figure", "goal", "measured"],
            [
                ["cold / floor", "≤ 1.2", (median("grace, cold") / median("floor")).text()],
                [
                    "cold, ms", "≤ 0.5 × bwrap + 0.35 × \(nested.text(0)) nested = \(bound.text())",
                    median("grace, cold").text(),
                ],
                [
                    "pool / posix_spawn", "≤ 2.2",
                    (median("grace, from a pool") / median("posix_spawn")).text(),
                ],
                ["grace run / bwrap", "≤ 1.0 (1.3 at least)", (median("grace run") / median("bwrap")).text()],
                [
                    "\(Self.hosted) / bwrap", "≤ 1.0 (1.3 at least)", (median(Self.hosted) / median("bwrap")).text(),
                ],
            ])
    }

    static let hosted = "grace run, with an agent"

    /// The peers, each as its users call it for a shell over the host without a network.
    static func peers(_ options: Options, agent: HostAgent? = nil) throws -> [Peer] {
        let run = ["--profiles", try options.value("profiles"), "--", "/bin/true"]
        let bundle = "\(try options.value("scratch"))/bundle"
        // Their root is a mount in that process's namespace; entering it is one exec of some 0.8 ms.
        let enter = ["--mount=/proc/\(try options.value("holder"))/ns/mnt", "--"]
        return [
            Peer(name: "posix_spawn", program: "/bin/true", arguments: []),
            Peer(name: "bwrap", program: "bwrap", arguments: ["--unshare-all", "--ro-bind", "/", "/", "/bin/true"]),
            Peer(
                name: "unshare", program: "unshare",
                arguments: ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--fork", "/bin/true"]),
            Peer(
                name: "crun", program: "nsenter",
                arguments: enter + ["crun", "run", "--bundle", bundle, "grace-bench-crun"]),
            Peer(
                name: "runc", program: "nsenter",
                arguments: enter + ["runc", "run", "--bundle", bundle, "grace-bench-runc"]),
            Peer(
                name: "firejail", program: "firejail", arguments: ["--quiet", "--noprofile", "--net=none", "/bin/true"]),
            Peer(name: "grace run", program: try options.value("grace"), arguments: ["run"] + run),
        ]
            + (try agent.map {
                [
                    Peer(
                        name: hosted, program: try options.value("grace"), arguments: ["run"] + $0.places + run)
                ]
            } ?? [])
    }

    /// Where the floor makes its control groups, and the limits that an engine would write there.
    private func groups(_ name: String) -> [(directory: String, limits: [String])] {
        let limits = specification.profile.limits
        let memory = limits.memory.map { "\($0)" }, pids = limits.pids.map { "\($0 + 1)" }
        let quota = limits.cpu.map { Int($0 * 100_000) }
        var found: [(String, [String])] = []
        func add(_ hierarchy: String, _ limits: [String?]) {
            let parent = "/sys/fs/cgroup/\(hierarchy)\(engine.cgroupParent)"
            guard (try? Files.status(parent))?.isDirectory == true else { return }
            try? Files.makeDirectory("\(parent)/\(name)")
            found.append(("\(parent)/\(name)", limits.compactMap(\.self)))
        }
        if engine.cgroups?.layout == .unified {
            // Without limits, for which its controllers would have to be switched on: the floor is a little lower then.
            add("", [])
            return found
        }
        add("memory/", [memory.map { "memory.limit_in_bytes=\($0)" }])
        add("pids/", [pids.map { "pids.max=\($0)" }])
        add("cpu/", quota.map { ["cpu.cfs_period_us=100000", "cpu.cfs_quota_us=\($0)"] } ?? [])
        for hierarchy in ["cpuacct/", "blkio/", "freezer/", "unified/"] { add(hierarchy, []) }
        return found
    }
}
