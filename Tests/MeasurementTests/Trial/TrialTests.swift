import Synchronization
import Testing

@testable import Measurement

@Suite struct TrialTests {
    static let plan = TrialPlan.plan(.guardrail(.cpu_time, 0.1), max: 30)

    @Test func `each block runs two of each arm in the tossed order`() async throws {
        let runs = Mutex<[(TrialArm, Int, Int)]>([])
        let trial = Trial(plan: Self.plan, random: Seeded(1))
        let (result, blocks) = try await trial.run(arm: { kind, block, position in
            runs.withLock { $0.append((kind, block, position)) }
            return .arm([.cpu_time: 1])
        })
        #expect(result.verdict == .PASS)
        #expect(blocks.count == 10)
        let recorded = runs.withLock { $0 }
        #expect(recorded.count == 40)
        for (index, block) in blocks.enumerated() {
            let own = recorded.filter { $0.1 == index }
            #expect(own.map(\.0) == block.order.arms)
            #expect(own.map(\.2) == [0, 1, 2, 3])
            #expect(block.baseline.count == 2 && block.candidate.count == 2)
        }
    }

    @Test func `the coin is fair and each toss is its own`() async throws {
        var orders: [Block.Order] = []
        for seed in 0..<20 {
            let trial = Trial(plan: .plan(.guardrail(.cpu_time, 0.1), min: 50), random: Seeded(UInt64(seed)))
            orders += try await trial.run(arm: { _, _, _ in .arm([.cpu_time: 1]) }).1.map(\.order)
        }
        let heads = orders.count { $0 == .abba }
        #expect(orders.count == 1000)
        #expect(heads > 420 && heads < 580)
        let changes = zip(orders, orders.dropFirst()).count { $0 != $1 }
        #expect(changes > 420 && changes < 580)
    }

    @Test func `a trial that is cut off goes on as the same trial, wherever it was cut`() async throws {
        struct Cut: Error {}
        let seed = Seeded.fresh()
        let noise = (0..<400).map { index -> Double in
            var random = Seeded(seed &+ UInt64(index))
            return 1 + 0.2 * Double.random(in: -1...1, using: &random)
        }
        for cut in [0, 1, 5, 9] {
            let kept = Mutex<[Block]>([])
            let first = Trial(plan: Self.plan, random: Seeded(2))
            await #expect(throws: Cut.self) {
                _ = try await first.run(
                    arm: { _, block, position in
                        if block == cut, position == 2 { throw Cut() }
                        return .arm([.cpu_time: noise[block * 4 + position]])
                    }, progress: { block, _ in kept.withLock { $0.append(block) } })
            }
            let recorded = kept.withLock { $0 }
            #expect(recorded.count == cut)
            let second = Trial(plan: Self.plan, random: Seeded(3), blocks: recorded)
            let (result, blocks) = try await second.run(arm: { _, block, position in
                .arm([.cpu_time: noise[block * 4 + position]])
            })
            #expect(Array(blocks.prefix(cut)) == recorded)
            #expect(blocks.map(\.index) == Array(0..<blocks.count))
            var judge = Judge(plan: Self.plan)
            for block in blocks { judge.add(block) }
            #expect(judge.result() == result)
        }
    }

    @Test func `a finished trial runs nothing more`() async throws {
        let (result, blocks) = try await Trial(plan: Self.plan, random: Seeded(1)).run(arm: { _, _, _ in
            .arm([.cpu_time: 1])
        })
        let again = try await Trial(plan: Self.plan, random: Seeded(1), blocks: blocks).run(arm: { _, _, _ in
            Issue.record("an arm ran")
            return .arm()
        })
        #expect(again.0 == result)
    }

    @Test func `blocks marked as disturbed by someone who sees no arm are left out`() async throws {
        let (result, blocks) = try await Trial(plan: Self.plan, random: Seeded(1)).run(
            arm: { _, _, _ in .arm([.cpu_time: 1]) }, disturbance: { $0 == 4 ? "a backup ran" : nil })
        #expect(blocks.count == 11)
        #expect(blocks[4].discarded == "a backup ran")
        #expect(result.discarded == 1)
        #expect(result.verdict == .PASS)
    }

    @Test func `a damaged record and an impossible plan are refused`() async {
        let block = Block.block(1, baseline: .arm(), candidate: .arm())
        await #expect(throws: TrialError.recordedOutOfOrder(found: 1, expected: 0)) {
            _ = try await Trial(plan: Self.plan, random: Seeded(1), blocks: [block]).run(arm: { _, _, _ in .arm() })
        }
        await #expect(throws: TrialError.self) {
            _ = try await Trial(plan: TrialPlan(), random: Seeded(1)).run(arm: { _, _, _ in .arm() })
        }
    }

    @Test func `a cancelled trial stops`() async {
        let task = Task {
            try await Trial(plan: .plan(.guardrail(.cpu_time, 0.1), min: 900, max: 1000), random: Seeded(1)).run(
                arm: { _, _, _ in
                    try await Task.sleep(for: .milliseconds(20))
                    return .arm([.cpu_time: 1])
                })
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { _ = try await task.value }
    }
}
