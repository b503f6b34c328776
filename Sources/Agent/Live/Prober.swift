public import AsyncHTTPClient
internal import FoundationEssentials
internal import NIOCore
internal import NIOHTTP1

/// Asks a URL of the live host and says how long the whole answer took.
public struct Prober: Sendable {
    let client: HTTPClient
    let timeout: TimeAmount

    /// A prober that takes no answer within `timeout` seconds for none.
    public init(client: HTTPClient, timeout: Double = 5) {
        self.client = client
        self.timeout = .milliseconds(Int64(timeout * 1000))
    }

    public func probe(_ url: String) async -> WatchState.Sample {
        let clock = ContinuousClock()
        let start = clock.now
        func elapsed() -> Double { (clock.now - start) / .seconds(1) }
        do {
            let response = try await client.execute(HTTPClientRequest(url: url), timeout: timeout)
            _ = try await response.body.collect(upTo: 16 << 20)
            let status = Int(response.status.code)
            return .init(
                latency: elapsed(), failure: (200..<400).contains(status) ? nil : "\(url) answered \(status)")
        } catch {
            return .init(latency: elapsed(), failure: "\(url) did not answer (\(error))")
        }
    }
}
