/// An open-loop HTTP load: requests start by the clock, whatever the server does.
public struct LoadPlan: Codable, Equatable, Sendable, Hashable {
    /// Addresses, `http://host[:port]/path`, requested in turn.
    public var urls: [String]
    /// Requests per second, over all connections.
    public var rate: Double
    /// Kept-alive connections (HTTP/1.1), at least one per host and port.
    public var connections: Int
    /// How long requests are started, in seconds.
    public var duration: Double
    /// The request method; requests carry no body.
    public var method: String
    /// Headers beside Host, User-Agent and Accept.
    public var headers: [String: String]
    /// Seconds from a request's *intended* start after which it counts as an error.
    public var timeout: Double

    /// A plan; see ``problems``.
    public init(
        urls: [String], rate: Double, connections: Int, duration: Double, method: String = "GET",
        headers: [String: String] = [:], timeout: Double = 5
    ) {
        self.urls = urls
        self.rate = rate
        self.connections = connections
        self.duration = duration
        self.method = method
        self.headers = headers
        self.timeout = timeout
    }

    /// Requests of one run.
    public var requests: Int {
        let planned = (rate * duration).rounded(.down)
        return planned.isFinite && planned >= 1 && planned <= 1e8 ? Int(planned) : 0
    }
}
