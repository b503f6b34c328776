import Documents
import Fork
import FoundationEssentials
import Glibc
import Linux
import Missions
import Testing
import Trust

@Suite("Hunter")
struct HunterTests {
    /// One changed path with what was there before; a fresh store for each scan.
    struct Entry: Sendable {
        var path: String
        var kind: Change.Kind = .create
        var type: FileType = .file
        var text: String? = ""
        var mode: UInt32 = 0o644
        var uid: UInt32 = 0
        var xattrs: [String: Data] = [:]
        var link: String?
        var device: DeviceNode?
        var before: FileState?
        var oldText: String?
    }

    static func old(
        _ text: String? = nil, mode: UInt32 = 0o644, uid: UInt32 = 0, type: FileType = .file, link: String? = nil,
        xattrs: [String: Data] = [:]
    ) -> FileState {
        FileState(
            type: type, mode: mode, uid: uid, gid: 0, xattrs: xattrs, linkTarget: link.map { Data($0.utf8) },
            size: text.map { Int64($0.utf8.count) },
            content: text.map { Digest(of: Data($0.utf8)) })
    }

    private func scan(
        _ entries: [Entry], scanners: [HunterContext.Scanner] = [], required: [String] = [], scope: [String] = [],
        limit: Int = 1 << 20, losing: Bool = false,
        lying: Bool = false
    ) async throws -> HunterReport {
        let directory = "/var/tmp/grace-hunter-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
        let blobs = BlobStore(root: directory)
        defer { try? Files.removeTree(directory) }
        var changes: [Change] = []
        for entry in entries {
            let hasContent = entry.type == .file && entry.kind != .delete && entry.kind != .metadata
            let data = Data((entry.text ?? "").utf8)
            if hasContent, !losing { try blobs.put(data) }
            let gone = entry.kind == .delete
            changes.append(
                Change(
                    path: BytePath(entry.path), kind: entry.kind, type: entry.type, mode: gone ? 0 : entry.mode,
                    uid: gone ? 0 : entry.uid, xattrs: entry.xattrs,
                    linkTarget: entry.link.map { Data($0.utf8) }, size: hasContent ? Int64(data.count) : nil,
                    content: hasContent ? Digest(of: data) : nil,
                    device: entry.device))
        }
        let base = try Base(
            entries.map { BaseEntry(path: BytePath($0.path), state: $0.before.map(BaseEntry.State.present) ?? .absent) }
        )
        let olds = Dictionary(uniqueKeysWithValues: entries.map { (BytePath($0.path), $0.oldText) })
        let context = HunterContext(
            baseContent: { path, limit in
                lying ? Data("something else".utf8) : (olds[path] ?? nil).map { Data($0.utf8.prefix(limit)) }
            }, scanners: scanners,
            required: required, scope: scope, textLimit: limit)
        return await Hunter.scan(changeSet: try ChangeSet(changes), blobs: blobs, base: base, context: context)
    }

    @Test("an ordinary change has no findings and the score 1")
    func ordinary() async throws {
        let report = try await scan([
            Entry(
                path: "/etc/nginx/nginx.conf", kind: .modify, text: "worker_processes 4;\n",
                before: Self.old("worker_processes 1;\n"), oldText: "worker_processes 1;\n"),
            Entry(path: "/srv/app/bin/server", text: "\u{7f}ELF", mode: 0o755),
            Entry(path: "/srv/app/cache", type: .directory, mode: 0o750),
            Entry(path: "/srv/app/current", type: .symlink, mode: 0o777, link: "releases/2"),
            Entry(path: "/var/tmp/x", type: .directory, mode: 0o1777),
        ])
        #expect(report.findings == [])
        #expect(report.score == 1)
        #expect(report.scanners == ["native": "RAN"])
        #expect(report.ran("native"))
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var rule: String
        var entry: Entry
        var testDescription: String { "\(rule): \(entry.kind) \(entry.path)" }

        init(_ rule: String, _ entry: Entry) {
            self.rule = rule
            self.entry = entry
        }
    }

