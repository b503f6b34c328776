internal import Synchronization

/// Runs a task, and whatever it awaits, on the calling thread alone: a program that does one thing and ends needs none of the
/// threads of Swift's pool, and no waiting for them to hand its work to each other.
///
/// A task executor (SE-0417): what the task starts as a child runs there too; an unstructured `Task` does not. The thread waits when
/// no job is left to run: a task that yields again and again until something has happened keeps it from ever happening.
public final class CallerExecutor: TaskExecutor {
    private struct State {
        var jobs: [UnownedJob] = []
        var isWaiting = false
    }
    private let state = Mutex(State())
    private let wait: @Sendable () throws -> Void
    private let wake: @Sendable () -> Void

    /// - Parameters:
    ///   - wait: Blocks until something has happened that may have enqueued a job, or `wake` was called since it last returned.
    ///   - wake: Ends `wait`, now or the next time. Called on any thread.
    public init(wait: @escaping @Sendable () throws -> Void, wake: @escaping @Sendable () -> Void) {
        self.wait = wait
        self.wake = wake
    }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let asleep = state.withLock { state in
            state.jobs.append(job)
            return state.isWaiting
        }
        if asleep { wake() }
    }

    /// Runs `body`, and blocks until it has returned.
    ///
    /// - Throws: What `body` throws, or `wait`: then nothing runs any more.
    public func run<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) throws -> T {
        let result = Slot<T>()
        Task(executorPreference: self) {
            do { result.put(.success(try await body())) } catch { result.put(.failure(error)) }
        }
        while true {
            let jobs = state.withLock { state in
                defer { state.jobs = [] }
                state.isWaiting = state.jobs.isEmpty
                return state.jobs
            }
            for job in jobs { unsafe job.runSynchronously(on: asUnownedTaskExecutor()) }
            if let result = result.take() { return try result.get() }
            if jobs.isEmpty { try wait() }
        }
    }

    private final class Slot<T: Sendable>: Sendable {
        private let value = Mutex<Result<T, any Error>?>(nil)
        func put(_ result: Result<T, any Error>) { value.withLock { $0 = result } }
        func take() -> Result<T, any Error>? { value.withLock { $0 } }
    }
}
