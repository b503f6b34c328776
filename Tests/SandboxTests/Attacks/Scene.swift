import CSandbox
import Cgroups
import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// One attack on one ground: a directory of the host's that the sandbox sees, the attacking program in it, and both sides to run it on.
struct Scene: Sendable {
    let ground: Ground
    /// On the host; inside it has the same name. Removed afterwards.
    let directory: String
    var program: String { "\(directory)/grace-attacks" }
    /// Hidden from the sandbox. Whoever reads it from inside got out.
    var secret: String { "\(directory)/hidden/secret" }
    /// For what an attack needs on the host; it looks after it by itself.
    var made: String { "\(directory)/made" }
    static let secretText = "grace-secret-text"

    static func with(_ ground: Ground, _ body: (Scene) async throws -> Void) async throws {
        try await Host.withDirectory { directory in
            let scene = Scene(ground: ground, directory: directory)
            let program = try Files.open(try locateProgram(), flags: O_RDONLY)
            let copy = try Files.open(scene.program, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o700)
            try Files.copyContents(from: program, to: copy)
            copy.close()
            try Files.chmod(scene.program, 0o755)
            for (name, mode) in [("hidden", UInt32(0o755)), ("place", 0o777), ("made", 0o755)] {
                try Files.makeDirectory("\(directory)/\(name)", mode: mode)
                try Files.chmod("\(directory)/\(name)", mode)
            }
            try Files.writeAtomically(scene.secret, Data(secretText.utf8), mode: 0o644)
            try await body(scene)
        }
    }

    /// `GRACE_ATTACKS`, or beside grace-sandbox among the products of the build.
    static func locateProgram() throws -> String {
        if let path = getenv("GRACE_ATTACKS") { return String(cString: path) }
        return BytePath(try SandboxEngine.locateHelper()).parent.appending("grace-attacks").string ?? "grace-attacks"
    }

    // MARK: Inside

    func engine(
        helper: String? = nil, weaken: (@Sendable (inout csandbox_plan) -> Void)? = nil
    ) throws -> SandboxEngine {
        SandboxEngine(
            cgroups: try CgroupHost.detect(), cgroupParent: Host.group(directory),
            helper: try helper ?? SandboxEngine.locateHelper(), scratch: "\(directory)/scratch", filters: .shared,
            canReport: { csandbox_can_report() }, mapsRoot: ground.mode != .plain, weaken: weaken)
    }

    func specification(_ change: (inout SandboxSpecification) -> Void = { _ in }) throws -> SandboxSpecification {
        var specification = SandboxSpecification(
            profile: try ground.used(), masks: ["\(directory)/hidden"], label: "attack")
        change(&specification)
        // A scene's lasting layers lie on no bounded place, as the agent's do: without one, a bound is a refusal.
        if specification.overlays.contains(where: \.isLasting) {
            (specification.profile.limits.disk, specification.profile.limits.inodes) = (nil, nil)
        }
        return specification
    }

