import Glibc
import Linux
import Synchronization
import Testing

@testable import Measurement

@Suite(.serialized) struct LoadGeneratorTests {
    static func plan(
        _ urls: [String], rate: Double = 200, connections: Int = 4, duration: Double = 0.3, timeout: Double = 3
    ) -> LoadPlan {
        LoadPlan(urls: urls, rate: rate, connections: connections, duration: duration, timeout: timeout)
    }

    @Test func `every planned request is made, over kept connections`() async throws {
        try await TestServer.with({ _, _ in TestServer.ok() }) { server in
            let report = try await LoadGenerator.run(Self.plan([server.url()]), connect: connectHere)
            #expect(report.requests == 60)
            #expect(report.errors == 0)
            #expect(report.errorSamples.isEmpty)
            #expect(server.requests == 60)
            #expect(server.connections == 4)
            #expect(report.elapsed >= 0.3)
            let latency = try #require(report.latency)
            #expect(latency.p50 > 0 && latency.p50 <= latency.p95)
            #expect(latency.p95 <= latency.p99 && latency.p99 <= latency.max)
            let arm = report.measurement
            #expect(arm.values[.latency_p95] == latency.p95)
            #expect(arm.values[.error_rate] == 0)
            #expect(arm.notMeasured.isEmpty)
        }
    }

    @Test func `several addresses are asked in turn`() async throws {
        let paths = Mutex<[String: Int]>([:])
        try await TestServer.with({ _, path in
            paths.withLock { $0[path, default: 0] += 1 }
            return TestServer.ok()
        }) { server in
            let urls = [server.url("/a"), server.url("/b?x=1"), server.url("/c#never-sent")]
            _ = try await LoadGenerator.run(Self.plan(urls), connect: connectHere)
            #expect(paths.withLock { $0 } == ["/a": 20, "/b?x=1": 20, "/c": 20])
        }
    }

    @Test func `a stall is felt by every request that was due meanwhile, not by one per connection`() async throws {
        // 2 connections, 200 requests in a second; the server stalls once for half of it.
        let stall = Atomic<Bool>(false)
        let until = Atomic<Int64>(0)
        try await TestServer.with({ number, _ in
            if number == 40, !stall.exchange(true, ordering: .relaxed) {
                until.store(Monotonic.now + 500_000_000, ordering: .releasing)
            }
            let left = until.load(ordering: .acquiring) - Monotonic.now
            if left > 0 { usleep(UInt32(left / 1000)) }
            return TestServer.ok()
        }) { server in
            let report = try await LoadGenerator.run(
                Self.plan([server.url()], rate: 200, connections: 2, duration: 1), connect: connectHere)
            #expect(report.requests == 200)
            #expect(report.errors == 0)
            let latency = try #require(report.latency)
            // A closed loop would see 2 slow requests of 200: a p95 of some microseconds.
            #expect(latency.max >= 0.4)
            #expect(latency.p95 >= 0.3)
            #expect(latency.p50 < latency.p95)
        }
    }

    @Test func `statuses outside of 200 to 399 are errors with samples, and no latencies`() async throws {
        try await TestServer.with({ number, _ in
            number % 10 == 0 ? TestServer.ok("oops", status: "503 Busy") : TestServer.ok("", status: "302 Found")
        }) { server in
            let report = try await LoadGenerator.run(Self.plan([server.url("/x")]), connect: connectHere)
            #expect(report.requests == 60)
            #expect(report.errors == 6)
            #expect(report.errorSamples == ["GET \(server.url("/x")): status 503"])
            #expect(server.connections == 4)
            #expect(report.measurement.values[.error_rate] == 0.1)
        }
    }

