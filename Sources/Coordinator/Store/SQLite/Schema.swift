internal import GRDB

/// The tables, and how older ones become today's. A migration that was released is never edited.
enum Schema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 missions, sessions, ledger, mesh") { database in
            for statement in first { try database.execute(sql: statement) }
        }
        return migrator
    }

    // Times are milliseconds since 1970, digests 64 hexadecimal digits, documents canonical JSON.
    private static let first = [
        """
        CREATE TABLE missions (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, phase TEXT NOT NULL, settled INTEGER NOT NULL,
            host TEXT, dedupe_key TEXT, has_evidence INTEGER NOT NULL, created_at INTEGER NOT NULL, document TEXT NOT NULL
        ) STRICT
        """,
        "CREATE INDEX missions_phase ON missions(phase, seq)",
        "CREATE INDEX missions_open ON missions(seq) WHERE settled = 0",
        "CREATE INDEX missions_dedupe ON missions(dedupe_key, host, seq) WHERE dedupe_key IS NOT NULL",
        """
        CREATE TABLE sessions (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, mission TEXT NOT NULL REFERENCES missions(id),
            status TEXT NOT NULL, opened_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, warned INTEGER NOT NULL,
            document TEXT NOT NULL
        ) STRICT
        """,
        "CREATE INDEX sessions_open ON sessions(expires_at) WHERE status = 'open'",
        "CREATE INDEX sessions_mission ON sessions(mission, seq)",
        """
        CREATE TABLE evidence (
            mission TEXT PRIMARY KEY REFERENCES missions(id), digest TEXT NOT NULL, envelope TEXT NOT NULL, at INTEGER NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE changes (
            mission TEXT PRIMARY KEY REFERENCES missions(id), manifest BLOB NOT NULL, base BLOB NOT NULL, diff TEXT NOT NULL,
            at INTEGER NOT NULL
        ) STRICT
        """,
        "CREATE TABLE blobs (digest TEXT PRIMARY KEY, size INTEGER NOT NULL, at INTEGER NOT NULL) STRICT",
        """
        CREATE TABLE acts (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, mission TEXT, session TEXT,
            principal TEXT NOT NULL, at INTEGER NOT NULL, envelope TEXT NOT NULL
        ) STRICT
        """,
        "CREATE INDEX acts_mission ON acts(mission, seq)",
        """
        CREATE TABLE tokens (
            id TEXT PRIMARY KEY, principal TEXT NOT NULL, role TEXT NOT NULL, sha256 TEXT NOT NULL UNIQUE, source TEXT NOT NULL,
            created_at INTEGER NOT NULL, revoked_at INTEGER, host TEXT
        ) STRICT
        """,
        """
        CREATE TABLE hosts (
            id TEXT PRIMARY KEY, identity TEXT NOT NULL, key TEXT NOT NULL, token TEXT NOT NULL, enrolled_at INTEGER NOT NULL,
            last_seen INTEGER NOT NULL, remedies TEXT NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE fetches (
            token TEXT NOT NULL, mission TEXT NOT NULL, evidence TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (token, mission)
        ) STRICT
        """,
        "CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
        """
        CREATE TABLE answers (
            scope TEXT NOT NULL, key TEXT NOT NULL, answer TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (scope, key)
        ) STRICT
        """,
        "CREATE INDEX answers_at ON answers(at)",
        """
        CREATE TABLE requests (
            id TEXT PRIMARY KEY, mission TEXT NOT NULL, host TEXT, kind TEXT NOT NULL, by TEXT NOT NULL, reason TEXT NOT NULL,
            act TEXT, at INTEGER NOT NULL, done_at INTEGER
        ) STRICT
        """,
        "CREATE INDEX requests_open ON requests(at) WHERE done_at IS NULL",
        "CREATE TABLE texts (digest TEXT PRIMARY KEY, document TEXT NOT NULL) STRICT",
        """
        CREATE TABLE events (
            id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, mission TEXT, at INTEGER NOT NULL, body TEXT NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE ledger (
            log_index INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, mission TEXT, leaf BLOB NOT NULL
        ) STRICT
        """,
        "CREATE INDEX ledger_mission ON ledger(mission, log_index)",
        """
        CREATE TABLE journal (
            host TEXT NOT NULL, position INTEGER NOT NULL, digest TEXT NOT NULL, log_index INTEGER NOT NULL,
            PRIMARY KEY (host, position)
        ) STRICT
        """,
        """
        CREATE TABLE notices (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, hook TEXT NOT NULL, event TEXT NOT NULL,
            body TEXT NOT NULL, attempts INTEGER NOT NULL, next_at INTEGER NOT NULL
        ) STRICT
        """,
        "CREATE INDEX notices_due ON notices(next_at)",
        "CREATE INDEX notices_hook ON notices(hook, seq)",
    ]
}
