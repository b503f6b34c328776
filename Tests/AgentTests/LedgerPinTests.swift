import FoundationEssentials
import Ledger
import Linux
import Testing

@testable import Agent

@Suite("The ledger's key")
struct LedgerPinTests {
    @Test("the first one is kept, and taken again")
    func first() async throws {
        try await Ground.with { ground async throws in
            let key = try SigningKey(name: "grace/ledger").publicKey
            try LedgerPin.check(key.string, path: ground.path("pin"))
            try LedgerPin.check(key.string, path: ground.path("pin"))
            #expect(try LedgerPin.load(path: ground.path("pin")) == key)
            #expect(try Files.status(ground.path("pin"))?.mode == 0o644)
        }
    }

    @Test("another one is refused and changes nothing, also one of the same name")
    func another() async throws {
        try await Ground.with { ground async throws in
            let key = try SigningKey(name: "grace/ledger").publicKey
            try LedgerPin.check(key.string, path: ground.path("pin"))
            for name in ["grace/ledger", "grace/other"] {
                let other = try SigningKey(name: name).publicKey
                let said = refusal { try LedgerPin.check(other.string, path: ground.path("pin")) }
                #expect(said?.contains("Nothing is sent or promoted") ?? false)
            }
            #expect(try LedgerPin.load(path: ground.path("pin")) == key)
        }
    }

    @Test(
        "what is no key is refused, whether it is offered or pinned",
        arguments: ["", "x", "a+b+c", "grace/ledger+00000000+AAAA"])
    func malformed(text: String) async throws {
        try await Ground.with { ground async throws in
            #expect(refusal { try LedgerPin.check(text, path: ground.path("pin")) } != nil)
            #expect(try Files.status(ground.path("pin")) == nil)
            try ground.write("pin", text + "\n")
            let key = try SigningKey(name: "grace/ledger").publicKey
            #expect(
                refusal { try LedgerPin.check(key.string, path: ground.path("pin")) } != nil, "a damaged pin is no pin")
            #expect(refusal { _ = try LedgerPin.load(path: ground.path("pin")) } != nil)
        }
    }

    @Test("without a pinned key there is none to trust")
    func missing() async throws {
        try await Ground.with { ground async throws in
            #expect(refusal { _ = try LedgerPin.load(path: ground.path("pin")) } != nil)
        }
    }
}
