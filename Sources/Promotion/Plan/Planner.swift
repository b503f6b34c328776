internal import Documents
internal import Fork
internal import FoundationEssentials
internal import Glibc
internal import Linux
internal import Missions

/// Turns a change set into moves on live, and refuses what can't be moved in one step before anything is staged.
struct Planner {
    let root: RootDirectory
    let calls: FileCalls
    let contents: any ContentSource
    /// The promoter's state directory as seen below the root, which no change may touch; `nil` where it lies elsewhere.
    let state: BytePath?
    let documents: PromotionDocuments
    private var changeSet: ChangeSet { documents.changeSet }
    private var base: Base { documents.base }

    private var refusals: [String] = []
    private var conflicts: [Conflict] = []
    private var steps: [PromotionStep] = []
    private var parents: [ParentDirectory] = []
    private var parentNumbers: [BytePath: Int] = [:]
    /// Directories that are built before they appear: the step that brings them.
    private var built: [BytePath: Int] = [:]
    /// Paths that go away with a directory above them.
    private var gone: Set<BytePath> = []
    private var names: [FileIdentity: LinkedNames] = [:]
    /// Of every hard-link group, the mount of its first name.
    private var groupMounts: [Int: UInt64] = [:]
    /// The mounts on which names move.
    private var mounts: Set<UInt64> = []

    /// The touched names of an inode with several.
    private struct LinkedNames {
        var links: UInt32
        var touched: [Change]
    }

    init(
        root: RootDirectory, calls: FileCalls, contents: any ContentSource, state: BytePath?,
        documents: PromotionDocuments
    ) {
        self.root = root
        self.calls = calls
        self.contents = contents
        self.state = state
        self.documents = documents
    }

    mutating func plan(id: String, tag: String, apply: LiveApply?) throws -> PromotionJournal {
        for (index, change) in changeSet.changes.enumerated() { try add(change, index) }
        refuseSplitNames()
        refusals += contents.missing(changeSet)
        if !refusals.isEmpty { throw PromotionError.refused(refusals) }
        if !conflicts.isEmpty { throw PromotionError.conflict(conflicts) }
        // In-place changes last: they are what a reader could see half-done.
        let ordered = steps.filter { $0.action != .metadata } + steps.filter { $0.action == .metadata }
        return PromotionJournal(
            id: id, tag: tag, root: root.shown.string ?? root.shown.display, changeSet: documents.changeSetDigest,
            base: documents.baseDigest,
            steps: ordered, parents: parents, mounts: try mountPoints(), apply: apply)
    }

    /// Where the mounts lie on which names move, other than the root's own.
    private func mountPoints() throws -> [String]? {
        let others = mounts.subtracting([try calls.status(of: root.descriptor, shown: root.shown).mountID])
        if others.isEmpty { return nil }
        let table = try calls.call(.read, "/proc/self/mountinfo") { try MountInfo.read() }
        return table.filter { others.contains(UInt64($0.id)) }.map(\.mountPoint).sorted().map(\.encoded)
    }

    private mutating func refuse(_ path: BytePath, _ reason: String) { refusals.append("\(path.display): \(reason)") }

    private mutating func add(_ change: Change, _ index: Int) throws {
        let path = change.path
        if change.type == .device {
            return refuse(path, "a device node; Grace promotes none. Make it by hand, or by a udev rule")
        }
        if let state, path.isInside(state) || state.isInside(path) && change.kind != .metadata {
            return refuse(path, "it belongs to Grace's own state, which no change may touch")
        }
        if path.last.starts(with: ".grace-".utf8) {
            return refuse(path, "the name is one of Grace's own hidden directories")
        }
        let parent = path.parent
        if path.last.isEmpty {
            if change.kind != .metadata && change.kind != .modify { refuse(path, "the root itself can't be moved") }
        } else if let step = built[parent] {
            return nest(change, index, in: step)
        } else if gone.contains(parent) {
            gone.insert(path)
            if change.kind != .delete {
                refuse(path, "it lies below a path that the change removes; the change set is malformed")
            }
            return
        }
        guard let pre = base[path] else {
            return refuse(path, "the base says nothing about it. Run the change again in a new fork")
        }
        try addMove(change, index, pre)
    }

    /// An entry below a directory that is built before it appears.
    private mutating func nest(_ change: Change, _ index: Int, in step: Int) {
        if change.kind == .delete { return }  // It was in the directory's predecessor.
        if change.kind == .metadata {
            return refuse(
                change.path, "the change set has no content for it, though the directory above it is a new one")
        }
        steps[step].changes.append(index)
        if change.type == .directory { built[change.path] = step }
    }

