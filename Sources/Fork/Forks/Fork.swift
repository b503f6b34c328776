internal import Documents
internal import FoundationEssentials
internal import Glibc
public import Linux
public import Sandbox
internal import Synchronization

/// A copy-on-write view of the live host.
///
/// The change runs once, in a sandbox over the `.apply` layers. When that sandbox has ended, ``changeSet(blobs:)`` says what
/// it did, and arms of a trial run over throw-away layers: baselines see the host without the change, candidates with it.
///
///     let fork = try store.create(id: mission)
///     let report = try await fork.snapshot(specs, cgroups: host, helper: helper)
///     … run the change over try fork.overlays(for: .apply), end the sandbox …
///     let changes = try fork.changeSet(blobs: blobs)
///     let base = try fork.base(of: changes, reads: declared, blobs: blobs)
///
/// The layers, topmost first, over each live mount: an arm's own upper layer; for a candidate what the change wrote; the
/// snapshot. A layer that is written through one mount must not be seen through another at that time (overlayfs leaves what
/// happens then undefined): so the sandbox over `.apply` must have ended before a candidate starts.
public final class Fork: Sendable {
    /// Who looks at the host.
    public enum Arm: Hashable, Sendable {
        /// The change itself. Its layer is durable: what it holds is what will be promoted.
        case apply
        /// The host without the change; the name tells instances apart.
        case baseline(instance: String)
        /// The host with the change; the name tells instances apart.
        case candidate(instance: String)
    }

    /// The fork's name.
    public let id: String
    /// Where it lies.
    public let directory: String
    let record: ForkRecord

    init(directory: String, record: ForkRecord) {
        id = record.id
        self.directory = directory
        self.record = record
    }

    /// When the fork was made. What live stamped before is what the fork sees.
    public var created: FileTime { record.created }

    /// Returns once what live does has later times than the fork; at most 10 ms after it was made.
    public func awaitLaterTimes() { ForkRecord.waitForTick(after: record.created) }

    /// The live mounts that the fork overlays.
    public var mountPoints: [String] { record.mounts }

    /// The layers for one sandbox. Makes the upper layer where it is not there yet, looking like the root of what it covers.
    public func overlays(for arm: Arm) throws -> [OverlayMount] {
        let place = try directoryName(of: arm)
        return try record.mounts.map { mount in
            let home = self.home(of: mount)
            let own = arm == .apply ? applyHome(of: mount) : "\(home)/\(place)"
            let snapshot = try snapshotLayer(of: mount)
            var lowers = try [laidLayer(over: mount), snapshot].compactMap { $0 }
            if case .candidate = arm {
                let applied = applyHome(of: mount) + "/upper"
                if try Files.status(applied) != nil { lowers.insert(applied, at: 0) }
            }
            let top = lowers.first ?? mount
            let overlay = OverlayMount(
                mountPoint: mount, lowers: lowers, upper: "\(own)/upper", work: "\(own)/work",
                volatile: arm != .apply)
            if try Files.status(overlay.upper) == nil {
                try Files.makeDirectory(own, mode: 0o700, intermediate: true)
                try Files.makeDirectory(overlay.work, mode: 0o700, intermediate: true)
                try Layer.makeRoot(overlay.upper, like: top)
            }
            return overlay
        }
    }

    /// Removes the throw-away layers of an arm whose sandbox has ended. The layer of `.apply` stays: see
    /// ``ForkStore/discard(id:)``.
    public func discardInstance(_ arm: Arm) throws {
        guard arm != .apply else {
            throw ForkError.outOfOrder(
                "The fork “\(id)” keeps the layer of its change until the whole fork is discarded; only baseline and candidate "
                    + "instances can be thrown away alone.")
        }
        let place = try directoryName(of: arm)
        for mount in record.mounts { try Files.removeTree("\(home(of: mount))/\(place)") }
    }

    /// What the change did. The sandbox over `.apply` must have ended.
    ///
    /// - Parameter blobs: Where the contents go; they have reached the disk when this returns.
    /// - Returns: The change set, empty where nothing differs.
    /// - Throws: ``ForkError``, `SystemError`.
    public func changeSet(blobs: BlobStore) throws -> ChangeSet {
        // The layer's own inode becomes the blob where both lie on one file system: the layer is written no more, and a blob that was
        // altered all the same is noticed when it is read.
        let changes = try collect { file, _ in try blobs.adopt(file: file) }.changes
        try blobs.flush()
        return changes
    }

