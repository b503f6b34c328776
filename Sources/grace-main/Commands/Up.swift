import Agent
import ArgumentParser
import AsyncHTTPClient
import Documents
import FoundationEssentials
import Glibc
import Ledger
import Linux
import Local
import Logging

struct Up: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the agent on this host and a coordinator beside it, as an unprivileged user.")
    @OptionGroup var placesOptions: PlacesOptions

    @Option(help: "Where the coordinator listens.")
    var listen = "127.0.0.1:8420"

    @Option(
        help:
            "A person who approves, as NAME=PUBLIC_KEY_FILE; may be given more than once. Used when there is no allowed_signers yet."
    )
    var approver: [String] = []

    @Option(
        help:
            "The coordinator's user; without it `grace` if there is such a user, else a free number of systemd's dynamic range."
    )
    var coordinatorUser: String?

    @Option(help: "A directory of sandbox profiles, searched after the configuration's profiles.d.")
    var profiles: [String] = []

    func run() async throws {
        guard geteuid() == 0 else {
            throw Failure(
                "`grace up` must run as root: the agent forks, promotes and rolls back on this host. The coordinator it starts gives up root."
            )
        }
        let places = placesOptions.places
        let setup = HostSetup(places: places)
        let user = try CoordinatorUser.choose(coordinatorUser)
        try setup.makeDirectories(coordinatorUser: user)
        let principals = try await Approvers.ensure(approver, places: places)
        try setup.writeDefaultPolicies(principals: principals)
        _ = try setup.token(at: places.agentState + "/token")
        let admin = try setup.token(at: places.state + "/operator.token")
        try writeCoordinatorFile(setup, places, principals: principals)

        let coordinator = CoordinatorProcess(places: places, listen: listen, user: user)
        let url = try await coordinator.start()
        try Files.writeAtomically(
            places.runtime + "/client.json",
            JSON.object([
                "url": .string(url), "token_file": .string(places.state + "/operator.token"),
                "principal": .string(principals.first ?? "operator"),
            ]).canonical, mode: 0o644)
        var logger = Logger(label: "grace") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .notice
        Terminal.line("Grace is up at \(Terminal.styled(url, .bold)).")
        Terminal.line(
            "  operator token   \(places.state)/operator.token (\(admin.token.prefix(4))…), used by `grace` as root on this host"
        )
        Terminal.line("  approvers        \(principals.joined(separator: ", ")) (\(places.allowedSignersFile))")
        Terminal.line("  ledger           \(places.coordinatorState)/ledger")

        let context = try AgentContext.make(
            places: places, profiles: profiles.map(\.absolute) + ProfileDirectories.standard, coordinator: url,
            http: .agent, logger: logger)
        let service = AgentService(context)
        let log = logger
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await service.run() }
            group.addTask { try await coordinator.keepRunning(log) }
            group.addTask { try await AgentCommand.hostRuns(context) }
            group.addTask { await Signals.terminated() }
            let first = await group.nextResult()
            group.cancelAll()
            // Before the group waits for the task that waits for the coordinator's end.
            await coordinator.stop()
            try first?.get()
        }
    }

    private func writeCoordinatorFile(_ setup: HostSetup, _ places: Places, principals: [String]) throws {
        let agent = try setup.token(at: places.agentState + "/token").sha256
        let admin = try setup.token(at: places.state + "/operator.token").sha256
        let principal = principals.first ?? "operator"
        try setup.writeIfMissing(
            places.coordinatorFile,
            """
            # The coordinator's settings (docs/configuration.md). Tokens stand here by their SHA-256 alone.
            tokens:
              - {principal: agent, role: agent, sha256: \(agent)}
              - {principal: "\(principal)", role: admin, sha256: \(admin)}
            parliament:
              electorate: [\(principals.map { "\"\($0)\"" }.joined(separator: ", "))]
              quorum: 1
              expires: 60m

            """)
    }
}

struct AgentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "agent",
        abstract: "Run the agent alone, for a coordinator elsewhere (agent.yaml: coordinator, token_file).")
    @OptionGroup var placesOptions: PlacesOptions

    @Option(help: "A directory of sandbox profiles, searched after the configuration's profiles.d.")
    var profiles: [String] = []

    func run() async throws {
        guard geteuid() == 0 else {
            throw Failure("`grace agent` must run as root: it forks, promotes and rolls back on this host.")
        }
        var logger = Logger(label: "grace") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .notice
        let context = try AgentContext.make(
            places: placesOptions.places, profiles: profiles.map(\.absolute) + ProfileDirectories.standard,
            coordinator: nil,
            http: .agent, logger: logger)
        let service = AgentService(context)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await service.run() }
            group.addTask { try await Self.hostRuns(context) }
            group.addTask { await Signals.terminated() }
            try await group.next()
            group.cancelAll()
        }
    }

    /// Gives `grace run` on this host sandboxes that wait, where it is configured so, until it is cancelled. An agent that can't do that
    /// does everything else.
    static func hostRuns(_ context: AgentContext) async throws {
        let (logger, configuration) = (context.logger, context.configuration)
        if configuration.readySandboxes > 0 {
            do {
                return try await RunHosting.host(
                    context.places, cgroupParent: configuration.cgroup, count: configuration.readySandboxes
                ) { logger.warning("\($0)") }
            } catch {
                logger.warning("`grace run` makes its own sandboxes on this host: \(error)")
            }
        }
        while !Task.isCancelled { try? await Task.sleep(for: .seconds(3600)) }
    }
}

/// The user that the coordinator becomes.
enum CoordinatorUser {
    static func choose(_ name: String?) throws -> (uid: UInt32, gid: UInt32) {
        if let name {
            guard let user = try Users.lookup(name) else {
                throw Failure("There is no user “\(name)” on this host.", code: 2)
            }
            guard user.uid != 0 else {
                throw Failure("The coordinator never runs as root; name another user.", code: 2)
            }
            return (user.uid, user.gid)
        }
        if let user = try Users.lookup("grace"), user.uid != 0 { return (user.uid, user.gid) }
        // systemd's DynamicUser range: no distribution gives these numbers to anybody.
        for uid in UInt32(61184)...61284 where try Users.lookup(uid: uid) == nil { return (uid, uid) }
        throw Failure("No free user number was found for the coordinator; name a user with --coordinator-user.")
    }
}

/// SIGTERM and SIGINT end the process in order.
///
/// By a handler and a pipe: on Linux Swift's main thread ends in libdispatch's `sigsuspend` with nothing blocked, so a signal
/// that every other thread blocks for a `sigwait` kills the process there.
enum Signals {
    /// The pipe's ends, read by ``terminated()`` and written by the handler.
    nonisolated(unsafe) private static var pipeEnds: (read: Int32, write: Int32) = (-1, -1)

    /// Returns when one came, or when its task is cancelled.
    static func terminated() async {
        await withTaskCancellationHandler {
            _ = try? await Threads.run("signals") {
                var byte: UInt8 = 0
                while read(pipeEnds.read, &byte, 1) < 0, errno == EINTR {}
            }
        } onCancel: {
            wake()
        }
    }

    /// From now on they only wake ``terminated()``; one that comes before it is called is kept.
    static func handle() {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        pipeEnds = (ends[0], ends[1])
        for number in [SIGTERM, SIGINT] { signal(number) { _ in Signals.wake() } }
    }

    /// Async-signal-safe: one write, and `errno` as it was.
    private static func wake() {
        let saved = errno
        var byte: UInt8 = 1
        _ = write(pipeEnds.write, &byte, 1)
        errno = saved
    }
}
