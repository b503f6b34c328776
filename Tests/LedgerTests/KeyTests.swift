import Documents
import Foundation
import Ledger
import Testing

@Suite("Keys, notes, checkpoints and envelopes")
struct KeyTests {
    /// The key of golang.org/x/mod/sumdb/note's own example.
    private let peter = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    private let peterNote = """
        If you think cryptography is the answer to your problem,
        then you don't know what your problem is.

        — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=

        """

    private func key() throws -> SigningKey {
        try SigningKey(name: "app1.example/ledger", seed: Data(repeating: 1, count: 32))
    }

    @Test("Go's example note verifies with Go's example key, and the key prints as it was read")
    func foreignNote() throws {
        let key = try VerifyingKey(parsing: peter)
        #expect(key.string == peter)
        let text = try SignedNote.verifiedText(peterNote, by: key)
        #expect(text.hasPrefix("If you think") && text.hasSuffix("problem is.\n"))
    }

    @Test("a note with any byte of its text or signature changed is refused")
    func changedNote() throws {
        let key = try VerifyingKey(parsing: peter)
        for index in peterNote.utf8.indices {
            var bytes = Array(peterNote.utf8)
            bytes[peterNote.utf8.distance(from: peterNote.utf8.startIndex, to: index)] ^= 1
            guard let changed = String(validating: bytes, as: UTF8.self) else { continue }
            #expect(throws: LedgerError.self) { try SignedNote.verifiedText(changed, by: key) }
        }
        for broken in ["", "\n", "text\n", "text\n\n", "\n\n", "text\n\n— PeterNeumann", String(peterNote.dropLast())] {
            #expect(throws: LedgerError.self) { try SignedNote.verifiedText(broken, by: key) }
        }
    }

