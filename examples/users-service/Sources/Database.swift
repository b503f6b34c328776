import GRDB

/// A row of the `users` table.
struct User: Codable, FetchableRecord, Sendable {
    var id: Int64
    var email: String
    var name: String
}

/// The service's store. The look-up by e-mail has no index: that is the problem Grace is to find.
struct UserStore: Sendable {
    let pool: DatabasePool

    init(path: String) throws {
        var configuration = Configuration()
        configuration.busyMode = .timeout(10)
        configuration.maximumReaderCount = 4
        pool = try DatabasePool(path: path, configuration: configuration)
    }

    func createSchema() throws {
        try pool.write { database in
            try database.execute(
                sql: "CREATE TABLE IF NOT EXISTS users(id INTEGER PRIMARY KEY, email TEXT NOT NULL, name TEXT NOT NULL)"
            )
        }
    }

    /// Adds `count` users with e-mail addresses that follow from their ids.
    func add(count: Int) throws -> Int64 {
        try pool.write { database in
            let first = try (Int64.fetchOne(database, sql: "SELECT max(id) FROM users") ?? 0) + 1
            let statement = try database.makeStatement(sql: "INSERT INTO users(id, email, name) VALUES (?, ?, ?)")
            for id in first..<(first + Int64(count)) {
                try statement.execute(arguments: [id, "user\(id)@example.org", "User \(id)"])
            }
            return first + Int64(count) - 1
        }
    }

    func user(id: Int64) async throws -> User? {
        try await pool.read {
            try User.fetchOne($0, sql: "SELECT id, email, name FROM users WHERE id = ?", arguments: [id])
        }
    }

    func users(email: String) async throws -> [User] {
        try await pool.read {
            try User.fetchAll($0, sql: "SELECT id, email, name FROM users WHERE email = ?", arguments: [email])
        }
    }

    func count() async throws -> Int {
        try await pool.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM users") ?? 0 }
    }
}
