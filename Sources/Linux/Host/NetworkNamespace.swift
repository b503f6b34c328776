internal import CLinux

/// Sockets inside another network namespace.
public enum NetworkNamespace {
    /// The network namespace of a process, kept open.
    public static func of(pid: Int32) throws -> Descriptor { try Files.open("/proc/\(pid)/ns/net", flags: 0) }

    /// A connected TCP socket that lives in the namespace `network`; non-blocking, close-on-exec, without Nagle's delay.
    ///
    /// A thread of its own enters the namespace and ends, so that no other thread ever stands in a foreign one. Blocks the
    /// caller up to `timeout`: from async code go through ``Threads/run(_:_:)``.
    ///
    /// - Parameters:
    ///   - network: The namespace's descriptor; `nil` is the caller's own.
    ///   - host: An IPv4 address, `127.0.0.1`; names are not looked up (the namespace has its own idea of them).
    ///   - port: The TCP port.
    ///   - timeout: For the connection to stand.
    /// - Returns: The socket.
    /// - Throws: `SystemError`: EINVAL for an address that isn't one, EPERM without CAP_SYS_ADMIN, ECONNREFUSED, ETIMEDOUT.
    public static func connectedSocket(
        in network: Descriptor?, host: String, port: UInt16, timeout: Duration = .seconds(5)
    ) throws -> Descriptor {
        let subject = "\(host):\(port)"
        guard let address = address(host) else {
            throw SystemError(call: "connect (an IPv4 address is needed)", subject: subject, code: 22)
        }
        let milliseconds = max(
            0, timeout.components.seconds * 1000 + timeout.components.attoseconds / 1_000_000_000_000_000)
        let attempt: @Sendable () -> (Int32, String) = {
            var step: UnsafePointer<CChar>?
            let result = (network?.raw ?? -1)
            let socket = clinux_connect_in(result, address, port, milliseconds, &step)
            return (socket, step.map { String(cString: $0) } ?? "connect")
        }
        let (socket, step) = try withExtendedLifetime(network) {
            network == nil ? attempt() : try Threads.runBlocking("netns", attempt)
        }
        return Descriptor(owning: try SystemError.check(socket, step, subject))
    }

    /// The address's 32 bits, host order.
    static func address(_ text: String) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var result: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.utf8.count), part.utf8.allSatisfy({ (48...57).contains($0) }),
                part.utf8.count == 1 || part.utf8.first != 48, let byte = UInt8(part)
            else { return nil }
            result = result << 8 | UInt32(byte)
        }
        return result
    }
}
