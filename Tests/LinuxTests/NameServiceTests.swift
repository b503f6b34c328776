import Glibc
import Testing

@testable import Linux

/// Users and groups of a host's files, and when somebody else is asked.
struct NameServiceTests {
    private static let passwd = """
        # a comment
        root:x:0:0:root:/root:/bin/bash
        web:x:33:33:www:/var/www:/usr/sbin/nologin
        1000:x:77:77::/home/odd:
        +nis::::::
        broken:x:abc:1::/:/bin/sh
        """
    private static let group = "root:x:0:\nweb:x:33:\nlogs:x:4:web,root\nweb2:x:34:web\nother:x:5:webber\n"

    private static func with<T>(_ nsswitch: String?, _ body: (NameService) throws -> T) throws -> T {
        let etc = "/tmp/grace-test-etc-\(getpid())-\(UInt32.random(in: .min ... .max))"
        try Files.makeDirectory(etc, mode: 0o700)
        defer { try? Files.removeTree(etc) }
        for (name, text) in [("passwd", passwd), ("group", group), ("nsswitch.conf", nsswitch)] {
            if let text { try Files.writeAtomically("\(etc)/\(name)", Array(text.utf8)) }
        }
        return try body(NameService(etc: etc))
    }

    static let rows: [(String?, [String], Bool)] = [
        (nil, ["files"], false), ("passwd: files\n", ["files"], false),
        ("passwd:         files systemd\n", ["files", "systemd"], false),
        ("passwd:\tfiles [NOTFOUND=return UNAVAIL=continue] ldap # sss\n", ["files", "ldap"], true),
        ("passwd: sss files\n", ["sss", "files"], true), ("passwd: compat\n", ["compat"], true),
        ("#passwd: ldap\ngroup: ldap\n", ["files"], false),
        ("passwd:files [!SUCCESS=continue] nis\n", ["files", "nis"], true),
    ]

    @Test("what is asked for users", arguments: rows)
    func sources(_ text: String?, _ sources: [String], _ more: Bool) throws {
        try Self.with(text) { service in
            #expect(service.sources("passwd") == sources)
            #expect(service.knowsMore("passwd") == more)
        }
    }

    @Test("users of the files are found by name, then by number, with their groups")
    func users() throws {
        try Self.with("passwd: files\ngroup: files\n") { service in
            let web = try #require(try Users.lookup("web", in: service))
            #expect(web.uid == 33 && web.home == "/var/www" && web.groups == [33, 4, 34])
            let numbered = try Users.lookup("33", in: service)
            #expect(numbered == web)
            // A name that is a number is a name first.
            let odd = try Users.lookup("1000", in: service)
            #expect(odd?.uid == 77)
            let shellless = try Users.lookup(uid: 77, in: service)
            #expect(shellless?.shell == "")
            for name in ["", "nobody-here", "+nis", "broken", "web:x", "-x", "web\n"] {
                #expect(try Users.lookup(name, in: service) == nil, "\(name)")
            }
        }
    }

    @Test("where more than files is asked, the C library's programs know this host's users too")
    func elsewhere() throws {
        try Self.with("passwd: files sss\ngroup: files sss\n") { service in
            // Not in the files above: getent(1) answers, from this machine's own.
            let nobody = try Users.lookup("nobody", in: service)
            #expect(nobody?.uid == 65534)
            #expect(try Users.lookup(uid: 4_000_000_001, in: service) == nil)
            let root = try Users.lookup("root", in: service)
            #expect(root?.groups.first == 0)
        }
    }
}
