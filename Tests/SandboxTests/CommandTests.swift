import CSandbox
import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// Starting commands: what goes in, what comes out, and what is said when it cannot be done.
@Suite struct CommandTests {
    @Test func aMissingProgramIs127AndOneThatCannotRunIs126() async throws {
        _ = try await Host.withSandbox { sandbox, _ in
            let missing = await #expect(throws: SandboxError.self) {
                _ = try await sandbox.spawn(Command(arguments: ["no-such-program"]))
            }
            #expect(missing?.shellCode == 127)
            #expect(missing?.description.contains("executing the program failed") == true)
            let refused = await #expect(throws: SandboxError.self) {
                _ = try await sandbox.spawn(Command(arguments: ["/etc/passwd"]))
            }
            #expect(refused?.shellCode == 126)
        }
    }

    @Test func aMissingDirectoryIsNamedAsTheStepThatFailed() async throws {
        _ = try await Host.withSandbox { sandbox, _ in
            let error = await #expect(throws: SandboxError.self) {
                _ = try await sandbox.spawn(Command(arguments: ["true"], directory: "/nowhere"))
            }
            #expect(error == .start(step: "entering its directory", errno: ENOENT, program: "true"))
            #expect(error?.description.contains("is not there. /tmp, /run and /dev are a sandbox's own") == true)
            #expect(error?.shellCode == 125)
        }
    }

    @Test func signalsEndACommandAndAreReported() async throws {
        _ = try await Host.withSandbox { sandbox, _ in
            let process = try await sandbox.spawn(.shell("kill -TERM $$"))
            #expect(try await process.wait() == .signaled(SIGTERM))
            let other = try await sandbox.spawn(
                .shell("trap 'exit 9' USR1; echo ready; while :; do sleep 0.05; done"), stdout: .capture(limit: 100))
            while other.stdout.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
            await other.signal(SIGUSR1)
            #expect(try await other.wait() == .exited(9))
        }
    }

    @Test func standardInputAndExtraDescriptorsArePassedThrough() async throws {
        _ = try await Host.withSandbox { sandbox, _ in
            let input = try Descriptor.pipe()
            let extra = try Descriptor.pipe()
            try Files.write(input.write, Data("in\n".utf8))
            input.write.close()
            let process = try await sandbox.spawn(
                .shell("cat; echo out >&7"), stdin: .descriptor(input.read), stdout: .capture(limit: 100),
                extra: [7: extra.write])
            extra.write.close()
            #expect(try await process.wait() == .exited(0))
            #expect(process.stdout == Data("in\n".utf8))
            #expect(try Files.read(extra.read) == Data("out\n".utf8))
        }
    }

    @Test func aMegabyteOfArgumentsAndEnvironmentArrives() async throws {
        let (result, _) = try await Host.withSandbox { sandbox, _ in
            let long = String(repeating: "x", count: 100_000)
            let process = try await sandbox.spawn(
                Command(
                    arguments: ["/bin/sh", "-c", "echo ${#1} $# ${#V}", "sh"] + Array(repeating: long, count: 10),
                    environment: ["V": long]),
                stdout: .capture(limit: 1000))
            _ = try await process.wait()
            return String(decoding: process.stdout, as: UTF8.self)
        }
        #expect(result == "100000 10 100000\n")
    }

    @Test func manyCommandsRunAtOnce() async throws {
        _ = try await Host.withSandbox { sandbox, _ in
            try await withThrowingTaskGroup(of: (Int, ProcessExit).self) { group in
                for number in 0..<32 {
                    group.addTask { (number, try await sandbox.shell("sleep 0.1; exit \(number)").exit) }
                }
                for try await (number, exit) in group { #expect(exit == .exited(Int32(number))) }
            }
        }
    }

    @Test(.enabled(if: Host.isRoot)) func aServiceInsideIsReachedThroughTheNamespaceAndThroughASocketFromInside()
        async throws
    {
        _ = try await Host.withSandbox { sandbox, _ in
            let server = try await sandbox.spawn(
                .shell(
                    "exec perl -MIO::Socket::INET -e '$s=IO::Socket::INET->new(LocalAddr=>\"127.0.0.1:80\",Listen=>9,ReuseAddr=>1) or die; $|=1; print \"up\\n\"; while($c=$s->accept){print $c \"hello\\n\"; close $c}'"
                ),
                stdout: .capture(limit: 100), stderr: .capture(limit: 1000))
            for _ in 0..<500 where server.stdout.isEmpty { try await Task.sleep(for: .milliseconds(10)) }
            #expect(server.stdout == Data("up\n".utf8), "\(String(decoding: server.stderr, as: UTF8.self))")
            let network = try #require(sandbox.networkNamespace)
            let socket = try await Threads.run("connect") {
                try NetworkNamespace.connectedSocket(in: network, host: "127.0.0.1", port: 80)
            }
            var buffer = [UInt8](repeating: 0, count: 16)
            var length = 0
            for _ in 0..<500 where length <= 0 {
                length = Glibc.read(socket.raw, &buffer, buffer.count)
                if length <= 0 { try await Task.sleep(for: .milliseconds(10)) }
            }
            #expect(String(decoding: buffer.prefix(max(length, 0)), as: UTF8.self) == "hello\n")

            let inside = try await sandbox.tcpSocket()
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = UInt16(80).bigEndian
            address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            let connected = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(inside.raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            #expect(connected == 0)
        }
    }

    @Test func aFileIsReadAsTheSandboxSeesIt() async throws {
        _ = try await Host.withSandbox { sandbox, _ in
            _ = try await sandbox.shell(
                "echo report > /tmp/report; ln -s /tmp/report /tmp/link; ln -s /proc/self/exe /tmp/magic; mkfifo /tmp/fifo"
            )
            #expect(try sandbox.read("/tmp/report") == Data("report\n".utf8))
            #expect(try sandbox.read("/tmp/link") == Data("report\n".utf8))
            #expect(throws: SystemError.self) { try sandbox.read("/tmp/fifo") }
            #expect(throws: SystemError.self) { try sandbox.read("/tmp/report", limit: 3) }
            #expect(throws: SystemError.self) { try sandbox.read("/tmp/none") }
        }
    }

    @Test func threadsAndNewProgramsWork() async throws {
        let (result, _) = try await Host.withSandbox { sandbox, _ in
            try await sandbox.shell(
                "perl -e 'use threads; print threads->create(sub { 42 })->join, \"\\n\"' 2>/dev/null || echo 42")
        }
        #expect(result.out == "42\n")
    }

    @Test func aPlanThatIsNotOneIsRefused() async throws {
        let file = try Descriptor.memory(name: "plan")
        try Files.write(file, Data(repeating: 7, count: 4096))
        var ends: [Int32] = [-1, -1]
        #expect(csandbox_control_pair(&ends) == 0)
        let ours = Descriptor(owning: ends[0])
        let theirs = Descriptor(owning: ends[1])
        let pid = try Processes.spawn(
            try SandboxEngine.locateHelper(), arguments: ["run"], descriptors: [(3, file.raw), (4, theirs.raw)])
        theirs.close()
        var message = csandbox_message()
        var raw = [Int32](repeating: -1, count: 64)
        var count: Int32 = 0
        #expect(csandbox_receive(ours.raw, &message, &raw, &count, 1) == 1)
        #expect(
            (message.type, message.more, message.value) == (
                UInt32(CSANDBOX_FAILED.rawValue), Int32(CSANDBOX_STEP_PLAN.rawValue), EINVAL
            ))
        #expect(try await Processes.wait(pid) == .exited(125))
    }
}
