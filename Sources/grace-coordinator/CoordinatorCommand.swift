import ArgumentParser
import Coordinator
import Documents
import Foundation
import Logging
import ServiceLifecycle
import UnixSignals

/// The coordinator as a program.
@main
struct CoordinatorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "grace-coordinator",
        abstract: "Keeps missions, sessions, votes and the ledger. Needs no root and can promote nothing by itself.",
        version: Coordinator.version)

    @Option(help: "The configuration file (default: $GRACE_CONFIG_DIR/coordinator.yaml, /etc/grace/coordinator.yaml).")
    var config: String?

    @Option(help: "The address to listen at, such as 127.0.0.1:8420; port 0 takes a free one.")
    var listen: String?

    @Option(
        help:
            "The directory of the store, the ledger and blobs (default: $GRACE_STATE_DIR/coordinator, /var/lib/grace/coordinator)."
    )
    var state: String?

    @Flag(help: "End when standard input ends: for a program that starts this one.")
    var exitOnEof = false

    @Flag(help: "Refused: keeping an approver's key here is not built.")
    var custodial = false

    func run() async throws {
        guard !custodial else {
            throw ValidationError(
                "--custodial is not built: this coordinator never holds an approver's key. Sign with “grace vote … --key”."
            )
        }
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        var logger = Logger(label: "grace-coordinator")
        if let level = ProcessInfo.processInfo.environment["LOG_LEVEL"].flatMap({ Logger.Level(rawValue: $0) }) {
            logger.logLevel = level
        }
        do {
            let coordinator = try await Coordinator(configuration: try settings(), logger: logger)
            try await serve(coordinator, logger)
            try await coordinator.close()
        } catch let problems as Problems {
            try fail(problems.description, 2)
        } catch let error as ExitWith {
            try fail(error.message, error.code)
        } catch is CancellationError {
            return
        } catch {
            try fail("\(error)", 1)
        }
    }

    private func fail(_ message: String, _ code: Int32) throws -> Never {
        FileHandle.standardError.write(Data("grace-coordinator: \(message)\n".utf8))
        throw ExitCode(code)
    }

    private func settings() throws -> CoordinatorConfiguration {
        let environment = ProcessInfo.processInfo.environment
        let home = environment["GRACE_STATE_DIR"] ?? "/var/lib/grace"
        let file = config ?? (environment["GRACE_CONFIG_DIR"] ?? "/etc/grace") + "/coordinator.yaml"
        var result: CoordinatorConfiguration
        if FileManager.default.fileExists(atPath: file) || config != nil {
            guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
                throw ExitWith(
                    message:
                        "The configuration file \(file) can't be read as UTF-8 text. Give one that exists with --config.",
                    code: 2)
            }
            result = try CoordinatorConfiguration.parse(file: file, text: text, state: home + "/coordinator")
        } else {
            result = CoordinatorConfiguration(state: home + "/coordinator")
        }
        if let state { result.state = state }
        if let listen {
            guard let (host, port) = CoordinatorConfiguration.address(listen) else {
                throw ExitWith(message: "“\(listen)” is no address; expected such as 127.0.0.1:8420.", code: 2)
            }
            (result.host, result.port) = (host, port)
        }
        return result
    }

    private func serve(_ coordinator: Coordinator, _ logger: Logger) async throws {
        let server = Server(coordinator: coordinator)
        let group = ServiceGroup(
            configuration: .init(services: [server], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        if exitOnEof {
            let thread = Thread {
                while FileHandle.standardInput.availableData.isEmpty == false {}
                Task { await group.triggerGracefulShutdown() }
            }
            thread.start()
        }
        try await group.run()
    }
}

/// The coordinator as a service of the group that handles signals.
struct Server: Service, CustomStringConvertible {
    let coordinator: Coordinator
    var description: String { "coordinator" }

    func run() async throws {
        try await coordinator.run { address in
            // A program that started this one reads the address from here.
            try? FileHandle.standardOutput.write(contentsOf: Data("listening at \(address)\n".utf8))
        }
    }
}

/// A sentence on standard error and an exit code.
struct ExitWith: Error, CustomStringConvertible {
    let message: String
    let code: Int32

    var description: String { message }
}
