internal import CLinux
internal import Glibc

/// Starting, watching and ending processes. Not for sandboxes: those have a spawner of their own.
public enum Processes {
    /// Which process group a started program belongs to.
    public enum Group: Sendable {
        /// The caller's.
        case inherited
        /// A new one, led by it: `kill(-pid)` reaches all its children that don't leave it.
        case new
        /// A new session: no controlling terminal either.
        case session
    }

    /// A descriptor that stands for the process `pid` and no other, whatever becomes of the number.
    public static func pidfdOpen(_ pid: Int32) throws -> Descriptor {
        Descriptor(owning: try SystemError.check(clinux_pidfd_open(pid), "pidfd_open", "process \(pid)"))
    }

    /// Sends a signal; ESRCH where the process has ended and been reaped.
    public static func sendSignal(_ pidfd: Descriptor, _ signal: Int32) throws {
        try pidfd.withRaw { raw in
            try SystemError.check(clinux_pidfd_send_signal(raw, signal), "pidfd_send_signal", "\(pidfd)")
        }
    }

    /// Sends a signal to a process by number, to a whole group by the negative one. Only where the number can't have been
    /// given to another: a child of ours not yet waited for.
    public static func kill(_ pid: Int32, _ signal: Int32) throws {
        try SystemError.check(clinux_kill(pid, signal), "kill", "process \(pid)")
    }

    /// When a process started, in clock ticks since boot (field 22 of `/proc/PID/stat`); with the number it names a process
    /// for good within one boot. `nil` where there is none.
    public static func startTime(of pid: Int32) -> UInt64? {
        guard let fields = statFields(of: pid), fields.count > 19 else { return nil }
        return UInt64(fields[19])
    }

    /// ``startTime(of:)`` of this process, looked up once.
    public static let ownStartTime = startTime(of: getpid())

    /// A process's parent; `nil` where there is no such process.
    public static func parent(of pid: Int32) -> Int32? {
        guard let fields = statFields(of: pid), fields.count > 1 else { return nil }
        return Int32(fields[1])
    }

    /// A process's state letter, `R`, `S`, `D`, `Z`, `T`; `nil` where there is none.
    public static func state(of pid: Int32) -> Character? { statFields(of: pid)?.first?.first }

    /// The fields from the third (state) on. The second, the name, may itself hold blanks and parentheses.
    static func statFields(of pid: Int32) -> [Substring]? {
        guard let text = try? Files.readString("/proc/\(pid)/stat", limit: 8192), let end = text.lastIndex(of: ")")
        else {
            return nil
        }
        return text[text.index(after: end)...].split(separator: " ")
    }

    /// Waits for a child and reaps it. On a thread of its own: any number may wait.
    ///
    /// Cancelling the task does not stop waiting (a zombie would be left): kill the child.
    ///
    /// - Throws: ECHILD where it isn't a child of this process, or was waited for already.
    public static func wait(_ pid: Int32) async throws -> ProcessExit {
        try await Threads.run("wait \(pid)") { try waitBlocking(pid) }
    }

    /// Waits for a child and reaps it, blocking the thread.
    public static func waitBlocking(_ pid: Int32) throws -> ProcessExit {
        var code: Int32 = 0
        var signaled: Int32 = 0
        try SystemError.check(clinux_wait(pid, 1, &code, &signaled), "waitid", "process \(pid)")
        return signaled != 0 ? .signaled(code) : .exited(code)
    }

    /// Reaps a child if it has ended; `nil` while it runs.
    public static func reap(_ pid: Int32) throws -> ProcessExit? {
        var code: Int32 = 0
        var signaled: Int32 = 0
        let result = try SystemError.check(clinux_wait(pid, 0, &code, &signaled), "waitid", "process \(pid)")
        return result == 0 ? nil : signaled != 0 ? .signaled(code) : .exited(code)
    }
}
