import Linux
import Synchronization
import Testing

struct ThreadTests {
    @Test("every item is worked on once, and results come in the items' order", arguments: [0, 1, 2, 3, 1000])
    func map(count: Int) async throws {
        let seen = Mutex<[Int]>([])
        let results = try await Threads.run("test") {
            try Threads.map("test", Array(0..<count)) { item in
                seen.withLock { $0.append(item) }
                return item * 2
            }
        }
        #expect(results == (0..<count).map { $0 * 2 })
        #expect(seen.withLock { $0.sorted() } == Array(0..<count))
    }

    @Test("what a call throws is thrown, and no item is begun long after")
    func failure() async throws {
        struct Trouble: Error {}
        let begun = Mutex(0)
        await #expect(throws: Trouble.self) {
            try await Threads.run("test") {
                try Threads.map("test", Array(0..<100_000)) { item in
                    begun.withLock { $0 += 1 }
                    if item == 10 { throw Trouble() }
                }
            }
        }
        #expect(begun.withLock { $0 } < 100_000)
    }
}
