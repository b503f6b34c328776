internal import CSandbox
internal import Glibc
internal import Linux
internal import Synchronization

/// The agent's end of one sandbox's control socket: sends requests, and takes the answers on the thread that watches every sandbox.
///
/// The conversation ends when PID 1 has closed its end. Once the kernel says that PID 1, and so everything inside, is gone, everybody
/// who still waits gets an answer.
final class Channel: Sendable {
    /// What PID 1 said first.
    enum Greeting: Sendable {
        case ready([Descriptor])
        case failed(step: Int32, code: Int32, detail: String)
        case silent
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
        var ended = false
        /// PID 1's pidfd, once it has introduced itself.
        var first: Descriptor?
        var whenEnded: [@Sendable () -> Void] = []
        var closed = false
        var denied = DeniedCalls(notCounted: "The sandbox's filter reports no calls.")
        var finished: [CheckedContinuation<Void, Never>] = []
    }

    private let socket: Descriptor
    private let denied = DeniedCounter()
    private let state = Mutex(State())

    /// Takes over the socket. It lives until the sandbox has ended.
    init(socket: Descriptor) throws {
        self.socket = socket
        try Watcher.shared.get().watch(socket) { [self] in listen() }
    }

    /// Whether everything inside is gone.
    var hasEnded: Bool { state.withLock { $0.ended } }

    /// Calls `body` once everything inside is gone; at once when it is already.
    func whenEnded(_ body: @escaping @Sendable () -> Void) {
        let ended = state.withLock { state in
            if !state.ended { state.whenEnded.append(body) }
            return state.ended
        }
        if ended { body() }
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
                guard !state.ended, !state.closed else { return false }
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
                if state.ended { return .signaled(9) }
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
                guard !state.ended, !state.closed else { return false }
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

    /// Hands over the filter and the control groups that everything inside is to join: what a plan with CSANDBOX_LATE waits for.
    func join(_ filter: Descriptor, _ cgroups: [Descriptor]) {
        // PID 1 waits for it, and whoever starts the sandbox for PID 1.
        if !send(type: CSANDBOX_JOIN, id: 0, descriptors: [filter] + cgroups) { close() }
    }

    /// Returns once everything inside is gone.
    func finished() async {
        await withCheckedContinuation { continuation in
            let ended = state.withLock { state in
                if !state.ended { state.finished.append(continuation) }
                return state.ended
            }
            if ended { continuation.resume() }
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

    private func listen() -> Watcher.Next {
        while true {
            let (result, message, descriptors) = csandbox_message.receive(from: socket)
            if result == -EAGAIN { return .again }
            guard result > 0 else { break }
            take(message, descriptors)
        }
        // Whatever ended the conversation, the sandbox does not outlive it.
        close()
        guard let first = state.withLock({ $0.first }) else {
            end()  // nothing was ever started in it
            return .done
        }
        // A pidfd can be read when its process is gone; for PID 1 that is when its whole namespace is.
        try? Processes.sendSignal(first, 9)
        do {
            try Watcher.shared.get().watch(first) { [self] in
                end()
                return .done
            }
        } catch {
            end()
        }
        return .done
    }

    private func take(_ message: csandbox_message, _ descriptors: [Descriptor]) {
        switch csandbox_message_type(message.type) {
        case CSANDBOX_READY:
            // A copy: the watcher's must not be closed by whoever else holds it.
            if descriptors.count == 3, let first = try? descriptors[2].duplicate() {
                state.withLock { $0.first = first }
            }
            greet(.ready(descriptors))
        case CSANDBOX_LISTENING where descriptors.count == 1:
            denied.start(descriptors[0]) { [weak self] in self?.close() }
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

    private func end() {
        let counted = denied.finish()
        state.withLock { $0.denied = counted }
        greet(.silent)
        let (starting, waiting, sockets, finished, ended) = state.withLock { state in
            state.ended = true
            let starting = state.commands.values.compactMap(\.start)
            let waiting = state.commands.values.flatMap(\.waiting)
            let result = (starting, waiting, Array(state.sockets.values), state.finished, state.whenEnded)
            for id in state.commands.keys {
                state.commands[id]?.start = nil
                state.commands[id]?.waiting = []
            }
            state.sockets = [:]
            state.finished = []
            state.whenEnded = []
            return result
        }
        for continuation in starting { continuation.resume(returning: .ended) }
        for continuation in waiting { continuation.resume(returning: .signaled(9)) }
        for continuation in sockets { continuation.resume(returning: nil) }
        for continuation in finished { continuation.resume() }
        for body in ended { body() }
    }
}
