import Crypto
import Documents
import Foundation
import Ledger
import Testing

/// Signatures are made by the real ssh-keygen and checked here, or made here and checked by the real ssh-keygen.
@Suite("SSH signatures, against OpenSSH itself")
struct SSHSignatureTests {
    private let scratch: Scratch
    private let message = Data("DSSEv1 4 test 5 hello".utf8)

    init() throws { scratch = try Scratch() }

    private func makeKey(_ name: String, _ arguments: [String]) throws -> SSHPublicKey {
        let made = try tool(
            "ssh-keygen", ["-q", "-N", "", "-C", "\(name) comment", "-f", scratch.file(name)] + arguments)
        #expect(made.status == 0, "\(made.output)")
        return try SSHKeygen.publicKey(of: scratch.file(name))
    }

    private func opensshAccepts(_ armored: String, by principal: String, key: SSHPublicKey, namespace: String) throws
        -> ToolResult
    {
        try scratch.write("allowed", "\(principal) \(key.line)\n")
        try scratch.write("sig", armored)
        return try tool(
            "ssh-keygen",
            [
                "-Y", "verify", "-f", scratch.file("allowed"), "-I", principal, "-n", namespace, "-s",
                scratch.file("sig"),
            ], input: message)
    }

    @Test(
        "what ssh-keygen signs verifies here, and nothing else does",
        arguments: [["-t", "ed25519"], ["-t", "ecdsa", "-b", "256"]])
    func opensshSigns(arguments: [String]) async throws {
        let key = try makeKey("key", arguments)
        for hash in ["sha256", "sha512"] {
            let signed = try tool(
                "ssh-keygen",
                ["-q", "-Y", "sign", "-f", scratch.file("key"), "-n", "approve@grace", "-O", "hashalg=\(hash)"],
                input: message)
            #expect(signed.status == 0, "\(signed.output)")
            let signature = try SSHSignature(armored: signed.output)
            #expect(signature.publicKey == key)
            #expect(signature.hashAlgorithm == hash)
            let facts = try signature.verify(message: message, namespace: "approve@grace")
            #expect(facts.userPresent == nil && facts.counter == nil)
            #expect(throws: LedgerError.self) {
                try signature.verify(message: message + [0], namespace: "approve@grace")
            }
            #expect(throws: LedgerError.self) { try signature.verify(message: message, namespace: "override@grace") }
        }
        let listed = try tool("ssh-keygen", ["-l", "-f", scratch.file("key.pub")])
        #expect(listed.output.contains(key.fingerprint))
    }

    @Test("many ECDSA signatures verify, whatever the length of their numbers")
    func ecdsaNumbers() throws {
        _ = try makeKey("key", ["-t", "ecdsa", "-b", "256"])
        for round in 0..<24 {
            let text = Data("round \(round)".utf8)
            let signed = try tool(
                "ssh-keygen", ["-q", "-Y", "sign", "-f", scratch.file("key"), "-n", "n"], input: text)
            _ = try SSHSignature(armored: signed.output).verify(message: text, namespace: "n")
        }
    }

    @Test("signing through ssh-keygen gives what ssh-keygen accepts")
    func signsThroughOpenSSH() async throws {
        let key = try await SSHKeygen.generate(path: scratch.file("made"), comment: "alice@example", passphrase: "")
        let armored = try await SSHKeygen.sign(
            message: message, namespace: "approve@grace", keyFile: scratch.file("made"))
        #expect(armored.hasPrefix("-----BEGIN SSH SIGNATURE-----\n"))
        let verified = try opensshAccepts(armored, by: "alice", key: key, namespace: "approve@grace")
        #expect(verified.status == 0, "\(verified.output)")
        #expect(try opensshAccepts(armored, by: "alice", key: key, namespace: "override@grace").status != 0)
    }

    @Test("a key made with a passphrase is protected by exactly that one, and never replaces a file")
    func passphrase() async throws {
        let path = scratch.file("protected")
        let key = try await SSHKeygen.generate(path: path, comment: "bob", passphrase: "corr'ect \"horse\" $x")
        #expect(try tool("ssh-keygen", ["-y", "-P", "corr'ect \"horse\" $x", "-f", path]).output.contains(key.line))
        #expect(try tool("ssh-keygen", ["-y", "-P", "", "-f", path]).status != 0)
        await #expect(throws: LedgerError.self) {
            try await SSHKeygen.generate(path: path, comment: "bob", passphrase: "")
        }
    }

    @Test("a missing key is a sentence")
    func missingKey() async {
        await #expect(throws: LedgerError.self) {
            try await SSHKeygen.sign(message: message, namespace: "n", keyFile: scratch.file("none"))
        }
    }

    @Test(
        "security keys verify as OpenSSH verifies them, with presence and counter",
        arguments: [0x01, 0x05, 0x00] as [UInt8])
    func securityKeys(flags: UInt8) throws {
        for token in [try SoftwareToken.ed25519(), try SoftwareToken.p256()] {
            let armored = try token.sign(message, namespace: "approve@grace", flags: flags, counter: 77)
            let verified = try opensshAccepts(armored, by: "carol", key: token.publicKey, namespace: "approve@grace")
            #expect(verified.status == 0, "\(verified.output)")
            let facts = try SSHSignature(armored: armored).verify(message: message, namespace: "approve@grace")
            #expect(facts.userPresent == (flags & 1 == 1))
            #expect(facts.userVerified == (flags & 4 == 4))
            #expect(facts.counter == 77)
            let lying = try token.sign(
                message, namespace: "approve@grace", flags: flags, counter: 77, claimedFlags: flags ^ 1)
            #expect(throws: LedgerError.self) {
                try SSHSignature(armored: lying).verify(message: message, namespace: "approve@grace")
            }
        }
    }

    @Test("no cut or changed signature verifies or crashes", arguments: [1, 2, 3] as [UInt64])
    func fuzz(seed: UInt64) throws {
        var random = Seeded(seed)
        let token = try SoftwareToken.ed25519()
        let blob = try token.blob(message, namespace: "n", flags: 1, counter: 1)
        for length in 0..<blob.count {
            #expect(throws: LedgerError.self) { try SSHSignature(blob: blob.prefix(length)) }
        }
        var accepted: [Int] = []
        for _ in 0..<2000 {
            var changed = blob
            let place = Int.random(in: 0..<changed.count, using: &random)
            changed[place] ^= UInt8.random(in: 1...255, using: &random)
            if (try? SSHSignature(blob: changed).verify(message: message, namespace: "n")) != nil {
                accepted.append(place)
            }
        }
        #expect(accepted == [], "seed \(seed): signatures with these bytes changed were accepted")
    }

    @Test("keys of other types, with trailing bytes or a false name are refused")
    func otherKeys() throws {
        let made = try tool("ssh-keygen", ["-q", "-t", "ecdsa", "-b", "384", "-N", "", "-f", scratch.file("big")])
        #expect(made.status == 0)
        #expect(throws: LedgerError.self) { try SSHKeygen.publicKey(of: scratch.file("big")) }
        let key = try SoftwareToken.ed25519().publicKey
        #expect(throws: LedgerError.self) { try SSHPublicKey(blob: key.blob + [0]) }
        #expect(throws: LedgerError.self) { try SSHPublicKey(parsing: "ssh-ed25519 " + key.blob.base64EncodedString()) }
        #expect(throws: LedgerError.self) { try SSHPublicKey(parsing: "ssh-ed25519") }
        #expect(try SSHPublicKey(parsing: key.line + " some comment here") == key)
    }
}

