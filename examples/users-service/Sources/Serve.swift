import ArgumentParser
import FoundationEssentials
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Serve the users over HTTP.")

    @Option(help: "The SQLite file.")
    var database: String

    @Option(help: "The port on 127.0.0.1.")
    var port = 8080

    @Option(help: "A file of key = value lines; `fault_every = N` makes every N-th request fail (0: none).")
    var config: String?

    func run() async throws {
        let store = try UserStore(path: database)
        let settings = try Settings(path: config)
        var logger = Logger(label: "users-service")
        logger.logLevel = .warning
        let router = Router()
        router.add(middleware: FaultMiddleware(every: settings.faultEvery))
        router.get("healthz") { _, _ in "ok\n" }
        router.get("users/:id") { _, context -> Response in
            guard let user = try await store.user(id: context.parameters.require("id", as: Int64.self)) else {
                throw HTTPError(.notFound, message: "There is no such user.")
            }
            return try Self.json(user)
        }
        router.get("users") { request, _ -> Response in
            guard let email = request.uri.queryParameters.get("email") else {
                return try Self.json(["count": try await store.count()])
            }
            return try Self.json(try await store.users(email: email))
        }
        router.post("users/import") { request, _ -> Response in
            let count = request.uri.queryParameters.get("count", as: Int.self) ?? 1000
            guard (1...100_000).contains(count) else {
                throw HTTPError(.badRequest, message: "count must be from 1 to 100000.")
            }
            return try Self.json(["last_id": try store.add(count: count)])
        }
        let application = Application(
            router: router,
            configuration: .init(address: .hostname("127.0.0.1", port: port), serverName: "users-service"),
            logger: logger)
        try await application.runService()
    }

    static func json(_ value: some Encodable) throws -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: try JSONEncoder().encode(value))))
    }
}

struct Settings {
    var faultEvery = 0

    init(path: String?) throws {
        guard let path else { return }
        let text = try String(contentsOfFile: path, encoding: .utf8)
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let parts = line.split(separator: "=", maxSplits: 1).map { $0.filter { !$0.isWhitespace } }
            guard parts.count == 2 else { throw ValidationError("\(path): expected key = value, found “\(line)”.") }
            switch parts[0] {
            case "fault_every":
                guard let value = Int(parts[1]), value >= 0 else {
                    throw ValidationError(
                        "\(path): fault_every must be a whole number of 0 or more, found “\(parts[1])”.")
                }
                faultEvery = value
            default: throw ValidationError("\(path): unknown key “\(parts[0])”; known: fault_every.")
            }
        }
    }
}

/// Fails every N-th request, as a bad configuration of a real service would.
actor RequestCounter {
    private var count = 0

    func next() -> Int {
        count += 1
        return count
    }
}

struct FaultMiddleware<Context: RequestContext>: RouterMiddleware {
    let every: Int
    let counter = RequestCounter()

    @concurrent
    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        if every > 0, await counter.next() % every == 0 { throw HTTPError(.internalServerError, message: "A fault.") }
        return try await next(request, context)
    }
}