    static let capability = ["security.capability": Data([1, 0, 0, 2])]
    static let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjE=\n-----END OPENSSH PRIVATE KEY-----\n"
    static let unit = "[Service]\nExecStart=/usr/bin/app\n"

    static let bad: [Case] = [
        Case("setuid", Entry(path: "/srv/x", mode: 0o4755)),
        Case("setuid", Entry(path: "/srv/x", kind: .metadata, mode: 0o4755, before: old("a", mode: 0o755))),
        Case(
            "setuid",
            Entry(path: "/srv/x", kind: .metadata, mode: 0o4755, uid: 0, before: old("a", mode: 0o4755, uid: 33))),
        Case("setgid", Entry(path: "/srv/x", mode: 0o2755)),
        Case(
            "setuid-modified",
            Entry(path: "/srv/x", kind: .modify, text: "b", mode: 0o4755, before: old("a", mode: 0o4755))),
        Case("file-capability", Entry(path: "/srv/x", mode: 0o755, xattrs: capability)),
        Case(
            "file-capability",
            Entry(
                path: "/srv/x", kind: .metadata, mode: 0o755, xattrs: capability,
                before: old("a", mode: 0o755, xattrs: ["security.capability": Data([2])]))),
        Case("world-writable", Entry(path: "/srv/x", mode: 0o666)),
        Case("world-writable", Entry(path: "/srv/d", type: .directory, mode: 0o777)),
        Case(
            "world-writable",
            Entry(
                path: "/srv/d", kind: .metadata, type: .directory, mode: 0o777,
                before: old(mode: 0o1777, type: .directory))),
        Case("world-writable", Entry(path: "/srv/p", type: .fifo, mode: 0o622)),
        Case(
            "executable-owner",
            Entry(path: "/srv/x", kind: .metadata, mode: 0o755, uid: 33, before: old("a", mode: 0o755))),
        Case("executable-owner", Entry(path: "/usr/local/bin/x", mode: 0o755, uid: 1000)),
        Case(
            "device-node",
            Entry(path: "/srv/dev", type: .device, mode: 0o600, device: DeviceNode(isBlock: true, major: 8, minor: 0))
        ),
        Case("secret-private-key", Entry(path: "/srv/key", text: key)),
        Case("secret-private-key", Entry(path: "/srv/key", text: "-----BEGIN RSA PRIVATE KEY-----\nx")),
        Case("secret-token", Entry(path: "/srv/env", text: "id = AKIA" + "IOSFODNN7EXAMPLF\n")),
        Case("secret-token", Entry(path: "/srv/env", text: "x ghp_" + String(repeating: "a1B2", count: 9))),
        Case("secret-token", Entry(path: "/srv/env", text: "https://x:glpat-" + "abcdefghij0123456789@host")),
        Case("secret-assignment", Entry(path: "/srv/env", text: "DB_PASSWORD=\"q8Zr-2LmX0vTn4Ke\"\n")),
        Case("secret-assignment", Entry(path: "/srv/env", text: "api_key: Zx81kQp0Lm27Trw9")),
        Case("authorized-keys", Entry(path: "/root/.ssh/authorized_keys", text: "ssh-ed25519 AAAA x")),
        Case("authorized-keys", Entry(path: "/home/me/.ssh/authorized_keys2", kind: .delete, before: old("x"))),
        Case("ssh-configuration", Entry(path: "/etc/ssh/sshd_config.d/x.conf")),
        Case("sudoers", Entry(path: "/etc/sudoers.d/x")),
        Case("cron", Entry(path: "/etc/cron.d/x")), Case("cron", Entry(path: "/var/spool/cron/crontabs/root")),
        Case("preload", Entry(path: "/etc/ld.so.preload")),
        Case("pam", Entry(path: "/etc/pam.d/common-auth", kind: .delete, before: old("x"))),
        Case("pam", Entry(path: "/usr/lib/x86_64-linux-gnu/security/pam_x.so")),
        Case("accounts", Entry(path: "/etc/group", kind: .modify, before: old("x"), oldText: "x")),
        Case("systemd-exec", Entry(path: "/etc/systemd/system/app.service", text: unit)),
        Case(
            "systemd-exec",
            Entry(
                path: "/etc/systemd/system/app.service.d/x.conf", kind: .modify,
                text: "[Service]\nExecStart=\nExecStart = /bin/evil", before: old(unit), oldText: unit)),
        Case(
            "systemd-enabled",
            Entry(
                path: "/etc/systemd/system/multi-user.target.wants/x.service", type: .symlink, mode: 0o777,
                link: "../x.service")),
        Case(
            "python-startup", Entry(path: "/usr/lib/python3/dist-packages/x.pth", text: "import os; os.system('x')\n")),
        Case("python-startup", Entry(path: "/usr/lib/python3/dist-packages/sitecustomize.py", text: "x")),
        Case("shell-startup", Entry(path: "/etc/profile.d/x.sh")),
        Case("boot-configuration", Entry(path: "/etc/udev/rules.d/x.rules")),
        Case("package-sources", Entry(path: "/etc/apt/sources.list.d/x.list")),
        Case("sensitive-link", Entry(path: "/srv/x", type: .symlink, mode: 0o777, link: "/etc/shadow")),
        Case("sensitive-link", Entry(path: "/srv/x", type: .symlink, mode: 0o777, link: "../root/.ssh/id_ed25519")),
        Case("sensitive-link", Entry(path: "/srv/x", type: .symlink, mode: 0o777, link: "/proc/1/root")),
        Case("link-outside", Entry(path: "/srv/x", type: .symlink, mode: 0o777, link: "../../../../usr/x")),
    ]

