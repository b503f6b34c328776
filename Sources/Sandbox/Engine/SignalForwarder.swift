internal import Glibc
internal import Linux
internal import Synchronization

/// Passes signals that are meant to end the caller on to somebody else, for as long as it lives.
///
/// By a handler and a pipe that the sandboxes' own thread reads: libdispatch's sources would start two threads for it.
final class SignalForwarder: Sendable {
    private static let numbers = [SIGHUP, SIGINT, SIGQUIT, SIGTERM]

    private struct Shared {
        var next: UInt64 = 1
        var forwards: [UInt64: @Sendable (Int32) -> Void] = [:]
        /// What the signals did before the first forwarder.
        var before: [(Int32, sigaction)] = []
    }
    private static let shared = Mutex(Shared())
    /// Where the handler writes to. Made once and never closed: a handler may run at any moment.
    nonisolated(unsafe) private static var pipeEnd: Int32 = -1

    private let token: UInt64

    /// - Throws: `SystemError` where there are no descriptors left.
    init(_ forward: @escaping @Sendable (Int32) -> Void) throws {
        token = try Self.shared.withLock { shared in
            try Self.open()
            if shared.forwards.isEmpty { shared.before = Self.numbers.compactMap(Self.handle) }
            shared.next += 1
            shared.forwards[shared.next] = forward
            return shared.next
        }
    }

    func stop() {
        Self.shared.withLock { shared in
            guard shared.forwards.removeValue(forKey: token) != nil, shared.forwards.isEmpty else { return }
            for (number, old) in shared.before {
                var old = old
                sigaction(number, &old, nil)
            }
        }
    }

    private static func open() throws {
        guard pipeEnd < 0 else { return }
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw SystemError(call: "pipe", subject: "signals", code: errno) }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        let readEnd = Descriptor(owning: ends[0])
        try Watcher.shared.get().watch(readEnd) {
            var number: UInt8 = 0
            while readEnd.withRaw({ read($0, &number, 1) }) == 1 {
                let forwards = shared.withLock { Array($0.forwards.values) }
                for forward in forwards { forward(Int32(number)) }
            }
            return .again
        }
        pipeEnd = ends[1]
    }

    /// Async-signal-safe in the handler: one write, and `errno` as it was. What the caller ignores, as under nohup(1), stays ignored.
    private static func handle(_ number: Int32) -> (Int32, sigaction)? {
        var old = sigaction()
        sigaction(number, nil, &old)
        guard unsafeBitCast(old.__sigaction_handler.sa_handler, to: Int.self) != 1 /* SIG_IGN */ else { return nil }
        signal(number) { number in
            let saved = errno
            var byte = UInt8(truncatingIfNeeded: number)
            _ = write(SignalForwarder.pipeEnd, &byte, 1)
            errno = saved
        }
        return (number, old)
    }
}

/// Hands forwarded signals to a command, once there is one, in the order they came.
final class SignalReceiver: Sendable {
    private struct State {
        var process: SandboxProcess?
        var waiting: [Int32] = []
    }
    private let state = Mutex(State())

    func take(_ number: Int32) {
        let process = state.withLock { state in
            if state.process == nil { state.waiting.append(number) }
            return state.process
        }
        if let process { Task { await process.signalGroup(number) } }
    }

    func began(_ process: SandboxProcess) {
        let waiting = state.withLock { state in
            state.process = process
            return state.waiting
        }
        guard !waiting.isEmpty else { return }
        Task { for number in waiting { await process.signalGroup(number) } }
    }
}
