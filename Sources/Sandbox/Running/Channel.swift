internal import CSandbox
internal import Glibc
internal import Linux
internal import Synchronization

/// The agent's end of one sandbox's control socket: sends requests, and a thread of its own takes the answers.
///
/// The thread ends when PID 1 has closed its end; it then reaps the launcher, so that no zombie is ever left, and everybody who still
/// waits gets an answer.
final class Channel: Sendable {
    /// What PID 1 said first.
    enum Greeting: Sendable {
        case ready([Descriptor])
        case failed(step: Int32, code: Int32, detail: String)
        case silent(ProcessExit?)
    }
    enum Start: Sendable {
        case started(Int32)
        case failed(step: Int32, code: Int32)
        case ended
    }

    private struct Running {
        var start: CheckedContinuation<Start, Never>?
        var exit: ProcessExit?
        var waiting: [CheckedContinuation<ProcessExit, Never>] = []
    }
    private struct State {
        var greeting: Greeting?
        var greeted: CheckedContinuation<Greeting, Never>?
        var next: UInt32 = 1
        var commands: [UInt32: Running] = [:]
        var sockets: [UInt32: CheckedContinuation<Descriptor?, Never>] = [:]
        var ended: ProcessExit?
        var closed = false
        var denied = DeniedCalls(notCounted: "The sandbox's filter reports no calls.")
        var finished: [CheckedContinuation<ProcessExit, Never>] = []
    }

    private let socket: Descriptor
    private let launcher: Int32
    private let state = Mutex(State())

    /// Takes over the socket and the duty to reap `launcher`.
    init(socket: Descriptor, launcher: Int32) throws {
        self.socket = socket
        self.launcher = launcher
        try Threads.start("sandbox") { [self] in listen() }
    }

    // MARK: Requests

    func greeting() async -> Greeting {
        await withCheckedContinuation { continuation in
            let now = state.withLock { state -> Greeting? in
                if state.greeting == nil { state.greeted = continuation }
                return state.greeting
            }
            if let now { continuation.resume(returning: now) }
        }
    }

    /// Sends a command and waits until its program is executed, or is not.
    func run(_ descriptors: [Descriptor]) async -> (id: UInt32, start: Start) {
        let id = state.withLock { state in
            defer { state.next += 1 }
            return state.next
        }
        let start = await withCheckedContinuation { (continuation: CheckedContinuation<Start, Never>) in
            let open = state.withLock { state in
                guard state.ended == nil, !state.closed else { return false }
                state.commands[id] = Running(start: continuation)
                return true
            }
            guard open else { return continuation.resume(returning: .ended) }
            let sent = send(type: CSANDBOX_RUN, id: id, descriptors: descriptors)
            if !sent {
                let waiting = state.withLock { $0.commands.removeValue(forKey: id)?.start }
                waiting?.resume(returning: .ended)
            }
        }
        return (id, start)
    }

    func exit(of id: UInt32) async -> ProcessExit {
        await withCheckedContinuation { continuation in
            let now = state.withLock { state -> ProcessExit? in
                if let exit = state.commands[id]?.exit { return exit }
                if state.ended != nil { return .signaled(9) }
                state.commands[id, default: Running()].waiting.append(continuation)
                return nil
            }
            if let now { continuation.resume(returning: now) }
        }
    }

    func signal(id: UInt32, _ number: Int32, group: Bool) {
        _ = send(type: CSANDBOX_SIGNAL, id: id, value: number, more: group ? 1 : 0)
    }

    /// A TCP socket made in the sandbox's network.
    func tcpSocket(family: Int32) async -> Descriptor? {
        let id = state.withLock { state in
            defer { state.next += 1 }
            return state.next
        }
        return await withCheckedContinuation { continuation in
            let open = state.withLock { state in
                guard state.ended == nil, !state.closed else { return false }
                state.sockets[id] = continuation
                return true
            }
            if !open { return continuation.resume(returning: nil) }
            if !send(type: CSANDBOX_SOCKET, id: id, value: family) {
                state.withLock { $0.sockets.removeValue(forKey: id) }?.resume(returning: nil)
            }
        }
    }

    /// Tells PID 1 to end: it sees the socket's end. The thread takes it from there.
    func close() {
        state.withLock { $0.closed = true }
        _ = socket.withRaw { csandbox_shut($0) }
    }

