internal import Documents
internal import FoundationEssentials
internal import GRDB
internal import Ledger
internal import Missions

extension SQLiteTransaction: StoreReader {
    private func one<T>(_ sql: String, _ arguments: StatementArguments, _ map: (Row) throws -> T) throws -> T? {
        try Row.fetchOne(database, sql: sql, arguments: arguments).map(map)
    }

    private func all<T>(_ sql: String, _ arguments: StatementArguments = [], _ map: (Row) throws -> T) throws -> [T] {
        try Row.fetchAll(database, sql: sql, arguments: arguments).map(map)
    }

    private func count(_ sql: String, _ arguments: StatementArguments = []) throws -> Int {
        try Int.fetchOne(database, sql: sql, arguments: arguments) ?? 0
    }

    func mission(_ id: String) throws -> Mission? {
        try one("SELECT * FROM missions WHERE id = ?", [id], Self.mission)
    }

    func missions(phase: MissionPhase?, limit: Int, after: Int64?) throws -> MissionPage {
        let phase = phase?.rawValue
        let total = try count("SELECT COUNT(*) FROM missions WHERE ?1 IS NULL OR phase = ?1", [phase])
        let rows = try Row.fetchAll(
            database,
            sql: "SELECT * FROM missions WHERE (?1 IS NULL OR phase = ?1) AND seq < ?2 ORDER BY seq DESC LIMIT ?3",
            arguments: [phase, after ?? Int64.max, limit + 1])
        let shown = rows.prefix(limit)
        return MissionPage(
            total: total, missions: try shown.map(Self.mission),
            next: rows.count > limit ? shown.last.map { $0["seq"] as Int64 } : nil)
    }

    func openMissions() throws -> [Mission] {
        try all("SELECT * FROM missions WHERE settled = 0 ORDER BY seq", [], Self.mission)
    }

    func mission(dedupeKey: String, host: String) throws -> Mission? {
        try one(
            "SELECT * FROM missions WHERE dedupe_key = ? AND host = ? ORDER BY seq DESC LIMIT 1", [dedupeKey, host],
            Self.mission)
    }

    func missionCounts() throws -> [MissionPhase: Int] {
        let pairs: [(MissionPhase, Int)] = try all("SELECT phase, COUNT(*) AS n FROM missions GROUP BY phase") { row in
            guard let phase = MissionPhase(rawValue: row["phase"]) else {
                throw StoreError.damaged(
                    table: "missions", id: "-", why: "the phase \(row["phase"] as String) is unknown")
            }
            return (phase, row["n"])
        }
        return Dictionary(pairs, uniquingKeysWith: +)
    }

    func missionsWithEvidence(limit: Int) throws -> [Mission] {
        try all("SELECT * FROM missions WHERE has_evidence = 1 ORDER BY seq DESC LIMIT ?", [limit], Self.mission)
    }

    func session(_ id: String) throws -> SessionRecord? {
        try one("SELECT * FROM sessions WHERE id = ?", [id], Self.session)
    }

    func sessions(status: String?, mission: String?, limit: Int, after: Int64?) throws -> SessionPage {
        let filter = "(?1 IS NULL OR status = ?1) AND (?2 IS NULL OR mission = ?2)"
        let total = try count("SELECT COUNT(*) FROM sessions WHERE \(filter)", [status, mission])
        let rows = try Row.fetchAll(
            database, sql: "SELECT * FROM sessions WHERE \(filter) AND seq < ?3 ORDER BY seq DESC LIMIT ?4",
            arguments: [status, mission, after ?? Int64.max, limit + 1])
        let shown = rows.prefix(limit)
        return SessionPage(
            total: total, sessions: try shown.map(Self.session),
            next: rows.count > limit ? shown.last.map { $0["seq"] as Int64 } : nil)
    }

    func sessionsDue(at now: Date) throws -> [SessionRecord] {
        try all(
            """
            SELECT sessions.* FROM sessions JOIN missions ON missions.id = sessions.mission
            WHERE sessions.status = 'open' AND sessions.expires_at <= ?1 OR sessions.status = 'approved'
                AND missions.phase = 'consensus' AND sessions.expires_at <= ?1 ORDER BY sessions.seq
            """,
            [Self.milliseconds(now)], Self.session)
    }

    func sessionsUnwarned() throws -> [SessionRecord] {
        try all("SELECT * FROM sessions WHERE status = 'open' AND warned = 0 ORDER BY seq", [], Self.session)
    }

    func evidence(mission: String) throws -> EvidenceRecord? {
        try one("SELECT * FROM evidence WHERE mission = ?", [mission]) { row in
            EvidenceRecord(
                missionID: mission, digest: try Self.digest(row["digest"], table: "evidence", id: mission),
                envelope: try Self.decode(Envelope.self, row["envelope"], table: "evidence", id: mission),
                at: Self.date(row["at"]))
        }
    }

