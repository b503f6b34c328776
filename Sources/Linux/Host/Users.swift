/// The host's users: those of its files, and of whatever else its name service asks (``NameService``).
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
    ///
    /// - Throws: `SystemError` where the name service can't be asked.
    public static func lookup(_ name: String, in service: NameService = NameService()) throws -> User? {
        guard !name.isEmpty, !name.utf8.contains(0), !name.contains(":"), !name.contains("\n"), !name.hasPrefix("-")
        else { return nil }
        // getent(1) looks for a number too.
        if let (fields, isOfFiles) = try fields(service, of: name, where: { $0[0] == name }), fields[0] == name {
            return try user(fields, isOfFiles, service)
        }
        guard let uid = UInt32(name) else { return nil }
        return try lookup(uid: uid, in: service)
    }

    /// The user with that id; `nil` where there is none.
    ///
    /// - Throws: `SystemError` where the name service can't be asked.
    public static func lookup(uid: UInt32, in service: NameService = NameService()) throws -> User? {
        guard let (fields, isOfFiles) = try fields(service, of: "\(uid)", where: { UInt32($0[2]) == uid }),
            UInt32(fields[2]) == uid
        else { return nil }
        return try user(fields, isOfFiles, service)
    }

    /// The name of a user; `nil` where the id has none.
    public static func name(of uid: UInt32) throws -> String? { try lookup(uid: uid)?.name }

    /// The line of passwd(5) that fits, in seven parts, and whether it stands in the file.
    private static func fields(
        _ service: NameService, of key: String, where fits: ([Substring]) -> Bool
    ) throws -> (fields: [Substring], isOfFiles: Bool)? {
        func parts(_ line: Substring) -> [Substring]? {
            let parts = line.split(separator: ":", omittingEmptySubsequences: false)
            return parts.count == 7 && UInt32(parts[2]) != nil && UInt32(parts[3]) != nil ? parts : nil
        }
        for line in try service.lines("passwd") {
            if let found = parts(line), fits(found) { return (found, true) }
        }
        guard service.asksElsewhere("passwd") else { return nil }
        return try service.ask("getent", ["passwd", key], notFound: 2).flatMap(parts).map { ($0, false) }
    }

    private static func user(_ fields: [Substring], _ isOfFiles: Bool, _ service: NameService) throws -> User? {
        guard let uid = UInt32(fields[2]), let gid = UInt32(fields[3]) else { return nil }
        let name = String(fields[0])
        return User(
            name: name, uid: uid, gid: gid, home: fields[5].isEmpty ? "/" : String(fields[5]),
            shell: String(fields[6]), groups: try groups(of: name, gid, isOfFiles, service))
    }

    private static func groups(
        of name: String, _ gid: UInt32, _ isOfFiles: Bool, _ service: NameService
    ) throws -> [UInt32] {
        var groups = [gid]
        if !isOfFiles || service.knowsMore("group") || service.knowsMore("initgroups") {
            for word in try service.ask("id", ["-G", "--", name], notFound: 1)?.split(separator: " ") ?? [] {
                if let group = UInt32(word), !groups.contains(group) { groups.append(group) }
            }
            return groups
        }
        for line in try service.lines("group") {
            let parts = line.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 4, let group = UInt32(parts[2]), !groups.contains(group),
                parts[3].split(separator: ",").contains(where: { $0 == name })
            else { continue }
            groups.append(group)
        }
        return groups
    }
}
