internal import FoundationEssentials
internal import Glibc
internal import Linux

/// A pipe with close-on-exec ends.
enum Pipe {
    static func make() throws -> (read: Descriptor, write: Descriptor) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw SystemError(call: "pipe", subject: "", code: errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
    }

    /// Reads to the end; what exceeds `limit` is read and dropped, so that the writer never blocks on us.
    static func drain(_ descriptor: Descriptor, limit: Int) throws -> Data {
        var result = Data()
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = buffer.withUnsafeMutableBytes { read(descriptor.raw, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                throw SystemError(call: "read", subject: "a pipe", code: errno)
            }
            if count == 0 { return result }
            let room = max(0, limit - result.count)
            result.append(contentsOf: buffer[0..<min(count, room)])
        }
    }

    /// Writes all of `data`, then closes; on a thread of its own, in which a reader that is gone raises no signal from here on,
    /// whatever the program does with it.
    static func fill(_ descriptor: Descriptor, _ data: Data) throws {
        defer { descriptor.close() }
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        var rest = data[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor.raw, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                if errno == EPIPE { return }
                throw SystemError(call: "write", subject: "a pipe", code: errno)
            }
            rest = rest.dropFirst(count)
        }
    }
}
