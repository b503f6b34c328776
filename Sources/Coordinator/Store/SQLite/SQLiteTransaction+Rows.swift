internal import Documents
internal import FoundationEssentials
internal import GRDB
internal import Ledger
internal import Missions

/// Rows to values and back.
extension SQLiteTransaction {
    static func text(_ value: some Encodable) throws -> String {
        String(decoding: try JSON(encoding: value).canonical, as: UTF8.self)
    }

    static func json(_ value: JSON) -> String { String(decoding: value.canonical, as: UTF8.self) }

    static func decode<T: Decodable>(_ type: T.Type, _ text: String, table: String, id: String) throws -> T {
        do {
            return try JSON(parsing: Data(text.utf8)).decode(type)
        } catch {
            throw StoreError.damaged(table: table, id: id, why: "\(error)")
        }
    }

    static func digest(_ text: String, table: String, id: String) throws -> Digest {
        guard let digest = Digest(hex: text) else {
            throw StoreError.damaged(table: table, id: id, why: "“\(text.prefix(80))” is no SHA-256 digest")
        }
        return digest
    }

    static func mission(_ row: Row) throws -> Mission {
        try decode(Mission.self, row["document"], table: "missions", id: row["id"])
    }

    static func session(_ row: Row) throws -> SessionRecord {
        SessionRecord(
            id: row["id"], missionID: row["mission"], status: row["status"], openedAt: date(row["opened_at"]),
            expiresAt: date(row["expires_at"]), warned: row["warned"],
            document: try decode(JSON.self, row["document"], table: "sessions", id: row["id"]))
    }

    static func token(_ row: Row) throws -> TokenRecord {
        let id: String = row["id"]
        guard let role = Role(rawValue: row["role"]), let source = TokenRecord.Source(rawValue: row["source"]) else {
            throw StoreError.damaged(table: "tokens", id: id, why: "its role or source is unknown")
        }
        return TokenRecord(
            id: id, principal: row["principal"], role: role, sha256: try digest(row["sha256"], table: "tokens", id: id),
            source: source, createdAt: date(row["created_at"]), revokedAt: (row["revoked_at"] as Int64?).map(date),
            hostID: row["host"])
    }

    static func host(_ row: Row) throws -> HostRecord {
        let id: String = row["id"]
        return HostRecord(
            id: id, identity: try decode(HostIdentity.self, row["identity"], table: "hosts", id: id), key: row["key"],
            tokenID: row["token"], enrolledAt: date(row["enrolled_at"]), lastSeen: date(row["last_seen"]),
            remedies: try decode([String: MissionFile].self, row["remedies"], table: "hosts", id: id))
    }

    static func act(_ row: Row) throws -> ActRecord {
        let id: String = row["id"]
        return ActRecord(
            id: try digest(id, table: "acts", id: id), kind: row["kind"], missionID: row["mission"],
            sessionID: row["session"], principal: row["principal"], at: date(row["at"]),
            envelope: try decode(Envelope.self, row["envelope"], table: "acts", id: id))
    }

    static func request(_ row: Row) throws -> RequestRecord {
        let id: String = row["id"]
        return RequestRecord(
            id: id, missionID: row["mission"], hostID: row["host"], kind: row["kind"], by: row["by"],
            reason: row["reason"],
            act: try (row["act"] as String?).map { try decode(Envelope.self, $0, table: "requests", id: id) },
            at: date(row["at"]), doneAt: (row["done_at"] as Int64?).map(date))
    }

    static func event(_ row: Row) throws -> EventRecord {
        let id: Int64 = row["id"]
        return EventRecord(
            id: id, topic: row["topic"], missionID: row["mission"], at: date(row["at"]),
            body: try decode(JSON.self, row["body"], table: "events", id: "\(id)"))
    }

    static func ledgerRow(_ row: Row) -> LedgerRow {
        LedgerRow(
            index: row["log_index"], id: row["id"], kind: row["kind"], missionID: row["mission"], leaf: row["leaf"])
    }

    static func journal(_ row: Row) throws -> JournalRecord {
        JournalRecord(
            hostID: row["host"], index: row["position"],
            digest: try digest(row["digest"], table: "journal", id: row["host"]), logIndex: row["log_index"])
    }

    static func notice(_ row: Row) throws -> NoticeRecord {
        let id: String = row["id"]
        return NoticeRecord(
            id: id, hook: row["hook"], event: row["event"],
            body: try decode(JSON.self, row["body"], table: "notices", id: id), attempts: row["attempts"],
            nextAt: date(row["next_at"]))
    }
}
