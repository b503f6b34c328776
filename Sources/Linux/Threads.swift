internal import CLinux
internal import Glibc
internal import Synchronization

/// Threads of our own for work that blocks or that changes its thread (namespaces): never the few of Swift's pool.
public enum Threads {
    /// Runs `body` on a new thread that ends with it, and suspends meanwhile.
    ///
    /// - Parameters:
    ///   - name: Shown by `ps -T`, 15 bytes.
    ///   - body: May block as long as it likes; cancelling the task does not stop it.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws; `SystemError` EAGAIN where no thread can be had.
    public static func run<T: Sendable>(_ name: String, _ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            do {
                try start(name) {
                    let result = Result { try body() }
                    continuation.resume(with: result)
                }
            } catch {
                continuation.resume(throwing: error)
            }
        }
    }

    /// Runs `body` on a new thread and blocks the calling one until it has ended. Not from async code.
    public static func runBlocking<T: Sendable>(_ name: String, _ body: @escaping @Sendable () throws -> T) throws -> T
    {
        let box = Box<Result<T, any Error>>(slot: Mutex(nil))
        let thread = try create(name, detached: false) {
            let result = Result { try body() }
            box.slot.withLock { $0 = result }
        }
        if let thread { pthread_join(thread, nil) }
        guard let result: Result<T, any Error> = box.slot.withLock({ $0 }) else {
            throw SystemError(call: "pthread_create", subject: name, code: EAGAIN)
        }
        return try result.get()
    }

    /// Runs `first` on the calling thread while `second` runs on a new one, or after it where no thread can be had. Not from async code.
    ///
    /// - Returns: What both return.
    public static func both<A, B: Sendable>(
        _ name: String, _ first: () -> A, and second: @escaping @Sendable () -> B
    ) -> (A, B) {
        let box = Box<B>(slot: Mutex(nil))
        let thread = try? create(name, detached: false) {
            let result = second()
            box.slot.withLock { $0 = result }
        }
        let result = first()
        if let thread { pthread_join(thread, nil) }
        return (result, box.slot.withLock { $0 } ?? second())
    }

    /// Calls `body` for every item on as many threads as there are processors, and gives the results in order. Blocks: not from
    /// async code.
    ///
    /// - Throws: What a call threw, the first of them in order; no further item is begun then.
    public static func map<T: Sendable, R: Sendable>(
        _ name: String, _ items: [T], _ body: @escaping @Sendable (T) throws -> R
    ) throws -> [R] {
        let count = min(Kernel.onlineProcessors(), items.count / 2)
        guard count > 1 else { return try items.map(body) }
        let next = Counter()
        let results = Results<R>()
        let work: @Sendable () -> Void = {
            var found: [(Int, Result<R, any Error>)] = []
            while let index = next.take(below: items.count) {
                let result = Result { try body(items[index]) }
                if case .failure = result { next.stop(at: items.count) }
                found.append((index, result))
            }
            results.found.withLock { $0 += found }
        }
        var threads: [pthread_t] = []
        for _ in 1..<count {
            // Fewer threads than wished for do the same work.
            if let thread = try? create(name, detached: false, work) { threads.append(thread) }
        }
        work()
        for thread in threads { pthread_join(thread, nil) }
        return try results.found.withLock { $0 }.sorted { $0.0 < $1.0 }.map { try $0.1.get() }
    }

    private final class Results<R: Sendable>: Sendable {
        let found = Mutex<[(Int, Result<R, any Error>)]>([])
    }

    private final class Counter: Sendable {
        private let value = Atomic<Int>(0)
        func take(below end: Int) -> Int? {
            let index = value.add(1, ordering: .relaxed).oldValue
            return index < end ? index : nil
        }
        func stop(at end: Int) { value.store(end, ordering: .relaxed) }
    }

    /// Starts a detached thread.
    public static func start(_ name: String, _ body: @escaping @Sendable () -> Void) throws {
        _ = try create(name, detached: true, body)
    }

    private static func create(_ name: String, detached: Bool, _ body: @escaping @Sendable () -> Void) throws
        -> pthread_t?
    {
        let start = Unmanaged.passRetained(
            Start(name: String(decoding: name.utf8.prefix(15), as: UTF8.self), body: body))
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        if detached { pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED)) }
        pthread_attr_setstacksize(&attributes, 512 << 10)
        var thread = pthread_t()
        let code = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                _ = clinux_set_thread_name(start.name)
                start.body()
                return nil
            }, start.toOpaque())
        guard code == 0 else {
            start.release()
            throw SystemError(call: "pthread_create", subject: name, code: code)
        }
        return thread
    }

    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void
        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    private final class Box<T: Sendable>: Sendable {
        let slot: Mutex<T?>
        init(slot: consuming Mutex<T?>) { self.slot = slot }
    }
}
