/// Pressure stall information: how much time was lost waiting for a resource (kernel Documentation/accounting/psi.rst).
public struct Pressure: Sendable, Hashable, Codable {
    /// One line of a pressure file.
    public struct Line: Sendable, Hashable, Codable {
        /// Share of the last 10 s, percent.
        public var avg10: Double
        /// Share of the last 60 s, percent.
        public var avg60: Double
        /// Share of the last 300 s, percent.
        public var avg300: Double
        /// Lost since the cgroup was made or the host started, microseconds.
        public var total: Int64
    }

    /// Some task waited.
    public var some: Line
    /// All tasks waited at once; the host's `cpu` has none before Linux 5.13.
    public var full: Line?

    /// Reads `/proc/pressure/cpu`, or a cgroup's `cpu.pressure`.
    ///
    /// - Throws: `EOPNOTSUPP` where the kernel has pressure switched off, `EINVAL` where the file is something else.
    public static func read(path: some FilePath) throws -> Pressure {
        try parse(try Files.readString(path, limit: 4096), from: path.bytePath.display)
    }

    /// Parses a pressure file's text.
    public static func parse(_ text: String, from file: String) throws -> Pressure {
        var lines: [Substring: Line] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard let head = words.first else { continue }
            var values: [Substring: Double] = [:]
            for word in words.dropFirst() {
                let pair = word.split(separator: "=", maxSplits: 1)
                if pair.count == 2 { values[pair[0]] = Double(pair[1]) }
            }
            guard let avg10 = values["avg10"], let avg60 = values["avg60"], let avg300 = values["avg300"],
                let total = values["total"]
            else { throw SystemError(call: "parse", subject: file, code: 22) }
            lines[head] = Line(avg10: avg10, avg60: avg60, avg300: avg300, total: Int64(total))
        }
        guard let some = lines["some"] else { throw SystemError(call: "parse", subject: file, code: 22) }
        return Pressure(some: some, full: lines["full"])
    }
}