    /// Starts a sandbox, hands it over, ends it in any case, and looks whether anything of it is left.
    func withSandbox<Result>(
        engine: SandboxEngine? = nil, weaken: (@Sendable (inout csandbox_plan) -> Void)? = nil,
        _ change: (inout SandboxSpecification) -> Void = { _ in }, _ body: (Sandbox) async throws -> Result
    ) async throws -> (Result, SandboxOutcome) {
        let sandbox = try await (engine ?? self.engine(weaken: weaken)).start(specification(change))
        if ground.mode == .mapped, weaken == nil { #expect(sandbox.fallbacks.isEmpty, "\(sandbox.fallbacks)") }
        if ground.mode != .mapped { #expect(sandbox.fallbacks.map(\.feature).contains(.mappedRoot)) }
        do {
            let result = try await body(sandbox)
            return (result, try await sandbox.end())
        } catch {
            _ = try? await sandbox.end()
            throw error
        }
    }

    /// Runs the attack in a sandbox of its own.
    func inside(
        _ arguments: [String], user: String? = nil, weaken: (@Sendable (inout csandbox_plan) -> Void)? = nil,
        _ change: (inout SandboxSpecification) -> Void = { _ in }
    ) async throws -> (answer: Answer, outcome: SandboxOutcome) {
        try await withSandbox(weaken: weaken, change) { try await attack(arguments, in: $0, user: user) }
    }

    func attack(
        _ arguments: [String], in sandbox: Sandbox, user: String? = nil, stdin: Stdio = .null,
        extra: [Int32: Descriptor] = [:],
        directory: String = "/"
    ) async throws -> Answer {
        let process = try await sandbox.spawn(
            Command(arguments: [program] + expand(arguments), directory: directory, user: user), stdin: stdin,
            stdout: .capture(limit: 1 << 16), stderr: .capture(limit: 1 << 16), extra: extra)
        let exit = try await process.wait()
        return Answer(
            exit, String(decoding: process.stdout, as: UTF8.self) + String(decoding: process.stderr, as: UTF8.self))
    }

    /// “DIR” in an argument is the scene's directory, “SECRET” the hidden file.
    private func expand(_ arguments: [String]) -> [String] {
        arguments.map { argument in
            var text = argument
            for (word, value) in [("SECRET", secret), ("DIR", directory)] {
                if let range = text.firstRange(of: word) { text.replaceSubrange(range, with: value) }
            }
            return text
        }
    }

    // MARK: Outside

    /// Runs the same attack without any sandbox.
    func bare(_ arguments: [String], user: (uid: UInt32, gid: UInt32)? = nil) async throws -> Answer {
        let output = try await Processes.run(program, arguments: expand(arguments), directory: directory, user: user)
        return Answer(output.exit, output.output + output.errorOutput)
    }

    /// Expects that an attack succeeds without any sandbox.
    func comesThrough(_ arguments: [String]) async throws {
        let answer = try await bare(arguments)
        #expect(answer.isSuccess, "\(answer)")
    }

    /// A process outside that is attacked: it holds ``secretText`` in memory at `address`. Killed when `body` is done.
    func withVictim(
        user: UInt32? = nil, _ body: (_ pid: Int32, _ address: String) async throws -> Void
    ) async throws {
        try await withBackground((user.map { ["--user", "\($0)"] } ?? []) + ["victim", Self.secretText]) { _, line in
            let words = line.split(separator: " ")
            try #require(words.count == 2, "\(line)")
            try await body(try #require(Int32(words[0])), String(words[1]))
        }
    }

    /// Runs the program outside in the background, from its “started” line on, until `body` is done.
    func withBackground(
        _ arguments: [String], _ body: (_ pid: Int32, _ started: String) async throws -> Void
    ) async throws {
        let (read, write) = try Descriptor.pipe()
        let pid = try Processes.spawn(
            program, arguments: expand(arguments), descriptors: [(1, write.raw)], directory: directory, group: .new)
        write.close()
        let line = try await Threads.run("line") { () -> String in
            var line: [UInt8] = []
            var byte: UInt8 = 0
            while line.last != 10, read.withRaw({ Glibc.read($0, &byte, 1) }) == 1 { line.append(byte) }
            return String(decoding: line, as: UTF8.self)
        }
        let failure: (any Error)?
        do {
            try #require(line.hasPrefix("started "), "\(arguments): \(line)")
            try await body(pid, String(line.dropFirst(8).dropLast()))
            failure = nil
        } catch {
            failure = error
        }
        try? Processes.kill(-pid, SIGKILL)
        _ = try await Processes.wait(pid)
        if let failure { throw failure }
    }

    /// What sandboxes have left behind.
    func leftovers() -> [String] {
        ((try? Files.entries("\(directory)/scratch")) ?? []).map { String(decoding: $0, as: UTF8.self) }
    }

    /// A sandbox's processes by their numbers outside: those of its control group, or, where it has none, the attacking ones.
    func processes(of sandbox: Sandbox) throws -> [Int32] {
        if let group = sandbox.cgroup { return try group.processes() }
        return try Files.entries("/proc").compactMap { Int32(String(decoding: $0, as: UTF8.self)) }.filter {
            (try? Files.readString("/proc/\($0)/cmdline"))?.hasPrefix(program) == true
        }
    }

    func isAlive(_ pid: Int32) -> Bool { Processes.state(of: pid).map { $0 != "Z" } ?? false }
}
