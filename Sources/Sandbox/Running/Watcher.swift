internal import CSandbox
internal import Linux
internal import Synchronization

/// One thread that waits for every sandbox of this process.
///
/// A handler runs on that thread, with nothing locked, whenever its descriptor can be read or is at its end. It must not block.
final class Watcher: Sendable {
    /// What a handler wants.
    enum Next { case again, done, pause }

    static let shared = Result { try Watcher() }
    /// How long a handler that asked for a pause is left alone, milliseconds.
    private static let pause: Int32 = 5

    private struct State {
        var next: UInt64 = 1
        var handlers: [UInt64: (descriptor: Descriptor, call: @Sendable () -> Next)] = [:]
        var paused: [UInt64] = []
    }
    private let epoll: Int32
    private let state = Mutex(State())

    private init() throws {
        epoll = csandbox_watch_new()
        guard epoll >= 0 else { throw SystemError(call: "epoll_create1", subject: "sandboxes", code: -epoll) }
        try Threads.start("sandboxes") { [self] in run() }
    }

    /// Keeps the descriptor open until the handler is done.
    func watch(_ descriptor: Descriptor, _ handler: @escaping @Sendable () -> Next) throws {
        let token = state.withLock { state in
            defer { state.next += 1 }
            state.handlers[state.next] = (descriptor, handler)
            return state.next
        }
        let result = csandbox_watch_add(epoll, descriptor.raw, token)
        guard result < 0 else { return }
        _ = state.withLock { $0.handlers.removeValue(forKey: token) }
        throw SystemError(call: "epoll_ctl", subject: "\(descriptor)", code: -result)
    }

    private func run() {
        var tokens = [UInt64](repeating: 0, count: 64)
        while true {
            let paused = state.withLock { state in
                defer { state.paused = [] }
                return state.paused
            }
            let count = csandbox_watch_wait(epoll, &tokens, 64, paused.isEmpty ? -1 : Self.pause)
            guard count >= 0 else { fatalError("The thread that watches sandboxes failed: errno \(-count).") }
            for token in tokens.prefix(Int(count)) { call(token, added: true) }
            for token in paused { call(token, added: false) }
        }
    }

    private func call(_ token: UInt64, added: Bool) {
        guard let (descriptor, handler) = state.withLock({ $0.handlers[token] }) else { return }
        switch handler() {
        case .again:
            if !added { _ = csandbox_watch_add(epoll, descriptor.raw, token) }
        case .pause:
            if added { _ = csandbox_watch_remove(epoll, descriptor.raw) }
            state.withLock { $0.paused.append(token) }
        case .done:
            if added { _ = csandbox_watch_remove(epoll, descriptor.raw) }
            _ = state.withLock { $0.handlers.removeValue(forKey: token) }
        }
    }
}
