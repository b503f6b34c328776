internal import Cgroups
internal import FoundationEssentials
internal import Glibc
internal import Linux

/// Takes one snapshot. Blocks its thread.
struct SnapshotTaker {
    private let fork: Fork
    private let spec: SnapshotSpec
    private let scratch: String
    private let globs: [Glob]
    private let live: TreeReader
    private var builder: LayerBuilder

    init(fork: Fork, spec: SnapshotSpec, scratch: String) throws {
        self.fork = fork
        self.spec = spec
        self.scratch = scratch
        globs = try spec.paths.map { try Glob($0) }
        live = try TreeReader(root: "/")
        builder = try LayerBuilder(fork: fork)
    }

    mutating func take(cgroups: CgroupHost, helper: String) throws -> SnapshotReport.Part {
        if spec.command != nil { return try takeMade() }
        var copies = try FileCopies(directory: scratch + "/files")
        var part: SnapshotReport.Part
        let before = try LiveScan(globs: globs, extra: [], live: live)
        guard !before.roots.isEmpty else {
            throw ForkError.snapshot(
                "The snapshot's paths match nothing: \(spec.paths.map { TextEscaping.path(BytePath($0)) }.joined(separator: ", ")). "
                    + "Check them, and that the service has made its files.")
        }
        for root in before.roots {
            _ = try builder.place(of: root)
            if try builder.holds(root) { throw LayerBuilder.twice(root) }
        }
        let companions = try databaseCompanions(before)
        try copies.writeBack(before.roots)
        let scan: LiveScan
        if let unit = spec.freeze {
            (scan, part) = try takeFrozen(unit, before, companions, &copies, cgroups, helper)
        } else {
            scan = try takeAtRest(companions, &copies)
            part = SnapshotReport.Part(method: .atRest)
        }
        describe(scan, &part)
        part.sharedFiles = scan.entries.filter { copies.shared.contains($0.node.status.identity) }.count
        try builder.add(scan, from: &copies, roots: Set(scan.roots))
        // What was there, or may come, beside the copies must not show through from live.
        let absent = companions.union(before.roots).subtracting(scan.roots).union(scan.dropped)
        let roots = Set(scan.roots)
        // A dropped root itself has nothing in the layer.
        for path in absent.sorted() where !path.parent.isInside(anyOf: roots) { try builder.whiteout(path) }
        try builder.finish()
        return part
    }

    /// The files that SQLite keeps beside the databases among the roots, there or not.
    private func databaseCompanions(_ scan: LiveScan) throws -> Set<BytePath> {
        var result: Set<BytePath> = []
        let roots = Set(scan.roots)
        for entry in scan.entries where roots.contains(entry.path) {
            if try SQLiteFiles.isDatabase(entry.node) { result.formUnion(SQLiteFiles.companions(of: entry.path)) }
        }
        return result
    }

    private func describe(_ scan: LiveScan, _ part: inout SnapshotReport.Part) {
        part.paths = scan.roots.prefix(1000).map { TextEscaping.path($0) }
        part.dropped = scan.dropped.prefix(1000).map { TextEscaping.path($0) }
        for entry in scan.entries where entry.node.type == .file {
            part.files += 1
            part.bytes += entry.node.status.size
        }
    }

    private func takeAtRest(_ companions: Set<BytePath>, _ copies: inout FileCopies) throws -> LiveScan {
        for attempt in 0..<5 {
            if attempt > 0 { usleep(50_000) }
            let scan = try LiveScan(globs: globs, extra: companions, live: live)
            copies.resetCounters()
            for entry in scan.entries where entry.node.type == .file && !copies.isCurrent(entry.node) {
                try copies.copy(entry.node, syncing: true) {}
            }
            // Nothing was copied in this look: from the last copy of the look before on, everything stood still.
            if copies.copiedFiles == 0 { return scan }
        }
        throw ForkError.snapshot(
            "\(spec.paths.map { TextEscaping.path(BytePath($0)) }.joined(separator: ", ")) is being written, so no consistent copy "
                + "can be made. Name the unit that writes it with `freeze:`, or a `command:` that makes the copies.")
    }

