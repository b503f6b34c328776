internal import Documents
internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// One request on its way through a route's handler.
struct Call: Sendable {
    let hub: Hub
    let route: Route
    let request: Request
    let parameters: [String: String]
    let query: Query
    /// Whose request it is; `nil` only where no token is needed.
    let token: TokenRecord?

    /// A parameter of the path.
    func parameter(_ name: String) -> String { parameters[name] ?? "" }

    /// The token's record; every route but the open ones has one.
    var caller: TokenRecord {
        get throws {
            guard let token else { throw Refusal.unauthenticated("This path needs a token.") }
            return token
        }
    }

    /// A digest in the path.
    func digest(_ name: String) throws -> Digest {
        guard let digest = Digest(hex: parameter(name)) else {
            throw Refusal.notFound(
                "“\(parameter(name).prefix(80))” is no SHA-256 of 64 lower-case hexadecimal digits, so nothing has that name."
            )
        }
        return digest
    }

    /// The whole body, at most what the route takes.
    func data() async throws -> Data {
        var limit = hub.configuration.bodyLimit
        if case .json(_, _, let own?) = route.body { limit = max(own, limit) }
        try refuseDeclared(limit)
        var data = Data()
        for try await buffer in request.body {
            guard data.count + buffer.readableBytes <= limit else { throw Refusal.tooLarge(limit: limit) }
            data.append(contentsOf: buffer.readableBytesView)
        }
        return data
    }

    /// The body as JSON; `nil` when there is none.
    func optionalJSON() async throws -> JSON? {
        let data = try await data()
        guard !data.isEmpty else { return nil }
        do {
            try JSONNesting.check(data)
            return try JSON(parsing: data)
        } catch {
            throw Refusal.malformed("\(error)")
        }
    }

    /// The body as a JSON object.
    func json() async throws -> JSON {
        guard let json = try await optionalJSON() else {
            throw Refusal.malformed("The body is empty; this path takes a JSON object.")
        }
        guard json.object != nil else {
            throw Refusal.invalid("The body is JSON, but not an object; this path takes one.")
        }
        return json
    }

    /// Reads a value of the body, or says in one sentence what is wrong with it.
    func decode<T: Decodable>(_ type: T.Type, _ json: JSON?, _ name: String) throws -> T {
        guard let json else { throw Refusal.invalid("The key “\(name)” is missing.") }
        do {
            return try json.decode(type)
        } catch {
            throw Refusal.invalid("The value of “\(name)” is not what this path takes. \(error)")
        }
    }

    /// Text of the body, at most `limit` bytes.
    func text(_ json: JSON, _ key: String, limit: Int = 16 << 10) throws -> String {
        guard let text = try optionalText(json, key, limit: limit) else {
            throw Refusal.invalid("The key “\(key)” is missing.")
        }
        guard text.contains(where: { !$0.isWhitespace }) else {
            throw Refusal.invalid("“\(key)” is empty; it takes text.")
        }
        return text
    }

    func optionalText(_ json: JSON, _ key: String, limit: Int = 16 << 10) throws -> String? {
        guard let value = json[key], !value.isNull else { return nil }
        guard let text = value.string else { throw Refusal.invalid("“\(key)” is not text.") }
        guard text.utf8.count <= limit else { throw Refusal.invalid("“\(key)” has more than \(limit) bytes.") }
        return text
    }

    /// Passes the body on piece by piece, at most `limit` bytes of it.
    func stream(limit: Int, _ take: (Data) throws -> Void) async throws {
        try refuseDeclared(limit)
        var count = 0
        for try await buffer in request.body {
            count += buffer.readableBytes
            guard count <= limit else { throw Refusal.tooLarge(limit: limit) }
            try take(Data(buffer.readableBytesView))
        }
    }

    private func refuseDeclared(_ limit: Int) throws {
        guard let text = request.headers[.contentLength] else { return }
        if let length = Int(text), length > limit { throw Refusal.tooLarge(limit: limit) }
    }

    /// `limit` and `after` of a list's page.
    func page() throws -> (limit: Int, after: Int64?) {
        var limit = 50
        if let text = query["limit"] {
            guard let value = Int(text), (1...200).contains(value) else {
                throw Refusal.invalid("“limit” is a whole number from 1 to 200, not “\(text.prefix(40))”.")
            }
            limit = value
        }
        guard let text = query["after"] else { return (limit, nil) }
        guard let after = Int64(text), after >= 0 else {
            throw Refusal.invalid("“after” is what an earlier answer gave as “next”, not “\(text.prefix(40))”.")
        }
        return (limit, after)
    }
}

/// Foundation's JSON parser recurses: a deep document must be refused before it sees it.
enum JSONNesting {
    struct TooDeep: Error, CustomStringConvertible {
        var description: String { "The JSON document nests more than 128 levels; no document taken here does." }
    }

    static func check(_ data: Data) throws {
        var depth = 0
        var inText = false
        var escaped = false
        for byte in data {
            if inText {
                if escaped {
                    escaped = false
                } else if byte == UInt8(ascii: "\\") {
                    escaped = true
                } else if byte == UInt8(ascii: "\"") {
                    inText = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): inText = true
            case UInt8(ascii: "["), UInt8(ascii: "{"):
                depth += 1
                if depth > 128 { throw TooDeep() }
            case UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
            default: break
            }
        }
    }
}
