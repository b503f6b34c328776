internal import CSandbox
package import FoundationEssentials
internal import Glibc
package import Linux

/// The side of `grace run` that asks an agent for one of its sandboxes (``SandboxHost``), on the calling thread alone.
package enum HostedCommand {
    /// How long an agent may take to say that it is awake, milliseconds. One that is stopped, or has too much to do, is not waited for.
    private static let patience: Int32 = 250

    /// Has the agent that listens at `path` run what `request` asks for, with this process's standard streams. Blocks until everything of
    /// it is gone. Hang-up, interrupt, quit and terminate are the command's, unless this process ignores or blocks them; while the agent
    /// does not answer, a second one ends this process.
    ///
    /// - Parameters:
    ///   - path: Of the agent's socket.
    ///   - request: In whatever form the agent's ``SandboxHost/Answerer`` understands.
    /// - Returns: How it ended, and the agent's report if there is one; `nil` where nothing was run: nobody listens there, or not for this
    ///   process. Then its caller's own sandbox is the way.
    /// - Throws: ``SandboxError`` where the agent ended meanwhile, and with it, perhaps, a command that had begun.
    package static func run(at path: String, request: [UInt8]) throws -> (exit: ProcessExit, report: Data?)? {
        let raw = csandbox_host_connect(path)
        guard raw >= 0 else { return nil }
        let socket = Descriptor(owning: raw)
        var pid: Int32 = 0
        var uid: UInt32 = .max
        // Whoever could make that socket could also be asked for a sandbox, and is root: anybody else's would be a trap.
        guard csandbox_host_peer(raw, &pid, &uid) == 0, uid == 0 else { return nil }
        let file = try Descriptor.memory(name: "grace-request")
        try Files.write(file, request, subject: "the agent's request")
        guard ready(socket) else { return nil }
        let (greeted, greeting, _) = csandbox_message.receive(from: socket)
        guard greeted == 1, greeting.type == UInt32(CSANDBOX_HELLO.rawValue) else { return nil }
        let proof = Descriptor(owning: csandbox_host_proof(pid, greeting.value))
        guard proof.raw >= 0 else { return nil }
        var taken: UInt32 = 0
        let signals = csandbox_signals_take(&taken)
        guard signals >= 0 else { return nil }
        defer { csandbox_signals_give_back(taken) }
        let bell = Descriptor(owning: signals)
        return try withExtendedLifetime((file, proof)) {
            guard send(socket, CSANDBOX_ASK, descriptors: [file.raw, proof.raw, 0, 1, 2]) else { return nil }
            var talk = Talk(socket: socket, bell: bell)
            return try talk.finish()
        }
    }

    /// From the question to the command's end.
    private struct Talk {
        let socket: Descriptor
        let bell: Descriptor
        var began = false
        /// What came for the command before it began.
        var waiting: [Int32] = []
        /// Since when the agent owes an answer to a signal.
        var owed: ContinuousClock.Instant?
        /// How long it may: then another signal ends this process, so that an agent that hangs holds nobody.
        static let patience = Duration.seconds(2)

        mutating func finish() throws -> (exit: ProcessExit, report: Data?)? {
            while true {
                let watched = csandbox_wait_readable(socket.raw, bell.raw)
                guard watched > 0 else { throw SystemError(call: "poll", subject: "the agent", code: -watched) }
                if watched == 2 {
                    take(csandbox_signals_next(bell.raw))
                    continue
                }
                let (result, message, descriptors) = csandbox_message.receive(from: socket, waiting: true)
                guard result == 1 else {
                    throw SandboxError.ended(
                        "The agent of this host, whose sandbox it was, ended \(began ? "while the command ran" : "before it said whether the command runs"), "
                            + "and the sandbox with it. Look at the agent's log; `grace run --alone` does without it.")
                }
                switch csandbox_message_type(message.type) {
                case CSANDBOX_HELLO: owed = nil
                case CSANDBOX_STARTED:
                    began = true
                    for number in waiting { pass(number) }
                case CSANDBOX_DECLINED:
                    // What came for the command is this process's again.
                    if let number = waiting.first { end(by: number) }
                    return nil
                case CSANDBOX_EXITED:
                    // What came too late for it.
                    while csandbox_signals_next(bell.raw) > 0 {}
                    let report = try descriptors.first.map { try Files.pread($0, count: 1 << 24, offset: 0) }
                    return (message.more != 0 ? .signaled(message.value) : .exited(message.value), report)
                default: break
                }
            }
        }

        private mutating func take(_ number: Int32) {
            guard number > 0 else { return }
            if let owed, owed.duration(to: .now) > Self.patience { end(by: number) }
            if began {
                pass(number)
            } else if waiting.isEmpty {
                waiting = [number]
            } else {
                // A start that hangs holds nobody either.
                end(by: number)
            }
        }

        private mutating func pass(_ number: Int32) {
            owed = owed ?? .now
            _ = send(socket, CSANDBOX_SIGNAL, value: number)
        }

        private func end(by number: Int32) {
            socket.close()
            SignalRelay.end(by: number)
        }
    }

    private static func ready(_ socket: Descriptor) -> Bool {
        var one = pollfd(fd: socket.raw, events: Int16(POLLIN), revents: 0)
        return poll(&one, 1, patience) == 1
    }

    private static func send(
        _ socket: Descriptor, _ type: csandbox_message_type, value: Int32 = 0, descriptors: [Int32] = []
    ) -> Bool {
        var message = csandbox_message()
        message.type = UInt32(type.rawValue)
        message.value = value
        message.more = 1
        return csandbox_send(socket.raw, &message, descriptors, Int32(descriptors.count)) == 0
    }
}
