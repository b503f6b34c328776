import Glibc
import Linux
import Synchronization
import Testing

/// A task on the calling thread alone.
struct CallerExecutorTests {
    private struct Refusal: Error {}

    /// Waits by a flag, as a program with nothing else to wait for would.
    private static func executor() throws -> CallerExecutor {
        let bell = try StopFlag()
        return CallerExecutor {
            var ready = pollfd(fd: bell.descriptor.raw, events: Int16(POLLIN), revents: 0)
            guard poll(&ready, 1, 10_000) == 1 else { throw Refusal() }
            bell.lower()
        } wake: {
            bell.raise()
        }
    }

    /// "PID/task/TID".
    private static func thread() -> String { (try? Files.readlink("/proc/thread-self"))?.string ?? "?" }

    @Test func everythingAwaitedRunsOnTheCallersThread() throws {
        let (threads, caller) = try Threads.runBlocking("caller") {
            let threads = try Self.executor().run {
                var seen = [Self.thread()]
                await Task.yield()
                seen.append(Self.thread())
                // From another thread and back.
                let other = try await Threads.run("other") { Self.thread() }
                seen.append(Self.thread())
                async let child = Self.thread()
                seen.append(await child)
                return (here: seen, other: other)
            }
            return (threads, Self.thread())
        }
        #expect(threads.here == [caller, caller, caller, caller])
        #expect(threads.other != caller)
    }

    @Test func whatIsThrownIsThrown() throws {
        #expect(throws: Refusal.self) {
            try Threads.runBlocking("caller") {
                try Self.executor().run { () async throws -> Int in
                    await Task.yield()
                    throw Refusal()
                }
            }
        }
    }

    @Test func whoCannotWaitSaysSo() throws {
        #expect(throws: Refusal.self) {
            try Threads.runBlocking("caller") {
                let executor = CallerExecutor(wait: { throw Refusal() }, wake: {})
                return try executor.run { try await Threads.run("slow") { usleep(50_000) } }
            }
        }
    }

    @Test func manyWakingThreadsLoseNothing() throws {
        let sum = try Threads.runBlocking("caller") {
            try Self.executor().run {
                try await withThrowingTaskGroup(of: Int.self) { group in
                    for number in 0..<200 { group.addTask { try await Threads.run("one") { number } } }
                    return try await group.reduce(0, +)
                }
            }
        }
        #expect(sum == 199 * 200 / 2)
    }
}
