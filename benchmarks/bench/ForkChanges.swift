import Fork
import FoundationEssentials
import Glibc
import Linux
import Sandbox

extension ForkBenchmark {
    private var place: String { "\(scratch)/changes" }
    private var live: String { "\(place)/live" }
    private var fresh: String { "\(place)/new" }

    /// A change of many files, made in a fork by cp(1): its change set beside find and sha256sum over the same files, its promotion
    /// beside cp and a barrier.
    func changes(_ report: inout Report) async throws {
        let count = options.number("changed", default: 100_000)
        let size = options.number("mebibytes", default: 1024)
        try prepare(count: count, bytes: size << 20)
        try await change()
        let rounds = options.number("changes", default: 3)
        let upper = "\(place)/forks/fork/root/apply/upper" + live
        var measured = Acts(place: place)
        // Everything has been read once: all of them find it in the page cache.
        try Shell.run("find \"$1\" \"$2\" -type f -print0 | xargs -0 cat >/dev/null", [upper, live])
        let isMeasured = options.includes("diff")
        for _ in 0..<(isMeasured ? rounds : 1) {
            for isPeer in (isMeasured ? [true, false] : [false]).shuffled() {
                if isPeer {
                    let line = "find \"$1\" -type f -print0 | xargs -0 sha256sum >/dev/null"
                    measured.table.note(Self.hashed, try Shell.run(line, [upper]))
                } else {
                    try Files.removeTree("\(place)/blobs")
                    try measured.act("diff", as: Self.diffed)
                }
            }
        }
        guard measured.digests.count == 1 else {
            throw BenchError("The same change had \(measured.digests.count) digests.")
        }
        report.heading("\(count.grouped) changed files of \(size) MiB together")
        report.text(
            "Half of them are new, a quarter is rewritten with another size, a quarter with the same. Warm page cache; seconds."
        )
        report.text("")
        if isMeasured { measured.table(Self.diffed, beside: Self.hashed, goal: "≤ 1.3 ×, below 64 MiB", in: &report) }
        if options.includes("promotion") {
            try measured.act("base", as: Self.recorded)
            try promotions(&measured, rounds: rounds, upper: upper)
            report.text("")
            report.text("The same promoted to live; each ends with everything on disk.")
            report.text("")
            measured.table(
                Self.promoted, beside: Self.copied, goal: "≤ 1.3 ×", and: [Self.recorded, Self.back], in: &report)
        }
        for series in measured.table.all { report.measured(series, prefix: "Changes") }
    }

    private static let hashed = "find, sha256sum"
    private static let diffed = "diff and digest"
    private static let recorded = "pre-images recorded"
    private static let promoted = "promotion, full journal"
    private static let copied = "cp -a --reflink=auto, sync -f"
    private static let back = "rollback of it"

    /// Each run has a root of its own, made beforehand, and nothing is removed in between: see scripts/bench.
    private func promotions(_ measured: inout Acts, rounds: Int, upper: String) throws {
        for name in (0..<rounds).flatMap({ ["\(scratch)/root\($0)", "\(scratch)/copy\($0)"] }) {
            try Shell.run("mkdir \"$2\"; cp -a --parents \"${1#/}\" \"$2\"", [live, name], directory: "/")
        }
        for round in 0..<rounds {
            for isPeer in [true, false].shuffled() {
                try Shell.settle(scratch)
                if isPeer {
                    let copy = "\(scratch)/copy\(round)" + live
                    let line = "cp -a --reflink=auto \"$1/.\" \"$2\" && sync -f \"$2\""
                    measured.table.note(Self.copied, try Shell.run(line, [upper, copy]))
                } else {
                    try measured.act("promote", as: Self.promoted, ["id=r\(round)", "root=\(scratch)/root\(round)"])
                }
            }
        }
        try measured.act("rollback", as: Self.back, ["id=r0", "root=\(scratch)/root0"])
    }

    // MARK: making it

    /// `live`: half as many files as will be changed; `new`: those and as many again.
    private func prepare(count: Int, bytes: Int) throws {
        try Files.makeDirectory(place, mode: 0o755)
        let size = max(16, bytes / count)
        for (top, first) in [(live, true), (fresh, false)] {
            try Files.makeDirectory(top, mode: 0o755)
            for start in stride(from: 0, to: count, by: 1000) {
                let directory = "\(top)/\(start / 1000)"
                try Files.makeDirectory(directory, mode: 0o755)
                for number in start..<min(start + 1000, count) {
                    if first && number % 2 == 1 { continue }
                    let length = first && number % 4 == 0 ? size - 8 : size
                    let data = Self.content(number, of: first ? 1 : 2, length: length)
                    let file = try Files.open("\(directory)/\(number)", flags: O_WRONLY | O_CREAT, mode: 0o644)
                    try Files.write(file, data)
                }
            }
        }
        try Shell.settle(scratch)
    }

    /// Bytes that no two files share, of a generator that needs no table (SplitMix64).
    static func content(_ number: Int, of version: UInt64, length: Int) -> [UInt8] {
        var state = UInt64(number) << 8 | version
        var bytes: [UInt8] = []
        bytes.reserveCapacity(length + 8)
        while bytes.count < length {
            state &+= 0x9e37_79b9_7f4a_7c15
            var z = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
            z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
            withUnsafeBytes(of: z ^ (z >> 31)) { bytes.append(contentsOf: $0) }
        }
        bytes.removeLast(bytes.count - length)
        return bytes
    }

    /// The new files are copied over live's inside a fork of the host.
    private func change() async throws {
        let view = HostView.current(mounts: try MountInfo.read(), mask: ["\(place)/forks", "\(scratch)/engine"])
        let fork = try ForkStore(root: "\(place)/forks", view: view).create(id: "fork")
        let engine = SandboxEngine(cgroups: nil, helper: try options.value("helper"), scratch: "\(scratch)/engine")
        let (exit, _, _) = try await engine.run(
            SandboxSpecification(
                profile: Self.profile, overlays: try fork.overlays(for: .apply), masks: ["\(place)/forks"]),
            Command(arguments: ["/bin/cp", "-r", fresh + "/.", live]))
        guard exit.isSuccess else { throw BenchError("cp in the fork ended with \(exit).") }
        try Shell.settle(scratch)
    }
}

extension Int {
    /// “1,000,000”.
    var grouped: String {
        var text = ""
        for (index, digit) in String(self).reversed().enumerated() {
            if index > 0 && index % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return String(text.reversed())
    }
}
