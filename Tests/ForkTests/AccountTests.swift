import Fork
import FoundationEssentials
import Linux
import Testing

/// What `grace changes show` says about units, configuration files and packages.
struct AccountTests {
    private func account(
        _ path: BytePath, _ kind: Change.Kind = .modify, _ type: FileType = .file, old: String? = nil,
        new: String? = nil
    ) -> [String] {
        ChangeSet.account(
            of: Change(path: path, kind: kind, type: type), old: old.map { Array($0.utf8) },
            new: new.map { Array($0.utf8) })
    }

    @Test("units and configuration files are named as such, by their place, and nothing else is")
    func roles() {
        for path: BytePath in [
            "/etc/systemd/system/app.service", "/usr/lib/systemd/system/app.socket", "/lib/systemd/system/app.timer",
            "/etc/systemd/system/app.service.d/limits.conf", "/run/systemd/system/x.automount",
            "/etc/systemd/system/dev-sda1.swap",
            "/usr/local/lib/systemd/system/own.service",
        ] { #expect(account(path) == ["systemd unit \(path.display)"]) }
        // What enables a unit is a link to it.
        #expect(
            account("/etc/systemd/system/multi-user.target.wants/app.service", .create, .symlink)
                == ["systemd unit /etc/systemd/system/multi-user.target.wants/app.service"])
        #expect(account("/etc/systemd/system/app.service", .delete) == ["systemd unit /etc/systemd/system/app.service"])
        #expect(account("/etc/nginx/nginx.conf") == ["configuration file"])
        #expect(account("/etc/localtime", .modify, .symlink) == ["configuration file"])
        for path: BytePath in [
            "/srv/etc/x.conf", "/etcetera", "/usr/share/doc/systemd/system/x.service", "/home/app.service",
        ] {
            #expect(account(path).isEmpty, "\(path)")
        }
        // A directory is no file, and a name that a terminal would act upon is escaped.
        #expect(account("/etc/nginx", .create, .directory).isEmpty)
        #expect(account("/etc/systemd/system/app.service.d", .create, .directory).isEmpty)
        #expect(account("/etc/systemd/system/x\u{1b}[2J.service").allSatisfy { !$0.contains("\u{1b}") })
    }

    private func status(_ entries: [(name: String, version: String, status: String, more: String)]) -> String {
        entries.map {
            "Package: \($0.name)\nStatus: \($0.status)\nPriority: optional\n\($0.more)Version: \($0.version)\nDescription: x\n Package: no field\n"
        }.joined(separator: "\n")
    }

    @Test("packages that came, went, changed or stayed half-way are told by version, from dpkg's status")
    func packages() {
        let ok = "install ok installed"
        func same(_ architecture: String) -> String { "Architecture: \(architecture)\nMulti-Arch: same\n" }
        let old = status([
            ("gone", "1.0", ok, ""), ("purged", "1.0", "deinstall ok config-files", ""),
            ("held", "2:3-1", "hold ok installed", ""),
            ("up", "1.0-1", ok, ""), ("libc6", "2.36-9", ok, same("amd64")), ("libc6", "2.36-9", ok, same("i386")),
            ("stuck", "1.0", ok, ""), ("left", "1.0", ok, ""),
        ])
        let new = status([
            ("came", "0.1", ok, ""), ("held", "2:3-1", "hold ok installed", ""), ("up", "1.0-2", ok, ""),
            ("libc6", "2.36-10", ok, same("amd64")), ("libc6", "2.36-9", ok, same("i386")),
            ("stuck", "1.1", "install ok half-configured", ""), ("left", "1.0", "deinstall ok config-files", ""),
        ])
        #expect(
            account("/var/lib/dpkg/status", old: old, new: new) == [
                "package came 0.1 installed", "package gone 1.0 removed", "package left 1.0 removed",
                "package libc6:amd64 2.36-9 → 2.36-10", "package stuck 1.0 → 1.1 (half-configured)",
                "package up 1.0-1 → 1.0-2",
            ])
        #expect(account("/var/lib/dpkg/status", old: old, new: old).isEmpty)
        // Without an end of line at the end, and only there.
        #expect(
            account("/var/lib/dpkg/status", old: nil, new: "Package: a\nStatus: \(ok)\nVersion: 1") == [
                "package a 1 installed"
            ])
        #expect(account("/srv/dpkg/status", old: old, new: new).isEmpty)
        let strange = status([("x\u{1b}[2J", "1", ok, "")])
        #expect(account("/var/lib/dpkg/status", old: "", new: strange).allSatisfy { !$0.contains("\u{1b}") })
    }
}
