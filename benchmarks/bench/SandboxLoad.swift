import Cgroups
import FoundationEssentials
import Glibc
import Linux
import Sandbox

extension SandboxBenchmark {
    /// The same start from an agent that holds half a gibibyte, in alternating blocks.
    func growth(_ report: inout Report) async throws {
        var small = Series("agent as it is")
        var large = Series("agent with 512 MB more")
        let size = 512 << 20
        for _ in 0..<options.number("growth", default: 8) {
            for _ in 0..<15 { small.add(try await cold().exit) }
            guard let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                memory != MAP_FAILED
            else { throw BenchError("There are no 512 MB of memory.") }
            memset(memory, 1, size)
            for _ in 0..<15 { large.add(try await cold().exit) }
            munmap(memory, size)
        }
        report.heading("The agent's size, milliseconds")
        report.table(
            ["start", "median", "p95", "goal", "ratio"],
            [
                [small.name, small.median.text(), small.p95.text(), "", ""],
                [large.name, large.median.text(), large.p95.text(), "≤ 1.1", (large.median / small.median).text()],
            ])
        for series in [small, large] { report.measured(series, prefix: "Growth") }
    }

    /// Sandboxes per second, and whether the kernel keeps up with what they leave behind.
    func rates(_ report: inout Report) async throws {
        let seconds = Double(options.number("seconds", default: 4))
        var rows: [[String]] = []
        for workers in [1, 2, 8] {
            let grace = try await rate(workers, seconds) { _ = try await cold() }
            let bwrap = try await rate(workers, seconds) {
                let peer = Peer(
                    name: "bwrap", program: "bwrap", arguments: ["--unshare-all", "--ro-bind", "/", "/", "/bin/true"])
                _ = try await Threads.run("bwrap") { try peer.run() }
            }
            rows.append(["\(workers)", grace.text(0), bwrap.text(0), "≥ 2", (grace / bwrap).text()])
            report.value("Rate/grace-\(workers)", grace, "sandboxes/s")
            report.value("Rate/bwrap-\(workers)", bwrap, "sandboxes/s")
        }
        report.heading("Sandboxes per second, each until nothing is left of it")
        report.table(["at once", "grace", "bwrap", "goal", "ratio"], rows)

        let count = options.number("backlog", default: 10_000)
        let before = Self.networkNamespaces()
        let begin = milliseconds()
        var most = before
        for done in 0..<count {
            _ = try await cold()
            if done % 500 == 0 { most = max(most, Self.networkNamespaces()) }
        }
        let taken = (milliseconds() - begin) / 1e3
        let after = Self.networkNamespaces()
        try await Task.sleep(for: .seconds(1))
        report.text("")
        report.text(
            """
            \(count) sandboxes one after another took \(taken.text(1)) s. Network namespaces that the kernel held: \(before) before, at most \
            \(most) meanwhile, \(after) right after, \(Self.networkNamespaces()) a second later.
            """)
        report.value("Backlog/after", Double(after - before), "namespaces")
    }

