import Cgroups
import Glibc
import Linux
import Testing

/// Against this machine's kernel, with real processes. On a hybrid host every layout is tried. One after the other: a test
/// moves this very process, and what another started meanwhile would be in the wrong cgroup.
@Suite("On this kernel", .serialized, .enabled(if: canMakeCgroups, "needs root and a writable /sys/fs/cgroup"))
enum OnThisKernel {}

extension OnThisKernel {
    @Suite("processes join, freeze and die together")
    struct KernelTests {
        @Test(
            "a child joins every hierarchy by itself, is listed, and is gone with the cgroup", arguments: View.possible)
        func joins(view: View) async throws {
            try await view.run { host in
                let path = try await withCgroup(on: host, "join") { cgroup in
                    let pid = try start("sleep 1000", in: cgroup)
                    try await eventually("the child is in the cgroup") { try cgroup.processes().contains(pid) }
                    // It joins one hierarchy after the other.
                    let isLegacy = view != .unifiedOnly && host.layout != .unified
                    let wanted =
                        (isLegacy ? ["memory", "pids", "freezer"].map { ":\($0):/\(cgroup.path)" } : [])
                        + (host.unifiedRoot != nil ? ["0::/\(cgroup.path)"] : [])
                    try await eventually("the child has joined \(wanted)") {
                        let text = try Files.readString("/proc/\(pid)/cgroup")
                        return wanted.allSatisfy(text.contains)
                    }
                    try await cgroup.kill()
                    #expect(try await Processes.wait(pid) == .signaled(SIGKILL))
                    #expect(try cgroup.processes().isEmpty)
                    #expect(throws: CgroupError.exists(path: cgroup.path)) {
                        try Cgroup.create(on: host, path: cgroup.path)
                    }
                    return cgroup.path
                }
                #expect(throws: CgroupError.missing(path: path)) { try Cgroup.open(on: host, path: path) }
            }
        }

