import Glibc
import Linux

/// Lines of shell and programs, run and timed.
enum Shell {
    /// Runs a line, `$1` and so on being `arguments`.
    ///
    /// - Returns: Milliseconds from before the spawn until it is reaped.
    @discardableResult
    static func run(
        _ line: String, _ arguments: [String] = [], environment: [String: String]? = nil, directory: String? = nil
    ) throws -> Double {
        let null = try Files.open("/dev/null", flags: O_RDWR)
        let begin = milliseconds()
        let pid = try Processes.spawn(
            "/bin/sh", arguments: ["-e", "-c", line, "sh"] + arguments, environment: environment,
            descriptors: [(0, null.raw), (1, null.raw), (2, 2)], directory: directory)
        let exit = try Processes.waitBlocking(pid)
        let taken = milliseconds() - begin
        guard exit.isSuccess else { throw BenchError("“\(line)” ended with \(exit).") }
        return taken
    }

    /// Everything written before is on disk, so that nobody pays for another's writing.
    static func settle(_ path: String) throws { try Files.syncfs(path) }
}

/// Series by name, in the order of their first sample.
struct SeriesTable {
    private(set) var order: [String] = []
    private var series: [String: Series] = [:]

    mutating func note(_ name: String, _ milliseconds: Double) {
        if series[name] == nil {
            order.append(name)
            series[name] = Series(name)
        }
        series[name]?.add(milliseconds)
    }

    subscript(name: String) -> Series { series[name] ?? Series(name) }

    var all: [Series] { order.map { self[$0] } }
}
