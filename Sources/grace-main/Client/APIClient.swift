import Local
import AsyncHTTPClient
import Documents
import FoundationEssentials
import NIOCore
import NIOHTTP1

/// The coordinator's HTTP API, as a person's command line uses it.
struct APIClient {
    let base: String
    let token: String?

    /// Sends a request; a problem document becomes a ``Failure`` with its detail.
    func call(_ method: HTTPMethod, _ path: String, _ body: JSON? = nil, timeout: Int64 = 30) async throws -> JSON {
        let data = try await raw(method, path, body?.canonical, timeout: timeout)
        guard !data.isEmpty else { return .null }
        return try JSON(parsing: data)
    }

    func raw(_ method: HTTPMethod, _ path: String, _ body: Data? = nil, timeout: Int64 = 30) async throws -> Data {
        var request = HTTPClientRequest(url: base + path)
        request.method = method
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        if let body {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: body))
        }
        let response: HTTPClientResponse
        let data: Data
        do {
            response = try await HTTPClient.shared.execute(request, timeout: .seconds(timeout))
            let buffer = try await response.body.collect(upTo: 256 << 20)
            data = Data(buffer.readableBytesView)
        } catch {
            throw Failure(
                "The coordinator at \(base) does not answer (\(error)). Is `grace up` running, and is this the right address? "
                    + "Set it with --coordinator or GRACE_URL.")
        }
        let status = Int(response.status.code)
        guard (200..<300).contains(status) else {
            let problem = try? JSON(parsing: data)
            let detail =
                problem?["detail"]?.string ?? problem?["title"]?.string
                ?? String(decoding: data.prefix(400), as: UTF8.self)
            let hint = status == 401 ? " Give a token with --token-file or GRACE_TOKEN." : ""
            throw Failure("\(detail)\(hint) (HTTP \(status))", code: status == 409 || status == 403 ? 1 : 4)
        }
        return data
    }

    /// Server-sent events, one by one, from after `last`.
    func events(after last: String?, _ handle: (_ id: String, _ event: String, _ data: JSON) async throws -> Bool)
        async throws
    {
        var request = HTTPClientRequest(url: base + "/api/events")
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        if let last { request.headers.add(name: "Last-Event-ID", value: last) }
        let response = try await HTTPClient.shared.execute(request, timeout: .hours(24))
        guard response.status == .ok else {
            throw Failure("The coordinator refused the event stream (HTTP \(response.status.code)).")
        }
        var parser = EventParser()
        for try await buffer in response.body {
            for event in parser.feed(Array(buffer.readableBytesView)) {
                let data = (try? JSON(parsing: Data(event.data.utf8))) ?? .string(event.data)
                guard try await handle(event.id, event.name, data) else { return }
            }
        }
    }
}

/// Server-sent events (HTML Standard, section 9.2) from pieces of a stream.
struct EventParser {
    struct Event: Equatable {
        var id = ""
        var name = "message"
        var data = ""
    }

    private var pending: [UInt8] = []
    private var event = Event()
    private var lastID = ""

    mutating func feed(_ bytes: [UInt8]) -> [Event] {
        pending += bytes
        var events: [Event] = []
        while let end = pending.firstIndex(of: 10) {
            var line = String(decoding: pending[..<end], as: UTF8.self)
            pending.removeSubrange(...end)
            if line.hasSuffix("\r") { line.removeLast() }
            if line.isEmpty {
                if !event.data.isEmpty {
                    event.id = lastID
                    events.append(event)
                }
                event = Event()
                continue
            }
            guard !line.hasPrefix(":") else { continue }
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            var value = parts.count > 1 ? String(parts[1]) : ""
            if value.hasPrefix(" ") { value.removeFirst() }
            switch parts[0] {
            case "id": lastID = value
            case "event": event.name = value
            case "data": event.data += event.data.isEmpty ? value : "\n" + value
            default: break
            }
        }
        return events
    }
}
