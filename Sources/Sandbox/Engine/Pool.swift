internal import Glibc
internal import Linux
internal import Synchronization

/// Sandboxes that were started ahead and wait for their one user: nothing has run in them but their own PID 1.
final class Pool: Sendable {
    private struct Parked {
        var sandbox: Sandbox
        /// Of the host's mounts, see ``Ground/generation()``.
        var generation: UInt64
        var since: ContinuousClock.Instant
        /// What there was of the paths that it hides; see ``SandboxEngine/keepReady(_:count:)``.
        var hidden: [String] = []
    }
    /// Longest that one waits: what no mount tells (users, sysctls) is looked at again after that, as ``Ground`` does.
    static let patience = Duration.seconds(60)

    private let parked = Mutex<[Parked]>([])

    var isEmpty: Bool { parked.withLock { $0.isEmpty } }

    var all: [Sandbox] { parked.withLock { $0.map(\.sandbox) } }

    /// Those of this specification that may still be taken.
    func count(_ specification: SandboxSpecification, _ generation: UInt64) -> Int {
        parked.withLock { $0.count { Self.fits($0, specification, generation) } }
    }

    func park(_ sandbox: Sandbox, _ generation: UInt64, hidden: [String] = []) {
        parked.withLock {
            $0.append(Parked(sandbox: sandbox, generation: generation, since: .now, hidden: hidden))
        }
    }

    /// The oldest that fits, for one use.
    func take(_ specification: SandboxSpecification, _ generation: UInt64) -> Sandbox? {
        parked.withLock { parked in
            parked.firstIndex { Self.fits($0, specification, generation) }.map { parked.remove(at: $0).sandbox }
        }
    }

    /// Those that nobody may use any more, for the caller to end.
    func evict(_ generation: UInt64) -> [Sandbox] { evict { !Self.isFresh($0, generation) } }

    /// The same, and those of another specification, that hide other paths, or that soon nobody may use.
    func evict(_ generation: UInt64, but specification: SandboxSpecification, _ hidden: [String]) -> [Sandbox] {
        evict {
            !Self.fits($0, specification, generation) || $0.hidden != hidden
                || $0.since.duration(to: .now) > Self.patience * 0.75
        }
    }

    private func evict(where isOver: (Parked) -> Bool) -> [Sandbox] {
        parked.withLock { parked in
            let middle = parked.partition(by: isOver)
            defer { parked.removeSubrange(middle...) }
            return parked[middle...].map(\.sandbox)
        }
    }

    /// Everything, no longer parked.
    func drain() -> [Sandbox] {
        parked.withLock { parked in
            defer { parked = [] }
            return parked.map(\.sandbox)
        }
    }

    private static func isFresh(_ one: Parked, _ generation: UInt64) -> Bool {
        one.generation == generation && one.since.duration(to: .now) < patience && !one.sandbox.hasEnded
    }

    private static func fits(_ one: Parked, _ specification: SandboxSpecification, _ generation: UInt64) -> Bool {
        isFresh(one, generation) && one.sandbox.specification == specification
    }
}

extension SandboxEngine {
    /// Starts sandboxes ahead, until `count` of this specification wait; each is used once, by the next ``start(_:)`` that asks for the
    /// same. For bursts: taking one costs no more than starting a program.
    ///
    /// One that waited for a minute, or through a change of the host's mounts, is not used any more; it ends with the next call of
    /// this or of ``start(_:)``. Those that are left over end with ``discardPrewarmed()``, and with the engine. At most `count` are
    /// started in one call, also where the host's mounts change all the time.
    ///
    /// - Throws: as ``start(_:)``; those that were started before stay. ``SandboxError/invalid(_:)`` for a layer that outlives its
    ///   sandbox: only one sandbox at a time may write it.
    public func prewarm(_ specification: SandboxSpecification, count: Int) async throws {
        guard !specification.overlays.contains(where: \.isLasting) else {
            throw SandboxError.invalid(
                "A sandbox with a lasting layer can't be started ahead: start it when it is needed.")
        }
        try await fill(specification, count: count)
    }

    private func fill(_ specification: SandboxSpecification, count: Int, hidden: [String] = []) async throws {
        for _ in 0..<max(0, count) {
            // Asked before starting: a mount that comes meanwhile makes it stale at once.
            let generation = try ground.generation()
            for sandbox in pool.evict(generation) { _ = try? await sandbox.end() }
            guard pool.count(specification, generation) < count else { return }
            let sandbox = try await fresh(specification)
            sandbox.stopClock()
            pool.park(sandbox, generation, hidden: hidden)
        }
    }

    /// One that was started ahead and fits, its time begun; `nil`: there is none.
    func takeReady(_ specification: SandboxSpecification, _ generation: UInt64) async throws -> Sandbox? {
        guard let ready = pool.take(specification, generation) else { return nil }
        do {
            try ready.startClock()
        } catch {
            _ = try? await ready.end()
            throw error
        }
        return ready
    }

    /// As ``prewarm(_:count:)``, for sandboxes that wait for as long as somebody may want one: those that are over, are of another
    /// specification, or hide less than a new one would are ended, and replaced before they are over. To be called again and again.
    func keepReady(_ specification: SandboxSpecification, count: Int) async throws {
        let generation = try ground.generation()
        let hidden = try hiddenPaths(specification)
        for sandbox in pool.evict(generation, but: specification, hidden) { _ = try? await sandbox.end() }
        try await fill(specification, count: count, hidden: hidden)
    }

    /// Those paths of a specification that there are: one that comes later is not hidden in a sandbox that waits.
    private func hiddenPaths(_ specification: SandboxSpecification) throws -> [String] {
        let view = try ground.view(hiding: specification.masks)
        return (view.masks.map(\.path) + specification.profile.hide).filter { access($0, F_OK) == 0 }
    }

    /// Ends what ``prewarm(_:count:)`` started and nobody took.
    public func discardPrewarmed() async {
        for sandbox in pool.drain() { _ = try? await sandbox.end() }
    }
}
