public import AsyncHTTPClient
public import Documents
public import FoundationEssentials
public import Ledger
public import Missions
internal import NIOCore
internal import NIOHTTP1

/// Why a request to the coordinator did not succeed.
public struct LinkError: Error, CustomStringConvertible, Sendable {
    /// The HTTP status, `nil` when there was no answer.
    public let status: Int?
    public let description: String

    /// Whether trying again later may help without anything else changing.
    public var isPassing: Bool { status.map { $0 >= 500 || $0 == 429 } ?? true }
}

/// ``CoordinatorLink`` over HTTP with a bearer token.
public struct HTTPLink: CoordinatorLink {
    let client: HTTPClient
    let base: String
    let token: String

    public init(client: HTTPClient, base: String, token: String) {
        self.client = client
        self.base = base
        self.token = token
    }

    public func enrol(_ enrolment: Enrolment) async throws -> EnrolmentAnswer {
        try await call(.POST, "/api/agent/hosts", try JSON(encoding: enrolment))
    }

    public func work(host: String) async throws -> WorkList {
        try await call(.GET, "/api/agent/missions?host=\(host)", nil)
    }

    public func mission(_ id: String) async throws -> MissionView {
        try await call(.GET, "/api/agent/missions/\(id)", nil)
    }

    public func create(_ proposal: Proposal) async throws -> ProposalAnswer {
        try await call(.POST, "/api/agent/missions", try JSON(encoding: proposal))
    }

    public func report(_ event: EventReport, mission: String) async throws -> MissionPhase {
        let answer: PhaseAnswer = try await call(
            .POST, "/api/agent/missions/\(mission)/events", try JSON(encoding: event))
        return answer.phase
    }

    public func progress(_ progress: ProgressReport, mission: String) async throws {
        _ = try await send(
            .POST, "/api/agent/missions/\(mission)/progress", try JSON(encoding: progress).canonical, "application/json"
        )
    }

    public func upload(evidence: Envelope, mission: String) async throws {
        _ = try await send(
            .PUT, "/api/agent/missions/\(mission)/evidence", try JSON(encoding: evidence).canonical, "application/json")
    }

    public func upload(changes: ChangesUpload, mission: String) async throws {
        _ = try await send(
            .PUT, "/api/agent/missions/\(mission)/changes", try JSON(encoding: changes).canonical, "application/json")
    }

    public func upload(blob: Data, digest: Digest) async throws {
        _ = try await send(.PUT, "/api/agent/blobs/\(digest.hex)", blob, "application/octet-stream")
    }

    public func authorization(mission: String, known: UInt64?) async throws -> AuthorizationAnswer {
        let query = known.map { "?known=\($0)" } ?? ""
        return try await call(.GET, "/api/agent/missions/\(mission)/authorization\(query)", nil)
    }

    public func append(_ entries: [JournalEntry]) async throws -> JournalAnswer {
        try await call(.POST, "/api/agent/journal", .object(["entries": try JSON(encoding: entries)]))
    }

    public func pause() async throws -> PauseAnswer {
        try await call(.GET, "/api/agent/pause", nil)
    }

    private func call<Answer: Decodable>(_ method: HTTPMethod, _ path: String, _ body: JSON?) async throws -> Answer {
        let data = try await send(method, path, body?.canonical, "application/json")
        return try JSON(parsing: data).decode()
    }

    private func send(_ method: HTTPMethod, _ path: String, _ body: Data?, _ type: String) async throws -> Data {
        var request = HTTPClientRequest(url: base + path)
        request.method = method
        request.headers.add(name: "Authorization", value: "Bearer \(token)")
        if let body {
            request.headers.add(name: "Content-Type", value: type)
            request.body = .bytes(ByteBuffer(bytes: body))
        }
        let response: HTTPClientResponse
        let data: Data
        do {
            response = try await client.execute(request, timeout: .seconds(30))
            data = Data(buffer: try await response.body.collect(upTo: 64 << 20))
        } catch {
            throw LinkError(
                status: nil,
                description:
                    "The coordinator at \(base) does not answer (\(error)). Is it running? The agent tries again.")
        }
        let status = Int(response.status.code)
        guard (200..<300).contains(status) else {
            let problem = try? JSON(parsing: data)
            let detail =
                problem?["detail"]?.string ?? problem?["title"]?.string
                ?? String(decoding: data.prefix(300), as: UTF8.self)
            throw LinkError(
                status: status, description: "The coordinator refused \(method.rawValue) \(path) (\(status)): \(detail)"
            )
        }
        return data
    }
}

extension HTTPClient {
    /// For an agent's probes and its coordinator: a refused connection is an answer, said at once. The shared client would try
    /// again until the time is up, and a watch would see a dead service seconds late.
    public static let agent: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()
}

extension Data {
    init(buffer: ByteBuffer) {
        self.init(buffer.readableBytesView)
    }
}
