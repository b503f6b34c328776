/// One figure of a sample: which file of which controller holds it, and how it is read.
struct Figure: Sendable {
    /// The sample's field.
    let name: String
    let controller: Controller
    let isUnified: Bool
    let file: String
    /// Puts it into the sample; `false` where the text doesn't hold it.
    let read: @Sendable (_ text: String, _ sample: inout CgroupSample) -> Bool

    static let names = [
        "cpuSeconds", "throttledSeconds", "memoryCurrent", "memoryAnonymous", "memoryPeak", "pids", "pidsPeak",
        "pidsRefused",
        "oomKills", "ioBytes", "cpuStallSeconds", "memoryStallSeconds", "ioStallSeconds",
    ]

    /// Where a figure may be found, best first.
    static func sources(of name: String) -> [Figure] { all.filter { $0.name == name } }

    private static let all: [Figure] = [
        seconds("cpuSeconds", .cpuacct, false, "cpuacct.usage", nil, 1e9) { $0.cpuSeconds = $1 },
        seconds("cpuSeconds", .cpuacct, true, "cpu.stat", "usage_usec", 1e6) { $0.cpuSeconds = $1 },
        seconds("throttledSeconds", .cpu, false, "cpu.stat", "throttled_time", 1e9) { $0.throttledSeconds = $1 },
        seconds("throttledSeconds", .cpu, true, "cpu.stat", "throttled_usec", 1e6) { $0.throttledSeconds = $1 },
        count("memoryCurrent", .memory, false, "memory.usage_in_bytes", nil) { $0.memoryCurrent = $1 },
        count("memoryCurrent", .memory, true, "memory.current", nil) { $0.memoryCurrent = $1 },
        // total_: with the cgroups below it, as version 2 always counts.
        count("memoryAnonymous", .memory, false, "memory.stat", "total_rss") { $0.memoryAnonymous = $1 },
        count("memoryAnonymous", .memory, true, "memory.stat", "anon") { $0.memoryAnonymous = $1 },
        count("memoryPeak", .memory, false, "memory.max_usage_in_bytes", nil) { $0.memoryPeak = $1 },
        count("memoryPeak", .memory, true, "memory.peak", nil) { $0.memoryPeak = $1 },
        count("pids", .pids, false, "pids.current", nil) { $0.pids = $1 },
        count("pids", .pids, true, "pids.current", nil) { $0.pids = $1 },
        count("pidsPeak", .pids, false, "pids.peak", nil) { $0.pidsPeak = $1 },
        count("pidsPeak", .pids, true, "pids.peak", nil) { $0.pidsPeak = $1 },
        count("pidsRefused", .pids, false, "pids.events", "max") { $0.pidsRefused = $1 },
        count("pidsRefused", .pids, true, "pids.events", "max") { $0.pidsRefused = $1 },
        count("oomKills", .memory, false, "memory.oom_control", "oom_kill") { $0.oomKills = $1 },
        count("oomKills", .memory, true, "memory.events", "oom_kill") { $0.oomKills = $1 },
        Figure(name: "ioBytes", controller: .io, isUnified: false, file: "blkio.throttle.io_service_bytes_recursive") {
            text, sample in
            sample.ioBytes = legacyBytes(text)
            return sample.ioBytes != nil
        },
        Figure(name: "ioBytes", controller: .io, isUnified: true, file: "io.stat") { text, sample in
            sample.ioBytes = unifiedBytes(text)
            return sample.ioBytes != nil
        },
        stall("cpuStallSeconds", "cpu.pressure") { $0.cpuStallSeconds = $1 },
        stall("memoryStallSeconds", "memory.pressure") { $0.memoryStallSeconds = $1 },
        stall("ioStallSeconds", "io.pressure") { $0.ioStallSeconds = $1 },
    ]

    private static func count(
        _ name: String, _ controller: Controller, _ isUnified: Bool, _ file: String, _ key: String?,
        _ set: @escaping @Sendable (inout CgroupSample, Int64) -> Void
    ) -> Figure {
        Figure(name: name, controller: controller, isUnified: isUnified, file: file) { text, sample in
            guard let value = number(text, key) else { return false }
            set(&sample, value)
            return true
        }
    }

    private static func seconds(
        _ name: String, _ controller: Controller, _ isUnified: Bool, _ file: String, _ key: String?, _ unit: Double,
        _ set: @escaping @Sendable (inout CgroupSample, Double) -> Void
    ) -> Figure {
        count(name, controller, isUnified, file, key) { set(&$0, Double($1) / unit) }
    }

    private static func stall(
        _ name: String, _ file: String, _ set: @escaping @Sendable (inout CgroupSample, Double) -> Void
    ) -> Figure {
        Figure(name: name, controller: .pressure, isUnified: true, file: file) { text, sample in
            guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("some ") }),
                let field = line.split(separator: " ").first(where: { $0.hasPrefix("total=") }),
                let total = Int64(field.dropFirst("total=".count))
            else { return false }
            set(&sample, Double(total) / 1e6)
            return true
        }
    }

    /// The value of `key` in lines of `key value`; without a key, the whole text.
    static func number(_ text: String, _ key: String?) -> Int64? {
        guard let key else { return Int64(text.prefix { !$0.isWhitespace }) }
        for line in text.utf8.split(separator: UInt8(ascii: "\n")) where line.starts(with: key.utf8) {
            let rest = line.dropFirst(key.utf8.count)
            if rest.first == UInt8(ascii: " ") { return Int64(String(Substring(rest.dropFirst()))) }
        }
        return nil
    }

    /// `8:0 rbytes=90112 wbytes=0 rios=1 …`, one line a device; no line where nothing was read or written yet.
    static func unifiedBytes(_ text: String) -> Int64? {
        var sum: Int64 = 0
        for field in text.split(whereSeparator: \.isWhitespace)
        where field.hasPrefix("rbytes=") || field.hasPrefix("wbytes=") {
            guard let value = Int64(field.drop { $0 != "=" }.dropFirst()) else { return nil }
            sum &+= value
        }
        return sum
    }

    /// `8:0 Read 90112`, `8:0 Write 0`, … and at last `Total 90112`, which counts discards, too.
    static func legacyBytes(_ text: String) -> Int64? {
        var sum: Int64 = 0
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 3, words[1] == "Read" || words[1] == "Write" else { continue }
            guard let value = Int64(words[2]) else { return nil }
            sum &+= value
        }
        return sum
    }
}
