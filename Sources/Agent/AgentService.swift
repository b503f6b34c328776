public import AsyncHTTPClient
internal import Documents
internal import Fork
public import FoundationEssentials
public import Ledger
public import Linux
public import Logging
public import Missions
public import Promotion

/// Everything the agent works with; passed in, so that tests choose clocks, roots and links.
public struct AgentContext: Sendable {
    public var places: Places
    public var configuration: AgentConfiguration
    public var bench: TestBench
    public var key: SigningKey
    public var journal: Journal
    public var promoter: Promoter
    public var link: any CoordinatorLink
    public var http: HTTPClient
    public var detectors: [Detector]
    public var remedies: [String: Remedy]
    public var logger: Logger

    public init(
        places: Places, configuration: AgentConfiguration, bench: TestBench, key: SigningKey, journal: Journal,
        promoter: Promoter, link: any CoordinatorLink, http: HTTPClient, detectors: [Detector],
        remedies: [String: Remedy],
        logger: Logger
    ) {
        self.places = places
        self.configuration = configuration
        self.bench = bench
        self.key = key
        self.journal = journal
        self.promoter = promoter
        self.link = link
        self.http = http
        self.detectors = detectors
        self.remedies = remedies
        self.logger = logger
    }

    public var host: HostIdentity { bench.host }
    public var now: Date { bench.now() }

    func folder(_ mission: String) throws -> MissionFolder { try MissionFolder(root: places.missions, id: mission) }
}

