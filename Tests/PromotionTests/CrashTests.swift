import Fork
import Linux
import Testing

@testable import Promotion

/// What a kill or a failing file system leaves, at every single call.
@Suite(.enabled(if: isRoot, "needs root: files get owners of their own"))
struct CrashTests {
    /// The whole before and after, taken without any fault.
    private func references(_ fixture: Fixture) async throws -> (
        old: [String: String], new: [String: String], calls: Int
    ) {
        let (changes, base) = try fixture.everyTransition()
        let old = try fixture.picture().tree
        let edge = FaultEdge(.kill, at: .max)
        _ = try await fixture.promoter(edge).promote(id: "m", changeSet: changes, base: base)
        return (old, try fixture.picture().tree, edge.calls)
    }

    private func difference(_ found: [String: String], _ wanted: [String: String]) -> String {
        Set(found.keys).union(wanted.keys).sorted().filter { found[$0] != wanted[$0] }
            .map { "\($0): \(found[$0] ?? "absent") instead of \(wanted[$0] ?? "absent")" }.joined(separator: "\n")
    }

    private func expectWhole(_ fixture: Fixture, _ old: [String: String], _ new: [String: String], _ note: String)
        throws
    {
        let (tree, hidden) = try fixture.picture()
        let phase = fixture.promoter().status(id: "m")?.phase
        if phase == .promoted {
            #expect(tree == new, "\(note), promoted, but not entirely new:\n\(difference(tree, new))")
        } else {
            #expect(phase == nil || phase == .rolledBack, "\(note): \(phase.map(\.rawValue) ?? "-")")
            #expect(tree == old, "\(note), not entirely old:\n\(difference(tree, old))")
            #expect(hidden.isEmpty, "\(note): left behind \(hidden)")
        }
    }

