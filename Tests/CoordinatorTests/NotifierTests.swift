import Documents
import FoundationEssentials
import Linux
import Logging
import Synchronization
import Testing

@testable import Coordinator

/// The outbox while several hooks are told at once.
@Suite("Notifier")
struct NotifierTests {
    @Test("a notice that was delivered while the outbox was being read is not delivered again")
    func once() async throws {
        let state = try Fixture.directory()
        defer { try? Files.removeTree(state) }
        let wait = "until test -e"
        let slow = HookSettings(
            target: .command([
                "/bin/sh", "-c", "touch \(state)/begun; \(wait) \(state)/go; do sleep 0.01; done; echo >>\(state)/told",
            ]))
        // Its end makes the notifier look into the outbox while the other is still being told.
        let other = HookSettings(
            target: .command(["/bin/sh", "-c", "\(wait) \(state)/begun; do sleep 0.01; done"]))
        let sqlite = try SQLiteStore(path: state + "/store.sqlite")
        for hook in [slow, other] {
            try await sqlite.write {
                try $0.add(
                    NoticeRecord(
                        id: "n-" + hook.id, hook: hook.id, event: "rolled_back", body: [:], attempts: 0, nextAt: Date())
                )
            }
        }
        let store = LateStore(base: sqlite) { notices in
            guard notices.contains(where: { $0.hook == slow.id }), (try? Files.status(state + "/begun")) != nil else {
                return
            }
            try Files.writeAtomically(state + "/go", Data())
            try await eventually { try await sqlite.read { try $0.noticeCount(hook: slow.id) } == 0 }
        }
        let notifier = Notifier(
            hooks: [slow, other], patience: 1, store: store, logger: Logger(label: "test"), clock: { Date() })
        async let running: Void = notifier.run()
        try await eventually { store.wasLate && store.wasEmpty }
        // A second telling would be on its way by now.
        try await Task.sleep(for: .milliseconds(300))
        #expect(try Files.readString(state + "/told") == "\n")
        await notifier.stop()
        await running
        try sqlite.close()
    }
}

/// A store whose answers are on their way for as long as a test likes.
private final class LateStore: Store {
    let base: SQLiteStore
    let delay: @Sendable ([NoticeRecord]) async throws -> Void
    private let seen = Mutex((late: false, empty: false))

    init(base: SQLiteStore, delay: @escaping @Sendable ([NoticeRecord]) async throws -> Void) {
        self.base = base
        self.delay = delay
    }

    var wasLate: Bool { seen.withLock { $0.late } }
    /// The outbox was found empty after that.
    var wasEmpty: Bool { seen.withLock { $0.empty } }
    var kind: String { base.kind }

    func read<T: Sendable>(_ body: @Sendable (any StoreReader) throws -> T) async throws -> T {
        let answer = try await base.read(body)
        if let notices = answer as? [NoticeRecord] {
            try await delay(notices)
            let left = try await base.read { try $0.noticeCount(hook: nil) }
            seen.withLock {
                if notices.isEmpty { $0.empty = $0.late }
                if notices.count > left { $0.late = true }
            }
        }
        return answer
    }

    func write<T: Sendable>(_ body: @Sendable (any StoreWriter) throws -> T) async throws -> T {
        try await base.write(body)
    }

    func close() throws { try base.close() }
}
