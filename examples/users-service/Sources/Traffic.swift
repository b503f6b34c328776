import ArgumentParser
import AsyncHTTPClient
import NIOCore
import NIOHTTP1

struct Traffic: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Keep a users-service under steady traffic; its data grows while it runs.")

    @Option(help: "The service's base URL.")
    var url = "http://127.0.0.1:8080"

    @Option(help: "Requests a second: one look-up by e-mail for three by id.")
    var rate = 12.0

    @Option(help: "Users added a second once growth begins.")
    var grow = 20_000

    @Option(help: "Seconds before growth begins.")
    var growAfter = 8.0

    @Option(help: "Users at which growth ends.")
    var growTo = 320_000

    @Option(help: "Seconds until it ends by itself.")
    var duration = 600.0

    func run() async throws {
        let clock = ContinuousClock()
        let start = clock.now
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask { await grow(since: start) }
            var index = 0
            while start.duration(to: clock.now) < .seconds(duration) {
                let number = index
                group.addTask { await request(number) }
                index += 1
                try await clock.sleep(until: start + .seconds(Double(index) / rate))
            }
        }
    }

    private func request(_ number: Int) async {
        let id = 1 + (number * 7919) % 200_000
        let path = number % 4 == 0 ? "/users?email=user\(id)@example.org" : "/users/\(id)"
        _ = try? await HTTPClient.shared.execute(HTTPClientRequest(url: url + path), timeout: .seconds(10))
    }

    private func grow(since start: ContinuousClock.Instant) async {
        let clock = ContinuousClock()
        try? await clock.sleep(until: start + .seconds(growAfter))
        var users = 200_000
        while users < growTo, start.duration(to: clock.now) < .seconds(duration) {
            var request = HTTPClientRequest(url: "\(url)/users/import?count=\(grow / 2)")
            request.method = .POST
            if (try? await HTTPClient.shared.execute(request, timeout: .seconds(30))) != nil { users += grow / 2 }
            try? await clock.sleep(for: .milliseconds(500))
        }
    }
}
