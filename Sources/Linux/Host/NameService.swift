internal import Glibc

/// Which databases a host asks for its users and groups (nsswitch.conf(5)).
public struct NameService: Sendable {
    /// Where the configuration and the files lie: `/etc`; tests pass a directory of theirs.
    public let etc: String

    public init(etc: String = "/etc") { self.etc = etc }

    /// The sources for a database, `passwd` or `group`, in order and without the actions between them. A host that names none has its
    /// files alone.
    public func sources(_ database: String) -> [String] {
        for line in (try? lines("nsswitch.conf")) ?? [] {
            let line = line.prefix { $0 != "#" }.drop { $0 == " " || $0 == "\t" }
            guard line.hasPrefix(database + ":") else { continue }
            let words = line.dropFirst(database.utf8.count + 1).split { $0 == " " || $0 == "\t" }
            var sources: [String] = []
            var inAction = false
            for word in words {
                if word.hasPrefix("[") { inAction = true }
                if !inAction { sources.append(String(word)) }
                if word.hasSuffix("]") { inAction = false }
            }
            return sources
        }
        return ["files"]
    }

    /// Whether more than the files are asked for it.
    public func asksElsewhere(_ database: String) -> Bool { sources(database) != ["files"] }

    /// Whether anything besides the files may know ids of 2³¹ and more, or more groups of a user than the files do. systemd knows
    /// neither (its UIDS-GIDS.md), unless somebody described users to it (userdb(8)).
    public func knowsMore(_ database: String) -> Bool {
        let others = sources(database).filter { $0 != "files" }
        if others.isEmpty { return false }
        return others != ["systemd"]
            || Self.descriptions.contains { access($0, F_OK) == 0 }
    }

    private static let descriptions: [String] = [
        "/etc/userdb", "/run/userdb", "/usr/local/lib/userdb", "/usr/lib/userdb",
    ]

    /// The lines of a file there, without comments; none where there is no such file.
    ///
    /// - Throws: `SystemError` where it can't be read: then nobody knows who stands in it.
    public func lines(_ file: String) throws -> [Substring] {
        do {
            return try Files.readString("\(etc)/\(file)").split(separator: "\n").filter { !$0.hasPrefix("#") }
        } catch let error as SystemError where error.code == ENOENT {
            return []
        }
    }

    /// What a program of the C library's says, which loads whatever finds users elsewhere: LDAP, systemd. This process does not: the
    /// small one can't (it has no dynamic loader), and none of the others shall.
    ///
    /// - Returns: Its first line; `nil` where it knows no such name.
    /// - Throws: `SystemError` where it can't be asked: then nobody knows.
    func ask(_ program: String, _ arguments: [String], notFound: Int32) throws -> Substring? {
        let path = try Processes.locate(program, path: "/usr/bin:/bin:" + (Processes.variable("PATH") ?? ""))
        let output = try Processes.runBlocking(path, arguments: arguments, timeout: .seconds(30))
        if output.exit == .exited(notFound) { return nil }
        guard output.isSuccess else {
            throw SystemError(call: "\(program) (\(output.exit))", subject: arguments.last ?? "", code: EIO)
        }
        return output.output.split(separator: "\n").first
    }
}
