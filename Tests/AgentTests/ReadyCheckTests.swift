import Testing

@testable import Agent

@Suite("A readiness URL")
struct ReadyCheckTests {
    @Test(
        "is taken apart into host, port and path",
        arguments: [
            ("http://127.0.0.1:8080/healthz", "127.0.0.1", 8080, "/healthz"),
            ("http://localhost:9/", "127.0.0.1", 9, "/"),
            ("http://localhost", "127.0.0.1", 80, "/"), ("http://10.0.0.1/a/b?c=d:e", "10.0.0.1", 80, "/a/b?c=d:e"),
            ("http://127.0.0.1:81?x=1", "127.0.0.1", 81, "/?x=1"), ("http://db:65535/x", "db", 65535, "/x"),
        ])
    func parts(url: String, host: String, port: UInt16, path: String) throws {
        #expect(try ReadyCheck.target(url) == ReadyCheck.Target(host: host, port: port, path: path))
    }

    @Test(
        "is refused where it can't be meant",
        arguments: [
            "https://127.0.0.1/", "127.0.0.1:80", "", "http://", "http:///x", "http://:8080/x", "http://h:0/",
            "http://h:65536/",
            "http://h:http/", "http://h:-1/", "http://[::1]:80/",
        ])
    func refused(url: String) {
        let said = refusal { _ = try ReadyCheck.target(url) }
        #expect(said?.contains("“\(url)”") ?? false, "it was taken")
    }
}
