import Sandbox
import Testing

@testable import Local

/// What `grace run` asks an agent for arrives as it was sent, or not at all.
struct RunRequestTests {
    private static func request(_ words: [String], _ variables: [String: String] = [:]) throws -> RunRequest {
        let options = try #require(RunOptions.parse(words) { variables[$0] })
        return RunRequest(options) { variables[$0] }
    }

    @Test("it comes back whole")
    func whole() throws {
        let request = try Self.request(
            [
                "--profile", "own", "--profiles", "/p", "--without", "mapped_root", "--json", "--", "sh", "-c", "",
                "é\n=\u{1}",
            ],
            ["PWD": "/srv/ü", "TZ": "A=B", "LANG": "", "SECRET": "no"])
        #expect(try RunRequest(request.bytes) == request)
        #expect(request.line.arguments == ["sh", "-c", "", "é\n=\u{1}"] && request.line.directory == "/srv/ü")
        #expect(request.line.environment == ["TZ": "A=B", "LANG": ""] && request.wantsFigures)
        #expect(request.directories.first == "/p" && request.without == ["mapped_root"])
    }

    @Test("every piece of one is refused, and no change of one is fatal")
    func pieces() throws {
        let bytes = try Self.request(["--", "true", "x"], ["PWD": "/"]).bytes
        for length in 0..<bytes.count { #expect(throws: Failure.self) { try RunRequest(Array(bytes[..<length])) } }
        for place in bytes.indices {
            for value: UInt8 in [0, 48, 57, 255] {
                var other = bytes
                other[place] = value
                _ = try? RunRequest(other)
            }
        }
        #expect(throws: Failure.self) { try RunRequest(Array("grace run 2".utf8) + bytes.dropFirst(11)) }
        #expect(throws: Failure.self) { try RunRequest([]) }
    }
}
