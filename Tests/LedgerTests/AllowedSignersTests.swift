import Documents
import Foundation
import Ledger
import Testing

@Suite("allowed_signers, as OpenSSH reads it")
struct AllowedSignersTests {
    private let alice: SSHPublicKey
    private let bob: SSHPublicKey
    private let now = Date(timeIntervalSince1970: 1_760_000_000)  // 2025-10-09T08:53:20Z

    init() throws {
        alice = try SoftwareToken.ed25519().publicKey
        bob = try SoftwareToken.p256().publicKey
    }

    private func parse(_ text: String) throws -> AllowedSigners {
        try AllowedSigners(parsing: text, file: "allowed_signers")
    }

    @Test("comments, blanks, quotes, options and several names are read")
    func lines() throws {
        let signers = try parse(
            """
            # people

              alice,alice@example.com \(alice.line) laptop
            "bob"\tnamespaces="approve@grace,*@grace",valid-after="20250101Z",valid-before="20260101Z"  \(bob.line)\r
            """)
        #expect(signers.principals(for: alice, namespace: "anything", at: now) == ["alice", "alice@example.com"])
        #expect(signers.principals(for: bob, namespace: "override@grace", at: now) == ["bob"])
        #expect(signers.principals(for: bob, namespace: "git", at: now) == [])
        #expect(signers.entries.map(\.line) == [3, 4])
    }

    @Test("a key is valid from its first second to its last")
    func validity() throws {
        let signers = try parse(#"bob valid-after="20250101000000Z",valid-before="202601010000Z" \#(bob.line)"#)
        let (first, last) = (Date(timeIntervalSince1970: 1_735_689_600), Date(timeIntervalSince1970: 1_767_225_600))
        for (time, valid) in [(first, true), (first - 1, false), (last, true), (last + 1, false)] {
            #expect(signers.principals(for: bob, namespace: "n", at: time) == (valid ? ["bob"] : []))
        }
    }

    @Test("patterns allow as in OpenSSH but name no person")
    func patterns() throws {
        let signers = try parse("*@example.com,!eve@example.com,carol \(alice.line)\n*@ops \(bob.line)")
        #expect(signers.principals(for: alice, namespace: "n", at: now) == ["carol"])
        #expect(signers.allows(principal: "x@example.com", key: alice, namespace: "n", at: now))
        #expect(!signers.allows(principal: "eve@example.com", key: alice, namespace: "n", at: now))
        #expect(!signers.allows(principal: "carol", key: bob, namespace: "n", at: now))
        #expect(signers.notes.count == 1)
        #expect(signers.notes.first?.contains("allowed_signers:2") == true)
    }

    @Test("names that share a key, directly or through another, are one person")
    func onePerson() throws {
        let carol = try SoftwareToken.ed25519().publicKey
        let signers = try parse(
            "alice,al \(alice.line)\nal,a.smith \(bob.line)\ncarol \(carol.line)\ncarol,alice namespaces=\"git\" \(carol.line)"
        )
        for name in ["alice", "al", "a.smith"] {
            #expect(signers.person(of: name, namespace: "approve@grace") == "a.smith")
        }
        #expect(signers.person(of: "carol", namespace: "approve@grace") == "carol")
        #expect(signers.person(of: "carol", namespace: "git") == "a.smith")
        #expect(signers.person(of: "nobody", namespace: "git") == "nobody")
    }

    @Test("every bad line is named at once")
    func badLines() throws {
        let bad = [
            "alice", "alice ssh-ed25519", "alice ssh-ed25519 !!!", "alice cert-authority \(alice.line)",
            "alice nonsense \(alice.line)",
            #"alice namespaces=x \#(alice.line)"#, #"alice namespaces="x \#(alice.line)"#, #""alice \#(alice.line)"#,
            #"alice valid-after="yesterday" \#(alice.line)"#,
            #"alice valid-after="20260101Z",valid-before="20250101Z" \#(alice.line)"#,
            #"alice namespaces="a",namespaces="b" \#(alice.line)"#, #"alice valid-after="20251301Z" \#(alice.line)"#,
            #"alice namespaces="a", \#(alice.line)"#, "alice unknown-type \(alice.blob.base64EncodedString())",
        ]
        let text = bad.joined(separator: "\n")
        do {
            _ = try parse(text)
            Issue.record("nothing was refused")
        } catch let problems as Problems {
            #expect(problems.all.compactMap(\.line) == Array(1...bad.count))
            #expect(problems.all.allSatisfy { $0.message.hasSuffix(".") })
        }
    }

    @Test("key types that are not verified here are kept out with a note, not refused")
    func otherTypes() throws {
        let signers = try parse("dave ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ==\nalice \(alice.line)")
        #expect(signers.entries.count == 1)
        #expect(signers.notes.first?.contains("ssh-rsa") == true)
    }

    @Test("what ssh-keygen says of a line's namespaces and dates is what we say")
    func againstOpenSSH() async throws {
        let scratch = try Scratch()
        let key = try await SSHKeygen.generate(path: scratch.file("key"), comment: "", passphrase: "")
        let message = Data("m".utf8)
        let armored = try await SSHKeygen.sign(
            message: message, namespace: "approve@grace", keyFile: scratch.file("key"))
        try scratch.write("sig", armored)
        let lines = [
            "alice \(key.line)", "bob \(key.line)", "al* \(key.line)", "*,!alice \(key.line)",
            "alice namespaces=\"approve@*\" \(key.line)",
            "alice namespaces=\"*,!approve@grace\" \(key.line)", "alice namespaces=\"git\" \(key.line)",
            "alice valid-after=\"20200101\" \(key.line)", "alice valid-after=\"20900101\" \(key.line)",
            "alice valid-before=\"20200101\" \(key.line)", "alice valid-before=\"20900101120000\" \(key.line)",
            "\"alice\" NAMESPACES=\"approve@grace\",valid-before=\"20900101\" \(key.line) with a comment",
            "alice\t\(key.line)",
            "alice cert-authority \(key.line)", "alice namespaces=approve@grace \(key.line)", "alice,bob \(key.line)",
            "?lice \(key.line)",
        ]
        for line in lines {
            try scratch.write("allowed", line + "\n")
            let openssh = try tool(
                "ssh-keygen",
                [
                    "-Y", "verify", "-f", scratch.file("allowed"), "-I", "alice", "-n", "approve@grace", "-s",
                    scratch.file("sig"),
                ],
                input: message)
            let ours =
                (try? parse(line).allows(principal: "alice", key: key, namespace: "approve@grace", at: Date())) ?? false
            #expect(ours == (openssh.status == 0), "\(line): \(openssh.output)")
        }
    }
}
