internal import Documents
internal import Fork
internal import FoundationEssentials
internal import Glibc
internal import Linux
internal import Synchronization

/// The moves of one promotion on live, forward and back, told from its journal alone.
///
/// Which moves have happened is never kept in memory or written down as it goes: the inode numbers at the live name and at the
/// hidden name say it, whatever moment a kill came at.
struct FileMoves {
    let journal: PromotionJournal
    let changeSet: ChangeSet
    let base: Base
    let root: RootDirectory
    let calls: FileCalls
    /// Where staging finds what is new.
    let contents: any ContentSource
    /// By step; `nil` before staging, and for steps that stage nothing.
    var staged: [UInt64?]
    let unleased = Unleased()
    /// A directory of every file system that a step touches, open since before anything was written there: the kernel is certain to tell
    /// only these of a write that failed meanwhile.
    private var barriers: [DeviceNumber: (directory: Descriptor, shown: BytePath)] = [:]
    /// Keeps the parent directory that consecutive steps share open; `nil`: each step walks to it anew.
    private var shared: SharedParent?

    init(
        _ promoter: Promoter, _ journal: PromotionJournal, _ changeSet: ChangeSet, _ base: Base,
        contents: (any ContentSource)? = nil
    ) throws {
        self.journal = journal
        self.changeSet = changeSet
        self.base = base
        calls = promoter.calls
        self.contents = contents ?? promoter.blobs
        root = try RootDirectory(journal.root, calls: calls)
        staged = Array(repeating: nil, count: journal.steps.count)
    }

    /// The moves of a promotion that was journaled before.
    init(_ promoter: Promoter, _ journal: PromotionJournal, _ changeSet: ChangeSet, _ base: Base, store: JournalStore)
        throws
    {
        try self.init(promoter, journal, changeSet, base)
        try requireMounts()
        guard let known = try store.read(StagedInodes.self, JournalStore.staged, of: journal.id) else { return }
        guard known.inodes.count == journal.steps.count else {
            throw PromotionError.damaged(id: journal.id, reason: "\(JournalStore.staged) belongs to another plan")
        }
        staged = known.inodes.map { $0.flatMap { UInt64($0) } }
    }

    /// What lies below a mount point that nothing is mounted on is not what was promoted to.
    private func requireMounts() throws {
        guard let mounts = journal.mounts, !mounts.isEmpty else { return }
        let table = try calls.call(.read, "/proc/self/mountinfo") { try MountInfo.read() }
        let missing = Set(mounts.map { BytePath(encoded: $0) }).subtracting(table.map(\.mountPoint)).sorted()
        if !missing.isEmpty { throw PromotionError.notMounted(id: journal.id, missing.map(\.display)) }
    }

    /// Where a step stands.
    enum Position {
        case old, new
        /// Live is neither what was there nor what was promoted.
        case foreign
        /// What lies at the hidden name is neither of them: somebody put it at the live name right before the move took it away. It
        /// must come back.
        case taken
    }

    func live(_ step: Int) throws -> Place {
        let path = journal.steps[step].path
        guard !path.last.isEmpty else { return try root.place(path) }
        return Place(directory: try directory(journal.steps[step].parent), name: path.last, shown: path)
    }

    /// The open parent directory with that number.
    private func directory(_ parent: Int) throws -> Descriptor {
        if let known = shared?.directory(parent) { return known }
        let directory = try walk(parent)
        shared?.keep(directory, of: parent)
        return directory
    }

    /// Opens the parent directory with that number, by a fresh walk from the root.
    ///
    /// - Throws: ESTALE where it is another directory than the one in which names were moved, and has no hidden directory of this
    ///   promotion's in it. (Some overlays number a directory anew when it was forgotten.)
    private func walk(_ parent: Int) throws -> Descriptor {
        let known = journal.parents[parent]
        let directory = try root.directory(known.path)
        guard let inode = known.inode,
            String(try calls.status(of: directory, shown: known.path).inode) != inode
        else { return directory }
        let stash = Place(directory: directory, name: journal.stashName, shown: known.path)
        guard try calls.status(stash) != nil else {
            throw SystemError(call: "openat2", subject: known.path.display, code: ESTALE)
        }
        return directory
    }

    /// The same moves, with each parent directory walked to once for as many steps in a row as lie in it. Whoever moves a directory
    /// away meanwhile is found out by ``verifyNew()``, which walks anew.
    func sharingParents() -> FileMoves {
        var moves = self
        moves.shared = SharedParent()
        return moves
    }