    private mutating func addMove(_ change: Change, _ index: Int, _ pre: BaseEntry.State) throws {
        let path = change.path
        let place: Place
        let above: Status
        do {
            place = try root.place(path)
            above = try calls.status(of: place.directory, shown: path.parent)
        } catch let error as SystemError where [ELOOP, ENOTDIR, ENOENT, EXDEV].contains(error.code) {
            // The directory above it became a link, a file or nothing since the fork saw it.
            conflicts.append(Conflict(path: path, expected: pre, found: pre == .absent ? .movedUnderFork : .absent))
            return
        }
        let now = path.last.isEmpty ? above : try calls.status(place)
        let isInPlace = change.kind == .metadata || change.kind == .modify && change.type == .directory
        if above.isImmutable && !isInPlace { return refuse(path, "its directory is immutable or append-only (chattr)") }
        if let now, try !check(now, of: change, at: place, above: above, isInPlace: isInPlace) { return }
        let isThere = now != nil
        guard isThere == (pre != .absent) else {
            conflicts.append(Conflict(path: path, expected: pre, found: isThere ? .movedUnderFork : .absent))
            return
        }
        guard isThere != (change.kind == .create) else {
            return refuse(
                path, "the change set says \(change.kind.rawValue), the base says otherwise; run the change again")
        }
        if let group = change.hardLinkGroup {
            let mount = groupMounts[group, default: above.mountID]
            groupMounts[group] = mount
            if mount != above.mountID { return refuse(path, "its hard links lie on different mounts") }
        }
        let action: PromotionStep.Action =
            isInPlace ? .metadata : change.kind == .delete ? .remove : isThere ? .exchange : .create
        steps.append(
            PromotionStep(
                encodedPath: path.encoded, action: action,
                parent: parent(of: path, above, changesNames: action == .create || action == .remove),
                oldInode: now.map { String($0.inode) }, oldModified: now.map { String($0.modified.total) },
                oldSize: now.flatMap { $0.isFile ? String($0.size) : nil }, changes: [index]))
        if change.type == .directory && !isInPlace && change.kind != .delete { built[path] = steps.count - 1 }
        if change.kind == .delete { gone.insert(path) }
    }

    private mutating func parent(of path: BytePath, _ above: Status, changesNames: Bool) -> Int {
        let directory = path.parent
        if let number = parentNumbers[directory] {
            parents[number].changesNames = parents[number].changesNames || changesNames
            return number
        }
        parentNumbers[directory] = parents.count
        mounts.insert(above.mountID)
        parents.append(
            ParentDirectory(
                encodedPath: directory.encoded, modified: String(above.modified.total), changesNames: changesNames,
                inode: String(above.inode)))
        return parents.count - 1
    }

    /// Refuses what `renameat2` would refuse half-way (EBUSY, EXDEV, EPERM), and what must not be moved.
    private mutating func check(
        _ now: Status, of change: Change, at place: Place, above: Status, isInPlace: Bool
    ) throws -> Bool {
        let path = change.path
        let count = refusals.count
        if now.kind == .characterDevice || now.kind == .blockDevice {
            refuse(path, "a device node is there; Grace neither replaces nor removes one")
        }
        if now.isImmutable { refuse(path, "it is immutable or append-only (chattr -i, chattr -a)") }
        if !isInPlace {
            if now.isMountRoot || now.mountID != above.mountID {
                refuse(path, "something is mounted there, so it can't be exchanged. Unmount it, or change its source")
            } else if now.device != above.device {
                refuse(path, "it lies on another device than its directory")
            }
            if now.isDirectory && count == refusals.count { try checkTree(place, now) }
        }
        if !now.isDirectory && now.links > 1 && change.kind != .delete {
            names[now.identity, default: LinkedNames(links: now.links, touched: [])].touched.append(change)
        }
        return count == refusals.count
    }

    /// A directory that goes away must hold no mount and nothing immutable.
    private mutating func checkTree(_ place: Place, _ top: Status) throws {
        var open = [place]
        while let next = open.popLast() {
            let directory = try calls.open(
                beneath: next.directory, BytePath(bytes: next.name), flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                shown: next.shown)
            for name in try calls.call(.list, next.shown, { try Files.entries(of: directory) }) {
                let below = next.below(directory, name)
                guard let status = try calls.status(below) else { continue }
                if status.isMountRoot || status.mountID != top.mountID {
                    refuse(below.shown, "something is mounted there, and the directory above it goes away. Unmount it")
                } else if status.isImmutable {
                    refuse(below.shown, "it is immutable or append-only (chattr), and the directory above it goes away")
                } else if status.kind == .characterDevice || status.kind == .blockDevice {
                    refuse(below.shown, "a device node; Grace removes none")
                } else if status.isDirectory {
                    open.append(below)
                }
            }
        }
    }

    /// Exchanging one name of a hard-linked file splits it, and metadata set on one name is set on all.
    private mutating func refuseSplitNames() {
        for linked in names.values.sorted(by: { ($0.touched.first?.path ?? "/") < ($1.touched.first?.path ?? "/") }) {
            guard let first = linked.touched.first else { continue }
            if linked.touched.count < linked.links {
                refuse(
                    first.path,
                    "it has \(linked.links) hard links and the change set touches \(linked.touched.count) of them; the others "
                        + "would keep the old content")
            }
            let inPlace = linked.touched.filter { $0.kind == .metadata }
            if !inPlace.isEmpty,
                inPlace.count < linked.touched.count || inPlace.contains(where: { Attributes($0) != Attributes(first) })
            {
                refuse(first.path, "its hard links would get different metadata, which one inode can't have")
            }
        }
    }
}
