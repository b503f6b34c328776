import Documents
import FoundationEssentials
import HTTPTypes
import Hummingbird
import Logging
import Synchronization
import Testing

/// Somebody else's HTTP server, really listening on loopback: keeps what is posted to it and answers what a test tells it to.
final class Receiver: Sendable {
    struct Posted: Sendable {
        var path: String
        var contentType: String?
        var key: String?
        var body: JSON
    }

    enum Behaviour: Sendable {
        case answer(Int)
        /// No answer before the behaviour changes.
        case silence
        /// An answer that sends the client elsewhere.
        case redirect(String)
    }

    let url: String
    private let state: Mutex<(behaviour: Behaviour, posted: [Posted])>

    var posted: [Posted] { state.withLock { $0.posted } }
    func behave(_ behaviour: Behaviour) { state.withLock { $0.behaviour = behaviour } }

    /// The events that came to `path`, in order.
    func events(_ path: String = "/hook") -> [String] {
        posted.filter { $0.path == path }.map { $0.body["event"]?.string ?? "?" }
    }

    private init(url: String, behaviour: Behaviour) {
        self.url = url
        state = Mutex((behaviour, []))
    }

    /// Runs `body` beside a receiver and takes it down.
    static func with(_ behaviour: Behaviour = .answer(200), _ body: (Receiver) async throws -> Void) async throws {
        let made = Mutex<Receiver?>(nil)
        let router = Router()
        router.post("**") { request, _ in
            let bytes = try await request.body.collect(upTo: 1 << 20)
            guard let receiver = made.withLock({ $0 }) else { return Response(status: .internalServerError) }
            return await receiver.take(request, Data(bytes.readableBytesView))
        }
        let (stream, continuation) = AsyncStream.makeStream(of: Int.self)
        var logger = Logger(label: "receiver") { _ in SwiftLogNoOpLogHandler() }
        logger.logLevel = .critical
        let application = Application(
            router: router, configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { continuation.yield($0.localAddress?.port ?? 0) }, logger: logger)
        let running = Task { try await application.run() }
        var iterator = stream.makeAsyncIterator()
        let port = try #require(await iterator.next(), "the receiver did not listen")
        let receiver = Receiver(url: "http://127.0.0.1:\(port)", behaviour: behaviour)
        made.withLock { $0 = receiver }
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(receiver))
        } catch {
            result = .failure(error)
        }
        receiver.behave(.answer(503))
        running.cancel()
        _ = try? await running.value
        try result.get()
    }

    private func take(_ request: Request, _ data: Data) async -> Response {
        let key = HTTPField.Name("Idempotency-Key").flatMap { request.headers[$0] }
        state.withLock {
            $0.posted.append(
                Posted(
                    path: request.uri.path, contentType: request.headers[.contentType], key: key,
                    body: (try? JSON(parsing: data)) ?? .null))
        }
        while true {
            switch state.withLock({ $0.behaviour }) {
            case .answer(let code): return Response(status: .init(code: code))
            case .redirect(let place): return Response(status: .found, headers: [.location: place])
            case .silence:
                do {
                    try await Task.sleep(for: .milliseconds(20))
                } catch {
                    return Response(status: .serviceUnavailable)
                }
            }
        }
    }
}
