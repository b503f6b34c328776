import Sandbox
import Foundation
import Agent
import FoundationEssentials
import Glibc
import Ledger
import Linux
import Local
import Logging

/// The coordinator beside an agent: started as an unprivileged user, restarted when it dies, ended with us even when we are
/// killed (it reads its standard input, whose other end only we hold).
actor CoordinatorProcess {
    private let places: Places
    private let listen: String
    private let user: (uid: UInt32, gid: UInt32)
    private var pid: Int32?
    private var lifeline: Descriptor?

    init(places: Places, listen: String, user: (uid: UInt32, gid: UInt32)) {
        self.places = places
        self.listen = listen
        self.user = user
    }

    /// Starts it and returns its URL once it listens.
    func start() async throws -> String {
        let executable = try Self.locate()
        let input = try pipePair()
        let output = try pipePair()
        pid = try Processes.spawn(
            executable,
            arguments: [
                "--config", places.coordinatorFile, "--state", places.coordinatorState, "--listen", listen,
                "--exit-on-eof",
            ],
            environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": places.coordinatorState],
            descriptors: [(0, input.read.raw), (1, output.write.raw), (2, 2)], directory: places.coordinatorState,
            user: user,
            group: .new)
        input.read.close()
        output.write.close()
        lifeline = input.write
        let line = try await Threads.run("coordinator") { Self.firstLine(output.read, seconds: 30) }
        guard let range = line.range(of: "http://") else {
            throw Failure(
                "The coordinator did not start to listen at \(listen). Its messages are above; the usual reasons are a port in use "
                    + "and a mistake in \(places.coordinatorFile).")
        }
        // Nobody else reads what it prints later; drain it, so that it never blocks.
        Task { try? await Threads.run("coordinator") { while !Self.firstLine(output.read, seconds: 3600).isEmpty {} } }
        return String(line[range.lowerBound...].prefix { !$0.isWhitespace })
    }

    /// Waits for it to end and starts it again, with growing pauses.
    func keepRunning(_ logger: Logger) async throws {
        var pause = 0.5
        while !Task.isCancelled {
            guard let pid else { return }
            let exit = try await Processes.wait(pid)
            guard !Task.isCancelled else { return }
            self.pid = nil
            logger.error("the coordinator ended (\(exit)); it is started again")
            try await Task.sleep(for: .seconds(pause))
            pause = min(30, pause * 2)
            while !Task.isCancelled {
                do {
                    _ = try await start()
                    break
                } catch {
                    // The agent's watch and deadman go on without it.
                    logger.error("the coordinator can't be started: \(error)")
                    try await Task.sleep(for: .seconds(pause))
                    pause = min(30, pause * 2)
                }
            }
        }
    }

    func stop() async {
        lifeline?.close()
        lifeline = nil
        guard let pid else { return }
        for _ in 0..<100 {
            do {
                if try Processes.reap(pid) != nil { return }
            } catch {
                return  // Whoever kept it running has reaped it.
            }
            try? await Task.sleep(for: .milliseconds(50))
        }
        try? Processes.kill(pid, SIGKILL)
    }

    private static func locate() throws -> String {
        do {
            return try SandboxEngine.locateHelper("grace-coordinator")
        } catch {
            throw Failure("\(error) Or run `grace agent` with a coordinator elsewhere.")
        }
    }

    private func pipePair() throws -> (read: Descriptor, write: Descriptor) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw SystemError(call: "pipe", subject: "", code: errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
    }

    private static func firstLine(_ descriptor: Descriptor, seconds: Int) -> String {
        var bytes: [UInt8] = []
        while bytes.count < 4096 {
            var entry = pollfd(fd: descriptor.raw, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, Int32(seconds * 1000)) > 0 else { break }
            var byte: UInt8 = 0
            guard read(descriptor.raw, &byte, 1) == 1 else { break }
            if byte == 10 { break }
            bytes.append(byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// The people whose keys stand in allowed_signers.
enum Approvers {
    /// The principals in allowed_signers; makes the file from `--approver` or a new key where there is none.
    static func ensure(_ given: [String], places: Places) async throws -> [String] {
        if try Files.status(places.allowedSignersFile) == nil {
            var lines: [String] = []
            for item in given {
                let parts = item.split(separator: "=", maxSplits: 1).map(String.init)
                guard parts.count == 2 else {
                    throw Failure("--approver takes NAME=PUBLIC_KEY_FILE, found “\(item)”.", code: 2)
                }
                lines.append(try AllowedSignersLine.make(principal: parts[0], publicKeyFile: parts[1].absolute))
            }
            if lines.isEmpty { lines = [try await newKey()] }
            try Files.writeAtomically(
                places.allowedSignersFile, Data((lines.joined(separator: "\n") + "\n").utf8), mode: 0o644)
        }
        let text = try Files.readString(places.allowedSignersFile)
        let principals = text.split(separator: "\n").filter { !$0.hasPrefix("#") }.compactMap {
            $0.split(separator: " ").first
        }
        return Array(Set(principals.flatMap { $0.split(separator: ",").map(String.init) })).sorted()
    }

    /// A passphrase-protected key for whoever invoked us (through sudo, too).
    private static func newKey() async throws -> String {
        let environment = Processes.currentEnvironment()
        let name = environment["SUDO_USER"] ?? "root"
        guard let user = try Users.lookup(name) else {
            throw Failure("The invoking user “\(name)” is not in the user database.")
        }
        let path = user.home + "/.config/grace/approver_ed25519"
        if try Files.status(path) == nil {
            guard
                let passphrase = Passphrase.ask(
                    "Grace makes a key with which you approve promotions (\(path)). Passphrase:"),
                !passphrase.isEmpty, passphrase == Passphrase.ask("The same again:")
            else {
                throw Failure(
                    "There is no allowed_signers yet and no passphrase was given for a new approver's key. Name a person's public key: "
                        + "`grace up --approver you@example.org=~/.ssh/id_ed25519.pub`.", code: 2)
            }
            try Files.makeDirectory(user.home + "/.config/grace", mode: 0o700, intermediate: true)
            _ = try await SSHKeygen.generate(path: path, comment: name, passphrase: passphrase)
            for file in [user.home + "/.config/grace", path, path + ".pub"] {
                try Files.chown(BytePath(file), uid: user.uid, gid: user.gid)
            }
        }
        Terminal.line("The approver's key lies in \(path).")
        return try AllowedSignersLine.make(principal: name, publicKeyFile: path + ".pub")
    }
}