    private func rate(_ workers: Int, _ seconds: Double, _ body: @escaping @Sendable () async throws -> Void)
        async throws -> Double
    {
        let begin = milliseconds()
        let end = begin + seconds * 1e3
        let count = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<workers {
                group.addTask {
                    var done = 0
                    while milliseconds() < end {
                        try await body()
                        done += 1
                    }
                    return done
                }
            }
            return try await group.reduce(0, +)
        }
        return Double(count) / (milliseconds() - begin) * 1e3
    }

    /// Those alive and those being taken down, as the kernel's allocator counts them.
    static func networkNamespaces() -> Int {
        let text = (try? Files.readString("/proc/slabinfo", limit: 1 << 20)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("net_namespace ") }
        return line.flatMap { Int($0.split(separator: " ")[1]) } ?? -1
    }

    /// Many sandboxes that do nothing: what each holds, and what watching them costs.
    func idle(_ report: inout Report) async throws {
        let count = options.number("idle", default: 1000)
        let before = Self.available()
        let own = Self.processorSeconds()
        var sandboxes: [Sandbox] = []
        defer { withExtendedLifetime(sandboxes) {} }
        for _ in 0..<count { sandboxes.append(try await engine.start(specification)) }
        // The files are opened once; what is measured is watching, which goes on for hours.
        for sandbox in sandboxes { _ = sandbox.cgroup?.vitals() }
        try await Task.sleep(for: .seconds(2))
        let held = Double(before - Self.available()) / Double(count) / 1024
        let started = Self.processorSeconds()
        let begin = milliseconds()
        let rounds = 10
        for round in 1...rounds {
            for sandbox in sandboxes { _ = sandbox.cgroup?.vitals() }
            let next = begin + Double(round) * 1e3
            try await Task.sleep(for: .milliseconds(Int(max(1, next - milliseconds()))))
        }
        let share = (Self.processorSeconds() - started) / ((milliseconds() - begin) / 1e3) * 100
        report.heading("\(count) idle sandboxes at once")
        report.table(
            ["figure", "goal", "measured"],
            [
                ["kernel and user memory of each, MiB", "≤ 1", (held / 1024).text()],
                ["agent's processor time while three files of each are read every second, %", "< 1", share.text()],
                ["agent's processor time to start one, ms", "", ((started - own) * 1e3 / Double(count)).text()],
            ])
        report.value("Idle/memory", held, "KiB/sandbox")
        report.value("Idle/cpu", share, "%")
        for sandbox in sandboxes { _ = try await sandbox.end() }
    }

    /// Memory that the kernel would still give, KiB × 1024.
    private static func available() -> Int64 {
        let text = (try? Files.readString("/proc/meminfo")) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("MemAvailable") }
        return (line.flatMap { Int64($0.split(separator: " ")[1]) } ?? 0) * 1024
    }

    private static func processorSeconds() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }

    /// What a system call costs inside, against bare and against bwrap with the same filter.
    func calls(_ report: inout Report) async throws {
        let load = "\(tools)/load"
        let source = "\(tools)/floor.c"
        let works: [(name: String, unit: String, arguments: [String])] = [
            ("getpid", "ns", [load, "getpid", "1000000"]),
            ("open, read, close", "ns", [load, "files", "200000", "/etc/passwd"]),
            ("a build (cc -O2 -S)", "ms", ["/usr/bin/cc", "-std=gnu11", "-O2", "-S", "-o", "/dev/null", source]),
        ]
        let filter = "\(try options.value("scratch"))/filter"
        try Files.writeAtomically(filter, try specification.profile.filterProgram(), mode: 0o600)
        let sandbox = try await engine.start(specification)
        var rows: [[String]] = []
        for work in works {
            var bare = Series("bare")
            var grace = Series("grace")
            var bwrap = Series("bwrap")
            for _ in 0..<options.number("calls", default: 9) {
                for place in [0, 1, 2].shuffled() {
                    switch place {
                    case 0: bare.add(try Self.outside(work.arguments, filter: nil))
                    case 1: bwrap.add(try Self.outside(work.arguments, filter: filter))
                    default: grace.add(try await Self.inside(sandbox, work.arguments))
                    }
                }
            }
            rows.append([
                "\(work.name), \(work.unit)", bare.median.text(1), grace.median.text(1), bwrap.median.text(1),
                (grace.median / bwrap.median).text(),
            ])
            for series in [bare, grace, bwrap] {
                report.value(
                    "Calls/\(work.name.prefix { $0.isLetter })/\(series.name)", series.median, "\(work.unit)/op")
            }
        }
        _ = try await sandbox.end()
        report.heading("System calls inside")
        report.table(["work", "bare", "grace", "bwrap, equal filter", "grace / bwrap (goal ≤ 1.0)"], rows)
    }

    private static func outside(_ arguments: [String], filter: String?) throws -> Double {
        let (read, write) = try Descriptor.pipe()
        var command = arguments
        var descriptors: [(Int32, Int32)] = [(1, write.raw)]
        var held: Descriptor?
        if let filter {
            let program = try Files.open(filter, flags: 0)
            descriptors.append((9, program.raw))
            held = program
            command =
                ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--seccomp", "9"]
                + arguments
        }
        let begin = milliseconds()
        let pid = try Processes.spawn(command[0], arguments: Array(command.dropFirst()), descriptors: descriptors)
        withExtendedLifetime(held) {}
        write.close()
        let text = String(decoding: try Files.read(read, limit: 4096), as: UTF8.self)
        let exit = try Processes.waitBlocking(pid)
        let taken = milliseconds() - begin
        guard exit.isSuccess else { throw BenchError("\(command) ended with \(exit).") }
        return Double(text.filter { !$0.isWhitespace }) ?? taken
    }

    private static func inside(_ sandbox: Sandbox, _ arguments: [String]) async throws -> Double {
        let begin = milliseconds()
        let process = try await sandbox.spawn(Command(arguments: arguments), stdout: .capture(limit: 4096))
        let exit = try await process.wait()
        let taken = milliseconds() - begin
        guard exit.isSuccess else { throw BenchError("\(arguments) ended with \(exit) inside.") }
        return Double(String(decoding: process.stdout, as: UTF8.self).filter { !$0.isWhitespace }) ?? taken
    }
}
