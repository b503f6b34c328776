import AsyncHTTPClient
import Documents
import FoundationEssentials
import Ledger
import Linux
import Logging
import Missions
import NIOCore
import NIOHTTP1
import Parliament
import Synchronization
import Testing

@testable import Coordinator

/// A clock that tests move.
final class TestClock: Sendable {
    private let offset = Mutex<Double>(0)

    var now: Date { Date().addingTimeInterval(offset.withLock { $0 }) }
    func advance(_ seconds: Double) { offset.withLock { $0 += seconds } }
}

/// An answer as it came over the wire.
struct Answer {
    var status: Int
    var headers: HTTPHeaders
    var data: Data

    var json: JSON { (try? JSON(parsing: data)) ?? .null }
    subscript(key: String) -> JSON? { json[key] }
}

/// A coordinator on a free port with a state directory of its own, spoken to over real HTTP. Every answer is held against the
/// OpenAPI document.
final class Fixture: Sendable {
    static let tokens: [String: Role] = [
        "viewer-token": .viewer, "ann-token": .approver, "bob-token": .approver, "op-token": .operator,
        "admin-token": .admin,
        "agent-token": .agent, "agent2-token": .agent,
    ]

    let state: String
    let base: String
    let coordinator: Coordinator
    private let task: Task<Void, any Error>

    private init(state: String, base: String, coordinator: Coordinator, task: Task<Void, any Error>) {
        self.state = state
        self.base = base
        self.coordinator = coordinator
        self.task = task
    }

    static func directory() throws -> String {
        let path = "/var/tmp/grace-coordinator-test-\(UUID().uuidString.prefix(8).lowercased())"
        try Files.makeDirectory(path, mode: 0o700)
        return path
    }

    static func configuration(state: String) -> CoordinatorConfiguration {
        var configuration = CoordinatorConfiguration(state: state)
        configuration.port = 0
        configuration.tokens = tokens.map { token, role in
            ConfiguredToken(
                principal: String(token.dropLast(6)), role: role, sha256: Digest(of: Array(token.utf8)))
        }.sorted { $0.principal < $1.principal }
        configuration.parliament.electorate = ["ann", "bob"]
        configuration.parliament.approvalThreshold = 0.5
        return configuration
    }

    static func start(
        _ configuration: CoordinatorConfiguration, clock: TestClock = TestClock(),
        interrupt: @escaping @Sendable () throws -> Void = {}
    ) async throws -> Fixture {
        var logger = Logger(label: "test") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .critical
        let coordinator = try await Coordinator(
            configuration: configuration, logger: logger, clock: { clock.now }, interrupt: interrupt)
        let (stream, continuation) = AsyncStream.makeStream(of: String.self)
        let task = Task {
            defer { continuation.finish() }
            try await coordinator.run { continuation.yield($0) }
        }
        var iterator = stream.makeAsyncIterator()
        let base = try #require(await iterator.next(), "the coordinator did not listen")
        return Fixture(state: configuration.state, base: base, coordinator: coordinator, task: task)
    }

    /// Ends the server as a kill would, as far as the store and the log go: nothing is said, nothing is flushed.
    func stop() async {
        task.cancel()
        _ = try? await task.value
        try? await coordinator.close()
    }

    /// Runs `body` against a fresh coordinator and removes its state afterwards.
    static func with(
        _ change: (inout CoordinatorConfiguration) -> Void = { _ in }, clock: TestClock = TestClock(),
        _ body: (Fixture) async throws -> Void
    ) async throws {
        let state = try directory()
        defer { try? Files.removeTree(state) }
        var configuration = configuration(state: state)
        change(&configuration)
        let fixture = try await start(configuration, clock: clock)
        do {
            try await body(fixture)
        } catch {
            await fixture.stop()
            throw error
        }
        await fixture.stop()
    }

    func send(
        _ method: HTTPMethod, _ path: String, token: String? = "admin-token", body: Data? = nil,
        headers: [String: String] = [:],
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: base + path)
        request.method = method
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let body { request.body = .bytes(ByteBuffer(bytes: body)) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        let data = Data(try await response.body.collect(upTo: 64 << 20).readableBytesView)
        let answer = Answer(status: Int(response.status.code), headers: response.headers, data: data)
        for problem in OpenAPITruth.problems(of: answer, to: method.rawValue, path) {
            Issue.record("\(method.rawValue) \(path): \(problem)", sourceLocation: sourceLocation)
        }
        return answer
    }

    func get(_ path: String, token: String? = "admin-token", sourceLocation: SourceLocation = #_sourceLocation)
        async throws -> Answer
    {
        try await send(.GET, path, token: token, sourceLocation: sourceLocation)
    }

    func post(
        _ path: String, _ json: JSON? = nil, token: String? = "admin-token",
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Answer {
        try await send(.POST, path, token: token, body: json?.canonical, sourceLocation: sourceLocation)
    }

    func put(
        _ path: String, _ json: JSON, token: String? = "admin-token", sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Answer {
        try await send(.PUT, path, token: token, body: json.canonical, sourceLocation: sourceLocation)
    }
}
