import Glibc
import Linux

/// A program that is started, runs /bin/true its own way and ends.
struct Peer {
    let name: String
    let program: String
    let arguments: [String]

    /// Milliseconds from before the spawn until it is reaped.
    func run() throws -> Double {
        let begin = milliseconds()
        let pid = try Processes.spawn(program, arguments: arguments, descriptors: [(2, 2)])
        let exit = try Processes.waitBlocking(pid)
        let taken = milliseconds() - begin
        guard exit.isSuccess else { throw BenchError("\(name) ended with \(exit).") }
        return taken
    }
}

/// The raw floor (benchmarks/sandbox/floor.c), which keeps running and is asked for one sandbox at a time.
final class Floor {
    private let requests: Descriptor
    private let answers: Descriptor
    private let pid: Int32

    /// `groups`: below which directories of which hierarchies it makes a control group, with which limits.
    init(
        _ program: String, filter: String, ahead: Bool, masks: [String], overlays: [String],
        groups: [(directory: String, limits: [String])]
    ) throws {
        let (requestRead, requestWrite) = try Descriptor.pipe()
        let (answerRead, answerWrite) = try Descriptor.pipe()
        pid = try Processes.spawn(
            program,
            arguments: [filter] + (ahead ? ["--ahead"] : []) + masks.flatMap { ["--mask", $0] }
                + groups.flatMap { ["--group", $0.directory] + $0.limits.flatMap { ["--limit", $0] } } + overlays,
            descriptors: [(0, requestRead.raw), (1, answerWrite.raw), (2, 2)])
        (requests, answers) = (requestWrite, answerRead)
    }

    /// Milliseconds of one sandbox, by the floor's own clock.
    func run() throws -> Double {
        try Files.write(requests, [1], subject: "the floor")
        var taken: UInt64 = 0
        let count = answers.withRaw { read($0, &taken, 8) }
        guard count == 8, taken != .max else { throw BenchError("The floor failed.") }
        return Double(taken) / 1e6
    }

    func end() {
        requests.close()
        _ = try? Processes.waitBlocking(pid)
    }
}