/// The agent: detects, tests, promotes, watches and rolls back. One task a mission; a host lock keeps a promotion and a
/// trial's blocks apart.
public actor AgentService {
    let context: AgentContext
    let lock = HostLock()
    let spool: JournalSpool
    private var tasks: [String: (kind: String, task: Task<Void, Never>)] = [:]
    private var testing: String?
    /// No trial begins before this is over.
    var rest = TrialRest()
    private var isEnrolled = false
    private var lastComplaint = ""

    public init(_ context: AgentContext) {
        self.context = context
        self.spool = JournalSpool(journal: context.journal, link: context.link, state: context.places.agentState)
    }

    /// Runs until cancelled. What an interrupted run left on live is brought to a whole state before anything else.
    public func run() async throws {
        for outcome in try await context.promoter.recover() {
            context.logger.notice("recovered a promotion", metadata: ["outcome": "\(outcome)"])
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.work() }
            group.addTask { try await self.deadman() }
            group.addTask { try await self.spool.run() }
            for detector in context.detectors {
                group.addTask { try await self.detect(detector) }
            }
            let first = await group.nextResult()
            group.cancelAll()
            // A stop in order leaves no sandbox and no control group behind; what was measured is on disk.
            for (_, running) in tasks where running.kind == "test" {
                running.task.cancel()
                await running.task.value
            }
            try first?.get()
        }
    }

    /// Whether proposals, trials and promotions are stopped on this host; kept on disk, so that it survives restarts and a
    /// coordinator that can't be reached.
    ///
    /// Two files: what the coordinator said, and what root said on this host (`STATE/agent/paused.local`), which no coordinator
    /// takes back. If neither can be looked up, the answer is that it is paused.
    var isPaused: Bool {
        for path in [context.places.pauseFile, context.places.localPauseFile] {
            do {
                if try Files.status(path) != nil { return true }
            } catch {
                return true
            }
        }
        return false
    }

    private func work() async throws {
        while !Task.isCancelled {
            do {
                try await enrol()
                try await look()
                lastComplaint = ""
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                if "\(error)" != lastComplaint {
                    lastComplaint = "\(error)"
                    context.logger.warning("\(error)")
                }
            }
            try await Task.sleep(for: .milliseconds(500))
        }
    }

    private func enrol() async throws {
        guard !isEnrolled else { return }
        let answer = try await context.link.enrol(
            Enrolment(
                identity: context.host, public_key: context.key.publicKey.string,
                remedies: context.remedies.mapValues(\.template)))
        try LedgerPin.check(answer.ledger_key, path: context.places.pinnedLedgerKey)
        isEnrolled = true
        context.logger.notice(
            "enrolled",
            metadata: ["host": "\(context.host.name)", "coordinator": "\(context.configuration.coordinator)"])
    }

    private func look() async throws {
        try await takePause(try await context.link.pause())
        let list = try await context.link.work(host: context.host.id)
        for request in list.requests { await serve(request) }
        // Settled ones are on the list as long as something was asked of them.
        let known = Set(list.missions.filter { !$0.phase.isSettled }.map(\.id))
        for (id, running) in tasks where running.kind == "test" {
            // A mission that people cancelled meanwhile is no longer on the list.
            if !known.contains(id) { running.task.cancel() }
        }
        for mission in list.missions where tasks[mission.id] == nil { begin(mission) }
        await discardForks(but: known)
    }

    /// Forks of missions that are settled, rejected or cancelled ones above all, are only disk space.
    private func discardForks(but open: Set<String>) async {
        guard let forks = try? context.bench.forks() else { return }
        for id in (try? forks.list()) ?? [] where !open.contains(id) && tasks[id] == nil {
            guard let view = try? await context.link.mission(id), view.mission.phase.isSettled, tasks[id] == nil else {
                continue
            }
            try? forks.discard(id: id)
        }
    }

    /// Rolls back whatever no watch confirmed in time, with or without a coordinator (DESIGN section 8.6). It waits for nothing
    /// else the agent does.
    private func deadman() async throws {
        while !Task.isCancelled {
            for id in (try? context.promoter.due()) ?? [] { await fire(id) }
            try await Task.sleep(for: .seconds(2))
        }
    }

    private func fire(_ id: String) async {
        let mission = id.split(separator: "-").dropLast().joined(separator: "-")
        stopTests()
        tasks[mission]?.task.cancel()
        let result: RollbackResult
        do {
            result = try await context.promoter.expire(id: id)
        } catch {
            // Busy or in trouble: it stays due, and is tried again.
            context.logger.error("the promotion \(id) was not confirmed in time, and its rollback failed: \(error)")
            return
        }
        context.logger.error(
            "the promotion \(id) was not confirmed in time and is \(result == .rolledBack ? "rolled back" : "frozen")")
        _ = try? context.journal.append(kind: "deadman.fired", mission: mission, body: ["promotion": .string(id)])
        Task {
            await conclude(result, id, mission: mission, begun: false, "No watch confirmed the promotion in time.")
        }
    }

    /// Ends running tests; what they measured is kept, and they go on later.
    func stopTests() {
        for (_, running) in tasks where running.kind == "test" { running.task.cancel() }
    }

    private func takePause(_ answer: PauseAnswer) async throws {
        if answer.paused, !isPaused {
            try Files.writeAtomically(
                context.places.pauseFile, Data("\(answer.by ?? "") \(answer.reason ?? "")\n".utf8), mode: 0o600)
            _ = try? context.journal.append(kind: "pause", body: ["by": .string(answer.by ?? "")])
        } else if !answer.paused, try Files.status(context.places.pauseFile) != nil {
            try Files.removeTree(context.places.pauseFile)
            _ = try? context.journal.append(kind: "resume", body: ["by": .string(answer.by ?? "")])
        }
        if isPaused { stopTests() }
    }

    private func begin(_ mission: Mission) {
        switch mission.phase {
        case .detected, .sandboxTesting, .needsMoreTesting:
            guard !isPaused, testing == nil, context.now.timeIntervalSince1970 >= rest.until else { return }
            testing = mission.id
            start(mission, "test") { await self.test(mission) }
        case .liveExecution:
            guard !isPaused else { return }
            start(mission, "execute") { await self.execute(mission) }
        case .monitoring:
            start(mission, "watch") { await self.watch(mission) }
        case .rollingBack:
            start(mission, "rollback") { await self.finishRollback(mission, reason: mission.reason) }
        default: break
        }
    }

    private func start(_ mission: Mission, _ kind: String, _ body: @escaping @Sendable () async -> Void) {
        let id = mission.id
        let task = Task {
            await body()
            self.ended(id)
        }
        tasks[id] = (kind, task)
    }

    private func ended(_ id: String) {
        tasks[id] = nil
        if testing == id { testing = nil }
    }

    /// What people asked for through the coordinator. A rollback is the safe direction and is never refused for a pause.
    private func serve(_ request: WorkRequest) async {
        switch request.kind {
        case "cancel":
            if let running = tasks[request.mission_id], running.kind == "test" { running.task.cancel() }
        case "retest":
            await forget(request.mission_id)
        case "rollback":
            if let running = tasks[request.mission_id], running.kind == "watch" { running.task.cancel() }
            await requestedRollback(request)
        default:
            context.logger.warning("the coordinator asked for something unknown", metadata: ["kind": "\(request.kind)"])
        }
    }

    /// A new test against live as it is now; not while this very change is on live.
    private func forget(_ mission: String) async {
        guard let folder = try? context.folder(mission) else { return }
        if let record: PromotionRecord = try? folder.value("promotion.json"),
            let status = context.promoter.status(id: record.promotion), status.phase != .rolledBack
        {
            context.logger.warning("the mission \(mission) is live here; it is not tested anew")
            return
        }
        if let running = tasks[mission], running.kind == "test" { running.task.cancel() }
        try? folder.forgetTest()
    }

    /// Reports an event until the coordinator has it; the event's id makes repeats harmless.
    func report(_ event: MissionEvent, _ mission: String, reason: String, body: JSON = .object([:])) async throws
        -> MissionPhase
    {
        let report = EventReport(event_id: Self.eventID(), event: event, reason: reason, body: body)
        while true {
            do {
                return try await context.link.report(report, mission: mission)
            } catch let error as LinkError where error.isPassing {
                context.logger.warning("\(error)")
                try await Task.sleep(for: .seconds(1))
            }
        }
    }

    static func eventID() -> String { MissionTester.nonce(SystemRandomNumberGenerator()) }
}

/// The ledger's public key, pinned at first sight.
enum LedgerPin {
    static func check(_ key: String, path: String) throws {
        let offered = try VerifyingKey(parsing: key)
        if try Files.status(path) == nil {
            try Files.writeAtomically(path, Data((offered.string + "\n").utf8), mode: 0o644)
            return
        }
        let pinned = try VerifyingKey(
            parsing: Files.readString(path).split(separator: "\n").first.map(String.init) ?? "")
        guard pinned == offered else {
            throw AgentError(
                "The coordinator shows another ledger key (\(offered.keyIDHex)) than the one pinned in \(path) (\(pinned.keyIDHex)). "
                    + "Nothing is sent or promoted. If the ledger was replaced on purpose, remove that file as root.")
        }
    }

    static func load(path: String) throws -> VerifyingKey {
        try VerifyingKey(parsing: Files.readString(path).split(separator: "\n").first.map(String.init) ?? "")
    }
}
