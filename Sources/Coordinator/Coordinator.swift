internal import Documents
public import FoundationEssentials
internal import Hummingbird
internal import Ledger
internal import Linux
public import Logging
internal import NIOCore
internal import ServiceLifecycle

/// The server that keeps missions, sessions, votes and the ledger. It needs no root and can promote nothing by itself.
///
/// ```swift
/// let coordinator = try await Coordinator(configuration: configuration, logger: logger)
/// try await coordinator.run { address in print(address) }
/// ```
public struct Coordinator: Sendable, CustomStringConvertible {
    /// The version that status pages show.
    public static let version = "0.1.0"

    /// For logs: the configuration may hold secrets.
    public var description: String { "grace/\(configuration.name)" }

    let hub: Hub
    private let configuration: CoordinatorConfiguration

    /// Opens the store and the ledger below `configuration.state`, brings both to where the last transaction left them, and
    /// ends sessions whose time is over.
    ///
    /// - Parameters:
    ///   - configuration: what `coordinator.yaml` says.
    ///   - logger: one line for each event, never a secret.
    ///   - clock: the wall clock.
    /// - Throws: a sentence that says what of the state can't be used, and what to do.
    public init(
        configuration: CoordinatorConfiguration, logger: Logger, clock: @escaping @Sendable () -> Date = { Date() }
    ) async throws {
        try await self.init(configuration: configuration, logger: logger, clock: clock, interrupt: {})
    }

    /// As above; `interrupt` runs between the store's transaction and the ledger's append, for tests of a kill there.
    init(
        configuration: CoordinatorConfiguration, logger: Logger, clock: @escaping @Sendable () -> Date,
        interrupt: @escaping @Sendable () throws -> Void
    ) async throws {
        self.configuration = configuration
        let state = configuration.state
        if try Files.status(state) == nil { try Files.makeDirectory(state, mode: 0o700, intermediate: true) }
        let store = try SQLiteStore(path: state + "/coordinator.sqlite")
        let key = try SigningKey.loadOrCreate(path: state + "/ledger.key", name: "grace/\(configuration.name)")
        let ledger = try LedgerService(
            directory: state + "/ledger", key: key, store: store, logger: logger, interrupt: interrupt)
        try Files.writeAtomically(state + "/ledger.pub", Data((key.publicKey.string + "\n").utf8), mode: 0o644)
        hub = Hub(
            configuration: configuration, store: store, ledger: ledger, mesh: Mesh(store: store, logger: logger),
            blobs: try BlobFiles(directory: state + "/blobs"),
            notifier: Notifier(
                hooks: configuration.hooks, patience: configuration.hookPatience, store: store, logger: logger,
                clock: clock),
            logger: logger,
            counters: Counters(), startedAt: Timestamp.rounded(clock()), clock: clock)
        try await ledger.recover()
        try await hub.mesh.start()
        try await hub.change { try $0.takeConfiguredTokens() }
        try await hub.closeExpiredSessions()
    }

    /// Serves until the task is cancelled or a graceful shutdown begins.
    ///
    /// - Parameter listening: called once with the URL that is listened at, such as `http://127.0.0.1:8420`.
    /// - Throws: when the address can't be listened at.
    public func run(listening: @escaping @Sendable (String) async -> Void = { _ in }) async throws {
        let hub = hub
        let host = configuration.host
        let application = Application(
            responder: Dispatcher(hub: hub, routes: RouteTable.all),
            server: .http1(configuration: .init(idleTimeout: .seconds(120))),
            configuration: ApplicationConfiguration(
                address: .hostname(host, port: configuration.port), serverName: "grace"),
            services: [Housekeeping(hub: hub)],
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? 0
                await listening("http://\(host.contains(":") ? "[\(host)]" : host):\(port)")
            },
            logger: hub.logger)
        try await application.run()
    }

    /// Closes the store and gives the ledger free; nothing may be served any more.
    public func close() async throws {
        await hub.ledger.close()
        try hub.store.close()
    }
}

/// What must happen without anybody asking: sessions end, hooks are told, streams show that they live.
struct Housekeeping: Service, CustomStringConvertible {
    let hub: Hub

    /// For logs: the configuration may hold secrets.
    var description: String { "housekeeping" }

    func run() async throws {
        let hub = hub
        await withTaskCancellationOrGracefulShutdownHandler {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await hub.notifier.run() }
                group.addTask { await cancelWhenGracefulShutdown { await keep(hub) } }
                await group.waitForAll()
            }
        } onCancelOrGracefulShutdown: {
            Task {
                await hub.mesh.close()
                await hub.notifier.stop()
            }
        }
    }

    private func keep(_ hub: Hub) async {
        var beat = ContinuousClock.now
        var prune = ContinuousClock.now
        while !Task.isCancelled {
            do {
                try await Task.sleep(for: .milliseconds(500))
                try await hub.closeExpiredSessions()
                if try await hub.store.read({ try $0.sessionsUnwarned() }).isEmpty == false {
                    try await hub.store.write { [now = hub.now, configuration = hub.configuration] writer in
                        try MissionTransaction(writer: writer, now: now, configuration: configuration).warnOfExpiry()
                    }
                    await hub.notifier.wake()
                }
                let state = await hub.ledger.state()
                if state.trouble != nil || state.backlog > 0 { await hub.ledger.drain() }
                await hub.mesh.pump()
                if (ContinuousClock.now - beat).seconds >= hub.configuration.heartbeat {
                    beat = ContinuousClock.now
                    await hub.mesh.beat()
                }
                if (ContinuousClock.now - prune).seconds >= 3600 {
                    prune = ContinuousClock.now
                    let before = hub.now.addingTimeInterval(-30 * 86400)
                    _ = try await hub.store.write { try $0.prune(before: before) }
                }
            } catch is CancellationError {
                return
            } catch {
                hub.logger.error("housekeeping failed and is tried again: \(oneLine("\(error)"))")
            }
        }
    }
}

extension MissionTransaction {
    /// Makes the store's tokens those of the configuration file, beside those that administrators made.
    func takeConfiguredTokens() throws {
        let old = try writer.tokens().filter { $0.source == .configuration }
        for wanted in configuration.tokens {
            if var known = try writer.token(sha256: wanted.sha256) {
                guard known.principal != wanted.principal || known.role != wanted.role || known.revokedAt != nil else {
                    continue
                }
                (known.principal, known.role, known.revokedAt, known.source) = (
                    wanted.principal, wanted.role, nil, .configuration
                )
                try writer.save(known)
            } else {
                try writer.save(
                    TokenRecord(
                        id: "t-" + wanted.sha256.short, principal: wanted.principal, role: wanted.role,
                        sha256: wanted.sha256,
                        source: .configuration, createdAt: now))
            }
            try record(
                "token.configured", mission: nil, actor: "coordinator",
                body: [
                    "token": .string("t-" + wanted.sha256.short), "role": .string(wanted.role.rawValue),
                    "principal": .string(wanted.principal),
                ])
        }
        let kept = Set(configuration.tokens.map(\.sha256))
        for var gone in old where gone.revokedAt == nil && !kept.contains(gone.sha256) {
            gone.revokedAt = now
            try writer.save(gone)
            try record("token.revoked", mission: nil, actor: "coordinator", body: ["token": .string(gone.id)])
        }
    }
}
