internal import FoundationEssentials
internal import Glibc
internal import Linux

/// One small HTTP GET inside a sandbox's network namespace, for readiness. Latency is the load generator's business.
enum ReadyCheck {
    struct Target: Equatable {
        var host: String
        var port: UInt16
        var path: String
    }

    /// Takes `http://127.0.0.1:8080/healthz`; a sandbox has nothing but its own loopback.
    static func target(_ url: String) throws -> Target {
        guard url.hasPrefix("http://") else {
            throw AgentError(
                "The readiness URL “\(url)” must begin with http://: a service in a sandbox is asked over its own loopback."
            )
        }
        let rest = url.dropFirst("http://".count)
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        var path = String(rest.dropFirst(authority.count))
        if !path.hasPrefix("/") { path = "/" + path }
        let parts = authority.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let name = parts.first, !name.isEmpty, let port = parts.count > 1 ? UInt16(parts[1]) : 80, port > 0 else {
            throw AgentError("The readiness URL “\(url)” has no host and port that can be read.")
        }
        return Target(host: name == "localhost" ? "127.0.0.1" : String(name), port: port, path: path)
    }

    /// The status of one GET, or why there is none.
    static func status(_ target: Target, network: Descriptor?, timeout: Double) async -> Result<Int, AgentError> {
        do {
            return try await Threads.run("ready") {
                let socket = try NetworkNamespace.connectedSocket(
                    in: network, host: target.host, port: target.port, timeout: .seconds(timeout))
                defer { socket.close() }
                return try exchange(socket.raw, target, timeout: timeout)
            }
        } catch {
            return .failure(AgentError("\(error)"))
        }
    }

    private static func exchange(_ socket: Int32, _ target: Target, timeout: Double) throws -> Result<Int, AgentError> {
        let request = "GET \(target.path) HTTP/1.1\r\nHost: \(target.host):\(target.port)\r\nConnection: close\r\n\r\n"
        let bytes = Array(request.utf8)
        guard bytes.withUnsafeBytes({ send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }) == bytes.count
        else {
            return .failure(AgentError("the connection closed before the request was sent"))
        }
        var answer = [UInt8](repeating: 0, count: 64)
        var filled = 0
        let deadline = ContinuousClock.now + .seconds(timeout)
        while filled < 12 {
            let left = (deadline - .now) / .milliseconds(1)
            var entry = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
            guard left > 0, poll(&entry, 1, Int32(left)) > 0 else { return .failure(AgentError("no answer in time")) }
            let count = answer.withUnsafeMutableBytes { buffer in
                recv(socket, buffer.baseAddress.map { $0 + filled }, buffer.count - filled, 0)
            }
            if count < 0, errno == EAGAIN || errno == EINTR { continue }
            guard count > 0 else { return .failure(AgentError("the connection closed without an answer")) }
            filled += count
        }
        let line = String(decoding: answer[0..<filled], as: UTF8.self)
        guard line.hasPrefix("HTTP/1."), let status = Int(line.dropFirst(9).prefix(3)) else {
            return .failure(AgentError("the answer is not HTTP/1"))
        }
        return .success(status)
    }
}