        @Test("a seat stays when the rest of its cgroup can't be made, and goes with it when it can")
        func seats() async throws {
            let host = try CgroupHost.detect()
            guard let root = host.unifiedRoot else { return }
            let path = "grace-test-\(getpid())-seat"
            let seat = try #require(try Cgroup.seat(on: host, path: path))
            defer { try? host.remove(path) }
            #expect(throws: CgroupError.exists(path: path)) { try Cgroup.seat(on: host, path: path) }
            // Another's directory of a version 1 hierarchy is in the way.
            if let legacy = ["/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids"].first(where: {
                (try? Files.status($0)) ?? nil != nil
            }) {
                try Files.makeDirectory("\(legacy)/\(path)", mode: 0o755)
                #expect(throws: CgroupError.exists(path: path)) {
                    try Cgroup.create(on: host, path: path, seated: true)
                }
                try Files.removeDirectory("\(legacy)/\(path)")
            }
            #expect(try Files.status("\(root)/\(path)") != nil)
            let cgroup = try Cgroup.create(on: host, path: path, seated: true)
            seat.close()
            try await cgroup.remove()
            #expect(try Files.status("\(root)/\(path)") == nil)
        }

        @Test("a process is moved in by number")
        func adds() async throws {
            try await withCgroup(on: CgroupHost.detect(), "add") { cgroup in
                let pid = try Processes.spawn("sleep", arguments: ["1000"])
                try cgroup.add(pid: pid)
                #expect(try cgroup.processes() == [pid])
                try await cgroup.kill()
                _ = try await Processes.wait(pid)
                #expect(throws: CgroupError.self) { try cgroup.add(pid: pid) }
            }
        }

        @Test(
            "a tree that forks without end is killed to the last, and those that left its session and group too",
            arguments: View.possible)
        func killsForkingTree(view: View) async throws {
            try await view.run { host in
                let limits = host.available().contains(.pids) ? CgroupLimits(pids: 200) : CgroupLimits()
                try await withCgroup(on: host, "fork", limits) { cgroup in
                    let pid = try start(
                        """
                        trap '' TERM HUP INT
                        setsid sleep 1000 &
                        f() { while :; do (sleep 0.01; :) & (trap '' TERM; sleep 0.02) & wait -n; done; }
                        for i in 1 2 3 4 5; do f 2>/dev/null & done
                        wait
                        """, in: cgroup)
                    try await eventually("the tree has grown") { try cgroup.processes().count > 8 }
                    try await cgroup.kill()
                    #expect(try cgroup.processes().isEmpty)
                    _ = try await Processes.wait(pid)
                    try await Task.sleep(for: .milliseconds(50))
                    #expect(try cgroup.processes().isEmpty)
                }
            }
        }

        @Test(
            "a frozen cgroup does no more work, thaws and goes on; it can be killed while frozen",
            arguments: View.possible)
        func freezes(view: View) async throws {
            try await view.run { host in
                try await withCgroup(on: host, "freeze") { cgroup in
                    try await withDirectory { directory in
                        let file = "\(directory)/ticks"
                        let pid = try start("while :; do printf x >> \(file); done", in: cgroup)
                        func ticks() throws -> Int64 { try Files.status(file)?.size ?? 0 }
                        try await eventually("it ticks") { try ticks() > 10 }
                        for round in 0..<3 {
                            try cgroup.freeze()
                            #expect(try cgroup.isFrozen())
                            let before = try ticks()
                            try await Task.sleep(for: .milliseconds(50))
                            #expect(try ticks() == before, "round \(round)")
                            if round == 1 {
                                // As the watchdog does.
                                let action = try #require(cgroup.thawAction)
                                let control = try Files.open(action.path, flags: O_WRONLY)
                                try Files.write(control, Array(action.value.utf8))
                            } else {
                                try cgroup.thaw()
                            }
                            try await eventually("it ticks again") { try ticks() > before }
                        }
                        try cgroup.freeze()
                        try await cgroup.kill()
                        #expect(try await Processes.wait(pid) == .signaled(SIGKILL))
                    }
                }
            }
        }

        @Test(
            "processes without a freezer of their own are gathered into one, and put back",
            .enabled(if: View.possible.contains(.legacyOnly)))
        func gathers() async throws {
            try await View.legacyOnly.run { host in
                // A service whose accounting is off lies in systemd's named hierarchy alone.
                let path = testPath("named")
                let named = "/sys/fs/cgroup/systemd/\(path)"
                try #require(try Files.status("/sys/fs/cgroup/systemd/cgroup.procs") != nil)
                try Files.makeDirectory(named)
                let pid = try Processes.spawn("/bin/sh", arguments: ["-c", "sleep 1000 & sleep 1000"], group: .new)
                do {
                    let procs = try Files.open("\(named)/cgroup.procs", flags: O_WRONLY)
                    try Files.write(procs, Array("\(pid)".utf8))
                    let service = try Cgroup.open(on: host, path: path)
                    let origin = try Files.readString("/proc/\(pid)/cgroup").split(separator: "\n").first {
                        $0.contains(":freezer:")
                    }
                    try service.freeze()
                    #expect(try service.isFrozen())
                    #expect(try Files.readString("/proc/\(pid)/cgroup").contains(":freezer:/grace-freezer-"))
                    try service.thaw()
                    #expect(
                        try Files.readString("/proc/\(pid)/cgroup").split(separator: "\n").first {
                            $0.contains(":freezer:")
                        } == origin)
                    let left = try Files.entries("/sys/fs/cgroup/freezer").map { String(decoding: $0, as: UTF8.self) }
                    #expect(!left.contains { $0.hasPrefix("grace-freezer-\(getpid())-") })
                    let sample = service.sample()
                    #expect(
                        sample.memoryCurrent == nil
                            && sample.reasons["memoryCurrent"]?.contains("MemoryAccounting=") == true)
                } catch {
                    Issue.record(error)
                }
                try Processes.kill(-pid, SIGKILL)
                _ = try await Processes.wait(pid)
                for _ in 0..<200 where (try? Files.removeDirectory(named)) == nil {
                    try await Task.sleep(for: .milliseconds(5))
                }
            }
        }

        @Test("Grace never freezes or kills the cgroup it lives in itself", arguments: View.possible)
        func notItself(view: View) async throws {
            try await view.run { host in
                try await withCgroup(on: host, "self") { cgroup in
                    let own = getpid()
                    let before = try Files.readString("/proc/self/cgroup")
                    try cgroup.add(pid: own)
                    let frozen = Result { try cgroup.freeze() }
                    let killed = Result { try cgroup.killBlocking() }
                    for line in before.split(separator: "\n") {
                        let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(
                            String.init)
                        let root =
                            parts[1].isEmpty
                            ? host.unifiedRoot : host.layout == .unified ? nil : "\(host.root)/\(parts[1])"
                        guard let root, let procs = try? Files.open("\(root)\(parts[2])/cgroup.procs", flags: O_WRONLY)
                        else { continue }
                        try? Files.write(procs, Array("\(own)".utf8))
                    }
                    #expect(
                        throws: CgroupError.cannotFreeze(
                            path: cgroup.path, reason: "it holds Grace's own process \(own)")
                    ) {
                        try frozen.get()
                    }
                    #expect(throws: CgroupError.self) { try killed.get() }
                    try await eventually("it is empty again") { try cgroup.processes().isEmpty }
                }
            }
        }
    }
}
