internal import Documents
internal import FoundationEssentials
internal import Glibc
internal import Linux

/// Starts `grace-deadman guard`, so that it outlives whoever starts it: as a unit of its own where systemd runs (a service's end
/// takes everything in its control group along), else in a session of its own.
public struct GuardLauncher: Sendable {
    let state: String
    let blobs: String
    let root: String
    let program: String?
    /// Where systemd shows that it is the one that runs this host.
    let systemd: String
    let patience: Duration

    /// A launcher.
    ///
    /// - Parameters:
    ///   - state: The promoter's state directory.
    ///   - blobs: The promoter's blobs.
    ///   - root: The directory that is `/` for promotions.
    ///   - program: The path of `grace-deadman`; `nil`: it was not found, and nothing is promoted.
    ///   - systemd: A directory that is there exactly where systemd runs the host.
    ///   - patience: How long the new process may take until it watches.
    public init(
        state: String, blobs: String, root: String = "/", program: String?, systemd: String = "/run/systemd/system",
        patience: Duration = .seconds(20)
    ) {
        self.state = state
        self.blobs = blobs
        self.root = root
        self.program = program
        self.systemd = systemd
        self.patience = patience
    }

    /// Returns once the process watches the promotion `id`.
    ///
    /// - Throws: A sentence where it does not.
    public func start(_ id: String) throws {
        guard let program else {
            throw GuardError(
                "the program grace-deadman was not found. Install it beside grace, or say where it lies with GRACE_LIBEXEC_DIR."
            )
        }
        let arguments = ["guard", "--state", state, "--blobs", blobs, "--root", root, id]
        let child: Int32
        do {
            if try Files.status(systemd) != nil {
                child = try Processes.spawn(
                    "systemd-run",
                    arguments: [
                        // Without default dependencies it starts at once during boot too, and stays until the very end.
                        "--quiet", "--collect", "--unit=grace-deadman-\(id)", "--property=DefaultDependencies=no",
                        "--property=OOMScoreAdjust=-900", "--", program,
                    ] + arguments, descriptors: [(2, 2)], directory: "/", group: .session)
            } else {
                child = try Processes.spawn(
                    program, arguments: arguments, descriptors: [(2, 2)], directory: "/", group: .session)
            }
        } catch {
            throw GuardError("grace-deadman could not be started: \(error).")
        }
        // Whoever it is, it is reaped, now or when it ends; systemd-run ends at once and the guard is systemd's.
        try Threads.start("deadman") { _ = try? Processes.waitBlocking(child) }
        let clock = ContinuousClock()
        let end = clock.now + patience
        while clock.now < end {
            if GuardMark.isWatched(state: state, id: id) { return }
            usleep(20_000)
        }
        throw GuardError(
            "grace-deadman did not say within \(patience) that it watches; its own words are in the journal of the agent, or of "
                + "the unit grace-deadman-\(id).")
    }

    /// Finds `grace-deadman` in one of these directories.
    public static func locate(in directories: [String]) -> String? {
        directories.map { "\($0)/grace-deadman" }.first { access($0, X_OK) == 0 }
    }
}

/// Why no process guards a promotion.
public struct GuardError: Error, CustomStringConvertible {
    public let description: String
    init(_ description: String) { self.description = description }
}

/// The file in a promotion's directory that says which process guards it. A mark of a process that is no more counts for nothing.
public enum GuardMark {
    private struct Mark: Codable {
        var pid: Int32
        var started: String
        var boot: String
    }
    private static func path(_ state: String, _ id: String) -> String { "\(state)/\(id)/guard.json" }

    /// This process guards `id` from now on.
    public static func set(state: String, id: String) throws {
        let pid = getpid()
        let mark = Mark(pid: pid, started: String(Processes.startTime(of: pid) ?? 0), boot: try BootID.bootID())
        try Files.writeAtomically(path(state, id), try JSON(encoding: mark).canonical, mode: 0o600)
    }

    /// Whether a living process guards `id`.
    public static func isWatched(state: String, id: String) -> Bool {
        guard let data = try? Files.read(path(state, id), limit: 4096),
            let mark = try? JSON(parsing: data).decode(Mark.self)
        else { return false }
        return mark.boot == (try? BootID.bootID()) && Processes.startTime(of: mark.pid).map(String.init) == mark.started
    }
}