    @Test func `connections closed in place of an answer are errors, every one of them`() async throws {
        try await TestServer.with({ number, _ in number % 6 == 5 ? .drop : TestServer.ok() }) { server in
            let report = try await LoadGenerator.run(Self.plan([server.url()]), connect: connectHere)
            #expect(report.requests == 60)
            #expect(report.errors == 10)
            #expect(server.requests == 60)
            #expect(
                report.errorSamples.allSatisfy { $0.contains("closed without an answer") || $0.contains("ECONNRESET") })
        }
    }

    @Test func `a server that closes after each answer is no error`() async throws {
        try await TestServer.with({ number, _ in
            number.isMultiple(of: 2)
                ? .bytes("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end", close: true)
                : .bytes("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", close: true)
        }) { server in
            let report = try await LoadGenerator.run(Self.plan([server.url()]), connect: connectHere)
            #expect(report.errors == 0)
            #expect(report.requests == 60)
            #expect(server.connections >= 60)
        }
    }

    @Test func `a connection that was closed while idle is opened anew without an error`() async throws {
        try await TestServer.with({ _, _ in .bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", close: true) }) {
            server in
            let report = try await LoadGenerator.run(
                Self.plan([server.url()], rate: 20, connections: 1, duration: 0.5), connect: connectHere)
            #expect(report.errors == 0)
            #expect(report.requests == 10)
        }
    }

    @Test func `chunked answers in pieces are read to their end`() async throws {
        let pieces = [
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-", "Encoding: chunked\r\n\r\n5;x=y\r\nhel",
            "lo\r\nA\r\n0123456789\r", "\n0\r\nTrailer: t\r\n", "\r\n",
        ]
        try await TestServer.with({ _, _ in .pieces(pieces) }) { server in
            let report = try await LoadGenerator.run(
                Self.plan([server.url()], rate: 50, connections: 3), connect: connectHere)
            #expect(report.requests == 15)
            #expect(report.errors == 0)
            #expect(server.connections == 3)
        }
    }

    @Test func `what is no HTTP is an error`() async throws {
        try await TestServer.with({ _, _ in .bytes("SSH-2.0-OpenSSH_9.2\r\n\r\n", close: false) }) { server in
            let report = try await LoadGenerator.run(Self.plan([server.url()], rate: 30), connect: connectHere)
            #expect(report.errors == report.requests)
            #expect(report.latency == nil)
            #expect(report.measurement.notMeasured[.latency_p95]?.contains("no HTTP/1.1 answer") == true)
            #expect(report.measurement.values[.latency_p95] == nil)
        }
    }

    @Test func `a server that never answers ends the run at its timeout, and the waiting counts`() async throws {
        try await TestServer.with({ _, _ in .silence }) { server in
            let report = try await LoadGenerator.run(
                Self.plan([server.url()], rate: 40, connections: 2, duration: 0.5, timeout: 0.4), connect: connectHere)
            #expect(report.requests == 20)
            #expect(report.errors == 20)
            #expect(report.errorSamples.first?.contains("no answer within 0.4 s") == true)
            let latency = try #require(report.latency)
            #expect(latency.p50 >= 0.4)
        }
    }

    @Test func `refused connections are errors of their requests`() async throws {
        let server = try TestServer { _, _ in TestServer.ok() }
        let url = server.url()
        server.stop()
        let report = try await LoadGenerator.run(Self.plan([url], rate: 50), connect: connectHere)
        #expect(report.requests == 15)
        #expect(report.errors == 15)
        #expect(report.errorSamples.first?.contains("no connection") == true)
        #expect(report.throughput == 0)
    }

    @Test func `sockets come from the caller alone`() async throws {
        let asked = Mutex<Set<String>>([])
        try await TestServer.with({ _, _ in TestServer.ok() }) { server in
            let port = server.port
            let report = try await LoadGenerator.run(
                Self.plan(["http://inside.example:8080/"], rate: 30),
                connect: { host, asksPort in
                    asked.withLock { _ = $0.insert("\(host):\(asksPort)") }
                    return try connectHere("127.0.0.1", port)
                })
            #expect(report.errors == 0)
            #expect(asked.withLock { $0 } == ["inside.example:8080"])
        }
    }

    @Test func `a cancelled run ends early and throws`() async throws {
        try await TestServer.with({ _, _ in TestServer.ok() }) { server in
            let plan = Self.plan([server.url()], rate: 10, connections: 2, duration: 300)
            let task = Task { try await LoadGenerator.run(plan, connect: connectHere) }
            try await Task.sleep(for: .milliseconds(100))
            task.cancel()
            await #expect(throws: CancellationError.self) { _ = try await task.value }
        }
    }

    @Test(arguments: [
        ("https://127.0.0.1/", "http://"), ("http:///x", "host is missing"), ("http://a:0/", "port"),
        ("http://a/\r\nX: y", "printable ASCII"), ("http://u@a/", "user name"), ("http://a:99999/", "port"),
    ])
    func `addresses that can't be asked are refused with the reason`(url: String, word: String) async {
        #expect(Self.plan([url]).problems.first?.contains(word) == true)
        await #expect(throws: LoadError.self) {
            _ = try await LoadGenerator.run(Self.plan([url]), connect: connectHere)
        }
    }

    @Test func `every problem of a plan is told`() {
        let plan = LoadPlan(
            urls: [], rate: -1, connections: 0, duration: .nan, method: "get it", headers: ["A B": "x", "C": "a\r\nb"],
            timeout: 0)
        #expect(plan.problems.count == 8)
        #expect(
            Self.plan(["http://a/"], rate: 1, duration: 0.1).problems.first?.contains("less than one request") == true)
        #expect(Self.plan(["http://[::1]:80/x"]).problems.isEmpty)
    }
}