    /// Calls `body` for every one of the steps, each thread with parents of its own where there are many steps, in order where there
    /// are few or somebody counts the calls.
    func forEach<R: Sendable>(_ steps: [Int], _ body: @escaping @Sendable (FileMoves, Int) throws -> R) throws -> [R] {
        try inParts(steps) { moves, part in try part.map { try body(moves, $0) } }.flatMap { $0 }
    }

    /// Calls `body` with parts of a list and with moves that share parents: by several threads where the list is long, with the whole
    /// of it where it is short or somebody counts the calls.
    @discardableResult
    func inParts<T: Sendable, R: Sendable>(
        _ list: [T], _ body: @escaping @Sendable (FileMoves, [T]) throws -> R
    ) throws -> [R] {
        guard calls.isKernel, list.count >= Self.many else { return [try body(sharingParents(), list)] }
        let parts = stride(from: 0, to: list.count, by: Self.part).map {
            Array(list[$0..<min($0 + Self.part, list.count)])
        }
        return try Threads.map("promotion", parts) { try body(sharingParents(), $0) }
    }

    private static let many = 256
    private static let part = 64

    /// The hidden directory in a parent directory: root's alone, so that nobody can bend what lies in it, and no old setuid
    /// program stays in reach.
    func stash(_ parent: Int) throws -> Place {
        let path = journal.parents[parent].path
        return Place(
            directory: try directory(parent), name: journal.stashName, shown: path.appending(journal.stashName))
    }

    /// The hidden name of a step, in the open hidden directory; `nil` where that is gone.
    func hidden(_ step: Int) throws -> Place? {
        do {
            let (stash, directory) = try openStash(journal.steps[step].parent)
            return stash.below(directory, Array(String(step).utf8))
        } catch let error as SystemError where error.code == ENOENT {
            return nil
        }
    }

    /// The hidden directory in a parent directory, and it open.
    func openStash(_ parent: Int) throws -> (Place, Descriptor) {
        let stash = try stash(parent)
        if let known = shared?.stash(parent) { return (stash, known) }
        let directory = try open(stash)
        shared?.keep(stash: directory, of: parent)
        return (stash, directory)
    }

    func open(_ place: Place) throws -> Descriptor {
        try calls.open(
            beneath: place.directory, BytePath(bytes: place.name), flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
            shown: place.shown)
    }

    /// Whether the parent directory of a step can still be reached as it was planned.
    func isUnreachable(_ error: SystemError) -> Bool { [ENOENT, ENOTDIR, ELOOP, ESTALE].contains(error.code) }

    /// What the inodes at both names say.
    func position(_ number: Int) throws -> Position {
        let step = journal.steps[number]
        let liveStatus: Status?
        let hiddenStatus: Status?
        do {
            liveStatus = try calls.status(live(number))
            hiddenStatus = step.action == .metadata ? nil : try hidden(number).flatMap { try calls.status($0) }
        } catch let error as SystemError where isUnreachable(error) {
            return .foreign
        }
        let isOld = liveStatus?.inode == step.old
        let isNew = liveStatus != nil && liveStatus?.inode == staged[number]
        let isOldHidden = hiddenStatus != nil && hiddenStatus?.inode == step.old
        let isNewHidden = hiddenStatus == nil || staged[number] == nil || hiddenStatus?.inode == staged[number]
        switch step.action {
        case .exchange:
            if isOldHidden { return isNew ? .new : .foreign }
            if !isNewHidden { return isNew || isOld ? .taken : .foreign }
            // New, and the old one nowhere. Anything else that is live was not put there by this step.
            return hiddenStatus == nil && isNew ? .foreign : .old
        case .create:
            if !isNewHidden { return liveStatus == nil ? .taken : .foreign }
            if hiddenStatus != nil || staged[number] == nil || liveStatus == nil { return .old }
            return isNew ? .new : .foreign
        case .remove:
            if isOldHidden { return liveStatus == nil ? .new : .foreign }
            return hiddenStatus == nil ? .old : liveStatus == nil ? .taken : .foreign
        case .metadata:
            return isOld ? .new : .foreign  // Setting the old values where they are already there does nothing.
        }
    }

    /// The places that step number `step` must not be moved over, where live is no longer `expected`.
    func conflicts(_ step: Int, with expected: Base) throws -> [Conflict] {
        let path = journal.steps[step].path
        // A directory whose metadata alone is set stays where it is: what is in it belongs to other steps.
        let part =
            journal.steps[step].action == .metadata ? try expected.alone(path) : try expected.part(path)
        return try calls.call(.inspect, path) { try part.conflicts(root: journal.root) }
    }

