public import Cgroups
internal import FoundationEssentials
internal import Glibc
internal import Linux

extension Fork {
    /// Copies stateful paths at one consistent instant each into the fork's snapshot layer; arms then see the copies instead
    /// of live. Call it once, before the first ``overlays(for:)``.
    ///
    /// - Parameters:
    ///   - specs: What, and how. No path may belong to two of them.
    ///   - cgroups: The host's control groups, for `freeze`.
    ///   - helper: The path of `grace-sandbox`, which thaws should this process die meanwhile.
    /// - Returns: What was copied, and how long a unit stood still for it.
    /// - Throws: ``ForkError/snapshot(_:)`` with the reason; the fork then has no snapshot at all, and nothing is left frozen.
    public func snapshot(_ specs: [SnapshotSpec], cgroups: CgroupHost, helper: String) async throws -> SnapshotReport {
        guard try !hasBegun() else {
            throw ForkError.outOfOrder(
                "The fork “\(id)” is in use already; a snapshot must be its first step. Make a new fork.")
        }
        let layers = record.mounts.map { home(of: $0) + "/snapshot" }
        guard try layers.allSatisfy({ try Files.status($0) == nil }) else {
            throw ForkError.outOfOrder(
                "The fork “\(id)” has a snapshot already. Make a new fork, or name all paths at once.")
        }
        let scratch = directory + "/snapshot-scratch"
        var parts: [SnapshotReport.Part] = []
        do {
            for (number, spec) in specs.enumerated() {
                try Self.check(spec)
                let space = "\(scratch)/\(number)"
                try Files.makeDirectory(space, mode: 0o700, intermediate: true)
                if let command = spec.command { try await Self.run(command, into: space) }
                parts.append(
                    try await Threads.run("snapshot") {
                        var taker = try SnapshotTaker(fork: self, spec: spec, scratch: space)
                        return try taker.take(cgroups: cgroups, helper: helper)
                    })
            }
            try Files.removeTree(scratch)
            return SnapshotReport(parts: parts)
        } catch {
            for path in layers + layers.map({ $0 + ".new" }) + [scratch] { try? Files.removeTree(path) }
            if let error = error as? SystemError { throw ForkError.snapshot("The snapshot failed: \(error)") }
            if let error = error as? CgroupError { throw ForkError.snapshot("The snapshot failed: \(error)") }
            throw error
        }
    }

    private static func check(_ spec: SnapshotSpec) throws {
        guard spec.freeze == nil || spec.command == nil else {
            throw ForkError.snapshot(
                "A snapshot names both `freeze` and `command`. Keep the one that makes the copies consistent.")
        }
        guard !spec.paths.isEmpty || spec.command != nil else {
            throw ForkError.snapshot("A snapshot names no paths. Name at least one, such as /srv/app/app.db*.")
        }
        guard spec.maxPause.isFinite, spec.maxPause > 0, spec.maxPause <= 60 else {
            throw ForkError.snapshot(
                "A snapshot's max_pause is \(spec.maxPause) s. It must be above 0 and at most 60 s.")
        }
    }

    private static func run(_ command: String, into directory: String) async throws {
        var environment = Processes.currentEnvironment()
        environment["GRACE_SNAPSHOT_DIR"] = directory
        let output = try await Processes.run(
            "/bin/sh", arguments: ["-c", command], timeout: .seconds(600), environment: environment, directory: "/",
            limit: 64 << 10)
        guard output.isSuccess else {
            let how = output.timedOut ? "did not end within 10 minutes" : "ended with \(output.exit)"
            let last = output.stderr.suffix(500)
            throw ForkError.snapshot(
                "The snapshot's command \(how). Its last words: \(TextEscaping.line(last).isEmpty ? "none" : TextEscaping.line(last))"
            )
        }
    }
}