    /// The launcher's exit, once everything inside is gone.
    func finished() async -> ProcessExit {
        await withCheckedContinuation { continuation in
            let now = state.withLock { state -> ProcessExit? in
                if state.ended == nil { state.finished.append(continuation) }
                return state.ended
            }
            if let now { continuation.resume(returning: now) }
        }
    }

    /// What the filter denied; complete once ``finished()`` has returned.
    var deniedCalls: DeniedCalls { state.withLock { $0.denied } }

    private func send(
        type: csandbox_message_type, id: UInt32, value: Int32 = 0, more: Int32 = 0, descriptors: [Descriptor] = []
    ) -> Bool {
        var message = csandbox_message()
        message.type = UInt32(type.rawValue)
        message.id = id
        message.value = value
        message.more = more
        let raw = descriptors.map(\.raw)
        return withExtendedLifetime(descriptors) {
            socket.withRaw { csandbox_send($0, &message, raw, Int32(raw.count)) == 0 }
        }
    }

    // MARK: Answers

    private func listen() {
        var denied = DeniedCounter()
        while true {
            guard socket.withRaw({ denied.attend($0) }) else { break }
            var message = csandbox_message()
            var raw = [Int32](repeating: -1, count: Int(CSANDBOX_MAX_PASSED))
            var count: Int32 = 0
            let result = socket.withRaw { csandbox_receive($0, &message, &raw, &count, 0) }
            if result == -EAGAIN { continue }
            guard result > 0 else { break }
            if message.type == UInt32(CSANDBOX_LISTENING.rawValue), count == 1 {
                denied.start(raw[0])
                continue
            }
            take(message, raw.prefix(Int(count)).map { Descriptor(owning: $0) })
        }
        // Whatever ended the conversation, the sandbox does not outlive it.
        close()
        let exit = (try? Processes.waitBlocking(launcher)) ?? .signaled(9)
        let counted = denied.finish()
        state.withLock { $0.denied = counted }
        end(exit)
    }

    private func take(_ message: csandbox_message, _ descriptors: [Descriptor]) {
        switch csandbox_message_type(message.type) {
        case CSANDBOX_READY: greet(.ready(descriptors))
        case CSANDBOX_FAILED where message.id == 0:
            let detail = withUnsafeBytes(of: message.detail) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            greet(.failed(step: message.more, code: message.value, detail: detail))
        case CSANDBOX_STARTED: resolve(message.id, .started(message.value))
        case CSANDBOX_FAILED: resolve(message.id, .failed(step: message.more, code: message.value))
        case CSANDBOX_EXITED:
            let exit: ProcessExit = message.more != 0 ? .signaled(message.value) : .exited(message.value)
            let waiting = state.withLock { state in
                let waiting = state.commands[message.id]?.waiting ?? []
                state.commands[message.id] = Running(exit: exit)
                return waiting
            }
            for continuation in waiting { continuation.resume(returning: exit) }
        case CSANDBOX_MADE_SOCKET:
            state.withLock { $0.sockets.removeValue(forKey: message.id) }?.resume(returning: descriptors.first)
        default: break
        }
    }

    private func greet(_ greeting: Greeting) {
        let waiting = state.withLock { state in
            if state.greeting == nil { state.greeting = greeting }
            defer { state.greeted = nil }
            return state.greeted
        }
        waiting?.resume(returning: greeting)
    }

    private func resolve(_ id: UInt32, _ start: Start) {
        let waiting = state.withLock { state in
            defer { state.commands[id]?.start = nil }
            return state.commands[id]?.start
        }
        waiting?.resume(returning: start)
    }

    private func end(_ exit: ProcessExit) {
        greet(.silent(exit))
        let (starting, waiting, sockets, finished) = state.withLock { state in
            state.ended = exit
            let starting = state.commands.values.compactMap(\.start)
            let waiting = state.commands.values.flatMap(\.waiting)
            let result = (starting, waiting, Array(state.sockets.values), state.finished)
            for id in state.commands.keys {
                state.commands[id]?.start = nil
                state.commands[id]?.waiting = []
            }
            state.sockets = [:]
            state.finished = []
            return result
        }
        for continuation in starting { continuation.resume(returning: .ended) }
        for continuation in waiting { continuation.resume(returning: .signaled(9)) }
        for continuation in sockets { continuation.resume(returning: nil) }
        for continuation in finished { continuation.resume(returning: exit) }
    }
}