    @Test func aPromotionKilledAtAnyCallEndsEntirelyOldOrEntirelyNewAfterRecovery() async throws {
        let fixture = try Fixture(inMemory: true)
        let (old, new, calls) = try await references(fixture)
        #expect(old != new)
        var ends: Set<Bool> = []
        for number in 1...calls {
            let (changes, base) = try fixture.everyTransition()
            let edge = FaultEdge(.kill, at: number)
            _ = try? await fixture.promoter(edge).promote(id: "m", changeSet: changes, base: base)
            let outcomes = try await fixture.promoter().recover()
            #expect(
                outcomes.allSatisfy { $0.live == .old || $0.live == .new },
                "killed at \(number), \(edge.last): \(outcomes)")
            try expectWhole(fixture, old, new, "killed at call \(number) of \(calls), \(edge.last)")
            ends.insert(fixture.promoter().status(id: "m")?.phase == .promoted)
            #expect(try await fixture.promoter().recover().isEmpty, "recovered twice after a kill at \(number)")
        }
        #expect(ends == [true, false], "kills before and after the commit were both tried")
    }

    @Test func aRollbackKilledAtAnyCallEndsEntirelyOldOrIsStillEntirelyNew() async throws {
        let fixture = try Fixture(inMemory: true)
        let (old, new, _) = try await references(fixture)
        let whole = FaultEdge(.kill, at: .max)
        #expect(try await fixture.promoter(whole).rollback(id: "m") == .rolledBack)
        let afterwards = try fixture.picture()
        #expect(afterwards.tree == old, "\(difference(afterwards.tree, old))")
        #expect(afterwards.hidden.isEmpty)
        for number in 1...whole.calls {
            let (changes, base) = try fixture.everyTransition()
            _ = try await fixture.promoter().promote(id: "m", changeSet: changes, base: base)
            let edge = FaultEdge(.kill, at: number)
            _ = try? await fixture.promoter(edge).rollback(id: "m")
            _ = try await fixture.promoter().recover()
            try expectWhole(fixture, old, new, "rollback killed at call \(number) of \(whole.calls), \(edge.last)")
        }
    }

    @Test func recoveryItselfCanBeKilledAnywhereAndRunAgain() async throws {
        let fixture = try Fixture(inMemory: true)
        let (old, new, calls) = try await references(fixture)
        let seed = UInt64.random(in: .min ... .max)
        print("seed \(seed)")
        var random = SeededRandom(state: seed)
        for _ in 0..<250 {
            let first = Int.random(in: 1...calls, using: &random)
            let (changes, base) = try fixture.everyTransition()
            _ = try? await fixture.promoter(FaultEdge(.kill, at: first)).promote(
                id: "m", changeSet: changes, base: base)
            var kills: [Int] = []
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                kills.append(Int.random(in: 1...60, using: &random))
                _ = try? await fixture.promoter(FaultEdge(.kill, at: kills[kills.count - 1])).recover()
            }
            _ = try await fixture.promoter().recover()
            try expectWhole(fixture, old, new, "seed \(seed), killed at \(first), recovery at \(kills)")
        }
    }

    @Test(arguments: [ENOSPC_, EIO_, EROFS_, EDQUOT_])
    func anErrorAtAnyWriteLeavesLiveWholeAndNothingStagedBehind(code: Int32) async throws {
        let fixture = try Fixture(inMemory: true)
        let (old, new, _) = try await references(fixture)
        var number = 0
        while true {
            number += 1
            let (changes, base) = try fixture.everyTransition()
            let edge = FaultEdge(.once(code), at: number)
            var failure: (any Error)?
            do { _ = try await fixture.promoter(edge).promote(id: "m", changeSet: changes, base: base) } catch {
                failure = error
            }
            if !edge.hasStruck { break }
            let note = "errno \(code) at write \(number), \(edge.last): \(failure.map { "\($0)" } ?? "no error")"
            if case .interrupted? = failure as? PromotionError { _ = try await fixture.promoter().recover() }
            #expect(failure is PromotionError?, "\(note)")
            try expectWhole(fixture, old, new, note)
        }
        #expect(number > 100)
    }

    /// What comes after a promotion fails at every write of it, once.
    @Test(arguments: [
        ("rollback", ENOSPC_), ("rollback of a commit", EDQUOT_), ("commit", EROFS_), ("purge", EIO_),
    ])
    func anErrorAtAnyWriteOfWhatFollowsLeavesLiveWhole(what: String, code: Int32) async throws {
        let fixture = try Fixture(inMemory: true)
        let (old, new, _) = try await references(fixture)
        var number = 0
        while true {
            number += 1
            let (changes, base) = try fixture.everyTransition()
            let edge = FaultEdge(.once(code), at: number)
            let (plain, faulty) = (fixture.promoter(), fixture.promoter(edge))
            if what == "rollback" { _ = try await plain.promote(id: "m", changeSet: changes, base: base) }
            if what.hasPrefix("purge") || what.hasSuffix("of a commit") {
                _ = try await plain.commit(id: "m", changeSet: changes, base: base)
            }
            do {
                switch what {
                case "commit": _ = try await faulty.commit(id: "m", changeSet: changes, base: base)
                case "purge": try faulty.purge(id: "m")
                default: _ = try await faulty.rollback(id: "m")
                }
            } catch {}
            if !edge.hasStruck { break }
            let note = "\(what), errno \(code) at write \(number), \(edge.last)"
            _ = try await plain.recover()
            if plain.status(id: "m")?.phase == .confirmed {
                let tree = try fixture.picture().tree
                #expect(tree == new, "\(note), confirmed, but not entirely new:\n\(difference(tree, new))")
                if what == "purge" {
                    try plain.purge(id: "m")
                    let (tree, hidden) = try fixture.picture()
                    #expect(tree == new && hidden.isEmpty, "\(note): left behind \(hidden)\n\(difference(tree, new))")
                    continue
                }
                #expect(try await plain.rollback(id: "m") == .rolledBack, "\(note)")
            }
            try expectWhole(fixture, old, new, note)
        }
        #expect(number > 15, "\(what)")
    }

    @Test func afterAFileSystemBecameReadOnlyRecoveryFinishesOnceItIsWritableAgain() async throws {
        let fixture = try Fixture(inMemory: true)
        let (old, new, _) = try await references(fixture)
        for number in stride(from: 1, to: 400, by: 3) {
            let (changes, base) = try fixture.everyTransition()
            let edge = FaultEdge(.always(EROFS_), at: number)
            _ = try? await fixture.promoter(edge).promote(id: "m", changeSet: changes, base: base)
            _ = try await fixture.promoter().recover()
            try expectWhole(fixture, old, new, "read-only from write \(number), \(edge.last)")
        }
    }

    @Test func onDiskAsInMemory() async throws {
        let fixture = try Fixture()
        let (old, new, calls) = try await references(fixture)
        for number in stride(from: 5, to: calls, by: max(calls / 12, 1)) {
            let (changes, base) = try fixture.everyTransition()
            _ = try? await fixture.promoter(FaultEdge(.kill, at: number)).promote(
                id: "m", changeSet: changes, base: base)
            _ = try await fixture.promoter().recover()
            try expectWhole(fixture, old, new, "killed at call \(number)")
        }
    }
}

let (EIO_, ENOSPC_, EROFS_, EDQUOT_): (Int32, Int32, Int32, Int32) = (5, 28, 30, 122)
