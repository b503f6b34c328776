import Fork
import FoundationEssentials
import Glibc
import Linux
import Sandbox

/// `scripts/bench fork`: forks, change sets and promotions beside what people do by hand, interleaved in one run.
struct ForkBenchmark {
    let options: Options
    let scratch: String

    init(_ options: Options) throws {
        self.options = options
        scratch = try options.value("scratch")
    }

    func run() async throws -> Report {
        var report = Report()
        let tools = [("find", "--version"), ("sha256sum", "--version"), ("cp", "--version")].compactMap {
            SandboxBenchmark.firstLine($0.0, $0.1)
        }
        report.text(
            "\(HostText.machine(options)) \(tools.joined(separator: ", ")). Everything lies on \(try fileSystem()).")
        if options.includes("fork") { try await forks(&report) }
        if options.includes("diff") || options.includes("promotion") { try await changes(&report) }
        return report
    }

    /// What the scratch directory lies on.
    private func fileSystem() throws -> String {
        let mounts = try MountInfo.read().filter { BytePath(scratch).isInside($0.mountPoint) }
        let mount = mounts.max { $0.mountPoint.bytes.count < $1.mountPoint.bytes.count }
        return mount?.type ?? "an unknown file system"
    }

    // MARK: forks of hosts with few files and with many

    /// Fork, and a command in the fork, on a host with 1,000 files more and with 1,000,000 more.
    private func forks(_ report: inout Report) async throws {
        let counts = [
            ("few", options.number("few", default: 1000)), ("many", options.number("files", default: 1_000_000)),
        ]
        for (name, count) in counts { try Self.makeEmptyFiles("\(scratch)/\(name)", count: count) }
        try Shell.settle(scratch)
        let engine = SandboxEngine(cgroups: nil, helper: try options.value("helper"), scratch: "\(scratch)/engine")
        let data = "\(scratch)/data"
        try Files.makeDirectory(data, mode: 0o755)
        var made = SeriesTable()
        var ran = SeriesTable()
        let rounds = options.number("rounds", default: 40)
        for round in -3..<rounds {
            for (name, count) in counts.shuffled() {
                // A nested mount of the host, at the same place each time.
                try Shell.run("mount --bind \"$1\" \"$2\"", ["\(scratch)/\(name)", data])
                let begin = milliseconds()
                let view = HostView.current(mounts: try MountInfo.read(), mask: [engine.scratch, "\(scratch)/forks"])
                let store = ForkStore(root: "\(scratch)/forks", view: view)
                let fork = try store.create(id: "bench")
                let overlays = try fork.overlays(for: .apply)
                let after = milliseconds()
                let (exit, _, _) = try await engine.run(
                    SandboxSpecification(profile: Self.profile, overlays: overlays, masks: [store.root]),
                    Command(arguments: ["/usr/bin/test", "-f", "\(data)/\((count - 1) / 1000)/0"]))
                let end = milliseconds()
                guard exit.isSuccess else { throw BenchError("The fork does not show \(name): \(exit).") }
                try store.discard(id: "bench")
                try Shell.run("umount \"$1\"", [data])
                guard round >= 0 else { continue }
                made.note(name, after - begin)
                ran.note(name, end - begin)
            }
        }
        report.heading("A fork of a host with few files and with many, milliseconds")
        var rows: [[String]] = []
        for (figure, table) in [("fork made", made), ("fork made, /usr/bin/test run in it and ended", ran)] {
            let (few, many) = (table["few"], table["many"])
            rows.append([
                figure, few.median.text(), few.p95.text(), many.median.text(), many.p95.text(), "same: O(mounts)",
                (many.median / few.median).text(),
            ])
            for series in table.all {
                report.measured(series, prefix: "Fork/\(figure == "fork made" ? "made" : "run")")
            }
        }
        report.table(
            [
                "", "\(counts[0].1.grouped) files, median", "p95", "\(counts[1].1.grouped) files, median", "p95",
                "goal",
                "ratio",
            ], rows)
    }

    /// No network, no limits.
    static let profile = Profile(name: "bench", description: "scripts/bench fork", network: .none)

    /// Empty files, a thousand in each directory.
    private static func makeEmptyFiles(_ path: String, count: Int) throws {
        try Files.makeDirectory(path, mode: 0o755)
        for start in stride(from: 0, to: count, by: 1000) {
            let directory = "\(path)/\(start / 1000)"
            try Files.makeDirectory(directory, mode: 0o755)
            for number in 0..<min(1000, count - start) {
                try Files.mknod("\(directory)/\(number)", kind: .file, mode: 0o644)
            }
        }
    }
}