    @Test("RFC 8032's first test vector comes out")
    func ed25519Vector() throws {
        let seed = try #require(Data(hexadecimal: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
        let key = try SigningKey(name: "rfc8032", seed: seed)
        #expect(key.publicKey.raw.hexadecimal == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
        let signature = try #require(
            Data(
                hexadecimal:
                    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
                    + "d25bf5f0595bbe24655141438e7a100b"))
        #expect(key.publicKey.isValid(signature: signature, for: Data()))
        #expect(!key.publicKey.isValid(signature: signature, for: Data([0])))
        #expect(key.publicKey.isValid(signature: try key.sign(Data([1])), for: Data([1])))
    }

    @Test("a checkpoint is byte for byte what C2SP says and comes back")
    func checkpoint() throws {
        let key = try key()
        let root = Digest(of: Data("root".utf8))
        let made = try Checkpoint.signed(size: 42, root: root, by: key)
        let lines = made.note.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count == 6)
        #expect(
            lines[0] == "app1.example/ledger" && lines[1] == "42" && lines[2] == root.bytes.base64EncodedString()
                && lines[3] == "")
        #expect(lines[4].hasPrefix("— app1.example/ledger ") && lines[5] == "")
        let coded = try #require(Data(base64Encoded: String(lines[4].split(separator: " ")[2])))
        #expect(coded.count == 68)
        #expect(coded.prefix(4).hexadecimal == key.publicKey.keyIDHex)
        #expect(try Checkpoint.parse(made.note, key: key.publicKey) == made)
    }

    @Test("cosignatures and extension lines are carried, and a second bad signature of our key spoils the note")
    func cosigned() throws {
        let key = try key()
        let witness = try SigningKey(name: "witness.example")
        let root = Digest(of: Data("root".utf8)).bytes.base64EncodedString()
        let note = try SignedNote.sign(text: "app1.example/ledger\n7\n\(root)\nextension\n", by: key)
        let cosigned = note + "— witness.example " + Data(repeating: 3, count: 76).base64EncodedString() + "\n"
        #expect(try Checkpoint.parse(cosigned, key: key.publicKey).size == 7)
        #expect(throws: LedgerError.self) { try Checkpoint.parse(note, key: witness.publicKey) }
        let again = note + String(try #require(note.split(separator: "\n").last)).replacing("A", with: "B") + "\n"
        #expect(throws: LedgerError.self) { try Checkpoint.parse(again, key: key.publicKey) }
    }

    @Test(
        "signed texts that are no checkpoint are refused",
        arguments: [
            "app1.example/ledger\n7\n", "app1.example/ledger\n07\nAAAA\n", "other.example\n7\nROOT\n",
            "app1.example/ledger\n-1\nROOT\n",
            "app1.example/ledger\n7\nAAAA\n", "app1.example/ledger\n7\nROOT\n\nmore\n",
            "app1.example/ledger\n0\nROOT\n",
            "app1.example/ledger\n18446744073709551616\nROOT\n",
        ])
    func noCheckpoint(text: String) throws {
        let key = try key()
        let root = Digest(of: Data("root".utf8)).bytes.base64EncodedString()
        let note = try SignedNote.sign(text: text.replacing("ROOT", with: root), by: key)
        #expect(throws: LedgerError.self) { try Checkpoint.parse(note, key: key.publicKey) }
    }

    @Test("keys with broken names, hashes or lengths are refused")
    func brokenKeys() throws {
        for text in [
            "", "name", "name+00000000+AAAA", peter.replacing("c74f20a3", with: "c74f20a4"),
            peter.replacing("Peter", with: "Pe ter"),
            peter.replacing("PeterNeumann", with: ""), String(peter.dropLast(4)),
        ] { #expect(throws: LedgerError.self) { try VerifyingKey(parsing: text) } }
        #expect(throws: LedgerError.self) { try SigningKey(name: "a+b") }
        #expect(throws: LedgerError.self) { try SigningKey(name: "a", seed: Data(count: 31)) }
    }

    @Test("a key file is made once with mode 0600, read again, and refused when open to others or of another name")
    func keyFile() throws {
        let scratch = try Scratch()
        let path = scratch.file("agent.key")
        let made = try SigningKey.loadOrCreate(path: path, name: "app1.example/agent")
        #expect(try SigningKey.loadOrCreate(path: path, name: "app1.example/agent").publicKey == made.publicKey)
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? NSNumber
        #expect(mode?.intValue == 0o600)
        #expect(throws: LedgerError.self) { try SigningKey.loadOrCreate(path: path, name: "other") }
        try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
        #expect(
            refusal { _ = try SigningKey.loadOrCreate(path: path, name: "app1.example/agent") }?.contains("chmod 600")
                == true)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        try Data("PRIVATE+KEY+x\n".utf8).write(to: URL(fileURLWithPath: path))
        #expect(throws: LedgerError.self) { try SigningKey.loadOrCreate(path: path, name: "app1.example/agent") }
    }

    @Test("DSSE's own example encodes as its protocol says")
    func preAuthenticationEncoding() {
        let encoded = Envelope.pae(type: "http://example.com/HelloWorld", payload: Data("hello world".utf8))
        #expect(String(decoding: encoded, as: UTF8.self) == "DSSEv1 29 http://example.com/HelloWorld 11 hello world")
    }

    @Test("an envelope verifies by its key alone, with its type, and after a way through JSON")
    func envelope() throws {
        let key = try key()
        let statement = Statement(
            subject: [.init(name: "change-set", sha256: Digest(of: Data("x".utf8)))],
            predicateType: "https://grace.dev/test/v1",
            predicate: ["n": 1, "text": "grün"])
        let envelope = try JSON(parsing: JSON(encoding: statement.signed(by: key)).canonical).decode(Envelope.self)
        #expect(try Statement(payload: envelope.verified(by: key.publicKey)) == statement)
        #expect(throws: LedgerError.self) {
            try envelope.verified(by: SigningKey(name: "app1.example/ledger").publicKey)
        }
        #expect(throws: LedgerError.self) { try envelope.verified(by: key.publicKey, type: "text/plain") }
        let other = Envelope(payloadType: "text/plain", payload: envelope.payload, signatures: envelope.signatures)
        #expect(throws: LedgerError.self) { try other.verified(by: key.publicKey, type: "text/plain") }
        let none = Envelope(payloadType: envelope.payloadType, payload: envelope.payload, signatures: [])
        #expect(throws: LedgerError.self) { try none.verified(by: key.publicKey) }
    }

    @Test(
        "payloads that are no canonical in-toto v1 statement are refused",
        arguments: [
            "{}", "[]", "no",
            #"{"_type":"https://in-toto.io/Statement/v0.1","predicate":{},"predicateType":"x","subject":[]}"#,
            #"{ "_type":"https://in-toto.io/Statement/v1","predicate":{},"predicateType":"x","subject":[]}"#,
            #"{"_type":"https://in-toto.io/Statement/v1","predicate":{"a":1,"a":2},"predicateType":"x","subject":[]}"#,
            #"{"_type":"https://in-toto.io/Statement/v1","predicate":{},"predicateType":"x","subject":[{"digest":{"sha256":"00"},"name":"x"}]}"#,
        ])
    func noStatement(text: String) {
        #expect(throws: LedgerError.self) { try Statement(payload: Data(text.utf8)) }
    }

    @Test("a ledger entry's leaf is canonical and comes back; another spelling of it does not")
    func entry() throws {
        let entry = LedgerEntry(
            id: "1", kind: "vote", mission: "m", at: Date(timeIntervalSince1970: 1_700_000_000.1239), actor: "alice",
            body: ["b": 1, "a": 2],
            text: try TextCommitment(text: "because").digest())
        let leaf = try entry.leaf()
        #expect(String(decoding: leaf, as: UTF8.self).contains(#""at":"2023-11-14T22:13:20.124Z""#))
        #expect(try LedgerEntry(leaf: leaf) == entry)
        #expect(throws: LedgerError.self) { try LedgerEntry(leaf: leaf + [0x20]) }
        var one = Seeded(1), two = Seeded(2)
        #expect(try TextCommitment(text: "a", using: &one).digest() != TextCommitment(text: "a", using: &two).digest())
    }
}
