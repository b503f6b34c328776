/// Which stateful paths a fork must have copied at one consistent instant, instead of sharing them with live.
///
/// A database that live goes on writing cannot be shared: a path already read stays old, an unread one is new. So it is copied
/// into a layer of the fork's own, in one of three ways:
///
/// - `freeze`: the unit that writes it is frozen while it is copied. Most is copied before; frozen, only what changed since.
/// - `command`: a command makes the copies with the service's own means (`sqlite3 app.db ".backup …"`, `pg_basebackup`).
/// - neither: it must be at rest; a file that changes while it is copied is refused.
public struct SnapshotSpec: Codable, Sendable, Equatable {
    /// Absolute paths, with `*`, `?`, `[…]` in names and `**` for any depth; a leading dot is like any other character. A
    /// directory stands for everything in it. Links are followed to what they stand for.
    ///
    /// What matches but is not in the copy is absent in the fork. With `command`, they say what the command has to copy and
    /// may be empty.
    public var paths: [String]
    /// The unit (`app.service`) or control group (a path below the hierarchy's root) to freeze.
    public var freeze: String?
    /// A shell command, run on the host as the agent's user, that writes copies below the directory `$GRACE_SNAPSHOT_DIR`:
    /// the copy of `/srv/app/app.db` to `$GRACE_SNAPSHOT_DIR/srv/app/app.db`.
    public var command: String?
    /// The longest time, in seconds, that the unit may be frozen. A copy that would take longer is given up.
    public var maxPause: Double

    /// Half a second: less than the time-outs of clients and health checks.
    public static let defaultMaxPause = 0.5

    public init(paths: [String], freeze: String? = nil, command: String? = nil, maxPause: Double = defaultMaxPause) {
        self.paths = paths
        self.freeze = freeze
        self.command = command
        self.maxPause = maxPause
    }

    enum CodingKeys: String, CodingKey {
        case paths, freeze, command
        case maxPause = "max_pause"
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        paths = try container.decodeIfPresent([String].self, forKey: .paths) ?? []
        freeze = try container.decodeIfPresent(String.self, forKey: .freeze)
        command = try container.decodeIfPresent(String.self, forKey: .command)
        maxPause = try container.decodeIfPresent(Double.self, forKey: .maxPause) ?? Self.defaultMaxPause
    }
}

/// What was copied, and what it cost live.
public struct SnapshotReport: Codable, Sendable, Equatable {
    /// One ``SnapshotSpec``'s part.
    public struct Part: Codable, Sendable, Equatable {
        public enum Method: String, Codable, Sendable { case freeze, command, atRest = "at_rest" }

        public var method: Method
        /// What was matched, escaped for people; at most a thousand.
        public var paths: [String]
        /// Regular files in the snapshot.
        public var files: Int
        /// Their lengths together, in bytes.
        public var bytes: Int64
        /// How long the unit stood still, in seconds, from before the freeze to after the thaw; `nil` where nothing was frozen.
        public var pause: Double?
        /// Files that were copied, or copied again, while the unit was frozen.
        public var filesWhileFrozen: Int
        /// Their lengths together, in bytes.
        public var bytesWhileFrozen: Int64
        /// Files whose blocks are shared with live instead of copied (reflink).
        public var sharedFiles: Int
        /// Left out: process-id and lock files and sockets, whose processes the fork does not have.
        public var dropped: [String]

        init(method: Method) {
            self.method = method
            paths = []
            files = 0
            bytes = 0
            pause = nil
            filesWhileFrozen = 0
            bytesWhileFrozen = 0
            sharedFiles = 0
            dropped = []
        }

        enum CodingKeys: String, CodingKey {
            case method, paths, files, bytes, pause, dropped
            case filesWhileFrozen = "files_while_frozen"
            case bytesWhileFrozen = "bytes_while_frozen"
            case sharedFiles = "shared_files"
        }
    }

    public var parts: [Part]

    /// The longest pause of any unit, in seconds; `nil` where nothing was frozen.
    public var longestPause: Double? { parts.compactMap(\.pause).max() }
}
