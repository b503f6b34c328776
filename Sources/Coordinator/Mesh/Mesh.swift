internal import Documents
internal import FoundationEssentials
internal import Logging

/// The trigger mesh: what happens, to whoever listens, in order.
///
/// Events are kept in the store, which gives them their ids in the transaction that causes them; the mesh only passes on
/// what is stored. So nothing is heard that did not happen, and whoever missed something reads it again from the store.
actor Mesh {
    private struct Subscriber {
        let pattern: TopicPattern
        let continuation: AsyncStream<EventRecord>.Continuation
    }

    private let store: any Store
    private let logger: Logger
    private var subscribers: [Int: Subscriber] = [:]
    private var nextSubscriber = 0
    private var published: Int64 = 0
    private var closed = false

    init(store: any Store, logger: Logger) {
        self.store = store
        self.logger = logger
    }

    /// Begins after what is stored now.
    func start() async throws {
        published = try await store.read { try $0.lastEventID() }
    }

    var subscriberCount: Int { subscribers.count }

    /// Passes on every stored event that was not passed on yet.
    func pump() async {
        do {
            while true {
                let after = published
                let events = try await store.read { try $0.events(after: after, limit: 512) }
                // Another call may have passed these on meanwhile.
                for event in events where event.id > published {
                    published = event.id
                    send(event)
                }
                if events.count < 512 { break }
            }
        } catch {
            logger.error("events can't be read from the store; listeners wait: \(error)")
        }
    }

    /// Passes on an event that is not kept: it has no id, and who does not listen now never hears it.
    func fleeting(topic: String, mission: String?, at: Date, body: JSON) {
        send(EventRecord(id: 0, topic: topic, missionID: mission, at: at, body: body))
    }

    /// Events from now on whose topic fits. A listener that falls 1,024 events behind is cut off: its stream ends, and it
    /// comes back with the last id it saw.
    func subscribe(_ pattern: TopicPattern) -> (id: Int, events: AsyncStream<EventRecord>) {
        let (stream, continuation) = AsyncStream.makeStream(
            of: EventRecord.self, bufferingPolicy: .bufferingOldest(1024))
        let id = nextSubscriber
        nextSubscriber += 1
        if closed { continuation.finish() }
        subscribers[id] = Subscriber(pattern: pattern, continuation: continuation)
        return (id, stream)
    }

    func unsubscribe(_ id: Int) {
        subscribers.removeValue(forKey: id)?.continuation.finish()
    }

    /// Ends every stream, so that the server can stop.
    func close() {
        closed = true
        for subscriber in subscribers.values { subscriber.continuation.finish() }
        subscribers = [:]
    }

    /// Lets every stream show that it lives; a client that left is noticed by writing to it.
    func beat() {
        send(EventRecord(id: 0, topic: "", missionID: nil, at: Date(timeIntervalSince1970: 0), body: .null))
    }

    private func send(_ event: EventRecord) {
        for (id, subscriber) in subscribers where event.topic.isEmpty || subscriber.pattern.matches(event.topic) {
            switch subscriber.continuation.yield(event) {
            case .enqueued: break
            default: unsubscribe(id)
            }
        }
    }
}

/// Which topics a listener wants: `mission.*`, `mission.frozen`, `*`, several with commas between.
struct TopicPattern: Sendable, Equatable {
    private let parts: [String]

    /// `nil` unless each part is a topic of words and dots, `*`, or a topic that ends with `.*`.
    init?(_ text: String) {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        for part in parts {
            let stem = part == "*" ? "x" : part.hasSuffix(".*") ? String(part.dropLast(2)) : part
            guard !stem.isEmpty, stem.utf8.count <= 100, !stem.hasPrefix("."), !stem.hasSuffix("."),
                stem.utf8.allSatisfy({ (97...122).contains($0) || (48...57).contains($0) || $0 == 95 || $0 == 46 })
            else { return nil }
        }
        self.parts = parts
    }

    static let everything = TopicPattern(parts: ["*"])

    private init(parts: [String]) { self.parts = parts }

    func matches(_ topic: String) -> Bool {
        parts.contains { part in
            part == "*" || part == topic || (part.hasSuffix(".*") && topic.hasPrefix(part.dropLast()))
        }
    }
}
