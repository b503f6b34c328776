internal import CSandbox
internal import FoundationEssentials
internal import Glibc
internal import Linux
internal import Synchronization

/// Collects what a command writes to one stream, up to a limit, on the thread that watches every sandbox.
///
/// A daemon that the command leaves behind may hold the pipe open for ever, so the end is not that of the pipe but
/// ``finish()``: what has been written by then counts.
final class Capture: Sendable {
    private struct State {
        var data = Data()
        var full = false
        var done = false
    }
    let stream: Int32
    private let limit: Int
    private let source: Descriptor
    private let exceeded: @Sendable () -> Void
    private let state = Mutex(State())

    /// `exceeded` is called once, when more than `limit` bytes came.
    init(stream: Int32, limit: Int, source: Descriptor, exceeded: @escaping @Sendable () -> Void) throws {
        self.stream = stream
        self.limit = limit
        self.source = source
        self.exceeded = exceeded
        guard fcntl(source.raw, F_SETFL, O_NONBLOCK) == 0 else {
            throw SystemError(call: "fcntl", subject: "a pipe", code: errno)
        }
    }

    /// Begins, once the program runs: what overflows must not end the sandbox before its start is known.
    func start() throws {
        try Watcher.shared.get().watch(source) { [weak self] in
            guard let self, !self.drain(last: false) else { return .done }
            return .again
        }
    }

    var data: Data { state.withLock { $0.data } }

    /// Takes what is in the pipe now, and stops.
    func finish() {
        drain(last: true)
    }

    /// Whether there is nothing more to come.
    @discardableResult
    private func drain(last: Bool) -> Bool {
        let (done, overflowed) = state.withLock { state -> (Bool, Bool) in
            guard !state.done else { return (true, false) }
            let wasFull = state.full
            var chunk = [UInt8](repeating: 0, count: 65536)
            var turns = 0
            while last || turns < 16 {  // then the other sandboxes' turn
                turns += 1
                let count = read(source.raw, &chunk, chunk.count)
                if count < 0 && errno == EINTR { continue }
                if count == 0 { state.done = true }
                guard count > 0 else { break }
                let room = limit - state.data.count
                state.data.append(contentsOf: chunk[..<min(count, max(room, 0))])
                if count > room { state.full = true }
            }
            if last { state.done = true }
            return (state.done, state.full && !wasFull)
        }
        if overflowed { exceeded() }
        return done
    }
}