    private func takeFrozen(
        _ unit: String, _ before: LiveScan, _ companions: Set<BytePath>, _ copies: inout FileCopies,
        _ cgroups: CgroupHost,
        _ helper: String
    ) throws -> (LiveScan, SnapshotReport.Part) {
        let shown = TextEscaping.path(BytePath(unit))
        guard let cgroup = Cgroup.find(on: cgroups, unit: unit) else {
            throw ForkError.snapshot(
                "There is no unit or control group “\(shown)” to freeze. Check the name with systemd-cgls.")
        }
        guard try !cgroup.processes().contains(getpid()) else {
            throw ForkError.snapshot(
                "“\(shown)” cannot be frozen: Grace itself runs in it or below it. Name the unit that writes the files."
            )
        }
        guard let action = cgroup.thawAction else {
            throw ForkError.snapshot(
                "“\(shown)” cannot be frozen on this host (neither cgroup.freeze nor the version 1 freezer reaches it). Use "
                    + "`command:` instead.")
        }
        guard try !cgroup.isFrozen() else {
            throw ForkError.snapshot("“\(shown)” is frozen already, by someone else. Thaw it first, or wait.")
        }
        for entry in before.entries where entry.node.type == .file && copies[entry.node.status.identity] == nil {
            do {
                try copies.copy(entry.node, syncing: true) {}
            } catch let error as SystemError where error.code == ENOENT {
                continue  // It went away while the unit runs; the look that counts is the frozen one.
            } catch ForkError.unstable {
                continue
            }
        }
        copies.resetCounters()
        let watchdog = try Watchdog(helper: helper, action: action, seconds: Int(spec.maxPause.rounded(.up)) + 2)
        defer { watchdog.end() }
        try watchdog.checkRunning()

        let clock = ContinuousClock()
        let begin = clock.now
        let limit = Duration.seconds(spec.maxPause)
        let giveUp = {
            guard clock.now - begin > limit else { return }
            throw ForkError.snapshot(
                "“\(shown)” stood still for \(spec.maxPause) s and its files were not copied yet, so it was thawed and the snapshot "
                    + "given up. Raise max_pause, or use `command:` to make the copies without a pause.")
        }
        let scan: LiveScan
        do {
            try cgroup.freeze(timeout: limit)
            scan = try LiveScan(globs: globs, extra: companions, live: live, tick: giveUp)
            for entry in scan.entries where entry.node.type == .file && !copies.isCurrent(entry.node) {
                // Hard links: the second name of an inode copied in this pause is current unless its stamps are new.
                try giveUp()
                try copies.copy(entry.node, syncing: false, tick: giveUp)
            }
            try giveUp()
        } catch {
            try cgroup.thaw()
            throw error
        }
        try cgroup.thaw()
        let pause = clock.now - begin
        var part = SnapshotReport.Part(method: .freeze)
        part.pause = Double(pause.components.seconds) + Double(pause.components.attoseconds) / 1e18
        part.filesWhileFrozen = copies.copiedFiles
        part.bytesWhileFrozen = copies.copiedBytes
        return (scan, part)
    }

    /// Takes what the command wrote.
    private mutating func takeMade() throws -> SnapshotReport.Part {
        let made = try TreeReader(root: BytePath(scratch))
        let scan = try LiveScan(made: made.root)
        guard scan.entries.contains(where: { $0.node.type != .directory }) else {
            throw ForkError.snapshot(
                "The snapshot's command wrote nothing below $GRACE_SNAPSHOT_DIR. It has to write the copy of /srv/app/app.db to "
                    + "$GRACE_SNAPSHOT_DIR/srv/app/app.db.")
        }
        var absent = Set(scan.dropped)
        for entry in scan.entries where entry.node.type != .directory {
            guard globs.isEmpty || globs.contains(where: { $0.covers(entry.path) }) else {
                throw ForkError.snapshot(
                    "The snapshot's command wrote \(entry.path.display), which none of the snapshot's paths covers. Name it there, "
                        + "or have the command leave it out.")
            }
            if try builder.holds(entry.path) { throw LayerBuilder.twice(entry.path) }
            if try SQLiteFiles.isDatabase(entry.node) { absent.formUnion(SQLiteFiles.companions(of: entry.path)) }
        }
        let written = Set(scan.entries.map(\.path))
        var whole: Set<BytePath> = []
        for path in try globs.flatMap({ try $0.matches(withLinks: false) }) {
            if written.contains(path) { whole.insert(path) } else { absent.insert(path) }
        }
        var part = SnapshotReport.Part(method: .command)
        describe(scan, &part)
        for name in try made.root.sortedNames() {
            let path = BytePath("/").appending(name)
            guard let node = try Node(name, in: made.root, shown: path) else { continue }
            try adoptBelow(node, path, whole)
        }
        // A match below a directory that was copied whole is absent there already.
        for path in absent.subtracting(written).sorted() where !path.isInside(anyOf: whole) {
            try builder.whiteout(path)
        }
        try builder.finish()
        return part
    }

    /// Descends to where files, or directories copied whole, begin; what lies above is live's.
    private mutating func adoptBelow(_ node: Node, _ path: BytePath, _ whole: Set<BytePath>) throws {
        guard node.type == .directory, !whole.contains(path), try live.node(at: path)?.type == .directory else {
            if LiveScan.isDropped(node) { return }
            return try builder.adopt(node, as: path, whole: whole)
        }
        let directory = try node.directory()
        for name in try directory.sortedNames() {
            guard let child = try Node(name, in: directory, shown: path.appending(name)) else { continue }
            try adoptBelow(child, path.appending(name), whole)
        }
    }
}
