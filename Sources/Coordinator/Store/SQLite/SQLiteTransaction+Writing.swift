internal import Documents
internal import FoundationEssentials
internal import GRDB
internal import Ledger
internal import Missions

extension SQLiteTransaction: StoreWriter {
    private func run(_ sql: String, _ arguments: StatementArguments) throws {
        try database.execute(sql: sql, arguments: arguments)
    }

    func save(_ mission: Mission, dedupeKey: String?) throws {
        try run(
            """
            INSERT INTO missions (id, phase, settled, host, dedupe_key, has_evidence, created_at, document)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT(id) DO UPDATE SET phase = excluded.phase, settled = excluded.settled, host = excluded.host,
                has_evidence = excluded.has_evidence, document = excluded.document
            """,
            [
                mission.id, mission.phase.rawValue, mission.phase.isSettled, mission.host, dedupeKey,
                mission.evidence != nil, Self.milliseconds(mission.createdAt), try Self.text(mission),
            ])
    }

    func save(_ session: SessionRecord) throws {
        try run(
            """
            INSERT INTO sessions (id, mission, status, opened_at, expires_at, warned, document) VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT(id) DO UPDATE SET status = excluded.status, expires_at = excluded.expires_at,
                warned = excluded.warned, document = excluded.document
            """,
            [
                session.id, session.missionID, session.status, Self.milliseconds(session.openedAt),
                Self.milliseconds(session.expiresAt), session.warned, Self.json(session.document),
            ])
    }

    func save(_ evidence: EvidenceRecord) throws {
        try run(
            "INSERT OR REPLACE INTO evidence (mission, digest, envelope, at) VALUES (?, ?, ?, ?)",
            [evidence.missionID, evidence.digest.hex, try Self.text(evidence.envelope), Self.milliseconds(evidence.at)])
    }

    func save(_ changes: ChangesRecord) throws {
        try run(
            "INSERT OR REPLACE INTO changes (mission, manifest, base, diff, at) VALUES (?, ?, ?, ?, ?)",
            [changes.missionID, changes.manifest, changes.base, changes.diff, Self.milliseconds(changes.at)])
    }

    func save(_ blob: BlobRecord) throws {
        try run(
            "INSERT OR IGNORE INTO blobs (digest, size, at) VALUES (?, ?, ?)",
            [blob.digest.hex, blob.size, Self.milliseconds(blob.at)])
    }

