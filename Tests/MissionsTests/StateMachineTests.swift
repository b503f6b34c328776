import Missions
import Testing

/// The table is written down here by hand from the design's flow, not derived from the code: every phase × every event.
@Suite("The state machine")
struct StateMachineTests {
    typealias P = MissionPhase
    typealias E = MissionEvent

    static let table: [P: [E: P]] = [
        .detected: [.testStarted: .sandboxTesting, .cancelled: .cancelled],
        .sandboxTesting: [
            .testStarted: .sandboxTesting, .testPassed: .discussion, .testInconclusive: .needsMoreTesting,
            .testBlocked: .blocked,
            .testFailed: .failed, .cancelled: .cancelled,
        ],
        .discussion: [.sessionOpened: .consensus, .expired: .expired, .cancelled: .cancelled, .retest: .detected],
        .consensus: [
            .approved: .liveExecution, .approvedShortOfData: .needsMoreTesting, .rejected: .rejected,
            .expired: .expired,
            .cancelled: .cancelled, .retest: .detected,
        ],
        .needsMoreTesting: [.testStarted: .sandboxTesting, .cancelled: .cancelled, .retest: .detected],
        .liveExecution: [
            .promoted: .monitoring, .conflicted: .conflict, .promotionFailed: .failed, .promotionUnknown: .frozen,
            .expired: .expired,
            .rollbackStarted: .rollingBack,
        ],
        .monitoring: [.watchPassed: .complete, .rollbackStarted: .rollingBack, .rollbackFrozen: .frozen],
        .complete: [.rollbackStarted: .rollingBack],
        .rollingBack: [.rolledBack: .rolledBack, .rollbackFrozen: .frozen],
        .frozen: [.rollbackStarted: .rollingBack],
        .blocked: [.retest: .detected],
        .expired: [.retest: .detected],
        .conflict: [.retest: .detected],
        .failed: [.retest: .detected],
        .rejected: [:],
        .rolledBack: [:],
        .cancelled: [:],
    ]

    @Test("every phase on every event goes where the design says, or nowhere", arguments: P.allCases, E.allCases)
    func transition(phase: P, event: E) throws {
        let row = try #require(Self.table[phase], "the table knows every phase")
        #expect(phase.next(on: event) == row[event])
    }

    @Test("the settled phases are those in which nothing more happens by itself")
    func settled() {
        let settled: Set<P> = [
            .complete, .blocked, .rejected, .expired, .conflict, .failed, .rolledBack, .frozen, .cancelled,
        ]
        for phase in P.allCases { #expect(phase.isSettled == settled.contains(phase), "\(phase)") }
    }

    /// Every phase that can be reached from `start` by the real machine, without going through `avoiding`.
    private func reachable(from start: P, without barred: (P, E) -> Bool = { _, _ in false }) -> Set<P> {
        var seen: Set<P> = [start]
        var frontier = [start]
        while let phase = frontier.popLast() {
            for event in E.allCases where !barred(phase, event) {
                if let next = phase.next(on: event), seen.insert(next).inserted { frontier.append(next) }
            }
        }
        return seen
    }

    @Test("nothing reaches live but from consensus by approval", arguments: P.allCases)
    func onlyByApproval(start: P) {
        let without = reachable(from: start) { phase, event in phase == .consensus && event == .approved }
        #expect(start == .liveExecution || !without.contains(.liveExecution))
        for phase in P.allCases {
            for event in E.allCases where phase.next(on: event) == .liveExecution {
                #expect(phase == .consensus && event == .approved)
            }
        }
    }

    @Test("monitoring follows live execution alone")
    func monitoringAfterExecution() {
        for phase in P.allCases {
            for event in E.allCases where phase.next(on: event) == .monitoring {
                #expect(phase == .liveExecution && event == .promoted)
            }
        }
    }

    @Test("whatever a mission is doing, it can end", arguments: P.allCases)
    func canSettle(start: P) {
        #expect(reachable(from: start).contains { $0.isSettled })
    }

    @Test(
        "rejected, cancelled and rolled back missions stay so for good",
        arguments: [P.rejected, .cancelled, .rolledBack])
    func final(phase: P) {
        #expect(reachable(from: phase) == [phase])
    }

    @Test(
        "a blocked mission has no way to live but through a new test",
        arguments: [P.blocked, .conflict, .failed, .expired, .needsMoreTesting])
    func newTestOnly(start: P) {
        let without = reachable(from: start) { phase, event in
            event == .testStarted && (phase == .detected || phase == .needsMoreTesting)
        }
        #expect(!without.contains(.liveExecution))
        #expect(!without.contains(.consensus))
        #expect(reachable(from: start).contains(.liveExecution))
    }

    @Test("a new test always leads through the sandbox before people are asked")
    func sandboxBeforeDiscussion() {
        for phase in P.allCases {
            for event in E.allCases where phase.next(on: event) == .discussion {
                #expect(phase == .sandboxTesting && event == .testPassed)
            }
            for event in E.allCases where phase.next(on: event) == .consensus {
                #expect(phase == .discussion && event == .sessionOpened)
            }
        }
    }

    @Test("from live and its watch every ending is reached: complete, rolled back, frozen")
    func liveEndings() {
        let ends = reachable(from: .liveExecution)
        for phase in [P.complete, .rolledBack, .frozen, .conflict, .failed] {
            #expect(ends.contains(phase), "\(phase)")
        }
        #expect(!ends.contains(.cancelled) || P.liveExecution.next(on: .cancelled) == nil)
    }

    @Test("names are those of the API")
    func names() {
        #expect(
            P.allCases.map(\.rawValue).sorted() == [
                "blocked", "cancelled", "complete", "conflict", "consensus", "detected", "discussion", "expired",
                "failed", "frozen",
                "live_execution", "monitoring", "needs_more_testing", "rejected", "rolled_back", "rolling_back",
                "sandbox_testing",
            ])
        #expect(Set(E.allCases.map(\.rawValue)).count == E.allCases.count)
    }
}
