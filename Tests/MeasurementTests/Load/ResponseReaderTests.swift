import Testing

@testable import Measurement

@Suite struct ResponseReaderTests {
    /// Feeds text in pieces of `step` bytes.
    static func read(
        _ text: String, step: Int, first: Int = .max, method: String = "GET", end: Bool = false
    ) throws -> ResponseReader {
        var reader = ResponseReader(method: method)
        let bytes = text.utf8.prefix(first).map { $0 }
        for start in stride(from: 0, to: bytes.count, by: step) {
            try Array(bytes[start..<min(start + step, bytes.count)]).withUnsafeBytes { try reader.take($0) }
        }
        if end { try reader.takeEnd() }
        return reader
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 999\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200\r\nTransfer-Encoding: Chunked\r\n\r\n1F\r\n0123456789012345678901234567890\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    ])
    func `answers end where they say, however they are cut up`(text: String) throws {
        for step in 1...text.utf8.count {
            let reader = try Self.read(text, step: step)
            #expect(reader.isComplete)
            #expect(reader.keepAlive)
        }
        for length in 0..<text.utf8.count {
            #expect(try !Self.read(text, step: 7, first: length).isComplete)
        }
    }

    @Test func `a HEAD's answer has no body`() throws {
        #expect(try Self.read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", step: 3, method: "HEAD").isComplete)
    }

    @Test func `an answer without a length ends with its connection, which is then gone`() throws {
        let text = "HTTP/1.1 200 OK\r\n\r\nanything"
        #expect(try !Self.read(text, step: 4).isComplete)
        let reader = try Self.read(text, step: 4, end: true)
        #expect(reader.isComplete && !reader.keepAlive)
    }

    @Test func `bytes after the answer make the connection unfit`() throws {
        let reader = try Self.read("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1", step: 100)
        #expect(reader.isComplete && !reader.keepAlive)
    }

    @Test(arguments: [
        "nonsense\r\n\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n",
    ])
    func `malformed answers are refused`(text: String) {
        #expect(throws: ResponseReader.Malformed.self) { try Self.read(text, step: 5) }
    }

    @Test func `a head without end is refused`() {
        #expect(throws: ResponseReader.Malformed.self) {
            try Self.read("HTTP/1.1 200 OK\r\n" + String(repeating: "A: b\r\n", count: 20_000), step: 4096)
        }
    }

    @Test func `random bytes never crash it`() {
        var random = Seeded(Seeded.fresh())
        let letters = Array("HTTP/1. 0\r\n:chunkedTransfer-Encoding5aF;".utf8)
        for _ in 0..<2000 {
            var reader = ResponseReader(method: "GET")
            let bytes = (0..<200).compactMap { _ in letters.randomElement(using: &random) }
            let start = Array("HTTP/1.1 200 OK\r\n".utf8)
            _ = try? (start + bytes).withUnsafeBytes { try reader.take($0) }
            _ = try? reader.takeEnd()
        }
    }
}
