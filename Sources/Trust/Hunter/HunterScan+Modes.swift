internal import Documents
internal import Fork
internal import FoundationEssentials
internal import Linux

extension HunterScan {
    /// Permissions, owners, capabilities and device nodes.
    mutating func modes(_ change: Change, _ before: Before) {
        let path = change.path
        let shown = path.display
        let old = before.state?.type == change.type ? before.state : nil
        if change.type == .file { program(change, old) }
        if change.type == .device, change.kind != .metadata {
            let number = change.device.map { " \($0.isBlock ? "block" : "character") \($0.major):\($0.minor)" } ?? ""
            add(.deviceNode, at: path, "\(shown) is a new device node\(number).")
        }
        let open = change.mode & 0o002 != 0
        let wasOpen = (old?.mode ?? 0) & 0o002 != 0
        switch change.type {
        case .symlink: break
        case .directory:
            let safe = change.mode & 0o1000 != 0
            let wasUnsafe = wasOpen && (old?.mode ?? 0) & 0o1000 == 0
            if open, !safe, !wasUnsafe {
                add(
                    .worldWritable, at: path,
                    "Every user may make and remove names in \(shown) (mode \(Self.octal(change.mode))); take the right to write away, or set the sticky bit."
                )
            }
        case .file, .fifo, .socket, .device:
            if open, !wasOpen {
                add(.worldWritable, at: path, "Every user may write \(shown) (mode \(Self.octal(change.mode))).")
            }
        }
    }

    private mutating func program(_ change: Change, _ old: FileState?) {
        let path = change.path
        let shown = path.display
        let runs = change.mode & 0o111 != 0
        let other = old.map { $0.uid != change.uid || $0.gid != change.gid } ?? false
        for (bit, rule, owner) in [
            (UInt32(0o4000), HunterRule.setuid, "user \(change.uid)"), (UInt32(0o2000), .setgid, "group \(change.gid)"),
        ] where change.mode & bit != 0 {
            // Set-group-ID without the right to run means mandatory locking, which Linux has no longer (5.15).
            guard bit == 0o4000 || change.mode & 0o010 != 0 else { continue }
            if (old?.mode ?? 0) & bit == 0 || other {
                add(
                    rule, at: path,
                    "\(shown) (mode \(Self.octal(change.mode))) newly runs as \(owner), whoever starts it.")
            } else if change.content != nil, change.content != old?.content {
                add(.setuidModified, at: path, "\(shown) runs as \(owner), whoever starts it, and has another content.")
            }
        }
        if let capability = change.xattrs["security.capability"], old?.xattrs["security.capability"] != capability {
            add(.fileCapability, at: path, "\(shown) newly has file capabilities (\(capability.hexadecimal)).")
        }
        guard runs, change.uid != 0 else { return }
        if let old, old.uid == 0, old.mode & 0o111 != 0 {
            add(
                .executableOwner, at: path,
                "\(shown) belonged to root and now belongs to user \(change.uid), who can alter it.")
        } else if old?.uid != change.uid, Self.isSystemProgram(path) {
            add(
                .executableOwner, at: path,
                "\(shown) is a system program that belongs to user \(change.uid), who can alter it.")
        }
    }

    private static func isSystemProgram(_ path: BytePath) -> Bool {
        [
            "/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/lib", "/usr/lib",
            "/usr/libexec",
        ]
        .contains { path.isInside(BytePath($0)) }
    }

    static func octal(_ mode: UInt32) -> String {
        let digits = String(mode, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    /// Where a symbolic link points, by its text alone.
    mutating func link(_ change: Change, _ target: Data, _ before: Before) {
        if let old = before.state, old.type == .symlink, old.linkTarget == target { return }
        let text = BytePath(bytes: Array(target))
        let (goal, above) = Self.resolve(text, from: change.path)
        let shown = "\(change.path.display) → \(text.display)"
        if Self.sensitive.contains(where: { $0.matches(goal) }), !Self.harmless.contains(where: { $0.matches(goal) }) {
            add(.sensitiveLink, at: change.path, "\(shown) points at \(goal.display), which is sensitive.")
        } else if above {
            add(.linkOutside, at: change.path, "\(shown) goes up beyond the root.")
        } else if !context.scope.isEmpty, !context.scope.contains(where: { goal.isInside(BytePath($0)) }),
            !Self.harmless.contains(where: { $0.matches(goal) })
        {
            add(.linkOutside, at: change.path, "\(shown) points outside of the declared scope.")
        }
    }

    private static let sensitive = globs(
        "/etc/shadow*", "/etc/gshadow*", "/etc/sudoers", "/etc/sudoers.d/**", "/etc/ssh/*key*", "/etc/grace/**",
        "/var/lib/grace/**",
        "/root/**", "**/.ssh/**", "**/.gnupg/**", "/proc/**", "/sys/**", "/dev/**", "/etc/pam.d/**",
        "/etc/ld.so.preload", "/boot/**")
    private static let harmless = globs(
        "/dev/null", "/dev/zero", "/dev/full", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/shm", "/proc/self/fd",
        "/proc/self/fd/*", "/proc/mounts",
        "/proc/self/mounts")

    static func globs(_ patterns: String...) -> [Glob] { patterns.compactMap(Glob.init) }

    /// The absolute path meant, and whether `..` went beyond the root on the way.
    static func resolve(_ target: BytePath, from link: BytePath) -> (goal: BytePath, above: Bool) {
        var names = target.isAbsolute ? [] : link.parent.components
        var above = false
        for name in target.components {
            if name == Array("..".utf8) {
                if names.popLast() == nil { above = true }
            } else {
                names.append(name)
            }
        }
        return (names.reduce(BytePath("/")) { $0.appending($1) }, above)
    }
}
