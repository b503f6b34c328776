internal import Documents
internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore

/// A request's surroundings: what Hummingbird needs, and the connection.
struct CallContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }
}

/// Finds the route, asks whose request it is, runs the handler and turns whatever is thrown into problem details.
struct Dispatcher: HTTPResponder {
    let hub: Hub
    let routes: [Route]

    init(hub: Hub, routes: [Route]) {
        self.hub = hub
        self.routes = routes
    }

    func respond(to request: Request, context: CallContext) async throws -> Response {
        let begin = ContinuousClock.now
        var routeName = "none"
        var response: Response
        do {
            response = try await answer(request, &routeName)
        } catch {
            let refusal = refusal(for: error, request)
            response = refusal.response
            if refusal.status == .contentTooLarge { hangUp(context.channel, &response) }
        }
        if request.method == .head { response = response.createHeadResponse() }
        response.headers[.init("X-Content-Type-Options") ?? .contentType] = "nosniff"
        hub.counters.count(
            route: routeName, status: response.status.code, seconds: (ContinuousClock.now - begin).seconds)
        hub.logger.debug("\(request.method.rawValue) \(routeName) \(response.status.code)")
        return response
    }

    private func answer(_ request: Request, _ name: inout String) async throws -> Response {
        let path = request.uri.path
        guard path.hasPrefix("/"), path.utf8.count <= 4096 else {
            throw Refusal.malformed("The path is longer than 4096 bytes or does not begin with a slash.")
        }
        var parts = try path.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map {
            try Query.decode($0, plus: false)
        }
        if parts.last == "" { parts.removeLast() }
        let method = request.method == .head ? .get : request.method
        let fitting = routes.compactMap { route in route.match(parts).map { (route, $0) } }
        guard let (route, parameters) = fitting.first(where: { $0.0.method == method }) else {
            guard fitting.isEmpty else {
                throw Refusal.methodNotAllowed(
                    String(request.method.rawValue.prefix(20)), allowed: fitting.map { $0.0.method.rawValue }.sorted())
            }
            throw Refusal.notFound("Nothing lies at \(path.prefix(200)). GET /openapi.json lists every path.")
        }
        name = route.name
        let token = try await authenticate(request, route)
        let query = try Query(request.uri.query)
        if let unknown = query.values.keys.first(where: { key in !route.query.contains { $0.name == key } }) {
            let known = route.query.map(\.name).joined(separator: ", ")
            throw Refusal.malformed(
                "The query parameter “\(unknown.prefix(60))” is not known here. \(known.isEmpty ? "This path takes none." : "Known: \(known).")"
            )
        }
        return try await route.handler(
            Call(hub: hub, route: route, request: request, parameters: parameters, query: query, token: token))
    }

    private func authenticate(_ request: Request, _ route: Route) async throws -> TokenRecord? {
        switch route.access {
        case .everyone: return nil
        case .ledger where hub.configuration.publicLedger: return nil
        default: break
        }
        guard let header = request.headers[.authorization] else {
            throw Refusal.unauthenticated("This path needs the header “Authorization: Bearer TOKEN”.")
        }
        let words = header.split(separator: " ", omittingEmptySubsequences: true)
        guard words.count == 2, words[0].lowercased() == "bearer" else {
            throw Refusal.unauthenticated("The Authorization header does not read “Bearer TOKEN”.")
        }
        let digest = Digest(of: Array(words[1].utf8))
        guard let token = try await hub.store.read({ try $0.token(sha256: digest) }), token.revokedAt == nil else {
            throw Refusal.unauthenticated("This token is not known here, or was revoked. Ask an administrator for one.")
        }
        switch route.access {
        case .role(let role) where !token.role.covers(role):
            throw Refusal.forbidden(
                "\(route.method.rawValue) \(route.path) needs the role \(role.rawValue); the token of \(token.principal) has \(token.role.rawValue)."
            )
        case .ledger where !token.role.covers(.viewer) && token.role != .agent:
            throw Refusal.forbidden("The ledger needs a viewer's token.")
        default: return token
        }
    }

    private func refusal(for error: any Error, _ request: Request) -> Refusal {
        switch error {
        case let refusal as Refusal: return refusal
        case let problems as Problems: return .problems(problems)
        case is CancellationError: return .unavailable("The coordinator is stopping; ask again in a moment.")
        default:
            hub.logger.error(
                "\(request.method.rawValue) \(request.uri.path.prefix(200)) failed: \(oneLine("\(error)"))")
            return .fault
        }
    }

    /// A client that goes on sending what was refused is not listened to for long.
    private func hangUp(_ channel: any Channel, _ response: inout Response) {
        response.headers[.connection] = "close"
        channel.eventLoop.scheduleTask(in: .seconds(2)) { channel.close(promise: nil) }
    }
}

/// Log lines are one line each.
func oneLine(_ text: String) -> String {
    String(text.map { $0.isNewline ? " " : $0 }.prefix(2000))
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
