import Glibc
import Testing

@testable import Linux

/// Where a process stands is told by the kernel, and every difference that matters is seen.
@Suite(.enabled(if: geteuid() == 0, "namespaces and priorities of other processes")) struct SurroundingsTests {
    /// What `line` starts, a shell that waits.
    private static func of(_ line: String) throws -> Surroundings {
        let (read, write) = try Descriptor.pipe()
        let pid = try Processes.spawn(
            "/bin/sh", arguments: ["-c", line.replacing("WAIT", with: "sh -c 'echo; exec sleep 60'")],
            descriptors: [(1, write.raw)])
        write.close()
        defer {
            try? Processes.kill(pid, SIGKILL)
            _ = try? Processes.waitBlocking(pid)
        }
        var byte: UInt8 = 0
        #expect(read.withRaw { Glibc.read($0, &byte, 1) } == 1, "\(line) did not start")
        return try Surroundings(of: pid)
    }

    @Test("a child stands where its parent does")
    func same() throws {
        let own = try Surroundings(of: getpid())
        let child = try Self.of("exec WAIT")
        #expect(own.difference(from: child) == nil && child.difference(from: own) == nil)
        #expect(own.limits == child.limits && own.limits.count == 16)
    }

    static let rows = [
        ("exec unshare -n WAIT", "another net namespace"), ("exec unshare -m WAIT", "another mnt namespace"),
        ("exec unshare -u WAIT", "another uts namespace"), ("exec unshare -i WAIT", "another ipc namespace"),
        ("exec unshare -C WAIT", "another cgroup namespace"), ("exec nice -n 3 WAIT", "another priority"),
        ("exec unshare -U WAIT", "another user namespace"),
        ("exec setpriv --bounding-set -sys_ptrace WAIT", "fewer capabilities"),
        ("exec setpriv --no-new-privs WAIT", "another no_new_privs"), ("exec chrt -b 0 WAIT", "another priority"),
        ("exec ionice -c 3 WAIT", "another priority"), ("exec setarch -R WAIT", "another personality"),
    ]

    @Test("what differs is named", arguments: rows)
    func different(_ line: String, _ word: String) throws {
        let own = try Surroundings(of: getpid())
        let there = try Self.of(line)
        #expect(own.difference(from: there)?.hasPrefix(word) == true, "\(own.difference(from: there) ?? "nothing")")
    }

    @Test("lower limits are taken over, higher ones are a difference; more capabilities are none")
    func limits() throws {
        let own = try Surroundings(of: getpid())
        let lower = try Self.of("ulimit -f 100; exec WAIT")
        #expect(own.difference(from: lower) == nil && lower.limits[1].hard == 100 * 512)
        #expect(lower.difference(from: own) == "higher resource limits")
        let weaker = try Self.of("exec setpriv --bounding-set -sys_ptrace WAIT")
        #expect(weaker.difference(from: own) == nil)
    }

    @Test("one that is gone is no answer")
    func gone() throws {
        let pid = try Processes.spawn("/bin/true")
        _ = try Processes.waitBlocking(pid)
        #expect(throws: SystemError.self) { try Surroundings(of: pid) }
    }
}