    func changes(mission: String) throws -> ChangesRecord? {
        try one("SELECT * FROM changes WHERE mission = ?", [mission]) { row in
            ChangesRecord(
                missionID: mission, manifest: row["manifest"], base: row["base"], diff: row["diff"],
                at: Self.date(row["at"]))
        }
    }

    func blob(_ digest: Digest) throws -> BlobRecord? {
        try one("SELECT * FROM blobs WHERE digest = ?", [digest.hex]) { row in
            BlobRecord(digest: digest, size: row["size"], at: Self.date(row["at"]))
        }
    }

    func acts(mission: String?) throws -> [ActRecord] {
        try all("SELECT * FROM acts WHERE mission IS ? ORDER BY seq", [mission], Self.act)
    }

    func act(_ id: Digest) throws -> ActRecord? {
        try one("SELECT * FROM acts WHERE id = ?", [id.hex], Self.act)
    }

    func token(sha256: Digest) throws -> TokenRecord? {
        try one("SELECT * FROM tokens WHERE sha256 = ?", [sha256.hex], Self.token)
    }

    func tokens() throws -> [TokenRecord] {
        try all("SELECT * FROM tokens ORDER BY created_at, id", [], Self.token)
    }

    func host(_ id: String) throws -> HostRecord? {
        try one("SELECT * FROM hosts WHERE id = ?", [id], Self.host)
    }

    func hosts() throws -> [HostRecord] {
        try all("SELECT * FROM hosts ORDER BY enrolled_at, id", [], Self.host)
    }

    func fetchedEvidence(token: String, mission: String) throws -> Digest? {
        try one("SELECT evidence FROM fetches WHERE token = ? AND mission = ?", [token, mission]) { row in
            try Self.digest(row["evidence"], table: "fetches", id: token)
        }
    }

    func setting(_ key: String) throws -> JSON? {
        try one("SELECT value FROM settings WHERE key = ?", [key]) { row in
            try Self.decode(JSON.self, row["value"], table: "settings", id: key)
        }
    }

    func answer(scope: String, key: String) throws -> JSON? {
        try one("SELECT answer FROM answers WHERE scope = ? AND key = ?", [scope, key]) { row in
            try Self.decode(JSON.self, row["answer"], table: "answers", id: key)
        }
    }

    func requests(host: String, since: Date) throws -> [RequestRecord] {
        try all(
            "SELECT * FROM requests WHERE done_at IS NULL AND at >= ? AND (host IS NULL OR host = ?) ORDER BY at, id",
            [Self.milliseconds(since), host], Self.request)
    }

    func text(_ digest: Digest) throws -> TextCommitment? {
        try one("SELECT document FROM texts WHERE digest = ?", [digest.hex]) { row in
            try Self.decode(TextCommitment.self, row["document"], table: "texts", id: digest.hex)
        }
    }

    func events(after id: Int64, limit: Int) throws -> [EventRecord] {
        try all("SELECT * FROM events WHERE id > ? ORDER BY id LIMIT ?", [id, limit], Self.event)
    }

    func lastEventID() throws -> Int64 {
        try Int64.fetchOne(database, sql: "SELECT MAX(id) FROM events") ?? 0
    }

    func ledgerRows(from index: Int64, limit: Int) throws -> [LedgerRow] {
        try all("SELECT * FROM ledger WHERE log_index >= ? ORDER BY log_index LIMIT ?", [index, limit], Self.ledgerRow)
    }

    func ledgerRows(mission: String) throws -> [LedgerRow] {
        try all("SELECT * FROM ledger WHERE mission = ? ORDER BY log_index", [mission], Self.ledgerRow)
    }

    func ledgerRow(id: String) throws -> LedgerRow? {
        try one("SELECT * FROM ledger WHERE id = ?", [id], Self.ledgerRow)
    }

    func ledgerCount() throws -> Int64 {
        (try Int64.fetchOne(database, sql: "SELECT MAX(log_index) FROM ledger") ?? -1) + 1
    }

    func journal(host: String, index: Int64) throws -> JournalRecord? {
        try one("SELECT * FROM journal WHERE host = ? AND position = ?", [host, index], Self.journal)
    }

    func lastJournal(host: String) throws -> JournalRecord? {
        try one("SELECT * FROM journal WHERE host = ? ORDER BY position DESC LIMIT 1", [host], Self.journal)
    }

    func noticesDue(at now: Date, limit: Int) throws -> [NoticeRecord] {
        try all(
            "SELECT * FROM notices WHERE next_at <= ? ORDER BY next_at, seq LIMIT ?", [Self.milliseconds(now), limit],
            Self.notice)
    }

    func noticeCount(hook: String?) throws -> Int {
        try count("SELECT COUNT(*) FROM notices WHERE ?1 IS NULL OR hook = ?1", [hook])
    }

    func nextNoticeTime() throws -> Date? {
        try Int64.fetchOne(database, sql: "SELECT MIN(next_at) FROM notices").map(Self.date)
    }
}
