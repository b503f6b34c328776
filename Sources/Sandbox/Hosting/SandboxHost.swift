internal import CSandbox
package import FoundationEssentials
internal import Glibc
package import Linux
internal import Synchronization

/// The side of an agent that gives its sandboxes to `grace run`: they wait ready-made, so that one costs no more than starting a program.
///
/// It listens at a socket that root alone can reach, and looks at each caller by what the kernel says of it: only who stands where this
/// process stands (``Surroundings``) is hosted, and proves that it may do all that this process may by a descriptor that it took from it
/// (`csandbox_host_proof`). Everybody else is declined, and makes a sandbox alone. So is whoever asks for what is not ready or can't be
/// started: nothing has run then, and the caller says why as it always would.
///
/// A command is the caller's for as long as the connection stands: its signals come over it, and its end is the command's end.
package final class SandboxHost: Sendable {
    /// What a request comes to.
    package struct Order: Sendable {
        package var specification: SandboxSpecification
        package var command: Command
        /// Whether the report needs the outcome's figures.
        package var wantsFigures: Bool
        /// What the caller is told besides the command's end, from its end, its sandbox's, and the seconds it took; `nil`: nothing.
        package var report: @Sendable (ProcessExit, SandboxOutcome, [FeatureStatus], Double) -> Data?

        package init(
            specification: SandboxSpecification, command: Command, wantsFigures: Bool,
            report: @escaping @Sendable (ProcessExit, SandboxOutcome, [FeatureStatus], Double) -> Data?
        ) {
            self.specification = specification
            self.command = command
            self.wantsFigures = wantsFigures
            self.report = report
        }
    }
    /// Reads a request.
    package typealias Answerer = @Sendable ([UInt8]) throws -> Order

    /// Requests of this many bytes at most.
    private static let longest = 4 << 20
    /// Commands at a time; more are declined.
    private static let most = 256
    /// For so long after the last request sandboxes are kept ready.
    private static let memory = Duration.seconds(600)

    let engine: SandboxEngine
    private let answer: Answerer
    private let log: @Sendable (String) -> Void
    private let path: String
    private let count: Int
    private let own: Surroundings
    /// Only who may attach to this process can have a copy of it.
    let proof: Descriptor
    private let proofIdentity: FileIdentity
    private struct State {
        /// What was asked for last, and when.
        var last: (specification: SandboxSpecification, at: ContinuousClock.Instant)?
        var tending = false
        /// Why callers were declined: each reason is told once.
        var reasons: Set<String> = []
        /// It ends: nothing is made ready any more.
        var closing = false
        var guests: [ObjectIdentifier: Guest] = [:]
    }
    private let state = Mutex(State())

    /// - Parameters:
    ///   - engine: Makes the sandboxes. Its own, so that nothing else's are among those that wait.
    ///   - path: Of the socket, below a directory that root alone may write.
    ///   - count: How many wait, of the kind that was asked for last.
    ///   - log: Takes a sentence about what went wrong and that no caller is told.
    ///   - answer: Reads a request.
    /// - Throws: `SystemError`.
    package init(
        engine: SandboxEngine, path: String, count: Int, log: @escaping @Sendable (String) -> Void,
        answer: @escaping Answerer
    ) throws {
        self.engine = engine
        self.path = path
        self.count = count
        self.log = log
        self.answer = answer
        own = try Surroundings(of: getpid())
        proof = try Descriptor.memory(name: "grace-host")
        proofIdentity = try Files.status(of: proof).identity
    }

    /// Hosts until it is cancelled; then nothing is left of what it hosted.
    ///
    /// - Throws: ``SandboxError`` where somebody else listens there; `SystemError`.
    package func run() async throws {
        let listener = try listen()
        let token = try Watcher.shared.get().watch(listener) { [self] in accept(listener) }
        // A device that is unmounted must not stay busy for longer, nor a new secret be seen.
        while (try? await Task.sleep(for: .milliseconds(500))) != nil { await tend() }
        try? Watcher.shared.get().forget(token)
        try? Files.unlink(path)
        listener.close()
        let guests = state.withLock { state in
            state.closing = true
            return Array(state.guests.values)
        }
        for guest in guests { guest.leave() }
        // Cancelled as it is, a task's sleep would not wait. What still hangs after that dies with this process.
        for _ in 0..<2000 where state.withLock({ !$0.guests.isEmpty || $0.tending }) {
            await Task.detached { try? await Task.sleep(for: .milliseconds(5)) }.value
        }
        await engine.discardPrewarmed()
    }

    private func listen() throws -> Descriptor {
        let one = csandbox_host_connect(path)
        if one >= 0 || one == -EAGAIN {
            if one >= 0 { Descriptor(owning: one).close() }
            throw SandboxError.invalid("Another agent hands out sandboxes at \(path) already; end it first.")
        }
        // What a killed one left.
        if try Files.status(path)?.kind == .socket { try Files.unlink(path) }
        let made = csandbox_host_listen(path)
        guard made >= 0 else { throw SystemError(call: "bind", subject: path, code: -made) }
        return Descriptor(owning: made)
    }

    private func accept(_ listener: Descriptor) -> Watcher.Next {
        while true {
            let raw = csandbox_host_accept(listener.raw)
            if raw == -EAGAIN { return .again }
            guard raw >= 0 else {
                noteDecline("\(SystemError(call: "accept", subject: path, code: -raw))")
                return .pause  // it still waits there
            }
            let guest = Guest(socket: Descriptor(owning: raw), host: self)
            // First: it tells what it wants while it is looked at.
            guest.greet()
            if let why = refusal(of: guest) {
                guest.decline(why)
                continue
            }
            let hosted = state.withLock { state in
                if !state.closing { state.guests[ObjectIdentifier(guest)] = guest }
                return !state.closing
            }
            do {
                if hosted { try guest.hear() }
            } catch {
                guest.decline("\(error)")
                forget(guest)
            }
        }
    }

    /// Why this caller is not hosted; `nil`: it is.
    private func refusal(of guest: Guest) -> String? {
        var pid: Int32 = 0
        var uid: UInt32 = .max
        guard csandbox_host_peer(guest.socket.raw, &pid, &uid) == 0, uid == 0, pid > 0 else { return "not root" }
        do {
            // That it is the one that asks is shown by the proof that comes with what it asks for.
            let there = try Surroundings(of: pid)
            if let difference = own.difference(from: there) { return difference }
            guard state.withLock({ $0.guests.count }) < Self.most else { return "too many at once" }
            guest.limits = there.limits
            return nil
        } catch {
            return "it can't be looked at: \(error)"
        }
    }

    func forget(_ guest: Guest) { state.withLock { _ = $0.guests.removeValue(forKey: ObjectIdentifier(guest)) } }

    func say(_ sentence: String) { log(sentence) }

    /// Tells the log, the first time.
    func noteDecline(_ why: String) {
        let isNew = state.withLock { $0.reasons.count < 100 && $0.reasons.insert(why).inserted }
        if isNew { log("A `grace run` makes its own sandbox: \(why). (Told once.)") }
    }

    func order(_ file: Descriptor) throws -> Order {
        let size = try Files.status(of: file).size
        guard size <= Self.longest else { throw SandboxError.invalid("The request has \(size) bytes.") }
        return try answer(Array(Files.pread(file, count: Int(size), offset: 0)))
    }

    func check(proof: Descriptor) throws {
        guard try Files.status(of: proof).identity == proofIdentity else {
            throw SandboxError.invalid("The caller does not prove that it may do what the agent may.")
        }
    }

    // MARK: Those that wait

    /// Makes up for one that was taken, or was not there.
    func refill(_ specification: SandboxSpecification) {
        state.withLock { $0.last = (specification, .now) }
        Task {
            // The caller's own last steps come first.
            try? await Task.sleep(for: .milliseconds(2))
            await tend()
        }
    }

    /// Ends those that nobody may have any more, and starts as many as are to wait.
    private func tend() async {
        let last = state.withLock { state -> (specification: SandboxSpecification, at: ContinuousClock.Instant)?? in
            guard !state.tending, !state.closing else { return nil }
            state.tending = true
            return .some(state.last)
        }
        guard let last else { return }
        defer { state.withLock { $0.tending = false } }
        do {
            if let last, last.at.duration(to: .now) < Self.memory {
                try await engine.keepReady(last.specification, count: count)
            } else {
                await engine.discardPrewarmed()
            }
        } catch {
            await engine.discardPrewarmed()
            noteDecline("none can be made ready: \(error)")
        }
    }
}
