internal import CLinux
internal import Glibc

extension NetworkNamespace {
    /// The process's own network namespace.
    public static func own() throws -> Descriptor {
        Descriptor(owning: try SystemError.check(clinux_network_own(), "open", "/proc/self/ns/net"))
    }

    /// A new, empty network namespace, which lives as long as a descriptor, a process or a socket of it does.
    ///
    /// - Throws: `SystemError`; EPERM without CAP_SYS_ADMIN.
    public static func make() throws -> Descriptor {
        try Threads.runBlocking("netns") {
            Descriptor(owning: try SystemError.check(clinux_network_new(), "unshare", "a network namespace"))
        }
    }

    /// Moves the calling thread, and the programs and threads it starts from then on. Only for threads of one's own.
    public static func enter(_ network: Descriptor) throws {
        try network.withRaw { try SystemError.check(clinux_network_enter($0), "setns", "a network namespace") }
    }

    /// The addresses of the calling thread's namespace's interfaces.
    public static func addresses() throws -> [IPAddress] {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { throw SystemError(call: "getifaddrs", subject: "", code: errno) }
        defer { freeifaddrs(list) }
        var found: [IPAddress] = []
        var entry = list
        while let interface = entry?.pointee {
            entry = interface.ifa_next
            guard let raw = UnsafeRawPointer(interface.ifa_addr) else { continue }
            let family = raw.loadUnaligned(as: sa_family_t.self)
            // Where the address lies in sockaddr_in and sockaddr_in6.
            let place = family == sa_family_t(AF_INET) ? 4..<8 : family == sa_family_t(AF_INET6) ? 8..<24 : 0..<0
            if let address = IPAddress(bytes: place.map { raw.load(fromByteOffset: $0, as: UInt8.self) }) {
                found.append(address)
            }
        }
        return found
    }

    /// Whether the routes of the calling thread's namespace call the address this machine's own. Sends nothing.
    public static func owns(_ address: IPAddress) throws -> Bool {
        var raw = Endpoint(address, 9).kernel
        return try SystemError.check(clinux_is_own_address(&raw), "connect", "\(address)") == 1
    }
}

/// A socket that takes what is sent to one port of any address that is routed to its namespace.
public struct TransparentListener: Sendable {
    public let descriptor: Descriptor

    /// Opens it in the calling thread's namespace; needs CAP_NET_ADMIN there.
    public init(isIPv6: Bool, isStream: Bool, port: UInt16) throws {
        descriptor = Descriptor(
            owning: try SystemError.check(
                clinux_listen_any(isIPv6 ? 6 : 4, isStream ? 1 : 0, port), "bind",
                "port \(port)/\(isStream ? "tcp" : "udp")"))
    }

    /// The next connection and whom it was meant for; `nil` when there is none.
    public func accept() -> (socket: Descriptor, destination: Endpoint)? {
        var local = clinux_endpoint()
        var peer = clinux_endpoint()
        let socket = descriptor.withRaw { clinux_accept($0, &local, &peer) }
        guard socket >= 0 else { return nil }
        let owned = Descriptor(owning: socket)
        return Endpoint(local).map { (owned, $0) }
    }

    /// The next datagram; `nil` when there is none.
    public func receive(_ buffer: inout [UInt8]) -> (length: Int, destination: IPAddress, sender: Endpoint)? {
        while true {
            var local = clinux_endpoint()
            var peer = clinux_endpoint()
            let length = descriptor.withRaw { clinux_receive($0, &buffer, buffer.count, &local, &peer) }
            if length == -74 { continue }  // EBADMSG: without its destination; nothing of ours
            guard length >= 0, let to = Endpoint(local), let from = Endpoint(peer) else { return nil }
            return (Int(length), to.address, from)
        }
    }

    /// Answers a datagram in the name of the one it was meant for.
    public func reply(_ bytes: some Collection<UInt8>, from: Endpoint, to: Endpoint) {
        var source = from.kernel
        var target = to.kernel
        let copy = Array(bytes)
        _ = descriptor.withRaw { clinux_reply($0, copy, copy.count, &source, &target) }
    }
}

