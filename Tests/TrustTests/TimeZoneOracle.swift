import Foundation

/// What the C library says, through `date`.
enum TimeZoneOracle {
    static func offsets(_ zone: String, _ seconds: [Int]) throws -> [Int] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/date")
        let list =
            "/var/tmp/grace-zone-\(ProcessInfo.processInfo.processIdentifier)-\(UInt32.random(in: 0...UInt32.max))"
        try Data(seconds.map { "@\($0)\n" }.joined().utf8).write(to: URL(fileURLWithPath: list))
        defer { try? FileManager.default.removeItem(atPath: list) }
        process.arguments = ["-f", list, "+%::z"]
        process.environment = ["TZ": zone, "LC_ALL": "C"]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return text.split(separator: "\n").map { line in
            let parts = line.dropFirst().split(separator: ":").compactMap { Int($0) }
            let value = parts[0] * 3600 + parts[1] * 60 + parts[2]
            return line.hasPrefix("-") ? -value : value
        }
    }
}
