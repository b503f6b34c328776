internal import CLinux
public import FoundationEssentials
internal import Glibc
internal import Synchronization

extension Processes {
    /// Runs a helper program to its end and collects what it writes.
    ///
    /// It runs in a process group of its own, on a thread of its own. At the timeout, and when the task is cancelled, the
    /// whole group is killed and reaped. Output past `limit` is read and dropped, so that the program never blocks on it. A
    /// background child that keeps the pipes open holds the result up by at most a quarter of a second.
    ///
    /// - Parameters:
    ///   - executable: A path, or a name looked for in `PATH`.
    ///   - arguments: Without the program's own name.
    ///   - input: Its standard input.
    ///   - timeout: When it is killed; the result then says `timedOut`.
    ///   - environment: `nil`: the caller's.
    ///   - directory: `nil`: the caller's.
    ///   - user: Whom to become.
    ///   - limit: Bytes kept of each of standard output and error.
    /// - Returns: How it ended, and what it wrote.
    /// - Throws: `SystemError` where it can't be started; `CancellationError`.
    public static func run(
        _ executable: String, arguments: [String] = [], input: Data = Data(), timeout: Duration = .seconds(60),
        environment: [String: String]? = nil, directory: String? = nil, user: (uid: UInt32, gid: UInt32)? = nil,
        limit: Int = 16 << 20
    ) async throws -> ProcessOutput {
        try Task.checkCancellation()
        let wake = Descriptor(owning: try SystemError.check(clinux_eventfd(), "eventfd", ""))
        let output = try await withTaskCancellationHandler {
            try await Threads.run("run") {
                clinux_block_sigpipe()
                var session = try RunSession(
                    executable, arguments: arguments, input: input, timeout: timeout, environment: environment,
                    directory: directory, user: user, limit: limit, wake: wake)
                return try session.finish()
            }
        } onCancel: {
            var one: UInt64 = 1
            _ = wake.withRaw { clinux_write($0, &one, 8) }
        }
        try Task.checkCancellation()
        return output
    }

    /// As ``run(_:arguments:input:timeout:environment:directory:user:limit:)``, on the calling thread and in its namespaces.
    public static func runBlocking(
        _ executable: String, arguments: [String] = [], input: Data = Data(), timeout: Duration = .seconds(60),
        limit: Int = 16 << 20
    ) throws -> ProcessOutput {
        clinux_block_sigpipe()
        let wake = Descriptor(owning: try SystemError.check(clinux_eventfd(), "eventfd", ""))
        var session = try RunSession(
            executable, arguments: arguments, input: input, timeout: timeout, environment: nil, directory: nil,
            user: nil, limit: limit, wake: wake)
        return try session.finish()
    }
}

/// One run of ``Processes/run(_:arguments:input:timeout:environment:directory:user:limit:)``, on its thread.
private struct RunSession {
    let pid: Int32
    let pidfd: Descriptor
    let wake: Descriptor
    let deadline: UInt64
    let limit: Int
    var input: Data
    var sink: Descriptor?
    var sources: [Descriptor?]
    var collected = [Data(), Data()]
    var truncated = false
    var timedOut = false
    var chunk = [UInt8](repeating: 0, count: 64 << 10)

    init(
        _ executable: String, arguments: [String], input: Data, timeout: Duration, environment: [String: String]?,
        directory: String?, user: (uid: UInt32, gid: UInt32)?, limit: Int, wake: Descriptor
    ) throws {
        let stdin = try Descriptor.pipe()
        let stdout = try Descriptor.pipe()
        let stderr = try Descriptor.pipe()
        // Only our ends: the child's must block as any program expects.
        for ours in [stdin.write, stdout.read, stderr.read] {
            try SystemError.check(clinux_set_nonblocking(ours.raw, 1), "fcntl(F_SETFL)", "\(ours)")
        }
        let started = try Processes.spawnHeld(
            executable, arguments: arguments, environment: environment,
            descriptors: [(0, stdin.read.raw), (1, stdout.write.raw), (2, stderr.write.raw)], directory: directory,
            user: user, group: .new)
        stdin.read.close()
        stdout.write.close()
        stderr.write.close()
        pid = started.pid
        pidfd = started.pidfd
        self.wake = wake
        self.limit = limit
        self.input = input
        sink = stdin.write
        sources = [stdout.read, stderr.read]
        let parts = timeout.components
        let nanoseconds = Double(parts.seconds) * 1e9 + Double(parts.attoseconds) / 1e9
        deadline = clinux_monotonic_nanoseconds() &+ UInt64(max(0, min(nanoseconds, 9e18)))
    }

    mutating func finish() throws -> ProcessOutput {
        if input.isEmpty { sink = nil }
        var ended = false
        var closing = deadline  // once the program has ended: how long to wait for its last words
        var killed = false
        while !(ended && sources.allSatisfy { $0 == nil }) {
            let now = clinux_monotonic_nanoseconds()
            let until = ended ? closing : killed ? UInt64.max : deadline
            if now >= until {
                if ended { break }
                timedOut = true
                killed = true
                _ = clinux_kill(-pid, SIGKILL)
                continue
            }
            let wait = until == .max ? -1 : Int64(clamping: (until - now + 999_999) / 1_000_000)
            let polled: [Int32] = [
                ended ? -1 : pidfd.raw, killed ? -1 : wake.raw, sink?.raw ?? -1, sources[0]?.raw ?? -1,
                sources[1]?.raw ?? -1,
            ]
            let events: [Int16] = [Int16(POLLIN), Int16(POLLIN), Int16(POLLOUT), Int16(POLLIN), Int16(POLLIN)]
            var ready = [Int16](repeating: 0, count: 5)
            let count = clinux_poll(polled, events, &ready, 5, wait)
            if count < 0 { break }  // ENOMEM: fall through to killing and reaping
            if ready[1] != 0 && !killed {
                killed = true
                _ = clinux_kill(-pid, SIGKILL)
            }
            if ready[2] != 0 { feed() }
            for index in 0..<2 where ready[3 + index] != 0 { drain(index) }
            if ready[0] != 0 {
                ended = true
                sink = nil
                closing = clinux_monotonic_nanoseconds() &+ 250_000_000
            }
        }
        // The group's number stays ours until the leader is reaped: what a killed program left behind dies here.
        if killed || !ended { _ = clinux_kill(-pid, SIGKILL) }
        let exit = try Processes.waitBlocking(pid)
        return ProcessOutput(
            exit: exit, stdout: collected[0], stderr: collected[1], timedOut: timedOut, truncated: truncated)
    }

    private mutating func feed() {
        guard let descriptor = sink else { return }
        let count = input.withUnsafeBytes { clinux_write(descriptor.raw, $0.baseAddress, min($0.count, 64 << 10)) }
        if count == -Int64(EAGAIN) { return }
        guard count > 0 else {
            sink = nil  // EPIPE: it doesn't want any more
            return
        }
        input.removeFirst(Int(count))
        if input.isEmpty { sink = nil }
    }

    private mutating func drain(_ index: Int) {
        guard let descriptor = sources[index] else { return }
        let count = clinux_read(descriptor.raw, &chunk, chunk.count)
        if count == -Int64(EAGAIN) { return }
        guard count > 0 else {
            sources[index] = nil
            return
        }
        let room = limit - collected[index].count
        if Int(count) > room { truncated = true }
        collected[index].append(contentsOf: chunk[..<min(Int(count), max(room, 0))])
    }
}
