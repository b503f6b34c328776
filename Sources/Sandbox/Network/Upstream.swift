internal import FoundationEssentials
internal import Glibc
public import Linux

/// How the gateway of an egress sandbox reaches the outside.
public struct EgressOutside: Sendable {
    /// The network namespace in which connections to the outside are made; `nil`: this process's own.
    public var network: Descriptor?
    /// The name servers to ask, in order, anew for every look-up.
    public var nameServers: @Sendable () -> [Endpoint]

    public init(
        network: Descriptor? = nil,
        nameServers: @escaping @Sendable () -> [Endpoint] = { EgressOutside.nameServers(file: "/etc/resolv.conf") }
    ) {
        self.network = network
        self.nameServers = nameServers
    }

    /// The servers of a file as in resolv.conf(5): at most three; this host where there are none.
    public static func nameServers(file: String) -> [Endpoint] {
        var found: [Endpoint] = []
        for line in ((try? Files.readString(file)) ?? "").split(whereSeparator: \.isNewline) {
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            guard words.count >= 2, words[0] == "nameserver", let address = IPAddress(String(words[1])) else {
                continue
            }
            found.append(Endpoint(address, 53))
        }
        if found.isEmpty, let here = IPAddress("127.0.0.1") { found = [Endpoint(here, 53)] }
        return Array(found.prefix(3))
    }
}

/// Asks name servers, blocking the calling thread, whose network it uses.
struct Upstream {
    let servers: [Endpoint]
    let stop: StopFlag

    /// The first answer that is one; `nil` when no server gave any.
    func ask(_ name: String, _ kind: UInt16) -> DNSMessage.Answer? {
        for timeout in [2, 4] {
            for server in servers {
                let id = UInt16.random(in: .min ... .max)  // from the system's generator: not to be guessed
                let query = DNSMessage.query(id: id, name: name, kind: kind)
                guard let bytes = exchange(query, server, .seconds(timeout), isStream: false),
                    var answer = DNSMessage.answer(bytes, id: id, name: name, kind: kind)
                else { continue }
                if answer.isTruncated {
                    guard let whole = exchange(query, server, .seconds(timeout), isStream: true),
                        let second = DNSMessage.answer(whole, id: id, name: name, kind: kind)
                    else { continue }
                    answer = second
                }
                if answer.code == DNSMessage.Code.none || answer.code == DNSMessage.Code.noName { return answer }
            }
        }
        return nil
    }

    private func exchange(_ query: [UInt8], _ server: Endpoint, _ timeout: Duration, isStream: Bool) -> [UInt8]? {
        guard
            let socket = try? Relaying.connect(
                server, isStream: isStream, timeout: timeout, stop: stop.descriptor)
        else { return nil }
        let prefix: [UInt8] = isStream ? [UInt8(query.count >> 8), UInt8(query.count & 255)] : []
        guard (try? Files.write(socket, Data(prefix + query))) != nil else { return nil }
        return isStream ? DNSStream.read(socket, timeout: timeout, stop: stop) : datagram(socket, timeout)
    }

    private func datagram(_ socket: Descriptor, _ timeout: Duration) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let length = Relaying.read(socket, &buffer, timeout: timeout, stop: stop.descriptor)
        return length > 0 ? Array(buffer.prefix(length)) : nil
    }
}

/// Messages over TCP: two bytes of length before each (RFC 1035, 4.2.2).
enum DNSStream {
    static func read(_ socket: Descriptor, timeout: Duration, stop: StopFlag) -> [UInt8]? {
        guard let head = exactly(2, socket, timeout, stop) else { return nil }
        return exactly(Int(head[0]) << 8 | Int(head[1]), socket, timeout, stop)
    }

    private static func exactly(_ count: Int, _ socket: Descriptor, _ timeout: Duration, _ stop: StopFlag) -> [UInt8]? {
        var result: [UInt8] = []
        while result.count < count {
            var buffer = [UInt8](repeating: 0, count: count - result.count)
            let length = Relaying.read(socket, &buffer, timeout: timeout, stop: stop.descriptor)
            guard length > 0 else { return nil }
            result += buffer.prefix(length)
        }
        return result
    }
}
