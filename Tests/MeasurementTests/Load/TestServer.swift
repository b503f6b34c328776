import Glibc
import Linux
import Synchronization

/// A real HTTP server on a loopback port: a thread per connection, and a closure that writes the answers.
final class TestServer: Sendable {
    /// What to do with one request.
    enum Answer: Sendable {
        /// Write these bytes, then go on or close.
        case bytes(String, close: Bool)
        /// Write these pieces one after another.
        case pieces([String])
        /// Close without a word.
        case drop
        /// Never answer.
        case silence
    }

    typealias Handler = @Sendable (_ number: Int, _ path: String) -> Answer

    let port: UInt16
    private let listener: Int32
    private let handler: Handler
    private let number = Atomic<Int>(0)
    private let accepted = Atomic<Int>(0)
    private let stopping = Atomic<Bool>(false)
    private let open = Mutex<Set<Int32>>([])

    struct Failed: Error { var call: String }

    init(_ handler: @escaping Handler) throws {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { throw Failed(call: "socket") }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, size) == 0 && listen(socket, 512) == 0 && getsockname(socket, $0, &size) == 0
            }
        }
        guard bound else {
            Glibc.close(socket)
            throw Failed(call: "bind")
        }
        listener = socket
        port = UInt16(bigEndian: address.sin_port)
        self.handler = handler
        try Threads.start("test-server") { [self] in acceptAll() }
    }

    /// Requests seen.
    var requests: Int { number.load(ordering: .acquiring) }
    /// Connections seen.
    var connections: Int { accepted.load(ordering: .acquiring) }

    func url(_ path: String = "/") -> String { "http://127.0.0.1:\(port)\(path)" }

    func stop() {
        guard !stopping.exchange(true, ordering: .acquiringAndReleasing) else { return }
        shutdown(listener, Int32(SHUT_RDWR))
        Glibc.close(listener)
        open.withLock { for socket in $0 { shutdown(socket, Int32(SHUT_RDWR)) } }
    }

    /// Runs `body` with a server and stops it, whatever happens.
    static func with<T>(_ handler: @escaping Handler, _ body: (TestServer) async throws -> T) async throws -> T {
        let server = try TestServer(handler)
        defer { server.stop() }
        return try await body(server)
    }

    private func acceptAll() {
        while !stopping.load(ordering: .acquiring) {
            let socket = accept(listener, nil, nil)
            guard socket >= 0 else { return }
            accepted.add(1, ordering: .relaxed)
            _ = open.withLock { $0.insert(socket) }
            let started: Void? = try? Threads.start("test-conn") { [self] in serve(socket) }
            if started == nil { forget(socket) }
        }
    }

    private func forget(_ socket: Int32) {
        open.withLock {
            $0.remove(socket)
            Glibc.close(socket)
        }
    }

    private func serve(_ socket: Int32) {
        defer { forget(socket) }
        var buffer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            while let end = Self.headEnd(buffer) {
                let head = String(decoding: buffer[..<end], as: UTF8.self)
                buffer.removeFirst(end)
                let path = head.split(separator: " ").dropFirst().first.map(String.init) ?? ""
                let (index, _) = number.add(1, ordering: .acquiringAndReleasing)
                switch handler(index, path) {
                case .bytes(let text, let close):
                    Self.write(text, socket)
                    if close { return }
                case .pieces(let pieces):
                    for piece in pieces {
                        Self.write(piece, socket)
                        usleep(2000)
                    }
                case .drop: return
                case .silence:
                    while recv(socket, &chunk, chunk.count, 0) > 0 {}
                    return
                }
            }
            let count = recv(socket, &chunk, chunk.count, 0)
            if count <= 0 { return }
            buffer += chunk[..<count]
        }
    }

    private static func headEnd(_ bytes: [UInt8]) -> Int? {
        guard bytes.count >= 4 else { return nil }
        return (4...bytes.count).first { bytes[($0 - 4)..<$0].elementsEqual([13, 10, 13, 10]) }
    }

    private static func write(_ text: String, _ socket: Int32) {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                send(socket, $0.baseAddress.map { $0 + sent }, $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return }
            sent += count
        }
    }

    /// A whole answer with a length.
    static func ok(_ body: String = "hello", status: String = "200 OK") -> Answer {
        .bytes("HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)", close: false)
    }
}

/// Connects in this process's own network namespace.
func connectHere(_ host: String, _ port: UInt16) throws -> Descriptor {
    try NetworkNamespace.connectedSocket(in: nil, host: host, port: port, timeout: .seconds(2))
}
