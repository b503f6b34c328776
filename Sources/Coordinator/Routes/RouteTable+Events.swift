internal import Documents
internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import ServiceLifecycle

/// The trigger mesh as server-sent events (HTML Living Standard, section 9.2).
extension RouteTable {
    static let events: [Route] = [
        Route(
            method: .get, path: "/api/events", name: "listen", tag: "events",
            summary:
                "Server-sent events. With `Last-Event-ID` (header, or `last_event_id`) first everything after it, from the store.",
            access: .role(.viewer),
            query: [
                parameter(
                    "topics", ["type": "string"], "Such as `mission.*` or `mission.frozen,agent.*`; all without it."),
                parameter(
                    "last_event_id", ["type": "string"], "For clients that can't set the header; the header wins."),
            ],
            content: .other(type: "text/event-stream"), refusals: [.unprocessableContent], handler: listen)
    ]

    private static func listen(_ call: Call) async throws -> Response {
        let pattern: TopicPattern
        if let text = call.query["topics"] {
            guard let wanted = TopicPattern(text) else {
                throw Refusal.invalid(
                    "“\(text.prefix(80))” is no pattern; expected such as “mission.*” or “mission.frozen,agent.*”.")
            }
            pattern = wanted
        } else {
            pattern = .everything
        }
        var last: Int64?
        if let text = call.request.headers[.lastEventID] ?? call.query["last_event_id"] {
            guard let id = Int64(text), id >= 0 else {
                throw Refusal.invalid(
                    "“\(text.prefix(40))” is no event id; give one that an event carried, or 0 for all.")
            }
            last = id
        }
        let (hub, request, since) = (call.hub, call.request, last)
        var headers = HTTPFields()
        headers[.contentType] = "text/event-stream"
        headers[.cacheControl] = "no-store"
        let body = ResponseBody { writer in
            // Listening begins before the store is read, so that nothing falls between; ids tell what was sent already.
            let (id, stream) = await hub.mesh.subscribe(pattern)
            do {
                try await request.body.consumeWithInboundCloseHandler { _ in
                    var sent = since ?? 0
                    try await writer.write(ByteBuffer(string: "retry: 1000\n: grace\n\n"))
                    if since != nil {
                        while true {
                            let from = sent
                            let old = try await hub.store.read { try $0.events(after: from, limit: 256) }
                            for event in old {
                                if pattern.matches(event.topic) { try await writer.write(frame(event)) }
                                sent = event.id
                            }
                            if old.count < 256 { break }
                        }
                    }
                    // The server stops before anything else does, and waits for its answers: they must end by themselves.
                    try await withGracefulShutdownHandler {
                        for await event in stream {
                            if event.id > 0, event.id <= sent { continue }
                            try await writer.write(frame(event))
                            if event.id > 0 { sent = event.id }
                        }
                    } onGracefulShutdown: {
                        Task { await hub.mesh.unsubscribe(id) }
                    }
                } onInboundClosed: {
                    Task { await hub.mesh.unsubscribe(id) }
                }
            } catch {
                await hub.mesh.unsubscribe(id)
                throw error
            }
            await hub.mesh.unsubscribe(id)
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: headers, body: body)
    }

    /// One event as lines; a heartbeat is a comment. Canonical JSON has no newlines, so `data` is one line.
    private static func frame(_ event: EventRecord) -> ByteBuffer {
        guard !event.topic.isEmpty else { return ByteBuffer(string: ": heartbeat\n\n") }
        var body = event.body.object ?? [:]
        body["topic"] = .string(event.topic)
        body["at"] = .string(Timestamp.text(event.at))
        if event.id > 0 { body["id"] = .string(String(event.id)) }
        let data = String(decoding: JSON.object(body).canonical, as: UTF8.self)
        let id = event.id > 0 ? "id: \(event.id)\n" : ""
        return ByteBuffer(string: "\(id)event: \(event.topic)\ndata: \(data)\n\n")
    }
}
