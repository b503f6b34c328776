import FoundationEssentials
import Linux
import Parliament
import Testing

@testable import Agent

@Suite("Nonces")
struct NonceTests {
    static let now = Date(timeIntervalSince1970: 1_795_000_000)

    @Test("one that was never issued is unknown and can't be burned")
    func unknown() async throws {
        try await Ground.with { ground async throws in
            let nonces = Nonces(state: ground.directory)
            #expect(try nonces.state("n", mission: "m") == .unknown)
            #expect(refusal { try nonces.burn("n", now: Self.now) }?.contains("nothing is promoted") ?? false)
            #expect(try nonces.state("n", mission: "m") == .unknown, "the try made it known")
        }
    }

    @Test("an issued one is good for a day, for its own mission alone")
    func issued() async throws {
        try await Ground.with { ground async throws in
            let nonces = Nonces(state: ground.directory)
            try nonces.issue("n", mission: "m", now: Self.now)
            #expect(try nonces.state("n", mission: "m") == .issued(expires: Self.now + 86400))
            #expect(try nonces.state("n", mission: "other") == .unknown)
        }
    }

    @Test("it burns once; the second time throws, also after the agent started anew")
    func burned() async throws {
        try await Ground.with { ground async throws in
            try Nonces(state: ground.directory).issue("n", mission: "m", now: Self.now)
            try Nonces(state: ground.directory).burn("n", now: Self.now)
            for _ in 0..<3 {
                let reopened = Nonces(state: ground.directory)
                #expect(try reopened.state("n", mission: "m") == .burned)
                #expect(refusal { try reopened.burn("n", now: Self.now) } != nil)
            }
        }
    }

    @Test("one does not burn another")
    func apart() async throws {
        try await Ground.with { ground async throws in
            let nonces = Nonces(state: ground.directory)
            try nonces.issue("a", mission: "m", now: Self.now)
            try nonces.issue("b", mission: "m", now: Self.now)
            try nonces.burn("a", now: Self.now)
            #expect(try nonces.state("b", mission: "m") == .issued(expires: Self.now + 86400))
        }
    }

    @Test("a nonce is no path: whatever characters it has, its record stays in its directory")
    func paths() async throws {
        try await Ground.with { ground async throws in
            let nonces = Nonces(state: ground.path("state"))
            try nonces.issue("../../escape", mission: "m", now: Self.now)
            #expect(try nonces.state("../../escape", mission: "m") != .unknown)
            #expect(try Files.entries(ground.directory).count == 1)
            #expect(try Files.entries(nonces.directory).count == 1)
        }
    }

    @Test("a damaged record is an error, never a nonce that may be used")
    func damaged() async throws {
        try await Ground.with { ground async throws in
            let nonces = Nonces(state: ground.directory)
            try nonces.issue("n", mission: "m", now: Self.now)
            let name = try #require(try Files.entries(nonces.directory).first)
            let path = nonces.directory + "/" + String(decoding: name, as: UTF8.self)
            try Files.writeAtomically(path, Data("{".utf8))
            #expect(refusal { _ = try nonces.state("n", mission: "m") } != nil)
            #expect(refusal { try nonces.burn("n", now: Self.now) } != nil)
        }
    }
}
