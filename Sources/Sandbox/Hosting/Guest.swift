internal import CSandbox
internal import FoundationEssentials
internal import Glibc
internal import Linux
internal import Synchronization

/// One caller of a ``SandboxHost``: its connection, and what runs for it.
final class Guest: Sendable {
    let socket: Descriptor
    /// It holds this one until ``SandboxHost/forget(_:)``.
    private let host: SandboxHost
    private enum Phase {
        case waiting
        case working(Sandbox?, SandboxProcess?, signals: [Int32])
        /// It has left, or has been told the end.
        case over
    }
    private let phase = Mutex(Phase.waiting)
    /// Whether something is done for it, which forgets it in the end.
    private let asked = Atomic<Bool>(false)
    private let given = Mutex<[Surroundings.Limit]>([])
    /// Its resource limits, which are the command's.
    var limits: [Surroundings.Limit] {
        get { given.withLock { $0 } }
        set { given.withLock { $0 = newValue } }
    }

    init(socket: Descriptor, host: SandboxHost) {
        self.socket = socket
        self.host = host
    }

    /// Says that the agent is awake, and which of its descriptors is the proof.
    func greet() { say(CSANDBOX_HELLO, value: host.proof.raw) }

    /// From now on it is heard.
    func hear() throws { try Watcher.shared.get().watch(socket) { [self] in listen() } }

    /// Nothing ran for it.
    func decline(_ why: String) {
        host.noteDecline(why)
        say(CSANDBOX_DECLINED, detail: why)
    }

    /// Its command ends, and it is told nothing more: from that it knows that the agent ended.
    func leave() {
        let sandbox = phase.withLock { phase -> Sandbox? in
            defer { phase = .over }
            if case .working(let sandbox, _, _) = phase { return sandbox }
            return nil
        }
        sandbox?.kill()
        _ = socket.withRaw { csandbox_shut($0) }
    }

    // MARK: What it says

    private func listen() -> Watcher.Next {
        while true {
            let (result, message, descriptors) = csandbox_message.receive(from: socket)
            if result == -EAGAIN { return .again }
            if result > 0, take(message, descriptors) { continue }
            // This process may have had no room for what came; an end needs no answer.
            if result != 0, !asked.load(ordering: .acquiring) { decline("what it asked for could not be received") }
            break
        }
        leave()
        if !asked.load(ordering: .acquiring) { host.forget(self) }
        return .done
    }

    /// - Returns: `false` where it speaks another language.
    private func take(_ message: csandbox_message, _ descriptors: [Descriptor]) -> Bool {
        switch csandbox_message_type(message.type) {
        case CSANDBOX_ASK where descriptors.count == 5:
            let first = phase.withLock { phase in
                guard case .waiting = phase else { return false }
                phase = .working(nil, nil, signals: [])
                asked.store(true, ordering: .releasing)
                return true
            }
            if first {
                Task { await serve(descriptors) }
            }
            return first
        case CSANDBOX_SIGNAL where (1..<65).contains(message.value):
            say(CSANDBOX_HELLO)
            phase.withLock { phase in
                guard case .working(let sandbox, let process, let signals) = phase else { return }
                if let process { return process.channel.signal(id: process.id, message.value, group: true) }
                phase = .working(sandbox, nil, signals: signals + [message.value])
            }
            return true
        default: return false
        }
    }

    // MARK: What is done for it

    private func serve(_ descriptors: [Descriptor]) async {
        defer { host.forget(self) }
        let begin = ContinuousClock.now
        let order: SandboxHost.Order
        do {
            try host.check(proof: descriptors[1])
            order = try host.order(descriptors[0])
        } catch {
            return decline("\(error)")
        }
        // What is there is there at once: whatever takes longer, and may fail, is better done by the caller.
        defer { host.refill(order.specification) }
        let sandbox: Sandbox
        do {
            let engine = host.engine
            guard let ready = try await engine.takeReady(order.specification, engine.ground.generation()) else {
                return decline("no sandbox of the profile “\(order.specification.profile.name)” is ready")
            }
            sandbox = ready
        } catch {
            return decline("\(error)")
        }
        let process: SandboxProcess
        do {
            guard enter(sandbox) else {
                _ = try? await sandbox.end()
                return
            }
            let streams = descriptors[2...].map { Stdio.descriptor($0) }
            process = try await sandbox.spawn(
                order.command, streams: streams, extra: [:], foreground: false, limits: limits)
        } catch {
            // It may have run where the sandbox ended meanwhile: then the caller hears nothing, and runs it no second time.
            if case SandboxError.ended = error { leave() } else { decline("\(error)") }
            _ = try? await sandbox.end()
            return
        }
        for descriptor in descriptors { descriptor.close() }
        say(CSANDBOX_STARTED)
        started(process)
        var told = false
        do {
            let exit = try await process.wait()
            _ = try await sandbox.end(figures: order.wantsFigures) { [self] outcome in
                let elapsed = (ContinuousClock.now - begin) / .seconds(1)
                tell(exit, order.report(exit, outcome, sandbox.fallbacks, elapsed))
                told = true
            }
        } catch {
            host.say("What was left of the sandbox of a `grace run` could not be removed: \(error).")
        }
        if !told { leave() }
    }

    /// - Returns: `false` where the caller has left meanwhile.
    private func enter(_ sandbox: Sandbox) -> Bool {
        phase.withLock { phase in
            guard case .working(_, _, let signals) = phase else { return false }
            phase = .working(sandbox, nil, signals: signals)
            return true
        }
    }

    private func started(_ process: SandboxProcess) {
        phase.withLock { phase in
            guard case .working(let sandbox, _, let signals) = phase else { return }
            // Under the lock, so that none that comes now overtakes.
            for number in signals { process.channel.signal(id: process.id, number, group: true) }
            phase = .working(sandbox, process, signals: [])
        }
    }

    private func tell(_ exit: ProcessExit, _ report: Data?) {
        // It leaves now, and its sandbox ends already.
        phase.withLock { $0 = .over }
        var file: Descriptor?
        if let report {
            file = try? Descriptor.memory(name: "grace-report")
            if let file { try? Files.write(file, report, subject: "a report") }
        }
        switch exit {
        case .exited(let code): say(CSANDBOX_EXITED, value: code, descriptor: file)
        case .signaled(let number): say(CSANDBOX_EXITED, value: number, more: 1, descriptor: file)
        }
    }

    private func say(
        _ type: csandbox_message_type, value: Int32 = 0, more: Int32 = 0, detail: String = "",
        descriptor: Descriptor? = nil
    ) {
        var message = csandbox_message()
        message.type = UInt32(type.rawValue)
        message.value = value
        message.more = more
        withUnsafeMutableBytes(of: &message.detail) { room in
            for (index, byte) in detail.utf8.prefix(room.count - 1).enumerated() { room[index] = byte }
        }
        let raw = descriptor.map { [$0.raw] } ?? []
        // One that has left hears nothing; its connection's end says so.
        withExtendedLifetime(descriptor) { _ = socket.withRaw { csandbox_send($0, &message, raw, Int32(raw.count)) } }
    }
}
