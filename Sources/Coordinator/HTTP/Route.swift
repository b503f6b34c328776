internal import Documents
internal import HTTPTypes
internal import Hummingbird

/// One path and method: what it takes, what it gives, who may, and what it does. The routes and the OpenAPI document are
/// both made from these, so that neither says what the other doesn't.
struct Route: Sendable {
    /// Who may.
    enum Access: Sendable, Equatable {
        case everyone
        case role(Role)
        /// Any valid token, agents' too.
        case anyToken
        /// A viewer's token, or nobody's where the configuration publishes the ledger.
        case ledger
    }

    /// What the body is.
    enum Body: Sendable {
        case none
        /// JSON of that schema; `limit` in bytes, the configured one when `nil`.
        case json(String, required: Bool = true, limit: Int? = nil)
        /// Any bytes, as a stream.
        case bytes
    }

    /// A query parameter.
    struct Parameter: Sendable {
        var name: String
        var schema: JSON
        var about: String
        var required = false
    }

    /// What a success looks like.
    enum Content: Sendable {
        case json(String)
        case other(type: String)
    }

    let method: HTTPRequest.Method
    /// As in OpenAPI: `/missions/{mission_id}`. A last part `{name...}` takes the rest of the path.
    let path: String
    /// The OpenAPI `operationId`.
    let name: String
    let tag: String
    let summary: String
    let access: Access
    var query: [Parameter] = []
    var body: Body = .none
    var success: HTTPResponse.Status = .ok
    let content: Content
    /// Statuses beside success and those that follow from the rest: 400, 401, 403, 404, 413.
    var refusals: [HTTPResponse.Status] = []
    let handler: @Sendable (Call) async throws -> Response

    /// The parts between slashes.
    var segments: [Substring] { path.split(separator: "/") }

    /// Every status this route may answer with, in order.
    var statuses: [HTTPResponse.Status] {
        var all: Set<Int> = [success.code, 400, 500]
        if access != .everyone { all.formUnion([401, 403]) }
        if path.contains("{") { all.insert(404) }
        if case .none = body {} else { all.insert(413) }
        all.formUnion(refusals.map(\.code))
        return all.sorted().map { HTTPResponse.Status(code: $0) }
    }

    /// The values of the path's parameters, if the path fits.
    func match(_ parts: [String]) -> [String: String]? {
        var values: [String: String] = [:]
        let segments = segments
        for (index, segment) in segments.enumerated() {
            if segment.hasSuffix("...}") {
                guard parts.count > index else { return nil }
                values[String(segment.dropFirst().dropLast(4))] = parts[index...].joined(separator: "/")
                return values
            }
            guard parts.indices.contains(index) else { return nil }
            if segment.hasPrefix("{") {
                guard !parts[index].isEmpty else { return nil }
                values[String(segment.dropFirst().dropLast())] = parts[index]
            } else if segment != parts[index][...] {
                return nil
            }
        }
        return parts.count == segments.count ? values : nil
    }
}
