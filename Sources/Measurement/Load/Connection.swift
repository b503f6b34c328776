private import Glibc
internal import Linux

/// One kept-alive connection, used by one thread.
struct Connection: ~Copyable {
    /// Why an exchange failed.
    enum Failure: Error, Equatable {
        /// No whole answer before the deadline.
        case timeout
        /// Told to stop.
        case cancelled
        /// Everything else, in words.
        case broken(String)
    }

    private let socket: Descriptor

    init(_ socket: Descriptor) {
        self.socket = socket
        var yes: Int32 = 1
        // Without this Nagle's algorithm and delayed acknowledgements would add 40 ms here and there.
        setsockopt(socket.raw, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit { socket.close() }

    /// Whether the peer closed it, or sent something unasked, while it lay idle.
    borrowing func isStale() -> Bool {
        var entry = pollfd(fd: socket.raw, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) != 0
    }

    /// Sends a request and reads the answer to its end.
    /// - Returns: the status, and whether the connection can be used again.
    borrowing func exchange(
        _ request: [UInt8], method: String, deadline: Int64, stop: () -> Bool
    ) throws(Failure) -> (status: Int, reusable: Bool) {
        try write(request, deadline, stop)
        var reader = ResponseReader(method: method)
        var buffer = [UInt8](repeating: 0, count: 16384)
        while !reader.isComplete {
            let count = buffer.withUnsafeMutableBytes {
                recv(socket.raw, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT))
            }
            let code = errno
            do throws(ResponseReader.Malformed) {
                if count > 0 {
                    var failure: ResponseReader.Malformed?
                    buffer.withUnsafeBytes { bytes in
                        do throws(ResponseReader.Malformed) {
                            try reader.take(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
                        } catch {
                            failure = error
                        }
                    }
                    if let failure { throw failure }
                } else if count == 0 {
                    try reader.takeEnd()
                }
            } catch {
                throw .broken(error.why)
            }
            guard count < 0 else { continue }
            switch code {
            case EINTR: continue
            case EAGAIN: try wait(for: Int16(POLLIN), deadline, stop)
            default: throw .broken("the answer could not be read: \(Self.text(code))")
            }
        }
        return (reader.status, reader.keepAlive)
    }

    private borrowing func write(_ bytes: [UInt8], _ deadline: Int64, _ stop: () -> Bool) throws(Failure) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                send(
                    socket.raw, $0.baseAddress.map { $0 + sent }, $0.count - sent,
                    Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            if count >= 0 {
                sent += count
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN: try wait(for: Int16(POLLOUT), deadline, stop)
            case let code: throw .broken("the request could not be sent: \(Self.text(code))")
            }
        }
    }

    private borrowing func wait(for events: Int16, _ deadline: Int64, _ stop: () -> Bool) throws(Failure) {
        while true {
            if stop() { throw .cancelled }
            let left = deadline - Monotonic.now
            if left <= 0 { throw .timeout }
            var entry = pollfd(fd: socket.raw, events: events, revents: 0)
            // Rounded up, so that the last fraction of a millisecond isn't spun away.
            let milliseconds = Int32(min(50, (left + 999_999) / 1_000_000))
            if poll(&entry, 1, milliseconds) > 0 { return }
        }
    }

    private static func text(_ code: Int32) -> String {
        SystemError(call: "socket", subject: "", code: code).name
    }
}
