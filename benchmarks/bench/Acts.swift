import Documents
import Fork
import FoundationEssentials
import Glibc
import Linux
import Promotion

/// One measured act on a fork, in a process of its own, so that its peak of memory is its own.
///
/// `grace-bench act-NAME KEY=VALUE…` does it once and prints a line of `KEY=VALUE` for ``ActResult``.
struct Act {
    let options: Options
    let store: ForkStore
    let blobs: BlobStore
    /// Holds the change set and the base between acts.
    let place: String

    init(_ options: Options) throws {
        self.options = options
        place = try options.value("place")
        store = ForkStore(root: "\(place)/forks", mountPoints: [])
        blobs = BlobStore(root: "\(place)/blobs")
    }

    static func isAct(_ name: String) -> Bool { name.hasPrefix("act-") }

    func run() async throws {
        let begin = milliseconds()
        var facts: [String] = []
        switch options.name {
        case "act-diff":
            let changes = try store.open(id: "fork").changeSet(blobs: blobs)
            let digest = changes.digest
            facts = ["digest=\(digest.hex)", "entries=\(changes.changes.count)"]
            facts += took(since: begin)
            try Files.writeAtomically("\(place)/changes", changes.manifest)
        case "act-base":
            let base = try store.open(id: "fork").base(of: changes())
            facts = took(since: begin)
            try Files.writeAtomically("\(place)/base", base.document)
        case "act-promote":
            let (changes, base) = (try changes(), try Base.parse(Files.read("\(place)/base", limit: 1 << 30)))
            let start = milliseconds()
            let result = try await promoter.promote(id: try options.value("id"), changeSet: changes, base: base)
            facts = took(since: start)
            guard result.outcome == .promoted else { throw BenchError("The promotion was \(result.outcome).") }
        case "act-rollback":
            let result = try await promoter.rollback(id: try options.value("id"))
            facts = took(since: begin)
            guard result == .rolledBack else { throw BenchError("The rollback was \(result).") }
        default: throw BenchError("There is no act “\(options.name)”.")
        }
        print(facts.joined(separator: " "))
    }

    private var promoter: Promoter {
        get throws {
            Promoter(
                root: try options.value("root"), state: "\(place)/promotions", blobs: blobs, record: { _, _ in })
        }
    }

    private func changes() throws -> ChangeSet {
        try ChangeSet.parse(manifest: Files.read("\(place)/changes", limit: 1 << 30))
    }

    /// Milliseconds so far, and the most memory that was resident (KiB, `VmHWM` of proc(5): unlike rusage's it does not count what
    /// this process was before exec).
    private func took(since begin: Double) -> [String] {
        let taken = milliseconds() - begin
        let status = (try? Files.readString("/proc/self/status")) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        let peak = line.flatMap { $0.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first } ?? "0"
        return ["ms=\(taken)", "peak=\(peak)"]
    }
}

/// What an act said.
struct ActResult {
    let milliseconds: Double
    /// MiB.
    let peak: Double
    let facts: [String: String]

    /// Runs the act `name` in a process of its own.
    init(_ name: String, _ values: [String]) throws {
        let (read, write) = try Descriptor.pipe()
        let pid = try Processes.spawn(
            "/proc/self/exe", arguments: ["act-\(name)"] + values, descriptors: [(1, write.raw), (2, 2)])
        write.close()
        let said = String(decoding: try Files.read(read, limit: 1 << 16), as: UTF8.self)
        let exit = try Processes.waitBlocking(pid)
        guard exit.isSuccess else { throw BenchError("The act \(name) ended with \(exit).") }
        var facts: [String: String] = [:]
        for part in said.split(whereSeparator: \.isWhitespace) {
            let pair = part.split(separator: "=", maxSplits: 1).map(String.init)
            if pair.count == 2 { facts[pair[0]] = pair[1] }
        }
        self.facts = facts
        milliseconds = facts["ms"].flatMap(Double.init) ?? .nan
        peak = (facts["peak"].flatMap(Double.init) ?? .nan) / 1024
    }
}

/// Acts of one kind of work, measured beside what is not Grace's.
struct Acts {
    let place: String
    var table = SeriesTable()
    /// Digests that change sets had.
    private(set) var digests: Set<String> = []
    private var peaks: [String: Double] = [:]

    init(place: String) { self.place = place }

    /// Runs an act once everything written before is on disk.
    mutating func act(_ name: String, as shown: String, _ values: [String] = []) throws {
        try Shell.settle(place)
        let result = try ActResult(name, ["place=\(place)"] + values)
        table.note(shown, result.milliseconds)
        peaks[shown] = max(peaks[shown] ?? 0, result.peak)
        if let digest = result.facts["digest"] { digests.insert(digest) }
    }

    /// The act `own` beside the peer, and others below them.
    func table(_ own: String, beside peer: String, goal: String, and others: [String] = [], in report: inout Report) {
        func row(_ name: String, _ goal: String = "", _ ratio: String = "") -> [String] {
            let series = table[name]
            return [
                name, (series.median / 1e3).text(), (series.quantile(1) / 1e3).text(), "\(series.samples.count)",
                peaks[name]?.text(0) ?? "", goal, ratio,
            ]
        }
        let ratio = (table[own].median / table[peer].median).text() + " ×"
        report.table(
            ["", "median", "longest", "runs", "peak, MiB", "goal", "measured"],
            [row(peer), row(own, goal, ratio)] + others.map { row($0) })
        for name in [own] + others {
            if let peak = peaks[name] { report.value("Peak/\(name.filter(\.isLetter))", peak, "MiB") }
        }
    }
}
