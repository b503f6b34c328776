internal import Glibc
internal import Linux
internal import Synchronization

extension Cgroup {
    /// Kills every process here and below, those too that are being forked, and waits until they are gone. Goes on when the
    /// task is cancelled.
    ///
    /// - Parameter timeout: For the last to go.
    /// - Throws: ``CgroupError/timeout(path:doing:left:)``.
    public func kill(timeout: Duration = .seconds(10)) async throws {
        try await Threads.run("cgroup-kill") { try self.killBlocking(timeout: timeout) }
    }

    /// As ``kill(timeout:)``, blocking the thread.
    public func killBlocking(timeout: Duration = .seconds(10)) throws {
        let own = getpid()
        guard try !processes().contains(own) else {
            throw CgroupError.system(
                SystemError(call: "kill", subject: "process \(own)", code: EPERM),
                doing: "killing the cgroup \(path), which holds this very process")
        }
        let end = ContinuousClock.now + timeout
        if let unified, CgroupHost.exists("\(unified.directory)/cgroup.kill") {
            try? Cgroup.write("1", to: "\(unified.directory)/cgroup.kill")
        }
        // What joined version 1 alone, or all of it without cgroup.kill (before Linux 5.14): no new forks, then one by one.
        let ceilings = stopForks()
        defer { for (file, value) in ceilings { try? Cgroup.write(value, to: file) } }
        try? thaw()  // a frozen process dies only once it thaws
        var pause: UInt32 = 200
        while true {
            let left = try processes()
            if left.isEmpty { return }
            try Cgroup.signalAll(left, SIGKILL) { try self.processes() }
            guard ContinuousClock.now < end else { throw CgroupError.timeout(path: path, doing: "killing", left: left) }
            usleep(pause)
            pause = min(pause * 2, 10_000)
        }
    }

    /// Lowers the limit of processes to none; what it was, to put back where the cgroup lives on.
    private func stopForks() -> [(file: String, value: String)] {
        guard let directory = place(.pids)?.directory,
            let before = try? Files.readString("\(directory)/pids.max", limit: 64)
        else { return [] }
        let file = "\(directory)/pids.max"
        guard (try? Cgroup.write("0", to: file)) != nil else { return [] }
        return [(file, before.filter { !$0.isWhitespace })]
    }

    /// Signals processes of a list that still belong to it once their pidfds are open: a number given to another process
    /// meanwhile is not hit.
    static func signalAll(_ list: [Int32], _ signal: Int32, still: () throws -> [Int32]) throws {
        // A slice at a time, so that a thousand processes don't take a thousand descriptors.
        var rest = list[...]
        while !rest.isEmpty {
            let held = rest.prefix(128).compactMap { pid in (try? Processes.pidfdOpen(pid)).map { (pid, $0) } }
            rest = rest.dropFirst(128)
            let present = Set(try still())
            for (pid, pidfd) in held where present.contains(pid) { try? Processes.sendSignal(pidfd, signal) }
        }
    }

    /// Removes the cgroup if nothing is in it and none lies below it: the fast way, for one whose processes are known to be gone.
    ///
    /// - Returns: `false` where something is left in some hierarchy; ``kill(timeout:)`` and ``remove()`` then.
    /// - Throws: ``CgroupError``.
    public func removeEmpty() throws -> Bool {
        guard isOurs else { throw CgroupError.notOurs(path: path) }
        guard freezing.withLock({ $0.helper }) == nil else { return false }
        sampler.close()
        vitalFiles.withLock { $0 = nil }
        for place in places {
            do {
                try Files.removeDirectory(place.directory)
            } catch let error as SystemError where ["ENOENT", "ENODEV"].contains(error.name) {
            } catch let error as SystemError where ["EBUSY", "ENOTEMPTY"].contains(error.name) {
                return false
            } catch let error as SystemError {
                throw CgroupError.system(error, doing: "removing the cgroup \(path)")
            }
        }
        return true
    }

    /// Removes the cgroup, and cgroups below it, from every hierarchy. It must be empty; the kernel lets go of a dead
    /// process's last references a little later, so EBUSY is tried again for two seconds.
    ///
    /// - Throws: ``CgroupError/notOurs(path:)`` where it was only opened; ``CgroupError/timeout(path:doing:left:)``.
    public func remove() async throws {
        try await Threads.run("cgroup-remove") { try self.removeBlocking() }
    }

    /// As ``remove()``, blocking the thread.
    public func removeBlocking() throws {
        guard isOurs else { throw CgroupError.notOurs(path: path) }
        sampler.close()
        vitalFiles.withLock { $0 = nil }
        releaseFreezer()
        let end = ContinuousClock.now + .seconds(2)
        var pause: UInt32 = 500
        while true {
            var busy = false
            for place in places {
                for directory in try Cgroup.directories(below: place.directory).reversed() {
                    do {
                        try Files.removeDirectory(directory)
                    } catch let error as SystemError where ["ENOENT", "ENODEV"].contains(error.name) {
                    } catch let error as SystemError where error.name == "EBUSY" {
                        busy = true
                    } catch let error as SystemError {
                        throw CgroupError.system(error, doing: "removing the cgroup \(path)")
                    }
                }
            }
            if !busy { return }
            guard ContinuousClock.now < end else {
                throw CgroupError.timeout(path: path, doing: "removing", left: (try? processes()) ?? [])
            }
            usleep(pause)
            pause = min(pause * 2, 20_000)
        }
    }
}
