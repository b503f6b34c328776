public import FoundationEssentials
internal import Glibc
internal import Linux

/// Makes SSH keys and signatures through OpenSSH's own `ssh-keygen`, which knows passphrases, agents and FIDO tokens; Grace
/// never sees a person's private key.
public enum SSHKeygen {
    /// Signs `message` with `ssh-keygen -Y sign` and gives the armored SSHSIG.
    ///
    /// `keyFile` is a private key, or a public one whose private half an agent holds. On a terminal ssh-keygen itself asks for
    /// the passphrase or the touch; so it stays in our process group and keeps our standard error. What comes back is verified
    /// before it is given out. Throws ``LedgerError/tool(name:why:)``.
    public static func sign(message: Data, namespace: String, keyFile: String) async throws -> String {
        let scratch = try Scratch()
        defer { scratch.remove() }
        let file = scratch.path + "/message"
        try Files.writeAtomically(file, message, mode: 0o600)
        let said = try await run(["-q", "-Y", "sign", "-f", keyFile, "-n", namespace, file], in: scratch)
        guard try Files.status(file + ".sig") != nil else {
            throw LedgerError.tool(name: "ssh-keygen -Y sign", why: "it wrote no signature. \(said)")
        }
        let armored = try Files.readString(file + ".sig", limit: 16 << 10)
        let signature = try SSHSignature(armored: armored)
        _ = try signature.verify(message: message, namespace: namespace)
        return armored
    }

    /// Makes a new Ed25519 key at `path` and `path.pub`; an empty passphrase leaves it unprotected.
    ///
    /// Refuses to replace a file that is there. Returns the public key.
    public static func generate(path: String, comment: String, passphrase: String) async throws -> SSHPublicKey {
        guard try Files.status(path) == nil, try Files.status(path + ".pub") == nil else {
            throw LedgerError.key(
                what: path, why: "a file of that name is there already; choose another name or move it away")
        }
        let scratch = try Scratch()
        defer { scratch.remove() }
        // The passphrase must not stand on a command line that every user of the host can read: ssh-keygen asks a helper for
        // it, which reads a file of ours.
        let ask = scratch.path + "/ask"
        let secret = scratch.path + "/secret"
        try Files.writeAtomically(secret, Data((passphrase + "\n").utf8), mode: 0o600)
        try Files.writeAtomically(ask, Data("#!/bin/sh\nexec cat '\(secret)'\n".utf8), mode: 0o700)
        var environment = Processes.currentEnvironment()
        environment["SSH_ASKPASS"] = ask
        environment["SSH_ASKPASS_REQUIRE"] = "force"
        var arguments = ["-q", "-t", "ed25519", "-C", comment, "-f", path]
        // Asked for an empty one, ssh-keygen takes the helper's empty answer as a refusal.
        if passphrase.isEmpty { arguments += ["-N", ""] }
        let output = try await Processes.run(
            "ssh-keygen", arguments: arguments, timeout: .seconds(60), environment: environment)
        guard output.exit == .exited(0) else {
            let said = String(decoding: output.stderr + output.stdout, as: UTF8.self).trimmed
            throw LedgerError.tool(name: "ssh-keygen", why: "it could not make a key at \(path). It said: \(said)")
        }
        return try publicKey(of: path)
    }

    /// Reads `keyFile.pub`, or `keyFile` itself when it is the public half.
    public static func publicKey(of keyFile: String) throws -> SSHPublicKey {
        let file = try Files.status(keyFile + ".pub") != nil ? keyFile + ".pub" : keyFile
        let text = try Files.readString(file, limit: 64 << 10)
        guard !text.contains("PRIVATE KEY") else {
            throw LedgerError.key(
                what: keyFile,
                why: "there is no \(keyFile).pub beside it: make one with ssh-keygen -y -f \(keyFile) > \(keyFile).pub")
        }
        return try SSHPublicKey(parsing: text.trimmed)
    }

    /// Runs ssh-keygen in our own process group; gives what it said, where it could not say it to the terminal itself.
    private static func run(_ arguments: [String], in scratch: Scratch) async throws -> String {
        let said = try Files.open(scratch.path + "/said", flags: O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
        let null = try Files.open("/dev/null", flags: O_RDWR)
        let onTerminal = isatty(2) == 1
        let pid = try Processes.spawn(
            "ssh-keygen", arguments: arguments,
            descriptors: [
                (0, onTerminal && isatty(0) == 1 ? 0 : null.raw), (1, said.raw), (2, onTerminal ? 2 : said.raw),
            ])
        let exit = try await Processes.wait(pid)
        let text = String(decoding: try Files.pread(said, count: 4096, offset: 0), as: UTF8.self).trimmed
        let shown = onTerminal ? "It says why above" : "It said: \(text)"
        guard exit == .exited(0) else {
            throw LedgerError.tool(name: "ssh-keygen -Y sign", why: "it ended with \(exit). \(shown)")
        }
        return shown
    }

    /// A private directory for one run.
    private struct Scratch {
        let path: String

        init() throws {
            let base = Processes.currentEnvironment()["TMPDIR"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "/tmp"
            var random = SystemRandomNumberGenerator()
            path = "\(base)/grace-sign-\(String(random.next(), radix: 36))\(String(random.next(), radix: 36))"
            try Files.makeDirectory(path, mode: 0o700)
        }

        func remove() { try? Files.removeTree(path) }
    }
}
