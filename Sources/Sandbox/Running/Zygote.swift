internal import CSandbox
internal import Glibc
internal import Linux
internal import Synchronization

/// The agent's side of an engine's zygote (`grace-sandbox zygote`): the small process that sandboxes are forked from.
///
/// It is started with the first sandbox. Should it die, the kernel kills its sandboxes with it; each of them reports its end, and the
/// next one gets a new zygote.
final class Zygote: Sendable {
    private struct State {
        var socket: Descriptor?
        var pid: Int32 = 0
        /// Everything that was forked from it, or from the one before, and has not ended.
        var children: [ObjectIdentifier: Child] = [:]
        /// How the last one died, for people.
        var death: String?
    }

    private struct Child {
        var channel: Channel
        /// That of the zygote which it was forked from.
        var parent: Descriptor
    }

    /// The path of `grace-sandbox`.
    let helper: String
    private let state = Mutex(State())

    init(helper: String) { self.helper = helper }

    deinit {
        // The socket's end is the zygote's end, and that of every sandbox still running.
        state.withLock { state in _ = state.socket?.withRaw { csandbox_shut($0) } }
    }

    /// The number of the process; `nil` while there is none.
    var pid: Int32? { state.withLock { $0.socket == nil ? nil : $0.pid } }

    /// Why the last one ended by itself; `nil`: none did.
    var death: String? { state.withLock { $0.death } }

    /// Has a sandbox made from these descriptors (csandbox.h says which). What becomes of it is told over its control socket.
    ///
    /// - Throws: `SystemError` where the zygote cannot be started; ``SandboxError`` where it cannot be spoken to.
    func spawn(_ descriptors: [Descriptor], for channel: Channel) throws {
        let raw = descriptors.map(\.raw)
        for attempt in 0..<2 {
            let result = try state.withLock { state -> Int32 in
                let socket = try state.socket ?? start(&state)
                var message = csandbox_message()
                message.type = UInt32(CSANDBOX_SPAWN.rawValue)
                let sent = socket.withRaw { csandbox_send($0, &message, raw, Int32(raw.count)) }
                if sent == 0 {
                    state.children[ObjectIdentifier(channel)] = Child(channel: channel, parent: socket)
                } else {
                    state.socket = nil
                }
                return sent
            }
            if result == 0 {
                let name = ObjectIdentifier(channel)
                channel.whenEnded { [weak self] in self?.state.withLock { _ = $0.children.removeValue(forKey: name) } }
                return withExtendedLifetime(descriptors) {}
            }
            // It has died since the last request: one more try, with a new one.
            guard attempt == 0 else {
                let error = SystemError(call: "sendmsg", subject: "zygote", code: -result)
                throw SandboxError.helper(
                    "The process that sandboxes are made from (\(helper) zygote) takes no request: \(error).")
            }
        }
    }

    /// Starts it ahead of the first request, which reports why where that fails.
    func warm() {
        state.withLock { state in if state.socket == nil { _ = try? start(&state) } }
    }

    private func start(_ state: inout State) throws -> Descriptor {
        var ends: [Int32] = [-1, -1]
        let made = csandbox_control_pair(&ends)
        guard made == 0 else { throw SystemError(call: "socketpair", subject: "zygote", code: -made) }
        let ours = Descriptor(owning: ends[0])
        let theirs = Descriptor(owning: ends[1])
        let (pid, pidfd) = try withExtendedLifetime(theirs) {
            try Processes.spawnHeld(
                helper, arguments: ["zygote", "\(PlanWriter.mappedFirst)", "\(PlanWriter.mappedCount)"],
                environment: [:], descriptors: [(2, 2), (3, theirs.raw)])
        }
        state.socket = ours
        state.pid = pid
        try Watcher.shared.get().watch(pidfd) { [weak self] in
            let exit = try? Processes.waitBlocking(pid)  // it has ended: this does not wait
            self?.ended(ours, exit)
            return .done
        }
        return ours
    }

    /// Forgets a dead zygote, and ends what was forked from it and may not have been bound to its death yet.
    private func ended(_ socket: Descriptor, _ exit: ProcessExit?) {
        let channels = state.withLock { state -> [Channel] in
            state.death =
                "The process that sandboxes are made from ended (\(exit.map { "\($0)" } ?? "nobody knows how")), and they with it."
            if state.socket === socket { state.socket = nil }
            // Another one may have taken its place already.
            return state.children.values.filter { $0.parent === socket }.map(\.channel)
        }
        for channel in channels { channel.close() }
    }
}
