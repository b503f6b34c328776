internal import CLinux

/// The host's users, through NSS.
public enum Users {
    /// One user.
    public struct User: Sendable, Hashable {
        /// The log-in name.
        public let name: String
        /// User id.
        public let uid: UInt32
        /// Primary group's id.
        public let gid: UInt32
        /// Home directory.
        public let home: String
        /// Log-in shell.
        public let shell: String
        /// Ids of all groups, the primary one included.
        public let groups: [UInt32]
    }

    /// The user called `name`, or with that number where `name` is one and nobody is called so; `nil` where there is none.
    public static func lookup(_ name: String) throws -> User? {
        guard !name.isEmpty, !name.utf8.contains(0) else { return nil }
        var raw = clinux_user()
        if try SystemError.check(clinux_user(name, 0, &raw), "getpwnam", name) == 1 { return try user(raw) }
        guard let uid = UInt32(name) else { return nil }
        return try lookup(uid: uid)
    }

    /// The user with that id; `nil` where there is none.
    public static func lookup(uid: UInt32) throws -> User? {
        var raw = clinux_user()
        guard try SystemError.check(clinux_user(nil, uid, &raw), "getpwuid", "\(uid)") == 1 else { return nil }
        return try user(raw)
    }

    /// The name of a user; `nil` where the id has none.
    public static func name(of uid: UInt32) throws -> String? { try lookup(uid: uid)?.name }

    private static func user(_ raw: clinux_user) throws -> User {
        let name = text(raw.name)
        var groups = [UInt32](repeating: 0, count: 65536)  // NGROUPS_MAX
        let count = try SystemError.check(clinux_groups(name, raw.gid, &groups, groups.count), "getgrouplist", name)
        return User(
            name: name, uid: raw.uid, gid: raw.gid, home: text(raw.home), shell: text(raw.shell),
            groups: Array(groups.prefix(Int(count))))
    }

    private static func text<Buffer>(_ buffer: Buffer) -> String {
        withUnsafeBytes(of: buffer) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