/// Connected sockets between which bytes are carried.
public enum Relaying {
    /// A non-blocking socket of the calling thread's namespace, connected. `stop` ends the waiting when it can be read.
    public static func connect(_ endpoint: Endpoint, isStream: Bool, timeout: Duration, stop: Descriptor? = nil) throws
        -> Descriptor
    {
        let parts = timeout.components
        let milliseconds = parts.seconds * 1000 + parts.attoseconds / 1_000_000_000_000_000
        var raw = endpoint.kernel
        let result = withExtendedLifetime(stop) {
            clinux_connect(&raw, isStream ? 1 : 0, milliseconds, stop?.raw ?? -1)
        }
        return Descriptor(owning: try SystemError.check(result, "connect", "\(endpoint)"))
    }

    /// Carries bytes both ways until both sides have ended. Blocks the thread.
    ///
    /// - Returns: the bytes from `left` to `right`, the bytes back, and whether both ended as they should.
    public static func pump(_ left: Descriptor, _ right: Descriptor, stop: Descriptor) -> (
        sent: UInt64, received: UInt64, isWhole: Bool
    ) {
        var carried: [UInt64] = [0, 0]
        let code = withExtendedLifetime((left, right, stop)) {
            clinux_pump(left.raw, right.raw, stop.raw, &carried)
        }
        return (carried[0], carried[1], code == 0)
    }

    /// What has arrived at a non-blocking socket: its length, negative when nothing has.
    public static func read(_ socket: Descriptor, _ buffer: inout [UInt8]) -> Int {
        Int(socket.withRaw { clinux_read($0, &buffer, buffer.count) })
    }

    /// Bytes from a non-blocking socket: their number, 0 at its end, when `timeout` is over or `stop` can be read.
    public static func read(_ socket: Descriptor, _ buffer: inout [UInt8], timeout: Duration, stop: Descriptor) -> Int {
        let parts = timeout.components
        let milliseconds = parts.seconds * 1000 + parts.attoseconds / 1_000_000_000_000_000
        return withExtendedLifetime((socket, stop)) {
            var ready: [Int16] = [0, 0]
            guard clinux_poll([socket.raw, stop.raw], [1, 1], &ready, 2, milliseconds) > 0, ready[1] == 0 else {
                return 0
            }
            return max(0, Int(clinux_read(socket.raw, &buffer, buffer.count)))
        }
    }

    /// Closes a stream so that its other side sees a reset, not an end.
    public static func reset(_ socket: Descriptor) {
        // The descriptor's owner still closes the number: a second one of the same socket carries the option.
        guard let copy = try? socket.duplicate() else { return socket.close() }
        socket.close()
        let raw = copy.release()
        if raw >= 0 { clinux_reset(raw) }
    }
}

/// Waits for many descriptors at once.
public struct Poller: Sendable {
    private let descriptor: Descriptor

    public init() throws { descriptor = Descriptor(owning: try SystemError.check(clinux_epoll(), "epoll_create1", "")) }

    public func add(_ watched: Descriptor, tag: UInt64) throws {
        try descriptor.withRaw { epoll in
            try watched.withRaw { try SystemError.check(clinux_epoll_add(epoll, $0, tag), "epoll_ctl", "\(watched)") }
        }
    }

    public func remove(_ watched: Descriptor) {
        descriptor.withRaw { epoll in _ = watched.withRaw { clinux_epoll_remove(epoll, $0) } }
    }

    /// The tags of descriptors that can be read; none after `milliseconds` (-1: for ever).
    public func wait(milliseconds: Int64) throws -> [UInt64] {
        var tags = [UInt64](repeating: 0, count: 64)
        let count = try descriptor.withRaw {
            try SystemError.check(clinux_epoll_wait($0, &tags, 64, milliseconds), "epoll_wait", "")
        }
        return Array(tags.prefix(Int(count)))
    }
}

/// A flag that can be polled for: once raised it stays, until it is lowered.
public struct StopFlag: Sendable {
    public let descriptor: Descriptor

    public init() throws { descriptor = Descriptor(owning: try SystemError.check(clinux_eventfd(), "eventfd", "")) }

    public func raise() {
        var one: UInt64 = 1
        _ = descriptor.withRaw { clinux_write($0, &one, 8) }
    }

    public func lower() {
        var count: UInt64 = 0
        _ = descriptor.withRaw { clinux_read($0, &count, 8) }
    }
}
