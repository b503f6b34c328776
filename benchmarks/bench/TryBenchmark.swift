import FoundationEssentials
import Glibc
import Linux

/// `scripts/bench try`: `grace try` beside binpash's `try`, which it stands in for, and rsync(1).
struct TryBenchmark {
    let options: Options
    let scratch: String
    private let environment: [String: String]
    /// binpash's `try`; `nil` where it is not there.
    private let peer: String?

    init(_ options: Options) throws {
        self.options = options
        scratch = try options.value("scratch")
        peer = try? options.value("try")
        var environment = Processes.currentEnvironment()
        environment["TMPDIR"] = "\(scratch)/tmp"
        environment["GRACE_STATE_DIR"] = "\(scratch)/state"
        environment["GRACE_CONFIG_DIR"] = "\(scratch)/config"
        environment["SHELL"] = "/bin/sh"
        environment["GRACE"] = try options.value("grace")
        environment["TRY"] = peer
        if let peer { environment["PATH"] = BytePath(peer).parent.display + ":" + (environment["PATH"] ?? "") }
        self.environment = environment
    }

    func run() throws -> Report {
        var report = Report()
        let rsync = SandboxBenchmark.firstLine("rsync", "--version") ?? "rsync is not installed"
        let version =
            peer.map { _ in "binpash try with its C utilities" } ?? "binpash’s try is not here, so its rows are missing"
        report.text("\(HostText.machine(options)) \(version), \(rsync).")
        for name in ["tmp", "work", "config"] { try Files.makeDirectory("\(scratch)/\(name)", mode: 0o755) }
        if options.includes("start") { try starts(&report) }
        if options.includes("commit") { try commits(&report) }
        return report
    }

    private func time(_ line: String, _ arguments: [String] = []) throws -> Double {
        try Shell.run(line, arguments, environment: environment, directory: "\(scratch)/work")
    }

    /// What a kept fork leaves; overlayfs's work directories have no mode, and a mount may be left of a peer.
    private func tidy() throws { try Shell.run("rm -rf \"$1\"; mkdir \"$1\"", ["\(scratch)/tmp"]) }

    private func starts(_ report: inout Report) throws {
        var lines = [("/bin/sh -c true", "true"), ("grace try -n true", "\"$GRACE\" try -n true")]
        if peer != nil { lines.append(("try -n true", "\"$TRY\" -n true 2>/dev/null")) }
        var table = SeriesTable()
        for round in -3..<options.number("rounds", default: 40) {
            for (name, line) in lines.shuffled() {
                let taken = try time(line)
                if round >= 0 { table.note(name, taken) }
                try tidy()
            }
        }
        report.heading("A command that does nothing, milliseconds")
        report.table(
            ["", "median", "p95", "runs"],
            table.all.sorted { $0.median < $1.median }.map {
                [$0.name, $0.median.text(), $0.p95.text(), "\($0.samples.count)"]
            })
        report.text("")
        report.table(
            ["figure", "goal", "measured"],
            [
                [
                    "try -n true / grace try -n true", "≥ 20",
                    (table["try -n true"].median / table["grace try -n true"].median).text(1),
                ]
            ])
        for series in table.all { report.measured(series, prefix: "Start") }
    }

    /// Files copied into a directory: by a command that is tried and committed, and by what copies durably.
    private func commits(_ report: inout Report) throws {
        let count = options.number("files", default: 10_000)
        let size = options.number("bytes", default: 4096)
        let source = "\(scratch)/source"
        for start in stride(from: 0, to: count, by: 500) {
            try Files.makeDirectory("\(source)/\(start / 500)", mode: 0o755, intermediate: true)
            for number in start..<min(start + 500, count) {
                let file = try Files.open("\(source)/\(start / 500)/\(number)", flags: O_WRONLY | O_CREAT, mode: 0o644)
                try Files.write(file, ForkBenchmark.content(number, of: 3, length: size))
            }
        }
        let copy = "\"cp -r $1 $2\""
        var lines = [
            ("grace try -y", "TMPDIR=$3 \"$GRACE\" try -y \(copy) 2>/dev/null"),
            ("rsync -a --fsync", "rsync -a --fsync \"$1/\" \"$2/\""),
            ("cp -r, sync -f", "cp -r \"$1\" \"$2\"; sync -f \"$2\""),
        ]
        if peer != nil { lines.append(("try -y", "TMPDIR=$3 \"$TRY\" -y \(copy) 2>/dev/null")) }
        var table = SeriesTable()
        for round in 0..<options.number("commits", default: 5) {
            for (number, (name, line)) in lines.enumerated().shuffled() {
                // In directories of its own, of which nothing is removed: see scripts/bench.
                let (target, temporary) = ("\(scratch)/target\(round)-\(number)", "\(scratch)/tmp\(round)-\(number)")
                for path in [target, temporary] { try Files.makeDirectory(path, mode: 0o755) }
                try Shell.settle(scratch)
                table.note(name, try time(line, [source, target + "/copy", temporary]))
                try Shell.run("diff -r \"$1\" \"$2\"", [source, target + "/copy"])
            }
        }
        report.heading("\(count.grouped) files of \(size) bytes committed to live, milliseconds")
        report.text("“try -y” neither journals nor waits for the disk; the others end with everything on disk.")
        report.text("")
        let own = table["grace try -y"].median
        report.table(
            ["", "median", "longest", "runs", "goal", "grace / this"],
            table.all.sorted { $0.median < $1.median }.map { series in
                let isGoal = series.name == "try -y" || series.name == "rsync -a --fsync"
                return [
                    series.name, series.median.text(0), series.quantile(1).text(0), "\(series.samples.count)",
                    isGoal ? "< 1" : "", series.name == "grace try -y" ? "" : (own / series.median).text(),
                ]
            })
        for series in table.all { report.measured(series, prefix: "Commit") }
    }
}
