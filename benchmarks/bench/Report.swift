import FoundationEssentials
import Glibc
import Linux

/// Tables for people (Markdown) and for other tools (Go's benchmark format), made from one run.
struct Report {
    private var markdown: [String] = []
    private var lines: [String] = []

    mutating func heading(_ text: String) { markdown += ["", "### \(text)", ""] }
    mutating func text(_ text: String) { markdown.append(text) }

    mutating func table(_ head: [String], _ rows: [[String]]) {
        markdown.append("| " + head.joined(separator: " | ") + " |")
        markdown.append("|" + head.map { _ in "---|" }.joined())
        for row in rows { markdown.append("| " + row.joined(separator: " | ") + " |") }
    }

    /// Every sample is a line of its own, so that benchstat and its like can judge them.
    mutating func measured(_ series: Series, prefix: String) {
        let name = series.name.map { $0.isLetter || $0.isNumber ? $0 : "_" }
        for sample in series.samples {
            lines.append("Benchmark\(prefix)/\(String(name)) 1 \((sample * 1e6).text(0)) ns/op")
        }
    }

    mutating func value(_ name: String, _ value: Double, _ unit: String) {
        lines.append("Benchmark\(name) 1 \(value.text(3)) \(unit)")
    }

    func write(to directory: String, name: String) throws {
        let head = [
            "goos: linux", "goarch: amd64", "pkg: grace", "cpu: \(HostText.processor)", "",
        ]
        let table = markdown.joined(separator: "\n") + "\n"
        try Files.writeAtomically("\(directory)/\(name).md", Data(table.utf8), mode: 0o644)
        let bench = (head + lines).joined(separator: "\n") + "\n"
        try Files.writeAtomically("\(directory)/\(name).bench", Data(bench.utf8), mode: 0o644)
        print(table)
    }
}

/// The machine, as every table names it.
enum HostText {
    /// The machine, its kernel and Grace's revision, in a sentence.
    static func machine(_ options: Options) -> String {
        """
        \(processor), \(Processes.processorCount) processors, \(memory); Linux \(kernel). \
        Grace \((try? options.value("revision")) ?? "of an unknown revision"), release build;
        """
    }

    static var processor: String {
        let text = (try? Files.readString("/proc/cpuinfo")) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
        return line.flatMap { $0.split(separator: ":").last }.map { String($0.drop { $0 == " " }) }
            ?? "unknown processor"
    }

    static var kernel: String {
        ((try? Files.readString("/proc/sys/kernel/osrelease")) ?? "unknown").filter { !$0.isWhitespace }
    }

    static var memory: String {
        let text = (try? Files.readString("/proc/meminfo")) ?? ""
        let number = text.split(separator: "\n").first.flatMap { $0.split(separator: " ").dropFirst().first }
        return number.flatMap { Double($0) }.map { "\(($0 / 1048576).text(1)) GiB" } ?? "unknown memory"
    }
}
