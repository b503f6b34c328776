internal import Fork
internal import FoundationEssentials
internal import Linux

extension HunterScan {
    private static let tables: [(rule: HunterRule, globs: [Glob])] = [
        (
            .authorizedKeys,
            globs("**/.ssh/authorized_keys*", "/etc/ssh/authorized_keys*", "/etc/ssh/authorized_keys*/**")
        ),
        (
            .sudoers,
            globs("/etc/sudoers", "/etc/sudoers.d/**", "/usr/local/etc/sudoers*", "/usr/local/etc/sudoers.d/**")
        ),
        (.preload, globs("/etc/ld.so.preload")),
        (
            .pam,
            globs(
                "/etc/pam.d/**", "/etc/pam.conf", "/usr/lib/pam.d/**", "/etc/security/**",
                "/usr/lib/**/security/pam_*.so", "/lib/**/security/pam_*.so")
        ),
        (
            .cron,
            globs(
                "/etc/crontab", "/etc/anacrontab", "/etc/cron.d/**", "/etc/cron.hourly/**", "/etc/cron.daily/**",
                "/etc/cron.weekly/**",
                "/etc/cron.monthly/**", "/var/spool/cron/**", "/var/spool/at/**")
        ),
        (.sshConfiguration, globs("/etc/ssh/**", "**/.ssh/**")),
        (
            .accounts,
            globs("/etc/passwd*", "/etc/shadow*", "/etc/group*", "/etc/gshadow*", "/etc/subuid*", "/etc/subgid*")
        ),
        (
            .shellStartup,
            globs(
                "/etc/profile", "/etc/profile.d/**", "/etc/bash.bashrc", "/etc/bashrc", "/etc/zsh/**",
                "/etc/environment", "/etc/skel/.*",
                "/root/.bashrc", "/root/.profile", "/root/.bash_*", "/root/.zsh*", "/home/*/.bashrc",
                "/home/*/.profile", "/home/*/.bash_*",
                "/home/*/.zsh*")
        ),
        (
            .bootConfiguration,
            globs(
                "/boot/**", "/etc/rc.local", "/etc/init.d/**", "/etc/ld.so.conf", "/etc/ld.so.conf.d/**",
                "/etc/udev/**", "/usr/lib/udev/rules.d/**",
                "/etc/modprobe.d/**", "/etc/modules*/**", "/etc/modules", "/etc/fstab", "/etc/crypttab",
                "/etc/initramfs-tools/**", "/etc/default/grub*")
        ),
        (
            .packageSources,
            globs(
                "/etc/apt/sources.list*", "/etc/apt/sources.list.d/**", "/etc/apt/trusted.gpg*",
                "/etc/apt/trusted.gpg.d/**", "/etc/apt/keyrings/**", "/usr/share/keyrings/**", "/etc/apt/auth.conf*",
                "/etc/apt/apt.conf.d/**", "/etc/pip.conf")
        ),
    ]
    private static let units = globs(
        "/etc/systemd/**", "/usr/lib/systemd/**", "/lib/systemd/**", "/usr/local/lib/systemd/**", "/run/systemd/**",
        "**/.config/systemd/**")
    private static let pythonPaths = globs(
        "**/site-packages/*.pth", "**/dist-packages/*.pth", "**/sitecustomize.py", "**/usercustomize.py",
        "**/site-packages/sitecustomize/**")

    /// Places where a file's being there gives it power.
    mutating func places(_ change: Change, _ texts: Texts?) {
        // A directory alone has no effect; what is put into it is an entry of its own.
        if change.type == .directory, change.kind != .replace { return }
        let path = change.path
        let verb = change.kind == .delete ? "is gone" : change.kind == .create ? "is new" : "is changed"
        if Self.units.contains(where: { $0.matches(path) }) { unit(change, texts) }
        if Self.pythonPaths.contains(where: { $0.matches(path) }), change.kind != .delete {
            let runs =
                !path.bytes.suffix(4).elementsEqual(".pth".utf8) || texts?.new.contains(where: Self.isImport) ?? true
            if runs {
                add(
                    .pythonStartup, at: path,
                    "\(path.display) \(verb): every Python process that sees it runs it at its start.")
            }
        }
        if path == "/etc/passwd" { rootAccounts(path, texts) }
        guard let hit = Self.tables.first(where: { $0.globs.contains { $0.matches(path) } }) else { return }
        add(hit.rule, at: path, "\(path.display) \(verb). \(hit.rule.text)")
    }

    /// A line of a path configuration file that Python executes instead of taking it for a path (module `site`).
    private static func isImport(_ line: ArraySlice<UInt8>) -> Bool {
        line.starts(with: "import ".utf8) || line.starts(with: "import\t".utf8)
    }

    private mutating func unit(_ change: Change, _ texts: Texts?) {
        let path = change.path
        if change.type == .symlink, change.kind != .delete {
            let directory = String(decoding: path.parent.last, as: UTF8.self)
            if directory.hasSuffix(".wants") || directory.hasSuffix(".requires") || directory.hasSuffix(".upholds") {
                add(.systemdEnabled, at: path, "\(path.display) has its unit started with \(directory).")
            }
            return
        }
        guard let texts else { return }
        let before = Set(texts.before.compactMap(Self.command))
        for command in texts.now.compactMap(Self.command) where !before.contains(command) {
            add(
                .systemdExec, at: path,
                "\(path.display) has a new \(command.split(separator: "=")[0])= line: it runs “\(BytePath.display(Array(command.utf8).prefix(200)))”."
            )
        }
    }

    /// A setting that makes systemd run something, white space around `=` taken away; an empty one resets and runs nothing.
    private static func command(_ line: ArraySlice<UInt8>) -> String? {
        let text = String(decoding: line, as: UTF8.self)
        guard let equals = text.firstIndex(of: "=") else { return nil }
        let key = text[..<equals].filter { !$0.isWhitespace }
        let value = text[text.index(after: equals)...].drop { $0.isWhitespace }
        guard key.hasPrefix("Exec"), !value.isEmpty else { return nil }
        return "\(key)=\(value)"
    }

    private mutating func rootAccounts(_ path: BytePath, _ texts: Texts?) {
        for line in texts?.new ?? [] {
            let parts = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            guard parts.count >= 4, Int(String(decoding: parts[2], as: UTF8.self)) == 0 else { continue }
            let name = BytePath.display(parts[0])
            let wasRoot = texts?.before.contains { old in
                let fields = old.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
                return fields.count >= 4 && fields[0].elementsEqual(parts[0]) && fields[2].elementsEqual(parts[2])
            }
            if wasRoot != true { add(.rootAccount, at: path, "The account \(name) newly has user id 0: it is root.") }
        }
    }
}
