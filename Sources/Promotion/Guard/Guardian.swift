internal import FoundationEssentials
internal import Linux

/// Waits beside the agent for a promotion's deadline, and takes the promotion back when nobody has confirmed it by then.
///
/// It needs neither agent nor coordinator: everything it goes by is the promoter's own journal. It looks at the record again
/// and again, since the watch may be made longer, and it lets the agent go first by ``grace`` seconds.
public struct Guardian: Sendable {
    /// Why it ended.
    public enum Ending: Sendable, Equatable {
        /// The watch confirmed it, or somebody took it back or froze it.
        case settled(PromotionPhase)
        /// There is no such promotion any more: it was given up before anything live changed, or its state directory is gone.
        case gone
        /// It was due and this process took it back, or froze it.
        case fired(RollbackResult)
    }

    let promoter: Promoter
    /// Seconds after the deadline that are left to the agent, which can tell people at once.
    let grace: Double
    /// Boot id and seconds since boot.
    let boot: @Sendable () throws -> (id: String, seconds: Double)
    let sleep: @Sendable (Double) async throws -> Void

    /// A guardian.
    ///
    /// - Parameters:
    ///   - promoter: Over the state directory that holds the promotion; it must not start guardians itself.
    ///   - grace: Seconds after the deadline that are left to the agent.
    public init(promoter: Promoter, grace: Double = 5) {
        self.init(
            promoter: promoter, grace: grace, boot: { (try BootID.bootID(), BootID.bootSeconds()) },
            sleep: { try await Task.sleep(for: .seconds($0)) })
    }

    init(
        promoter: Promoter, grace: Double, boot: @escaping @Sendable () throws -> (id: String, seconds: Double),
        sleep: @escaping @Sendable (Double) async throws -> Void
    ) {
        self.promoter = promoter
        self.grace = grace
        self.boot = boot
        self.sleep = sleep
    }

    /// Seconds until it acts; `nil` where nothing is armed.
    func remaining(_ id: String) throws -> Double? {
        guard let deadman = try promoter.store.read(Deadman.self, JournalStore.deadman, of: id) else { return nil }
        let (bootID, seconds) = try boot()
        return deadman.remaining(now: promoter.clock(), bootID: bootID, bootSeconds: seconds) + grace
    }

    /// Waits until it is settled or due, and then acts. Trouble is tried again for ever: giving up would leave live unwatched.
    ///
    /// - Parameters:
    ///   - id: The promotion.
    ///   - complain: Gets a sentence for an attempt that failed, once for each reason.
    /// - Returns: Why there is nothing left to do.
    /// - Throws: `CancellationError` alone.
    public func watch(id: String, complain: @Sendable (String) -> Void) async throws -> Ending {
        var complaint = ""
        while true {
            do {
                if let ending = try await look(id) { return ending }
            } catch is CancellationError {
                throw CancellationError()
            } catch PromotionError.notFound {
                return .gone
            } catch {
                if complaint != "\(error)" { complain("\(error)") }
                complaint = "\(error)"
            }
            let left = (try? remaining(id)).flatMap { $0 } ?? 0
            try await sleep(min(2, max(0.2, left)))
        }
    }

    private func look(_ id: String) async throws -> Ending? {
        let record = try promoter.store.knownPhase(of: id)
        switch record.phase {
        case .confirmed, .rolledBack, .frozen: return .settled(record.phase)
        default: break
        }
        // Where nothing is armed, nothing live has changed, or the record was lost: neither is worth waiting for.
        if let left = try remaining(id), left > 0 { return nil }
        if record.phase.isOpen && record.phase != .committed {
            // Whoever promoted is still at it (then this is busy, and tried again), or died half-way and did not come back.
            _ = try await promoter.recover()
            guard try promoter.store.knownPhase(of: id).phase == .promoted else { return nil }
        }
        return .fired(try await promoter.expire(id: id))
    }
}