    @Test("each danger is found, once, at its path, and takes its weight off the score", arguments: bad)
    func findings(_ given: Case) async throws {
        let report = try await scan([given.entry])
        #expect(report.findings.map(\.rule) == [given.rule])
        let finding = try #require(report.findings.first)
        #expect(finding.path == given.entry.path)
        #expect(finding.message.contains(given.entry.path))
        #expect(finding.id.hasPrefix(given.rule + "-"))
        #expect(abs(report.score - (1 - finding.severity.weight)) < 1e-12)
        let again = try await scan([given.entry])
        #expect(again.findings.map(\.id) == report.findings.map(\.id), "ids are stable")
    }

    static let passwd = "root:x:0:0:root:/root:/bin/bash\n"

    static let settled: [Entry] = [
        Entry(path: "/srv/x", kind: .metadata, mode: 0o4755, before: old("a", mode: 0o4755)),
        Entry(path: "/srv/x", kind: .metadata, mode: 0o666, before: old("a", mode: 0o666)),
        Entry(
            path: "/srv/d", kind: .metadata, type: .directory, mode: 0o777,
            before: old(mode: 0o777, type: .directory)),
        Entry(path: "/srv/x", kind: .metadata, mode: 0o755, uid: 33, before: old("a", mode: 0o700, uid: 33)),
        Entry(
            path: "/srv/x", kind: .metadata, mode: 0o755, xattrs: capability,
            before: old("a", mode: 0o755, xattrs: capability)),
        Entry(path: "/srv/key", kind: .modify, text: "# note\n" + key, before: old(key), oldText: key),
        Entry(
            path: "/srv/env", kind: .modify, text: "x=1\nTOKEN=ghp_" + String(repeating: "a1B2", count: 9),
            before: old("TOKEN=ghp_" + String(repeating: "a1B2", count: 9)),
            oldText: "TOKEN=ghp_" + String(repeating: "a1B2", count: 9)),
        Entry(
            path: "/etc/systemd/system/app.service", kind: .modify, text: "[Unit]\nDescription=x\n" + unit,
            before: old(unit), oldText: unit),
        Entry(
            path: "/srv/x", kind: .modify, type: .symlink, mode: 0o777, link: "/etc/shadow",
            before: old(type: .symlink, link: "/etc/shadow")),
        Entry(path: "/srv/x", kind: .delete, before: old("a", mode: 0o4755)),
        Entry(path: "/etc/cron.d", type: .directory, mode: 0o755),
        Entry(path: "/usr/lib/python3/dist-packages/x.pth", text: "/srv/lib\n"),
        Entry(path: "/srv/null", type: .symlink, mode: 0o777, link: "/dev/null"),
        Entry(
            path: "/srv/env",
            text:
                "password = ${DB_PASSWORD}\ntoken: changeme-changeme\nsecret_file: /etc/app/secret-file-name\npassword policy: at least twelve\n"
        ),
        Entry(path: "/srv/bin", text: "\0binary AKIA" + "IOSFODNN7EXAMPLF"),
    ]

