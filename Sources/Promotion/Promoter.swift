public import Documents
public import Fork
public import FoundationEssentials
internal import Linux
internal import Missions

/// Brings a tested change to live, all of it or nothing, and takes it back.
///
/// Files are staged beside their targets, journaled with their pre-images, and exchanged one name at a time; a kill at any
/// moment leaves a journal from which ``recover()`` makes live entirely old or entirely new. A command (``RerunIntent``) runs at
/// most once.
///
/// ```swift
/// let promoter = Promoter(state: "/var/lib/grace/promotions", blobs: blobs, record: journal)
/// _ = await promoter.recover()
/// let result = try await promoter.promote(id: "m-1", changeSet: tested, base: base, apply: mission.live.apply)
/// ```
public struct Promoter: Sendable {
    /// Writes to the agent's own signed journal; returns when the entry is durable.
    public typealias Record = @Sendable (_ kind: String, _ body: JSON) throws -> Void
    /// Starts the process that will take a promotion back unless it is confirmed in time; returns once that process watches.
    public typealias Guard = @Sendable (_ id: String) throws -> Void

    /// The directory that is `/` for change sets.
    public let root: String
    /// The directory that holds the journals.
    public let state: String
    let blobs: BlobStore
    let clock: @Sendable () -> Date
    let record: Record
    let calls: FileCalls
    let applier: LiveApplier
    let guardian: Guard?

    /// A promoter.
    ///
    /// - Parameters:
    ///   - root: The directory that is `/` for change sets.
    ///   - state: A directory of its own; made where it is missing. One promoter at a time works in it, by a lock.
    ///   - blobs: Where the contents of change sets are.
    ///   - clock: The wall clock.
    ///   - record: The agent's own journal. If it throws for an intent, nothing happens; for a rollback it is only asked.
    ///   - edge: Between the promoter and the kernel.
    ///   - systemctl: The program that reloads and restarts units.
    ///   - applies: Whether `live.apply` runs. At boot it does not: services start after recovery, with the files as they are then.
    ///   - guardian: Called once the rollback is armed on disk and before the first live byte changes; if it throws, nothing is
    ///     promoted. `nil`: nobody but this process looks at the deadline.
    public init(
        root: String = "/", state: String, blobs: BlobStore, clock: @escaping @Sendable () -> Date = { Date() },
        record: @escaping Record, edge: any FileEdge = KernelEdge(), systemctl: String = "systemctl",
        applies: Bool = true, guardian: Guard? = nil
    ) {
        self.root = root
        self.state = state
        self.blobs = blobs
        self.clock = clock
        self.record = record
        calls = FileCalls(edge: edge)
        applier = LiveApplier(systemctl: systemctl, isSilent: !applies)
        self.guardian = guardian
    }

    var store: JournalStore { JournalStore(directory: BytePath(state), calls: calls) }

    /// Enters something in the agent's journal where it must be there before anything happens.
    func recordIntent(_ kind: String, _ body: JSON) throws {
        do {
            try calls.edge.will(.record, kind)
            try record(kind, body)
        } catch {
            throw PromotionError.notRecorded("\(error)")
        }
    }

    /// Enters what has happened; it has happened whether or not the journal takes it.
    func recordFact(_ kind: String, _ body: JSON) {
        do {
            try calls.edge.will(.record, kind)
            try record(kind, body)
        } catch {
            // The promotion's own journal in `state` holds the same fact; the agent spools from there.
        }
    }

    func setPhase(_ phase: PromotionPhase, of id: String, _ change: (inout PhaseRecord) -> Void = { _ in }) throws {
        var record = try store.phase(of: id) ?? PhaseRecord(kind: .files, phase: phase, since: clock())
        record.phase = phase
        record.since = clock()
        change(&record)
        try store.write(record, as: JournalStore.phase, of: id)
    }

    /// What is known of the promotion `id`; `nil` where there is none or its journal can't be read.
    public func status(id: String) -> PromotionStatus? {
        guard (try? JournalStore.check(id)) != nil, let record = try? store.phase(of: id) else { return nil }
        let isWatched = record.phase == .promoted || record.phase == .committed
        let canRollBack =
            !record.isPurged
            && (isWatched || record.phase == .confirmed
                || record.phase == .frozen && (record.isWhole || record.kind == .files))
        return PromotionStatus(
            id: id, kind: record.kind, phase: record.phase, since: record.since, reason: record.reason,
            conflicts: record.conflicts, applied: record.applied, commands: record.commands,
            deadman: isWatched ? (try? store.read(Deadman.self, JournalStore.deadman, of: id)) ?? nil : nil,
            canRollBack: canRollBack)
    }

    /// Arms the rollback on disk, and has the process started that fires it.
    func arm(_ id: String, watch: Double, keeps: Bool) throws {
        let now = clock()
        try store.write(try Deadman(deadline: now + watch, now: now, keeps: keeps), as: JournalStore.deadman, of: id)
        guard let guardian else { return }
        do {
            try calls.edge.will(.run, "deadman")
            try guardian(id)
        } catch {
            throw PromotionError.unguarded("\(error)")
        }
    }

    /// Sets the armed rollback of a promotion under watch to another time.
    public func arm(id: String, deadline: Date) throws {
        let lock = try store.lock()
        defer { lock.close() }
        let record = try store.knownPhase(of: id)
        guard record.phase == .promoted || record.phase == .committed else {
            throw PromotionError.outOfOrder(id: id, phase: record.phase, wanted: "armed")
        }
        let keeps = try store.read(Deadman.self, JournalStore.deadman, of: id)?.keeps ?? false
        try store.write(
            try Deadman(deadline: deadline, now: clock(), keeps: keeps), as: JournalStore.deadman, of: id)
    }

    /// The promotions whose watch did not confirm them in time: each must be rolled back now.
    public func due() throws -> [String] {
        let (boot, seconds, now) = (try BootID.bootID(), BootID.bootSeconds(), clock())
        return try store.ids().filter {
            status(id: $0)?.deadman?.isDue(now: now, bootID: boot, bootSeconds: seconds) ?? false
        }
    }

    /// The promotions that nobody has confirmed yet and that are not taken back either.
    public func watched() throws -> [String] {
        try store.ids().filter { status(id: $0)?.deadman != nil }
    }

    /// The watch has passed: disarms the rollback. The pre-images stay, so that a person can still roll back, until ``purge(id:)``.
    public func confirm(id: String) throws {
        let lock = try store.lock()
        defer { lock.close() }
        let record = try store.knownPhase(of: id)
        if record.phase == .confirmed { return }
        guard record.phase == .promoted else {
            throw PromotionError.outOfOrder(id: id, phase: record.phase, wanted: "confirmed")
        }
        try setPhase(.confirmed, of: id)
        recordFact("promotion.confirmed", ["id": .string(id)])
    }
}
