internal import Documents
internal import FoundationEssentials
internal import Glibc
public import Linux
internal import Synchronization

/// The contents of a fork's change set where the change wrote them, in the fork's own layers (``Fork/changeSetInPlace(tally:)``).
public struct LayerContents: ContentSource {
    private struct Upper: Sendable {
        var mount: BytePath
        var root: Descriptor
    }

    /// The mount whose point is the longest first.
    private let uppers: [Upper]
    /// What is stamped at or after it was changed after its content was read.
    private let sealed: FileTime
    /// Files that stay the fork's: those that somebody else had open while their contents were read, and those with marks of overlayfs's.
    private let kept: Set<FileIdentity>
    /// See ``ChangeCollector/copiedUp``.
    let copiedUp: Set<BytePath>
    private var opened: (file: Descriptor, device: DeviceNumber)?
    /// Whether ``whole(_:)`` gives files away.
    public var isGivenAway: Bool { opened != nil }

    init(
        _ uppers: [(mount: String, path: BytePath)], sealed: FileTime, kept: Set<FileIdentity>, copiedUp: Set<BytePath>
    )
        throws
    {
        self.uppers = try uppers.map {
            Upper(mount: BytePath($0.mount), root: try TreeReader(root: $0.path).root)
        }.sorted { $0.mount.bytes.count > $1.mount.bytes.count }
        self.sealed = sealed
        self.kept = kept
        self.copiedUp = copiedUp
    }

    /// Lets ``whole(_:)`` give files away: the fork must be thrown away afterwards, or ``Fork/detach()`` be called.
    ///
    /// - Parameter opened: A file or directory on the file system of the layers that has been open since before anything was written in
    ///   them: a write that failed is told to such alone once somebody else has heard of it (syncfs(2), Linux 5.8).
    /// - Throws: `SystemError` where it can't be looked at.
    public mutating func giveAway(since opened: Descriptor) throws {
        self.opened = (opened, try Files.status(of: opened).device)
    }

    public func settle() throws { if let opened { try Files.syncfs(opened.file) } }

    public func open(_ change: Change) throws -> Descriptor {
        let file = try place(change)
        guard try Files.status(of: file).isFile else { throw Self.unstable(change, "it is no longer a regular file") }
        return file
    }

    /// Never anything: they were all there when they were read, and whoever opens one is told.
    public func missing(_ changes: ChangeSet) -> [String] { [] }

    public func allocated(_ change: Change) throws -> Int64? { try Files.status(of: place(change)).allocated }

    public func whole(_ change: Change) throws -> Descriptor? {
        // Root alone may give another name to any file; a label of a security module belongs to the place a file is made at.
        guard let opened, geteuid() == 0, change.hardLinkGroup == nil, change.xattrs["security.selinux"] == nil else {
            return nil
        }
        let file = try place(change, flags: Files.Flag.path)
        let status = try Files.status(of: file)
        // The kernel alone sets the time of the last change of anything: its bytes and attributes are what they were when it was read.
        guard status.isFile, status.links == 1, status.device == opened.device, status.changed < sealed,
            status.modified < sealed,
            status.size == change.size, status.mode == change.mode, status.uid == change.uid, status.gid == change.gid,
            change.modified == nil || change.modified == status.modified.nanosecondsSince1970,
            !kept.contains(status.identity)
        else { return nil }
        return file
    }

    /// The file of an entry, open for reading; whatever it is, opening it does nothing.
    private func place(_ change: Change, flags: Int32 = O_RDONLY | O_NONBLOCK) throws -> Descriptor {
        guard let upper = uppers.first(where: { change.path.isInside($0.mount) }) else {
            throw Self.unstable(change, "no layer of the fork holds it")
        }
        let length = upper.mount == "/" ? 1 : upper.mount.bytes.count + 1
        let relative = BytePath(bytes: Array(change.path.bytes.dropFirst(length)))
        do {
            return try Files.open(
                relative, flags: flags | O_NOFOLLOW, at: upper.root,
                resolve: Files.Resolve.beneath | Files.Resolve.noSymlinks)
        } catch let error as SystemError where [ENOENT, ENOTDIR, ELOOP].contains(error.code) {
            throw Self.unstable(change, "it is gone from the fork's layer")
        }
    }

    private static func unstable(_ change: Change, _ reason: String) -> ForkError {
        .unstable(path: change.path, reason: reason)
    }
}

extension FileTime {
    /// `nil` where they are more than 64 bits.
    var nanosecondsSince1970: Int64? {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? nil : product + Int64(nanoseconds)
    }
}

/// Counts contents as they are read, for whoever shows how far the work is.
public final class ContentTally: Sendable {
    private let value = Atomic<Int>(0)

    public init() {}
    /// So far.
    public var count: Int { value.load(ordering: .relaxed) }
    func add() { value.add(1, ordering: .relaxed) }
}