    @Test("what was so before is no finding", arguments: settled)
    func notNew(entry: Entry) async throws {
        let report = try await scan([entry])
        #expect(report.findings == [])
    }

    @Test("a new account with user id 0 is critical beside the change of the file")
    func rootAccount() async throws {
        let report = try await scan([
            Entry(
                path: "/etc/passwd", kind: .modify,
                text: Self.passwd + "toor:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
                before: Self.old(Self.passwd), oldText: Self.passwd)
        ])
        #expect(report.findings.map(\.rule) == ["root-account", "accounts"])
        #expect(report.score == 0)
        let harmless = try await scan([
            Entry(
                path: "/etc/passwd", kind: .modify, text: Self.passwd + "x:x:99:99::/:/bin/false\n",
                before: Self.old(Self.passwd), oldText: Self.passwd)
        ])
        #expect(harmless.findings.map(\.rule) == ["accounts"])
    }

    @Test("a pre-image whose bytes are not what the base says is not believed")
    func lyingBase() async throws {
        let entry = Entry(
            path: "/srv/key", kind: .modify, text: "# note\n" + Self.key, before: Self.old(Self.key), oldText: Self.key)
        let report = try await scan([entry], lying: true)
        #expect(report.findings.map(\.rule) == ["secret-private-key"])
    }

    @Test("no finding shows the secret")
    func secretsStaySecret() async throws {
        let secret = "q8Zr-2LmX0vTn4Ke"
        let report = try await scan([Entry(path: "/srv/env", text: "password=\(secret)\n")])
        #expect(report.findings.count == 1)
        #expect(report.findings.allSatisfy { !$0.message.contains(secret) && !$0.id.contains(secret) })
        #expect(!report.sarif.canonicalText.contains(secret))
    }

    @Test("a content that can't be read is a high finding, never a pass")
    func unreadable() async throws {
        let report = try await scan([Entry(path: "/srv/x", text: "hello")], losing: true)
        #expect(report.findings.map(\.rule) == ["unscanned"])
        #expect(report.findings.first?.severity == .high)
    }

    @Test("a text longer than the limit is scanned as far as it goes, and that is said")
    func long() async throws {
        let report = try await scan(
            [Entry(path: "/srv/x", text: Self.key + String(repeating: "x\n", count: 600))], limit: 1000)
        #expect(report.findings.map(\.rule).sorted() == ["partly-scanned", "secret-private-key"])
    }

    @Test("a link out of the declared scope is a low finding")
    func scope() async throws {
        let entry = Entry(path: "/srv/app/x", type: .symlink, mode: 0o777, link: "/srv/other/x")
        #expect(try await scan([entry], scope: ["/srv/app"]).findings.map(\.rule) == ["link-outside"])
        #expect(try await scan([entry], scope: ["/srv"]).findings == [])
    }

    @Test("a configured scanner that is absent did not run, and one that is required is a high finding")
    func scanners() async throws {
        let absent = HunterContext.Scanner(name: "trivy", program: "/nonexistent/trivy")
        let shown = try await scan([], scanners: [absent])
        #expect(shown.scanners["trivy"]?.hasPrefix("NOT_RUN: ") == true)
        #expect(!shown.ran("trivy"))
        #expect(shown.score == 1)
        let required = try await scan([], scanners: [absent], required: ["native", "trivy", "grype"])
        #expect(required.findings.map(\.rule) == ["scanner-not-run", "scanner-not-run"])
        #expect(required.findings.allSatisfy { $0.severity == .high })
        #expect(abs(required.score - 0.2) < 1e-12)
        let present = try await scan([], scanners: [HunterContext.Scanner(name: "true", program: "/bin/true")])
        #expect(present.scanners["true"]?.hasPrefix("NOT_RUN: ") == true, "what isn't run is never said to have run")
    }

