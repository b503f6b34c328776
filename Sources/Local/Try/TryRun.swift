internal import Fork
internal import Glibc
internal import Linux
internal import Sandbox

/// Runs a line of shell in a fork.
struct TryRun {
    let fork: TryFork
    let places: Places
    let options: TryOptions
    let ahead: HeadStart

    /// The caller's own command with the caller's own rights over what it sees: the host's network unless told otherwise, no
    /// limits, and nothing that reaches beyond the sandbox.
    static func profile(withoutNetwork: Bool, tracing: Bool) -> Profile {
        Profile(
            name: "try", description: "grace try", network: withoutNetwork ? .none : .host,
            noNewPrivileges: geteuid() != 0,
            capabilities: [
                "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
                "SETFCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "AUDIT_WRITE", "IPC_OWNER", "LEASE", "SYS_NICE",
            ], seccomp: SeccompPolicy(allow: tracing ? ["@debug"] : []))
    }

    /// Runs `line`, or an interactive shell where it is `nil`. The result is the command's own exit code, 128 and more for a signal.
    /// `signals` was made before the fork was.
    func run(_ line: String?, signals: SignalRelay) async throws -> Int32 {
        let scratch = fork.directory + "/scratch"
        let engine = SandboxEngine(cgroups: nil, ahead: ahead, scratch: scratch, storedFilters: places.ownFilters)
        let specification = SandboxSpecification(
            profile: Self.profile(withoutNetwork: options.withoutNetwork, tracing: options.trace != nil),
            overlays: try fork.fork.overlays(for: .apply), masks: places.all + [fork.directory], hostname: hostName(),
            label: "try", sharesTemporary: true)
        let (exit, _, fallbacks) = try await engine.run(
            specification, try command(line), signals: signals, figures: false, ready: { fork.fork.awaitLaterTimes() })
        for fallback in fallbacks where fallback.feature == .mappedRoot {
            Terminal.error("this fork did without \(fallback.feature.rawValue): \(fallback.detail)")
        }
        if let trace = options.trace { try TryTrace.write(fork, to: trace.absolute) }
        return exit.shellCode
    }

    private func command(_ line: String?) throws -> Command {
        let shell = Self.shell()
        var arguments = line.map { [shell, "-c", $0] } ?? [shell]
        if options.trace != nil { arguments = try TryTrace.wrap(arguments) }
        let mask = umask(0)
        umask(mask)
        if mask != 0o022 {
            arguments =
                ["/bin/sh", "-c", "umask \"$1\"; shift; exec \"$@\"", "sh", "0" + String(mask, radix: 8)] + arguments
        }
        var directory = [CChar](repeating: 0, count: Int(PATH_MAX))
        let here = getcwd(&directory, directory.count) == nil ? "/" : Self.text(directory)
        return Command(arguments: arguments, environment: Processes.currentEnvironment(), directory: here)
    }

    private func hostName() -> String {
        var name = [CChar](repeating: 0, count: 65)
        return gethostname(&name, 64) == 0 && name[0] != 0 ? Self.text(name) : "try"
    }

    private static func text(_ buffer: [CChar]) -> String {
        String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// TRY_SHELL, SHELL or the login shell, as `try` chooses; fish has another language.
    static func shell() -> String {
        let environment = Processes.currentEnvironment()
        if let own = environment["TRY_SHELL"], access(own, X_OK) == 0 { return own }
        func serves(_ candidate: String?) -> String? {
            candidate.flatMap { access($0, X_OK) == 0 && !$0.hasSuffix("/fish") ? $0 : nil }
        }
        return serves(environment["SHELL"]) ?? serves((try? Users.lookup(uid: geteuid()))?.shell) ?? "/bin/sh"
    }
}