/// A FIDO token in software: makes the signatures that OpenSSH's PROTOCOL.u2f describes.
struct SoftwareToken {
    let publicKey: SSHPublicKey
    private let signer: @Sendable (Data) throws -> Data

    static func ed25519() throws -> SoftwareToken {
        let key = Curve25519.Signing.PrivateKey()
        let type = "sk-ssh-ed25519@openssh.com"
        let blob = string(type) + string(key.publicKey.rawRepresentation) + string("ssh:")
        return SoftwareToken(publicKey: try SSHPublicKey(blob: blob)) {
            string(type) + string(try key.signature(for: $0))
        }
    }

    static func p256() throws -> SoftwareToken {
        let key = P256.Signing.PrivateKey()
        let type = "sk-ecdsa-sha2-nistp256@openssh.com"
        let blob = string(type) + string("nistp256") + string(key.publicKey.x963Representation) + string("ssh:")
        return SoftwareToken(publicKey: try SSHPublicKey(blob: blob)) {
            let raw = try key.signature(for: $0).rawRepresentation
            return string(type) + string(mpint(raw.prefix(32)) + mpint(raw.suffix(32)))
        }
    }

    private init(publicKey: SSHPublicKey, signer: @escaping @Sendable (Data) throws -> Data) {
        self.publicKey = publicKey
        self.signer = signer
    }

    func blob(_ message: Data, namespace: String, flags: UInt8, counter: UInt32, claimedFlags: UInt8? = nil) throws
        -> Data
    {
        let head = Self.string(namespace) + Self.string("") + Self.string("sha512")
        let signed = Data("SSHSIG".utf8) + head + Self.string(Data(SHA512.hash(data: message)))
        let tail = withUnsafeBytes(of: counter.bigEndian) { Data($0) }
        let over = Data(SHA256.hash(data: Data("ssh:".utf8))) + [flags] + tail + Data(SHA256.hash(data: signed))
        let signature = try signer(over) + [claimedFlags ?? flags] + tail
        return Data("SSHSIG".utf8) + [0, 0, 0, 1] + Self.string(publicKey.blob) + head + Self.string(signature)
    }

    func sign(_ message: Data, namespace: String, flags: UInt8, counter: UInt32, claimedFlags: UInt8? = nil) throws
        -> String
    {
        let base64 = try blob(message, namespace: namespace, flags: flags, counter: counter, claimedFlags: claimedFlags)
            .base64EncodedString(options: [.lineLength76Characters, .endLineWithLineFeed])
        return "-----BEGIN SSH SIGNATURE-----\n\(base64)\n-----END SSH SIGNATURE-----\n"
    }

    private static func string(_ data: Data) -> Data {
        withUnsafeBytes(of: UInt32(data.count).bigEndian) { Data($0) } + data
    }
    private static func string(_ text: String) -> Data { string(Data(text.utf8)) }
    private static func mpint(_ number: Data) -> Data {
        let short = Data(number.drop { $0 == 0 })
        return string((short.first ?? 0) & 0x80 != 0 ? Data([0]) + short : short)
    }
}