    @Test("the SARIF report is version 2.1.0, with rules, results and what did not run")
    func sarif() async throws {
        let report = try await scan(
            [Entry(path: "/etc/sudoers.d/a b")], scanners: [HunterContext.Scanner(name: "x", program: "/none")])
        let sarif = report.sarif
        #expect(sarif["version"] == "2.1.0")
        let run = try #require(sarif["runs"]?[0])
        let result = try #require(run["results"]?[0])
        #expect(result["ruleId"] == "sudoers")
        #expect(result["level"] == "error")
        #expect(
            result["locations"]?[0]?["physicalLocation"]?["artifactLocation"]?["uri"] == "file:///etc/sudoers.d/a%20b")
        let index = try #require(result["ruleIndex"]?.integer)
        #expect(run["tool"]?["driver"]?["rules"]?[Int(index)]?["id"] == "sudoers")
        #expect(run["invocations"]?[0]?["executionSuccessful"] == false)
        #expect(
            run["invocations"]?[0]?["toolExecutionNotifications"]?[0]?["message"]?["text"]?.string?.hasPrefix(
                "x: NOT_RUN") == true)
    }

    @Test("the live reader gives the beginning of regular files alone")
    func live() throws {
        let directory = "/var/tmp/grace-live-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        try Files.makeDirectory(directory, mode: 0o700, intermediate: true)
        defer { try? Files.removeTree(directory) }
        try Files.writeAtomically(directory + "/file", Data("hello".utf8))
        #expect(symlink("file", directory + "/link") == 0)
        let read = HunterContext.live(root: directory)
        #expect(try read("/file", 3) == Data("hel".utf8))
        #expect(try read("/link", 9) == nil)
        #expect(try read("/none", 9) == nil)
    }
}

@Suite("Path patterns")
struct GlobTests {
    @Test(
        "a pattern matches what it says and nothing else",
        arguments: [
            ("/etc/nginx/**", "/etc/nginx", true), ("/etc/nginx/**", "/etc/nginx/a/b", true),
            ("/etc/nginx/**", "/etc/nginxx", false),
            ("/etc/*", "/etc/a", true), ("/etc/*", "/etc/a/b", false), ("/etc/*", "/etc", false),
            ("/etc/*.conf", "/etc/.conf", true),
            ("/a/**/z", "/a/z", true), ("/a/**/z", "/a/b/c/z", true), ("/a/**/z", "/a/b/c/y", false),
            ("**/.ssh/**", "/home/x/.ssh/id", true),
            ("**/x", "/x", true), ("/a?c", "/abc", true), ("/a?c", "/ac", false), ("/a*b*c", "/aXXbYYc", true),
            ("/a*b*c", "/acb", false), ("/", "/", true), ("/", "/a", false),
            ("/a/**/**/b", "/a/b", true),
        ])
    func matches(pattern: String, path: String, expected: Bool) throws {
        #expect(try #require(Glob(pattern)).matches(BytePath(path)) == expected)
    }

    @Test("what is no pattern is none", arguments: ["", "etc", "/a/../b", "/a/./b", "/a\0b"])
    func refused(pattern: String) {
        #expect(Glob(pattern) == nil)
    }

    @Test("bytes that are no text are matched too")
    func bytes() throws {
        let path = BytePath(bytes: Array("/srv/".utf8) + [0xff, 0xfe])
        #expect(try #require(Glob("/srv/*")).matches(path))
        #expect(try #require(Glob("/srv/??")).matches(path))
    }

    @Test("many stars stay fast")
    func stars() throws {
        let glob = try #require(Glob("/" + String(repeating: "a*", count: 40) + "b"))
        #expect(!glob.matches(BytePath("/" + String(repeating: "a", count: 250))))
    }
}
