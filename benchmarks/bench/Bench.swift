import Glibc
import Linux

/// `grace-bench NAME`: the running agent that benchmarks measure. Started by `scripts/bench`, which builds what is compared.
@main
struct Bench {
    static func main() async {
        do {
            let options = try Options(CommandLine.arguments)
            if Act.isAct(options.name) { return try await Act(options).run() }
            let report: Report
            switch options.name {
            case "sandbox": report = try await SandboxBenchmark(options).run()
            case "fork": report = try await ForkBenchmark(options).run()
            case "try": report = try TryBenchmark(options).run()
            default: throw BenchError("There is no benchmark “\(options.name)”; there are: sandbox, fork, try.")
            }
            try report.write(to: options.output, name: options.name)
        } catch {
            let line = Array("grace-bench: \(error)\n".utf8)
            write(2, line, line.count)
            exit(1)
        }
    }
}

struct BenchError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// What `scripts/bench` passes: `NAME KEY=VALUE…`.
struct Options {
    let name: String
    private let values: [String: String]

    init(_ arguments: [String]) throws {
        guard arguments.count > 1 else { throw BenchError("Give the benchmark's name.") }
        name = arguments[1]
        var values: [String: String] = [:]
        for argument in arguments.dropFirst(2) {
            let parts = argument.split(separator: "=", maxSplits: 1)
            guard parts.count == 2 else { throw BenchError("“\(argument)” is not KEY=VALUE.") }
            values[String(parts[0])] = String(parts[1])
        }
        self.values = values
    }

    func value(_ key: String) throws -> String {
        guard let value = values[key] else { throw BenchError("\(key)= is missing.") }
        return value
    }

    func number(_ key: String, default standard: Int) -> Int { values[key].flatMap { Int($0) } ?? standard }

    /// Which parts to run; all of them where none is named.
    func includes(_ part: String) -> Bool {
        values["parts"].map { $0.split(separator: ",").contains(Substring(part)) } ?? true
    }

    var output: String { values["output"] ?? "." }
}
