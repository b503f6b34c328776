import Synchronization
import Testing

@testable import Agent

private final class Count: Sendable {
    let state = Mutex((inside: 0, most: 0, done: 0))
}

private final class Order: Sendable {
    let state = Mutex<[Int]>([])
}

@Suite("The host's lock")
struct HostLockTests {
    @Test("never two at a time, and none is lost")
    func exclusion() async throws {
        let lock = HostLock()
        let count = Count()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    await lock.exclusively {
                        count.state.withLock {
                            $0.inside += 1
                            $0.most = max($0.most, $0.inside)
                        }
                        for _ in 0..<3 { await Task.yield() }
                        count.state.withLock {
                            $0.inside -= 1
                            $0.done += 1
                        }
                    }
                }
            }
        }
        #expect(count.state.withLock { $0.most } == 1)
        #expect(count.state.withLock { $0.done } == 200)
    }

    @Test("first come, first served")
    func order() async throws {
        let lock = HostLock()
        let order = Order()
        await withTaskGroup(of: Void.self) { group in
            let (stream, open) = AsyncStream<Void>.makeStream()
            group.addTask { await lock.exclusively { for await _ in stream { break } } }
            while await !lock.isBusy { try? await Task.sleep(for: .milliseconds(1)) }
            for number in 0..<20 {
                group.addTask { await lock.exclusively { order.state.withLock { $0.append(number) } } }
                // The next one comes when this one stands in line.
                while await lock.queue < number + 1 { try? await Task.sleep(for: .milliseconds(1)) }
            }
            open.yield()
            open.finish()
        }
        #expect(order.state.withLock { $0 } == Array(0..<20))
    }

    @Test("who throws gives it back")
    func throwing() async throws {
        let lock = HostLock()
        for _ in 0..<3 {
            let said = await refusal { try await lock.exclusively { throw Failure("no") } }
            #expect(said == "no")
        }
        #expect(await lock.exclusively { 7 } == 7)
        #expect(await !lock.isBusy)
    }
}
