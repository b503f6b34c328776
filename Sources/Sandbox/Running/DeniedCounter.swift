internal import CSandbox
internal import Glibc
internal import Linux

/// Attends to a filter's listener, on the thread that listens to the sandbox anyway: answers denied calls and counts them.
///
/// A listener that is lost is the end of the sandbox: what its filter reports would be answered ENOSYS, as if the call did not exist.
struct DeniedCounter: ~Copyable {
    private var counted: OpaquePointer?
    private var lost: Int32?

    init() {}

    deinit { csandbox_denied_free(counted) }

    /// Takes the listener over. Should there be no memory for it, the next ``attend(_:)`` says so.
    mutating func start(_ listener: Int32) {
        csandbox_denied_free(counted)
        counted = csandbox_denied_make(
            listener, UInt32(CSANDBOX_DENIED_BURST), UInt32(CSANDBOX_DENIED_PER_SECOND))
        guard counted == nil else { return }
        lost = errno
        Glibc.close(listener)
    }

    /// Waits until `socket` can be read, and answers denied calls meanwhile. `false` when the sandbox must end.
    mutating func attend(_ socket: Int32) -> Bool {
        guard lost == nil else { return false }
        let result = csandbox_attend(socket, counted)
        if result < 0 { lost = -result }
        return result == 0
    }

    /// What was counted, once everything inside is gone.
    consuming func finish() -> DeniedCalls {
        if let lost {
            let why = SystemError(call: "seccomp notification", subject: "", code: lost)
            return DeniedCalls(notCounted: "The filter's reports were lost, which ended the sandbox: \(why).")
        }
        guard let counted else { return DeniedCalls(notCounted: "The sandbox's filter reports no calls.") }
        var count: UInt32 = 0
        let calls = csandbox_denied_calls(counted, &count)
        return DeniedCalls(UnsafeBufferPointer(start: calls, count: Int(count)).map { DeniedCall($0) })
    }
}
