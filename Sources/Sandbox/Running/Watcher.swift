internal import CSandbox
internal import Linux
internal import Synchronization

/// What waits for every sandbox of this process: a thread of its own, or the caller's (``SandboxEngine/alone(_:)``).
///
/// A handler runs on that thread, with nothing locked, whenever its descriptor can be read or is at its end. It must not block.
final class Watcher: Sendable {
    /// What a handler wants.
    enum Next { case again, done, pause }

    static let shared = Result { try Watcher() }
    /// Whether the caller's thread waits, and no other; before the first use.
    private static let isHosted = Atomic<Bool>(false)
    /// How long a handler that asked for a pause is left alone, milliseconds.
    private static let pause: Int32 = 5

    private final class Handler: Sendable {
        let descriptor: Descriptor
        let call: @Sendable () -> Next
        init(_ descriptor: Descriptor, _ call: @escaping @Sendable () -> Next) {
            self.descriptor = descriptor
            self.call = call
        }
    }
    private struct State {
        var next: UInt64 = 1
        var handlers: [UInt64: Handler] = [:]
        var paused: [UInt64] = []
    }
    private let epoll: Int32
    private let hosted: Bool
    private let state = Mutex(State())

    private init() throws {
        epoll = csandbox_watch_new()
        guard epoll >= 0 else { throw SystemError(call: "epoll_create1", subject: "sandboxes", code: -epoll) }
        hosted = Self.isHosted.load(ordering: .relaxed)
        if !hosted { try Threads.start("sandboxes") { [self] in while true { turn() } } }
    }

    /// The one that the caller's thread has to ``turn()``.
    ///
    /// - Returns: `nil` where a thread does so already.
    static func hosted() throws -> Watcher? {
        isHosted.store(true, ordering: .relaxed)
        let watcher = try shared.get()
        return watcher.hosted ? watcher : nil
    }

    /// Keeps the descriptor open until the handler is done, or ``forget(_:)`` was called with what this returns.
    @discardableResult
    func watch(_ descriptor: Descriptor, _ handler: @escaping @Sendable () -> Next) throws -> UInt64 {
        let token = state.withLock { state in
            defer { state.next += 1 }
            state.handlers[state.next] = Handler(descriptor, handler)
            return state.next
        }
        let result = csandbox_watch_add(epoll, descriptor.raw, token)
        guard result < 0 else { return token }
        _ = state.withLock { $0.handlers.removeValue(forKey: token) }
        throw SystemError(call: "epoll_ctl", subject: "\(descriptor)", code: -result)
    }

    /// The handler is not called any more, unless it runs at this moment.
    func forget(_ token: UInt64) {
        guard let handler = state.withLock({ $0.handlers.removeValue(forKey: token) }) else { return }
        _ = csandbox_watch_remove(epoll, handler.descriptor.raw)
    }

    /// Waits until a handler has something to do, and calls it.
    func turn() {
        let paused = state.withLock { state in
            defer { state.paused = [] }
            return state.paused
        }
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 64) { tokens in
            let count = csandbox_watch_wait(epoll, tokens.baseAddress, 64, paused.isEmpty ? -1 : Self.pause)
            guard count >= 0 else { fatalError("The thread that watches sandboxes failed: errno \(-count).") }
            for token in tokens.prefix(Int(count)) { call(token, added: true) }
        }
        for token in paused { call(token, added: false) }
    }

    private func call(_ token: UInt64, added: Bool) {
        guard let handler = state.withLock({ $0.handlers[token] }) else { return }
        let descriptor = handler.descriptor
        switch handler.call() {
        case .again:
            guard !added else { return }
            state.withLock { state in
                // Not what was forgotten meanwhile.
                if state.handlers[token] != nil { _ = csandbox_watch_add(epoll, descriptor.raw, token) }
            }
        case .pause:
            if added { _ = csandbox_watch_remove(epoll, descriptor.raw) }
            state.withLock { $0.paused.append(token) }
        case .done:
            if added { _ = csandbox_watch_remove(epoll, descriptor.raw) }
            _ = state.withLock { $0.handlers.removeValue(forKey: token) }
        }
    }
}
