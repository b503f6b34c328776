public import Documents
public import FoundationEssentials
public import Ledger
public import Missions

/// Everything the coordinator must remember, behind one face, so that another database can take SQLite's place.
///
/// A transaction is serializable: what ``StoreWriter`` methods did inside one `write` is there as a whole and durably when
/// it returns, or not at all when its closure throws. Ids of events and of ledger rows are handed out without gaps in the
/// order in which transactions become visible.
public protocol Store: Sendable {
    /// Runs `body` against one consistent state.
    func read<T: Sendable>(_ body: @Sendable (any StoreReader) throws -> T) async throws -> T
    /// Runs `body` as one transaction.
    func write<T: Sendable>(_ body: @Sendable (any StoreWriter) throws -> T) async throws -> T
    /// Gives back files and connections; nothing may be called afterwards.
    func close() throws
    /// A word for status pages, such as `sqlite`.
    var kind: String { get }
}

/// One page of a list, newest first.
public struct MissionPage: Sendable {
    /// How many there are in all, whatever the page.
    public var total: Int
    public var missions: [Mission]
    /// Where the next page begins; `nil` on the last one.
    public var next: Int64?

    public init(total: Int, missions: [Mission], next: Int64?) {
        self.total = total
        self.missions = missions
        self.next = next
    }
}

/// What can be asked of one consistent state of the store.
public protocol StoreReader {
    func mission(_ id: String) throws -> Mission?
    /// At most `limit` missions older than the cursor `after`.
    func missions(phase: MissionPhase?, limit: Int, after: Int64?) throws -> MissionPage
    /// Every mission that is not settled, oldest first.
    func openMissions() throws -> [Mission]
    /// The newest mission with that key for de-duplication on that host.
    func mission(dedupeKey: String, host: String) throws -> Mission?
    func missionCounts() throws -> [MissionPhase: Int]
    /// The newest missions that have evidence.
    func missionsWithEvidence(limit: Int) throws -> [Mission]

    func session(_ id: String) throws -> SessionRecord?
    func sessions(status: String?, mission: String?, limit: Int, after: Int64?) throws -> SessionPage
    /// Sessions whose time is over at `now`: open ones, and approved ones whose mission still waits in `consensus`.
    func sessionsDue(at now: Date) throws -> [SessionRecord]
    /// Open sessions of which nobody was warned yet that they expire.
    func sessionsUnwarned() throws -> [SessionRecord]

    func evidence(mission: String) throws -> EvidenceRecord?
    func changes(mission: String) throws -> ChangesRecord?
    func blob(_ digest: Digest) throws -> BlobRecord?
    /// Signed acts of a mission, oldest first; with `nil`, those that belong to none.
    func acts(mission: String?) throws -> [ActRecord]

    func act(_ id: Digest) throws -> ActRecord?

    func token(sha256: Digest) throws -> TokenRecord?
    func tokens() throws -> [TokenRecord]
    func host(_ id: String) throws -> HostRecord?
    func hosts() throws -> [HostRecord]
    /// The digest of the evidence of `mission` that this token last fetched.
    func fetchedEvidence(token: String, mission: String) throws -> Digest?

    func setting(_ key: String) throws -> JSON?
    /// What was answered to a request with that key; `nil` when it is new.
    func answer(scope: String, key: String) throws -> JSON?
    func requests(host: String, since: Date) throws -> [RequestRecord]
    func text(_ digest: Digest) throws -> TextCommitment?

    /// Events after `id`, oldest first.
    func events(after id: Int64, limit: Int) throws -> [EventRecord]
    func lastEventID() throws -> Int64
    /// Ledger rows from `index` on, in order.
    func ledgerRows(from index: Int64, limit: Int) throws -> [LedgerRow]
    func ledgerRows(mission: String) throws -> [LedgerRow]
    func ledgerRow(id: String) throws -> LedgerRow?
    func ledgerCount() throws -> Int64

    func journal(host: String, index: Int64) throws -> JournalRecord?
    func lastJournal(host: String) throws -> JournalRecord?

    func noticesDue(at now: Date, limit: Int) throws -> [NoticeRecord]
    func noticeCount(hook: String?) throws -> Int
    func nextNoticeTime() throws -> Date?
}

/// What can be done in a transaction, besides reading.
public protocol StoreWriter: StoreReader {
    /// Adds or replaces a mission; the key is kept from the first time.
    func save(_ mission: Mission, dedupeKey: String?) throws
    func save(_ session: SessionRecord) throws
    func save(_ evidence: EvidenceRecord) throws
    func save(_ changes: ChangesRecord) throws
    func save(_ blob: BlobRecord) throws
    /// Adds an act; one with the same id is left as it is.
    func add(_ act: ActRecord) throws
    func save(_ token: TokenRecord) throws
    func save(_ host: HostRecord) throws
    func touch(host: String, at: Date) throws
    func recordFetch(token: String, mission: String, evidence: Digest, at: Date) throws
    /// Sets a value; `nil` removes it.
    func set(_ key: String, _ value: JSON?) throws
    func recordAnswer(scope: String, key: String, answer: JSON, at: Date) throws
    func save(_ request: RequestRecord) throws
    /// Marks requests of that kind for the mission as done.
    func finishRequests(mission: String, kinds: [String], at: Date) throws
    func save(_ text: TextCommitment, digest: Digest) throws
    /// Adds an event and gives its id.
    @discardableResult
    func addEvent(topic: String, mission: String?, at: Date, body: JSON) throws -> Int64
    /// Hands the entry the next index of the log. The id must be new.
    @discardableResult
    func addLedger(_ entry: LedgerEntry, leaf: Data) throws -> Int64
    func add(_ journal: JournalRecord) throws
    func add(_ notice: NoticeRecord) throws
    func update(_ notice: NoticeRecord) throws
    func removeNotice(_ id: String) throws
    /// Removes the oldest notices of a hook beyond `keep`; gives how many went.
    func trimNotices(hook: String, keep: Int) throws -> Int
    /// Forgets answers and events older than that; gives how many went.
    func prune(before: Date) throws -> Int
}
