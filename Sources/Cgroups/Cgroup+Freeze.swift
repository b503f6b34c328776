internal import Glibc
internal import Linux
internal import Synchronization

/// Which way a cgroup freezes, once that has been decided.
struct FreezeState: Sendable {
    /// `cgroup.freeze`, or `freezer.state`.
    var file: String?
    var isUnified = false
    /// A version 1 freezer made for a cgroup that has none, with where its processes came from.
    var helper: String?
    var origins: [Int32: String] = [:]
}

extension Cgroup {
    /// What a watchdog writes, and where, to thaw; `nil` where it can't freeze. It holds for the next ``freeze(timeout:)``:
    /// ask again after each ``thaw()``.
    public var thawAction: (path: String, value: String)? {
        guard let (file, isUnified) = try? freezerFile() else { return nil }
        return (file, isUnified ? "0" : "THAWED")
    }

    /// Stops every process here and below in its tracks, and returns once all stand still.
    ///
    /// Blocks the thread; from async code go through ``Threads``.
    ///
    /// - Parameter timeout: After it everything is thawed again.
    /// - Throws: ``CgroupError``: never freezes this process's own cgroup or one above it.
    public func freeze(timeout: Duration = .seconds(2)) throws {
        let own = getpid()
        guard try !processes().contains(own) else {
            throw CgroupError.cannotFreeze(path: path, reason: "it holds Grace's own process \(own)")
        }
        let (file, isUnified) = try freezerFile()
        let end = ContinuousClock.now + timeout
        do {
            if !isUnified { try gather(until: end) }
            while true {
                try Cgroup.write(isUnified ? "1" : "FROZEN", to: file)
                if try isFrozen(file, isUnified) { return }
                guard ContinuousClock.now < end else {
                    throw CgroupError.timeout(path: path, doing: "freezing", left: try processes())
                }
                usleep(300)
            }
        } catch {
            try? thaw()
            if let error = error as? SystemError {
                throw CgroupError.system(error, doing: "freezing the cgroup \(path)")
            }
            throw error
        }
    }

    /// Lets everything go on. Does nothing where it isn't frozen.
    public func thaw() throws {
        // Each way it may have been frozen: another process, or an earlier run of this one, may have done it.
        var files = [freezing.withLock { $0.file }].compactMap { $0 }
        if let unified { files.append("\(unified.directory)/cgroup.freeze") }
        if let place = place(.freezer), !place.isUnified { files.append("\(place.directory)/freezer.state") }
        for file in files where CgroupHost.exists(file) {
            do {
                try Cgroup.write(file.hasSuffix("freezer.state") ? "THAWED" : "0", to: file)
            } catch let error as SystemError where ["ENOENT", "ENODEV"].contains(error.name) {
            } catch let error as SystemError {
                throw CgroupError.system(error, doing: "thawing the cgroup \(path)")
            }
        }
        releaseFreezer()
    }

    /// Whether every process stands still now.
    public func isFrozen() throws -> Bool {
        guard let file = freezing.withLock({ $0.file }) else { return false }
        return try isFrozen(file, file.hasSuffix("cgroup.freeze"))
    }

    private func isFrozen(_ file: String, _ isUnified: Bool) throws -> Bool {
        if isUnified {
            let events = String(file.dropLast("cgroup.freeze".count)) + "cgroup.events"
            return Figure.number(try Files.readString(events, limit: 4096), "frozen") == 1
        }
        // FREEZING while some process still has to get there.
        return try Files.readString(file, limit: 64).hasPrefix("FROZEN")
    }

    /// Decides once how this cgroup freezes. The version 2 file where that tree holds all its processes; else version 1's own
    /// freezer; else one made for it, into which its processes move for the time.
    private func freezerFile() throws -> (file: String, isUnified: Bool) {
        if let known = freezing.withLock({ state in state.file.map { ($0, state.isUnified) } }) { return known }
        let everyone = try Set(processes())
        var candidates: [(String, String, Bool)] = []
        if let unified { candidates.append((unified.directory, "cgroup.freeze", true)) }
        if case .legacy = host.homes[.freezer], let place = place(.freezer) {
            candidates.append((place.directory, "freezer.state", false))
        }
        for (directory, name, isUnified) in candidates where CgroupHost.exists("\(directory)/\(name)") {
            let here = try Cgroup.processes(in: directory)
            // A process may have come or gone between the two listings: only those that still live count.
            guard everyone.subtracting(here).allSatisfy({ Processes.startTime(of: $0) == nil }) else { continue }
            freezing.withLock { state in
                state.file = "\(directory)/\(name)"
                state.isUnified = isUnified
            }
            return ("\(directory)/\(name)", isUnified)
        }
        return (try makeFreezer(), false)
    }

    private func makeFreezer() throws -> String {
        guard case .legacy(let root) = host.homes[.freezer] else {
            throw CgroupError.cannotFreeze(
                path: path, reason: host.missing[.freezer] ?? "cgroup.freeze is missing; it needs Linux 5.2")
        }
        let name = path.replacing("/", with: "-")
        let directory = "\(root)/grace-freezer-\(getpid())-\(UInt32.random(in: .min ... .max))-\(name)"
        do {
            try Files.makeDirectory(directory, mode: 0o755)
        } catch let error as SystemError {
            throw CgroupError.system(error, doing: "making a freezer for the cgroup \(path)")
        }
        let file = "\(directory)/freezer.state"
        freezing.withLock { state in
            state.file = file
            state.isUnified = false
            state.helper = directory
        }
        return file
    }

    /// Moves the processes into the freezer made for them, again and again until no new one has been forked outside it.
    private func gather(until end: ContinuousClock.Instant) throws {
        guard let helper = freezing.withLock({ $0.helper }), case .legacy(let root) = host.homes[.freezer] else {
            return
        }
        while true {
            let outside = try Set(processes()).subtracting(try Cgroup.processes(in: helper))
            if outside.isEmpty { return }
            for pid in outside {
                let origin = Cgroup.legacyPath(of: pid, controller: "freezer") ?? "/"
                do {
                    try Cgroup.write("\(pid)", to: "\(helper)/cgroup.procs")
                    freezing.withLock { $0.origins[pid] = origin == "/" ? root : root + origin }
                } catch let error as SystemError where error.name == "ESRCH" {
                }
            }
            guard ContinuousClock.now < end else {
                throw CgroupError.timeout(path: path, doing: "gathering", left: outside.sorted())
            }
        }
    }

    /// Puts the processes back where they came from, children with their parents' origin, and removes the made freezer.
    func releaseFreezer() {
        let state = freezing.withLock { $0 }
        guard let helper = state.helper, case .legacy(let root) = host.homes[.freezer] else { return }
        let fallback = state.origins.values.first ?? root
        for _ in 0..<50 {
            let inside = (try? Cgroup.processes(in: helper)) ?? []
            for pid in inside {
                try? Cgroup.write("\(pid)", to: "\(state.origins[pid] ?? fallback)/cgroup.procs")
            }
            if (try? Files.removeDirectory(helper)) != nil || !CgroupHost.exists(helper) { break }
            usleep(1000)
        }
        freezing.withLock { $0 = FreezeState() }
    }

    /// A process's cgroup in a version 1 hierarchy, from `/proc/PID/cgroup`.
    static func legacyPath(of pid: Int32, controller: String) -> String? {
        guard let text = try? Files.readString("/proc/\(pid)/cgroup", limit: 65536) else { return nil }
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            if parts.count == 3, parts[1].split(separator: ",").contains(Substring(controller)) {
                return String(parts[2])
            }
        }
        return nil
    }
}
