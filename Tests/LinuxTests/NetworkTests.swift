import FoundationEssentials
import Glibc
import Linux
import Testing

@Suite("Network namespaces")
struct NetworkTests {
    /// Says on which port of 127.0.0.1 it listens, in a network namespace of its own, and greets who connects. Perl, because
    /// every Debian has it.
    private static let server = """
        use Socket; $| = 1; socket(S, AF_INET, SOCK_STREAM, 0) or die;
        my $up = pack("a16 s x22", "lo", 1); ioctl(S, 0x8914, $up) or die;
        bind(S, sockaddr_in(0, inet_aton("127.0.0.1"))) or die; listen(S, 5) or die;
        my ($port) = sockaddr_in(getsockname(S)); print "$port\\n";
        while (accept(C, S)) { print C ""; syswrite(C, "inside\\n"); close(C); }
        """

    @Test("a socket connects inside another namespace, and no thread of ours moves there", .enabled(if: isRoot))
    func connects() async throws {
        let (read, write) = try Descriptor.pipe()
        let (pid, pidfd) = try Processes.spawnHeld(
            "unshare", arguments: ["-n", "perl", "-e", Self.server], descriptors: [(1, write.raw), (2, 2)])
        write.close()
        do {
            var line = ""
            while !line.hasSuffix("\n") {
                let more = try await Threads.run("read") { try readSome(read) }
                try #require(!more.isEmpty, "the server did not start")
                line += more
            }
            let port = try #require(UInt16(line.dropLast()))
            let namespace = try NetworkNamespace.of(pid: pid)
            let own = try Files.readlink("/proc/self/ns/net")
            let (socket, here) = try await Threads.run("connect") {
                let socket = try NetworkNamespace.connectedSocket(in: namespace, host: "127.0.0.1", port: port)
                return (socket, try Files.readlink("/proc/thread-self/ns/net"))
            }
            #expect(here == own)
            #expect(try await Threads.run("read") { try readSome(socket) } == "inside\n")
            for task in try Files.entries("/proc/self/task") {
                let path = "/proc/self/task/\(String(decoding: task, as: UTF8.self))/ns/net"
                if let link = try? Files.readlink(path) { #expect(link == own) }
            }
            let refused = await Result {
                try await Threads.run("connect") {
                    try NetworkNamespace.connectedSocket(in: namespace, host: "127.0.0.1", port: 1)
                }
            }
            #expect(throws: SystemError(call: "connect", subject: "127.0.0.1:1", code: ECONNREFUSED)) {
                try refused.get()
            }
            try Processes.sendSignal(pidfd, SIGKILL)
        } catch {
            try? Processes.sendSignal(pidfd, SIGKILL)
            _ = try? await Processes.wait(pid)
            throw error
        }
        _ = try await Processes.wait(pid)
    }

    @Test(
        "what isn't an IPv4 address is refused, not looked up",
        arguments: ["localhost", "", "1.2.3", "1.2.3.256", "1.2.3.4.5", "01.2.3.4", "1.2.3.-4", "::1", "1.2.3.+4"])
    func badAddress(host: String) {
        #expect(errorName { _ = try NetworkNamespace.connectedSocket(in: nil, host: host, port: 1) } == "EINVAL")
    }
}

/// What can be read now, waiting for the first byte.
func readSome(_ descriptor: Descriptor) throws -> String {
    var polled = pollfd(fd: descriptor.raw, events: Int16(POLLIN), revents: 0)
    poll(&polled, 1, 10_000)
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = descriptor.withRaw { read($0, &buffer, buffer.count) }
    return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
}

extension Result where Failure == any Error {
    init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
