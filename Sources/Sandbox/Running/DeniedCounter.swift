internal import CSandbox
internal import Glibc
internal import Linux
internal import Synchronization

/// Attends to a filter's listener, on the thread that watches every sandbox: answers denied calls and counts them.
///
/// A listener that is lost is the end of the sandbox: what its filter reports would be answered ENOSYS, as if the call did not exist.
final class DeniedCounter: Sendable {
    private struct State: ~Copyable, @unchecked Sendable {  // only ever touched under the lock
        var counted: OpaquePointer?
        var lost: Int32?
        deinit { csandbox_denied_free(counted) }
    }
    private let state = Mutex(State())

    init() {}

    /// Takes the listener over and attends to it from now on; `ended` is called when it is lost.
    func start(_ listener: Descriptor, lost ended: @escaping @Sendable () -> Void) {
        let ready = state.withLock { state -> Bool in
            csandbox_denied_free(state.counted)
            let own = listener.withRaw { fcntl($0, F_DUPFD_CLOEXEC, 3) }
            state.counted =
                own < 0
                ? nil
                : csandbox_denied_make(own, UInt32(CSANDBOX_DENIED_BURST), UInt32(CSANDBOX_DENIED_PER_SECOND))
            if state.counted == nil { state.lost = errno }
            if state.counted == nil, own >= 0 { Glibc.close(own) }
            return state.lost == nil
        }
        guard ready else { return ended() }
        do {
            try Watcher.shared.get().watch(listener) { [self] in
                let next = attend()
                if next == .lost { ended() }
                return next == .lost || next == .over ? .done : next == .slowed ? .pause : .again
            }
        } catch {
            state.withLock { $0.lost = EIO }
            ended()
        }
    }

    private enum Next { case again, slowed, over, lost }

    private func attend() -> Next {
        state.withLock { state in
            guard let counted = state.counted else { return .over }
            let result = csandbox_watch_denied(counted)
            if result < 0 { state.lost = -result }
            return result < 0 ? .lost : result == 0 ? .over : result == 2 ? .slowed : .again
        }
    }

    /// What was counted, once everything inside is gone. Nothing is attended to any more.
    func finish() -> DeniedCalls {
        state.withLock { state in
            if let lost = state.lost {
                let why = SystemError(call: "seccomp notification", subject: "", code: lost)
                return DeniedCalls(notCounted: "The filter's reports were lost, which ended the sandbox: \(why).")
            }
            guard let counted = state.counted else {
                return DeniedCalls(notCounted: "The sandbox's filter reports no calls.")
            }
            var count: UInt32 = 0
            let calls = csandbox_denied_calls(counted, &count)
            let result = DeniedCalls(UnsafeBufferPointer(start: calls, count: Int(count)).map { DeniedCall($0) })
            csandbox_denied_free(counted)
            state.counted = nil
            return result
        }
    }
}