    func add(_ act: ActRecord) throws {
        try run(
            "INSERT OR IGNORE INTO acts (id, kind, mission, session, principal, at, envelope) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                act.id.hex, act.kind, act.missionID, act.sessionID, act.principal, Self.milliseconds(act.at),
                try Self.text(act.envelope),
            ])
    }

    func save(_ token: TokenRecord) throws {
        try run(
            """
            INSERT INTO tokens (id, principal, role, sha256, source, created_at, revoked_at, host) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT(id) DO UPDATE SET principal = excluded.principal, role = excluded.role, source = excluded.source,
                revoked_at = excluded.revoked_at, host = excluded.host
            """,
            [
                token.id, token.principal, token.role.rawValue, token.sha256.hex, token.source.rawValue,
                Self.milliseconds(token.createdAt), token.revokedAt.map(Self.milliseconds), token.hostID,
            ])
    }

    func save(_ host: HostRecord) throws {
        try run(
            """
            INSERT OR REPLACE INTO hosts (id, identity, key, token, enrolled_at, last_seen, remedies)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """,
            [
                host.id, try Self.text(host.identity), host.key, host.tokenID, Self.milliseconds(host.enrolledAt),
                Self.milliseconds(host.lastSeen), try Self.text(host.remedies),
            ])
    }

    func touch(host: String, at: Date) throws {
        try run("UPDATE hosts SET last_seen = ? WHERE id = ?", [Self.milliseconds(at), host])
    }

    func recordFetch(token: String, mission: String, evidence: Digest, at: Date) throws {
        try run(
            "INSERT OR REPLACE INTO fetches (token, mission, evidence, at) VALUES (?, ?, ?, ?)",
            [token, mission, evidence.hex, Self.milliseconds(at)])
    }

    func set(_ key: String, _ value: JSON?) throws {
        guard let value else { return try run("DELETE FROM settings WHERE key = ?", [key]) }
        try run("INSERT OR REPLACE INTO settings (key, value) VALUES (?, ?)", [key, Self.json(value)])
    }

    func recordAnswer(scope: String, key: String, answer: JSON, at: Date) throws {
        try run(
            "INSERT INTO answers (scope, key, answer, at) VALUES (?, ?, ?, ?)",
            [scope, key, Self.json(answer), Self.milliseconds(at)])
    }

    func save(_ request: RequestRecord) throws {
        try run(
            """
            INSERT OR REPLACE INTO requests (id, mission, host, kind, by, reason, act, at, done_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                request.id, request.missionID, request.hostID, request.kind, request.by, request.reason,
                try request.act.map(Self.text), Self.milliseconds(request.at), request.doneAt.map(Self.milliseconds),
            ])
    }

    func finishRequests(mission: String, kinds: [String], at: Date) throws {
        for kind in kinds {
            try run(
                "UPDATE requests SET done_at = ? WHERE mission = ? AND kind = ? AND done_at IS NULL",
                [Self.milliseconds(at), mission, kind])
        }
    }

    func save(_ text: TextCommitment, digest: Digest) throws {
        try run("INSERT OR IGNORE INTO texts (digest, document) VALUES (?, ?)", [digest.hex, try Self.text(text)])
    }

    func addEvent(topic: String, mission: String?, at: Date, body: JSON) throws -> Int64 {
        try run(
            "INSERT INTO events (topic, mission, at, body) VALUES (?, ?, ?, ?)",
            [topic, mission, Self.milliseconds(at), Self.json(body)])
        return database.lastInsertedRowID
    }

    func addLedger(_ entry: LedgerEntry, leaf: Data) throws -> Int64 {
        let index = try ledgerCount()
        try run(
            "INSERT INTO ledger (log_index, id, kind, mission, leaf) VALUES (?, ?, ?, ?, ?)",
            [index, entry.id, entry.kind, entry.mission, leaf])
        return index
    }

    func add(_ journal: JournalRecord) throws {
        try run(
            "INSERT INTO journal (host, position, digest, log_index) VALUES (?, ?, ?, ?)",
            [journal.hostID, journal.index, journal.digest.hex, journal.logIndex])
    }

    func add(_ notice: NoticeRecord) throws {
        try run(
            "INSERT INTO notices (id, hook, event, body, attempts, next_at) VALUES (?, ?, ?, ?, ?, ?)",
            [
                notice.id, notice.hook, notice.event, Self.json(notice.body), notice.attempts,
                Self.milliseconds(notice.nextAt),
            ])
    }

    func update(_ notice: NoticeRecord) throws {
        try run(
            "UPDATE notices SET attempts = ?, next_at = ? WHERE id = ?",
            [notice.attempts, Self.milliseconds(notice.nextAt), notice.id])
    }

    func removeNotice(_ id: String) throws {
        try run("DELETE FROM notices WHERE id = ?", [id])
    }

    func trimNotices(hook: String, keep: Int) throws -> Int {
        try run(
            "DELETE FROM notices WHERE hook = ?1 AND seq NOT IN (SELECT seq FROM notices WHERE hook = ?1 ORDER BY seq DESC LIMIT ?2)",
            [hook, keep])
        return database.changesCount
    }

    func prune(before: Date) throws -> Int {
        let limit = Self.milliseconds(before)
        try run("DELETE FROM answers WHERE at < ?", [limit])
        var gone = database.changesCount
        try run("DELETE FROM events WHERE at < ?", [limit])
        gone += database.changesCount
        return gone
    }
}
