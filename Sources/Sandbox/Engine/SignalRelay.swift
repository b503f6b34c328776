internal import Glibc
internal import Linux
internal import Synchronization

/// What the signals that are meant to end the caller (hang-up, interrupt, quit, terminate) do while it works for one command.
///
/// Before the command begins they end the caller, as they would without a relay, after what it has made is removed. While it runs
/// they are its own, in the order they came. From the moment it is being started, and once it has ended, the first one waits, and a
/// second one ends the caller: so nothing that hangs can hold it. What the caller ignores, as under nohup(1) or in the background of a
/// shell without job control, stays ignored.
///
/// By a handler and a pipe that a thread of its own reads: whatever hangs, the caller's thread among it, signals are taken.
public final class SignalRelay: Sendable {
    private enum Phase {
        case before(cleanUp: @Sendable () -> Void)
        case starting(waiting: [Int32])
        case running(@Sendable (Int32) -> Void)
        case ended(count: Int)
    }
    private static let numbers = [SIGHUP, SIGINT, SIGQUIT, SIGTERM]

    private struct Shared {
        var next: UInt64 = 1
        var relays: [UInt64: @Sendable (Int32) -> Void] = [:]
        /// What the signals did before the first relay.
        var before: [(Int32, sigaction)] = []
    }
    private static let shared = Mutex(Shared())
    /// Where the handler writes to. Made once and never closed: a handler may run at any moment.
    nonisolated(unsafe) private static var pipeEnd: Int32 = -1

    private let phase: Mutex<Phase>
    private let token: UInt64

    /// - Parameter cleanUp: Called on another thread when a signal comes before the command begins, just before the caller ends: removes
    ///   what was made for it.
    /// - Throws: `SystemError` where there are no descriptors left.
    public init(cleanUp: @escaping @Sendable () -> Void = {}) throws {
        phase = Mutex(.before(cleanUp: cleanUp))
        token = try Self.shared.withLock { shared in
            try Self.open()
            shared.next += 1
            return shared.next
        }
        Self.shared.withLock { shared in
            if shared.relays.isEmpty { shared.before = Self.numbers.compactMap(Self.handle) }
            shared.relays[token] = { [weak self] number in self?.take(number) }
        }
    }

    /// The signals do again what they did.
    public func stop() {
        Self.shared.withLock { shared in
            guard shared.relays.removeValue(forKey: token) != nil, shared.relays.isEmpty else { return }
            for (number, old) in shared.before {
                var old = old
                sigaction(number, &old, nil)
            }
        }
    }

    /// The command may begin at any moment from now on.
    func starting() { phase.withLock { $0 = .starting(waiting: []) } }

    /// It has begun; `forward` sends it a signal.
    func began(_ forward: @escaping @Sendable (Int32) -> Void) {
        phase.withLock { phase in
            // Under the lock, so that none that comes now overtakes.
            if case .starting(let waiting) = phase { for number in waiting { forward(number) } }
            phase = .running(forward)
        }
    }

    /// It has ended.
    func ended() { phase.withLock { $0 = .ended(count: 0) } }

    /// It could not be started: a signal that has come for it is the caller's again.
    func failed() {
        let waiting = phase.withLock { phase -> [Int32] in
            defer { phase = .ended(count: 0) }
            if case .starting(let waiting) = phase { return waiting }
            return []
        }
        if let first = waiting.first { Self.end(by: first) }
    }

    private func take(_ number: Int32) {
        let nothing: @Sendable () -> Void = {}
        let cleanUp = phase.withLock { phase -> (@Sendable () -> Void)? in
            switch phase {
            case .before(let cleanUp): return cleanUp
            case .starting(let waiting):
                phase = .starting(waiting: waiting + [number])
                return waiting.isEmpty ? nil : nothing
            case .running(let forward):
                forward(number)
                return nil
            case .ended(let count):
                phase = .ended(count: count + 1)
                return count == 0 ? nil : nothing
            }
        }
        guard let cleanUp else { return }
        cleanUp()
        Self.end(by: number)
    }

    /// Ends this process as the signal would without anybody who takes it.
    static func end(by number: Int32) -> Never {
        signal(number, SIG_DFL)
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, number)
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
        kill(getpid(), number)
        sleep(1)
        _exit(128 + number)  // it is blocked everywhere
    }

    private static func open() throws {
        guard pipeEnd < 0 else { return }
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw SystemError(call: "pipe", subject: "signals", code: errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
        let readEnd = Descriptor(owning: ends[0])
        let writeEnd = Descriptor(owning: ends[1])
        try Threads.start("signals") {
            var number: UInt8 = 0
            while true {
                guard readEnd.withRaw({ read($0, &number, 1) }) == 1 else { continue }
                let relays = shared.withLock { Array($0.relays.values) }
                for relay in relays { relay(Int32(number)) }
            }
        }
        pipeEnd = writeEnd.release()
    }

    /// Async-signal-safe in the handler: one write, and `errno` as it was.
    private static func handle(_ number: Int32) -> (Int32, sigaction)? {
        var old = sigaction()
        sigaction(number, nil, &old)
        guard unsafeBitCast(old.__sigaction_handler.sa_handler, to: Int.self) != 1 /* SIG_IGN */ else { return nil }
        signal(number) { number in
            let saved = errno
            var byte = UInt8(truncatingIfNeeded: number)
            _ = write(SignalRelay.pipeEnd, &byte, 1)
            errno = saved
        }
        return (number, old)
    }
}
