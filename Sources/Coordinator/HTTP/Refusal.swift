internal import Documents
internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird

/// A request that is answered with problem details (RFC 9457). `detail` is a sentence for a person: what, why, what to do.
struct Refusal: Error, Sendable {
    var status: HTTPResponse.Status
    /// The last part of the problem's type URI.
    var kind: String
    var title: String
    var detail: String
    /// Members beside the standard ones.
    var members: [String: JSON] = [:]
    var headers: HTTPFields = [:]

    static func malformed(_ detail: String) -> Refusal {
        Refusal(status: .badRequest, kind: "malformed", title: "The request is malformed", detail: detail)
    }

    static func unauthenticated(_ detail: String) -> Refusal {
        var headers = HTTPFields()
        headers[.wwwAuthenticate] = #"Bearer realm="grace""#
        return Refusal(
            status: .unauthorized, kind: "unauthenticated", title: "A valid bearer token is needed", detail: detail,
            headers: headers)
    }

    static func forbidden(_ detail: String) -> Refusal {
        Refusal(status: .forbidden, kind: "forbidden", title: "This token may not do that", detail: detail)
    }

    static func notFound(_ what: String) -> Refusal {
        Refusal(status: .notFound, kind: "not-found", title: "There is no such thing", detail: what)
    }

    static func conflict(_ kind: String, _ detail: String, _ members: [String: JSON] = [:]) -> Refusal {
        Refusal(
            status: .conflict, kind: kind, title: "The present state does not allow it", detail: detail,
            members: members)
    }

    static func invalid(_ detail: String, _ members: [String: JSON] = [:]) -> Refusal {
        Refusal(
            status: .unprocessableContent, kind: "invalid", title: "The request does not hold what is expected",
            detail: detail, members: members)
    }

    static func tooLarge(limit: Int) -> Refusal {
        Refusal(
            status: .contentTooLarge, kind: "too-large", title: "The body is too large",
            detail: "The body has more than \(limit) bytes, the most this path takes. Nothing of it was kept.",
            members: ["limit": .integer(Int64(limit))])
    }

    static func methodNotAllowed(_ method: String, allowed: [String]) -> Refusal {
        var headers = HTTPFields()
        headers[.allow] = allowed.joined(separator: ", ")
        return Refusal(
            status: .methodNotAllowed, kind: "method-not-allowed", title: "This path does not take that method",
            detail: "\(method) is not taken here; allowed: \(allowed.joined(separator: ", ")).", headers: headers)
    }

    static func unavailable(_ detail: String) -> Refusal {
        Refusal(status: .serviceUnavailable, kind: "unavailable", title: "Not possible at the moment", detail: detail)
    }

    static let fault = Refusal(
        status: .internalServerError, kind: "fault", title: "Something failed inside the coordinator",
        detail: "The request was not the cause; the coordinator's log says what happened. Nothing half-done was kept.")

    /// Everything wrong with a document, one member of `errors` for each problem.
    static func problems(_ problems: Problems) -> Refusal {
        let errors = problems.all.map { problem -> JSON in
            [
                "file": .string(problem.file), "line": problem.line.map { .integer(Int64($0)) } ?? .null,
                "path": .string(problem.path), "message": .string(problem.message),
            ]
        }
        return .invalid(problems.description, ["errors": .array(errors)])
    }

    var body: JSON {
        var all = members
        all["type"] = .string("https://grace.dev/problems/\(kind)")
        all["title"] = .string(title)
        all["status"] = .integer(Int64(status.code))
        all["detail"] = .string(detail)
        return .object(all)
    }

    var response: Response {
        var headers = headers
        headers[.contentType] = "application/problem+json"
        return Response(
            status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: body.canonical)))
    }
}

extension Response {
    /// A JSON answer. Never cached: it shows a state that moves.
    static func json(_ value: JSON, status: HTTPResponse.Status = .ok) -> Response {
        bytes(value.canonical, type: "application/json", status: status)
    }

    static func bytes(_ data: Data, type: String, status: HTTPResponse.Status = .ok) -> Response {
        var headers = HTTPFields()
        headers[.contentType] = type
        headers[.cacheControl] = "no-store"
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: data)))
    }
}
