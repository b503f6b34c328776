internal import CLinux
internal import Synchronization

/// An open file descriptor with one owner; closed when the last reference goes.
///
/// Take the number with ``raw`` only while something keeps the object alive, or use ``withRaw(_:)``, which does.
public final class Descriptor: Sendable, CustomStringConvertible {
    /// The number. Stale after ``close()``.
    public let raw: Int32
    private let closed = Atomic<Bool>(false)

    /// Takes over `raw`: nobody else may close it.
    public init(owning raw: Int32) { self.raw = raw }

    deinit { close() }

    /// Closes it now; later calls do nothing.
    public func close() {
        guard !closed.exchange(true, ordering: .acquiringAndReleasing), raw >= 0 else { return }
        _ = clinux_close(raw)
    }

    /// Gives the number up to the caller, who closes it; -1 when it was closed already.
    public func release() -> Int32 { closed.exchange(true, ordering: .acquiringAndReleasing) ? -1 : raw }

    /// Whether ``close()`` has been called.
    public var isClosed: Bool { closed.load(ordering: .acquiring) }

    /// Runs `body` with the number, keeping the descriptor open meanwhile.
    @discardableResult
    public func withRaw<T>(_ body: (Int32) throws -> T) rethrows -> T {
        try withExtendedLifetime(self) { try body(raw) }
    }

    /// `descriptor 7`.
    public var description: String { "descriptor \(raw)" }

    /// A second, independent descriptor of the same open file.
    public func duplicate() throws -> Descriptor {
        Descriptor(
            owning: try withRaw { try SystemError.check(clinux_duplicate($0), "fcntl(F_DUPFD_CLOEXEC)", "\(self)") })
    }

    /// A pipe, both ends close-on-exec.
    public static func pipe() throws -> (read: Descriptor, write: Descriptor) {
        var ends: [Int32] = [-1, -1]
        try SystemError.check(clinux_pipe(&ends), "pipe2", "")
        return (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
    }

    /// A file in memory without a name, for handing data to a child.
    public static func memory(name: String) throws -> Descriptor {
        Descriptor(owning: try SystemError.check(clinux_memfd(name), "memfd_create", name))
    }
}