    /// The same with the contents left where they are, in the fork's own layers; nothing is written. For a commit that follows at once.
    ///
    /// - Parameter tally: Counts the contents that have been read.
    /// - Returns: The change set, and how to get at its contents.
    /// - Throws: ``ForkError``, `SystemError`.
    public func changeSetInPlace(tally: ContentTally = ContentTally()) throws -> (ChangeSet, LayerContents) {
        // Whatever is written from here on is stamped later than this.
        let sealed = ForkRecord.now()
        ForkRecord.waitForTick(after: sealed)
        let kept = Mutex<Set<FileIdentity>>([])
        let isRoot = geteuid() == 0
        let (changes, copiedUp) = try collect { file, hasMarks in
            tally.add()
            // A mark of overlayfs's tells how the fork stands to live, which a live file must not. And whoever has the file open still
            // could write it; the lease by which that is asked lasts while the file is read.
            if isRoot, hasMarks || (try? Files.isAlone(file)) != true {
                let identity = try Files.status(of: file).identity
                kept.withLock { _ = $0.insert(identity) }
            }
            return try FileBytes(file).digest()
        }
        var uppers: [(String, BytePath)] = []
        for mount in record.mounts {
            let upper = applyHome(of: mount) + "/upper"
            if try Files.status(upper) != nil { uppers.append((mount, BytePath(upper))) }
        }
        return (
            changes,
            try LayerContents(uppers, sealed: sealed, kept: kept.withLock { $0 }, copiedUp: copiedUp)
        )
    }

    private func collect(_ keep: @escaping ChangeCollector.Keep) throws -> (
        changes: ChangeSet, copiedUp: Set<BytePath>
    ) {
        var collector = ChangeCollector(created: record.created, mountPoints: ownMountPoints, keep: keep)
        for mount in record.mounts {
            let upper = applyHome(of: mount) + "/upper"
            guard try Files.status(upper) != nil else { continue }
            try collector.collect(upper: BytePath(upper), mountPoint: BytePath(mount), base: view(of: mount))
        }
        return (try collector.finish(), collector.copiedUp)
    }

    /// The directory of one mount's layers.
    func home(of mount: String) -> String { "\(directory)/\(ForkRecord.directoryName(of: mount))" }

    /// The directory of what the change writes over one mount.
    func applyHome(of mount: String) -> String {
        guard let bounded = record.bounded else { return home(of: mount) + "/apply" }
        return "\(bounded.directory)/\(ForkRecord.directoryName(of: mount))"
    }

    /// How the layers of the change are kept from growing past the limit; `nil` when they are not.
    public var bounded: BoundedPlace? { record.bounded }

    /// The snapshot layer over `mount`, where a snapshot was taken.
    func snapshotLayer(of mount: String) throws -> String? {
        let path = home(of: mount) + "/snapshot"
        return try Files.status(path) == nil ? nil : path
    }

    /// What the fork saw at `mount` without its change.
    func view(of mount: String) throws -> MergedView {
        try MergedView(mountPoint: BytePath(mount), snapshot: snapshotLayer(of: mount).map { BytePath($0) })
    }

    /// The mount that holds `path`: the one whose mount point is the longest beginning of it.
    func mount(of path: BytePath) -> String? {
        record.mounts.filter { path.isInside(BytePath($0)) }.max { $0.utf8.count < $1.utf8.count }
    }

    /// The components of `path` below `mount`.
    static func components(of path: BytePath, below mount: String) -> ArraySlice<[UInt8]> {
        path.components.dropFirst(BytePath(mount).components.count)
    }

    /// Whether the change, or a trial, has been set up already.
    func hasBegun() throws -> Bool {
        try record.mounts.contains { mount in
            let home = home(of: mount)
            return try Files.status(applyHome(of: mount)) != nil || Files.status(home + "/instances") != nil
        }
    }

    private var ownMountPoints: Set<BytePath> {
        let standard = ["/proc", "/sys", "/dev", "/dev/pts", "/dev/shm", "/run", "/tmp", "/usr/sbin/policy-rc.d"]
        return Set((standard + record.masks + record.mounts.filter { $0 != "/" }).map { BytePath($0) })
    }

    private func directoryName(of arm: Arm) throws -> String {
        let (kind, name): (String, String)
        switch arm {
        case .apply: return "apply"
        case .baseline(let instance): (kind, name) = ("baseline", instance)
        case .candidate(let instance): (kind, name) = ("candidate", instance)
        }
        guard (1...100).contains(name.utf8.count), !name.hasPrefix("."), !name.utf8.contains(UInt8(ascii: "/")),
            !name.utf8.contains(0)
        else { throw ForkError.badIdentifier(name) }
        return "instances/\(kind)-\(name)"
    }
}
