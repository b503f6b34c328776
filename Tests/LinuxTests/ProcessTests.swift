import FoundationEssentials
import Glibc
import Linux
import Testing

/// One after the other: they count this process's descriptors and children.
@Suite("Processes", .serialized)
struct ProcessTests {
    @Test("output, errors and the exit code come back")
    func output() async throws {
        let result = try await Processes.run("sh", arguments: ["-c", "cat; echo bad >&2; exit 3"], input: data("in"))
        #expect(result.exit == .exited(3) && result.exit.shellCode == 3 && !result.isSuccess)
        #expect(result.output == "in" && result.errorOutput == "bad\n" && !result.timedOut && !result.truncated)
    }

    @Test("a signal is told from an exit")
    func signals() async throws {
        let result = try await Processes.run("sh", arguments: ["-c", "kill -TERM $$"])
        #expect(result.exit == .signaled(SIGTERM) && result.exit.shellCode == 143)
    }

    @Test("megabytes go in and out without a standstill")
    func large() async throws {
        let bytes = Data((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 / 7) })
        #expect(try await Processes.run("cat", input: bytes).stdout == bytes)
    }

    @Test("input nobody reads is no error, and kills nobody")
    func brokenPipe() async throws {
        let result = try await Processes.run("true", input: Data(count: 1 << 20))
        #expect(result.isSuccess)
    }

    @Test("output is bounded; the program still runs to its end")
    func bounded() async throws {
        let result = try await Processes.run(
            "sh", arguments: ["-c", "head -c 5000000 /dev/zero; echo end >&2"], limit: 1000)
        #expect(result.stdout.count == 1000 && result.truncated && result.isSuccess && result.errorOutput == "end\n")
    }

    @Test("at the timeout the program dies with all it started")
    func timeout() async throws {
        let result = try await Processes.run(
            "sh", arguments: ["-c", "sleep 1000 & echo $!; wait"], timeout: .milliseconds(300))
        #expect(result.timedOut && result.exit == .signaled(SIGKILL) && !result.isSuccess)
        let child = try #require(Int32(result.output.prefix { $0.isNumber }))
        await gone(child)
    }

    @Test("a cancelled task kills its program with all it started")
    func cancellation() async throws {
        try await withDirectory { directory in
            let task = Task {
                try await Processes.run("sh", arguments: ["-c", "sleep 1000 & echo $! > \(directory)/pid; wait"])
            }
            var pid: Int32?
            while pid == nil {
                try await Task.sleep(for: .milliseconds(5))
                pid = (try? Files.readString("\(directory)/pid")).flatMap { Int32($0.prefix { $0.isNumber }) }
            }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            await gone(try #require(pid))
        }
    }

    @Test("a background child that keeps the pipes does not hold the result up, and lives on")
    func background() async throws {
        let result = try await Processes.run("sh", arguments: ["-c", "sleep 1000 & echo $!"], timeout: .seconds(60))
        #expect(result.isSuccess && !result.timedOut)
        let child = try #require(Int32(result.output.prefix { $0.isNumber }))
        #expect(Processes.startTime(of: child) != nil)
        try Processes.sendSignal(try Processes.pidfdOpen(child), SIGKILL)
    }

    @Test("many at once, and neither descriptors nor zombies are left")
    func noLeaks() async throws {
        func descriptors() throws -> Set<String> {
            // What these runs could leak: pipes, eventfds, pidfds.
            try Set(
                Files.entries("/proc/self/fd").map { String(decoding: $0, as: UTF8.self) }.filter {
                    let target = (try? Files.readlink("/proc/self/fd/\($0)").display) ?? ""
                    return target.hasPrefix("pipe:") || target.contains("eventfd") || target.contains("pidfd")
                })
        }
        _ = try await Processes.run("true")
        let before = try descriptors()
        try await withThrowingTaskGroup(of: ProcessOutput.self) { group in
            for index in 0..<40 { group.addTask { try await Processes.run("sh", arguments: ["-c", "echo \(index)"]) } }
            var seen: Set<String> = []
            for try await result in group { seen.insert(result.output) }
            #expect(seen.count == 40)
        }
        for _ in 0..<20 {
            _ = try? await Processes.run("/nowhere")
            _ = try? await Processes.run("true", directory: "/nowhere")
        }
        // A thread lets go of its last descriptor an instant after it has delivered.
        for _ in 0..<1000 where try !descriptors().subtracting(before).isEmpty {
            try await Task.sleep(for: .milliseconds(5))
        }
        #expect(try descriptors().subtracting(before).isEmpty)
        #expect(try zombies().isEmpty)
    }

    @Test("what can't be started says which step failed, and leaves nothing to reap")
    func failures() async throws {
        #expect(errorName { _ = try Processes.spawn("/nowhere/x") } == "ENOENT")
        #expect(errorName { _ = try Processes.spawn("no-such-program-here") } == "ENOENT")
        #expect(errorName { _ = try Processes.spawn("/proc/self/status") } == "EACCES")
        #expect(throws: SystemError(call: "chdir", subject: "/nowhere", code: ENOENT)) {
            _ = try Processes.spawn("true", directory: "/nowhere")
        }
        #expect(errorName { _ = try Processes.spawn("true", arguments: ["a\0b"]) } == "EINVAL")
        #expect(errorName { _ = try Processes.spawn("true", environment: ["A=B": "c"]) } == "EINVAL")
        #expect(errorName { _ = try Processes.spawn("true", descriptors: [(3, 9999)]) } == "EBADF")
        #expect(try zombies().isEmpty)
    }

    @Test("a child gets the named descriptors, in any order, /dev/null for the rest of its stdio, and no other")
    func descriptors() async throws {
        try await withDirectory { directory in
            let (read, write) = try Descriptor.pipe()
            let (low, high) = write.raw < read.raw ? (write, read) : (read, write)
            let leaked = try Files.open("/etc/hostname", flags: O_RDONLY)
            _ = fcntl(leaked.raw, F_SETFD, 0)
            // Swapped on purpose: each one's target is the other's number.
            let pid = try Processes.spawn(
                "sh", arguments: ["-c", "ls -l /proc/self/fd > \(directory)/fds"],
                descriptors: [(low.raw, high.raw), (high.raw, low.raw)])
            #expect(try await Processes.wait(pid) == .exited(0))
            let listing = try Files.readString("\(directory)/fds")
            #expect(listing.contains(" 0 -> /dev/null") && listing.contains(" 2 -> /dev/null"))
            #expect(listing.contains(" \(low.raw) -> pipe:") && listing.contains(" \(high.raw) -> pipe:"))
            #expect(!listing.contains("/etc/hostname"))
            withExtendedLifetime((read, write, leaked)) {}
        }
    }

    @Test("a child has the environment given and nothing else, and default signals")
    func environment() async throws {
        signal(SIGUSR1, SIG_IGN)
        defer { signal(SIGUSR1, SIG_DFL) }
        let result = try await Processes.run(
            "/bin/sh", arguments: ["-c", "env; grep -E 'Sig(Ign|Blk)' /proc/self/status"],
            environment: ["ONE": "1=2", "PATH": "/usr/bin:/bin"])
        let lines = result.output.split(separator: "\n")
        #expect(lines.contains("ONE=1=2") && !result.output.contains("HOME="))
        #expect(
            lines.contains("SigBlk:\t0000000000000000") && lines.contains("SigIgn:\t0000000000000000"),
            "\(result.output)")
    }

    @Test("a child becomes another user with that user's groups, and can't get back", .enabled(if: isRoot))
    func user() async throws {
        let nobody = try #require(try Users.lookup("nobody"))
        let result = try await Processes.run(
            "sh", arguments: ["-c", "grep -E '^(Uid|Gid|Groups)' /proc/self/status"], user: (nobody.uid, nobody.gid))
        let text = result.output
        #expect(text.contains("Uid:" + String(repeating: "\t\(nobody.uid)", count: 4)))
        #expect(text.contains("Gid:" + String(repeating: "\t\(nobody.gid)", count: 4)))
        let groups = text.split(separator: "\n").last?.split(whereSeparator: \.isWhitespace).dropFirst().map(
            String.init)
        #expect(Set(groups ?? []) == Set(nobody.groups.map(String.init)))
    }

    @Test("waiting for what isn't a child is ECHILD")
    func notAChild() async {
        await #expect(throws: SystemError(call: "waitid", subject: "process 1", code: ECHILD)) {
            _ = try await Processes.wait(1)
        }
    }

    @Test("reap says nil while it runs, and how it ended afterwards; a process is known by its start time")
    func reap() async throws {
        let (pid, pidfd) = try Processes.spawnHeld("sleep", arguments: ["1000"])
        #expect(try Processes.reap(pid) == nil)
        #expect(Processes.startTime(of: pid) != nil && Processes.parent(of: pid) == getpid())
        try Processes.sendSignal(pidfd, SIGKILL)
        #expect(try await Processes.wait(pid) == .signaled(SIGKILL))
        #expect(errorName { try Processes.sendSignal(pidfd, SIGKILL) } == "ESRCH")
        #expect(Processes.startTime(of: pid) == nil)
    }

    private func zombies() throws -> [Int32] {
        try Files.entries("/proc").compactMap { Int32(String(decoding: $0, as: UTF8.self)) }.filter {
            Processes.parent(of: $0) == getpid() && Processes.state(of: $0) == "Z"
        }
    }

    /// Returns once a process has ended (its new parent may not have reaped it yet); a hang here is the failure.
    private func gone(_ pid: Int32) async {
        for _ in 0..<2000 {
            let state = Processes.state(of: pid)
            if state == nil || state == "Z" || state == "X" { return }
            try? await Task.sleep(for: .milliseconds(5))
        }
        Issue.record("process \(pid) lives on")
        try? Processes.kill(pid, SIGKILL)
    }
}