    func foreign(_ step: Int) -> Conflict {
        Conflict(path: journal.steps[step].path, expected: .absent, found: .movedUnderFork)
    }

    // MARK: directories

    /// The time of modification of every parent directory, as text.
    func parentTimes() throws -> [String] {
        try journal.parents.enumerated().map { number, parent in
            String(try calls.status(of: walk(number), shown: parent.path).modified.total)
        }
    }

    /// As ``parentTimes()``, with an empty word, which ``setTimes(_:)`` passes over, for a directory that is no longer there.
    func reachableTimes() throws -> [String] {
        try journal.parents.enumerated().map { number, parent in
            guard let directory = try reachable(number) else { return "" }
            return String(try calls.status(of: directory, shown: parent.path).modified.total)
        }
    }

    /// Sets back the times of the parent directories for which `which` is true, the deepest first.
    func restoreTimes(where which: (Int) -> Bool) throws {
        let order = journal.parents.indices.sorted { journal.parents[$1].path < journal.parents[$0].path }
        for number in order where which(number) {
            let parent = journal.parents[number]
            guard let time = Int128(parent.modified), let directory = try reachable(number) else { continue }
            if try calls.status(of: directory, shown: parent.path).modified.total != time {
                try calls.setModified(time, of: directory, shown: parent.path)
            }
        }
    }

    /// Sets the times of the parent directories to what ``parentTimes()`` gave.
    func setTimes(_ times: [String]) throws {
        for (number, parent) in journal.parents.enumerated() where times.indices.contains(number) {
            guard let time = Int128(times[number]), let directory = try reachable(number) else { continue }
            try calls.setModified(time, of: directory, shown: parent.path)
        }
    }

    /// Waits until names and hidden names of every parent directory are on disk: one barrier for many, and where anything is set in place,
    /// which on btrfs the sync of the directory around it does not bring to the disk.
    func syncDirectories() throws {
        if journal.parents.count > 16 || journal.steps.contains(where: { $0.action == .metadata }) {
            return try syncFileSystems()
        }
        for number in journal.parents.indices {
            let path = journal.parents[number].path
            guard let directory = try reachable(number) else { continue }
            if let stash = try? open(stash(number)) { try calls.fsync(stash, shown: path.appending(journal.stashName)) }
            try calls.fsync(directory, shown: path)
        }
    }

    /// Opens what ``syncFileSystems()`` waits on; to be called before anything is written.
    mutating func openBarriers() throws { barriers = try fileSystems() }

    private func fileSystems() throws -> [DeviceNumber: (directory: Descriptor, shown: BytePath)] {
        var found: [DeviceNumber: (directory: Descriptor, shown: BytePath)] = [:]
        for (number, parent) in journal.parents.enumerated() {
            guard let directory = try reachable(number) else { continue }
            let device = try calls.status(of: directory, shown: parent.path).device
            if found[device] == nil { found[device] = (directory, parent.path) }
        }
        return found
    }

    /// One barrier for each file system that a step touches.
    func syncFileSystems() throws {
        let all = barriers.isEmpty ? try fileSystems() : barriers
        for (_, place) in all.sorted(by: { $0.value.shown < $1.value.shown }) {
            try calls.syncFileSystem(of: place.directory, shown: place.shown)
        }
    }

    /// Removes the hidden directories with all that is in them. The first error is thrown once everything was tried.
    func removeStashes() throws {
        var failure: (any Error)?
        for number in journal.parents.indices {
            do {
                guard try reachable(number) != nil else { continue }
                try calls.removeTree(stash(number))
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
    }

    /// The parent directory with that number; `nil` where it is gone, or something else stands in its way or in its place.
    func reachable(_ parent: Int) throws -> Descriptor? {
        do {
            return try walk(parent)
        } catch let error as SystemError where isUnreachable(error) {
            return nil
        }
    }
}

/// The parent directory of the step before, and its hidden directory, kept open.
private final class SharedParent: Sendable {
    private struct Open: Sendable {
        var parent: Int
        var directory: Descriptor
        var stash: Descriptor?
    }
    private let open = Mutex<Open?>(nil)

    func directory(_ parent: Int) -> Descriptor? { open.withLock { $0?.parent == parent ? $0?.directory : nil } }
    func stash(_ parent: Int) -> Descriptor? { open.withLock { $0?.parent == parent ? $0?.stash : nil } }

    func keep(_ directory: Descriptor, of parent: Int) {
        open.withLock { $0 = Open(parent: parent, directory: directory, stash: nil) }
    }

    func keep(stash: Descriptor, of parent: Int) { open.withLock { if $0?.parent == parent { $0?.stash = stash } } }
}
