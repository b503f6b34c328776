internal import Documents
internal import FoundationEssentials
internal import Glibc
internal import Linux
public import Sandbox

/// The forks of a host, each in a directory of its own.
public struct ForkStore: Sendable {
    /// Where the forks lie, `STATE/forks`.
    public let root: String
    private let mountPoints: [String]
    private let masks: [String]

    /// A store that forks the given mounts.
    ///
    /// - Parameters:
    ///   - root: Where forks lie. Not on an overlay: overlayfs refuses one as upper layer.
    ///   - mountPoints: The live mounts to overlay.
    ///   - masks: Places where the sandbox shows something of its own instead of live.
    public init(root: String, mountPoints: [String], masks: [String] = []) {
        self.root = root
        self.mountPoints = mountPoints.sorted()
        self.masks = masks
    }

    /// A store that forks what a sandbox sees of the host.
    public init(root: String, view: HostView) {
        self.init(root: root, mountPoints: view.overlays.map(\.mountPoint), masks: view.masks.map(\.path))
    }

    /// Makes a fork of the host as it is now. Nothing is copied: reads come from live until the fork writes.
    ///
    /// - Parameters:
    ///   - id: The fork's name.
    ///   - disk: What the change may write. Where this host can't bound it, the fork is made all the same, unbounded, and the
    ///     sandbox that is to run over it refuses or records that, as its profile says.
    ///   - others: Forks that are to be laid below it (``Fork/lay(_:asChange:)``): what live did since the first of them began is
    ///     later than this one, too.
    ///   - lasting: Whether the fork outlives a loss of power. One that doesn't is there sooner, and
    ///     ``Fork/awaitLaterTimes()`` comes before the first command in it.
    /// - Returns: The fork.
    /// - Throws: ``ForkError/alreadyExists(id:directory:)``, ``ForkError/badIdentifier(_:)``, `SystemError`.
    public func create(id: String, disk: DiskLimit? = nil, over others: [Fork] = [], lasting: Bool = true) throws
        -> Fork
    {
        let directory = try directory(of: id)
        try Files.makeDirectory(root, mode: 0o700, intermediate: true)
        do {
            try Files.makeDirectory(directory, mode: 0o700)
        } catch let error as SystemError where error.code == EEXIST {
            throw ForkError.alreadyExists(id: id, directory: root)
        }
        // Whatever live does from here on counts as later than the fork.
        // What it is laid over was made from live as it was when the first of those forks began.
        let begun = ForkRecord.now()
        let created = others.map(\.created).reduce(begun) { min($0, $1) }
        do {
            let bounded = disk.flatMap {
                try? BoundedPlace.make("\(directory)/\(Self.bounded)", image: "\(directory)/\(Self.image)", limit: $0)
            }
            let record = ForkRecord(
                id: id, created: created, mounts: mountPoints, masks: masks, bounded: bounded)
            for mount in mountPoints {
                try Files.makeDirectory("\(directory)/\(ForkRecord.directoryName(of: mount))", mode: 0o700)
            }
            // Last: a directory without its record is a fork that never was, and `discard` takes it away.
            try Files.writeAtomically("\(directory)/fork.json", record.json().canonical, durable: lasting)
            if lasting { ForkRecord.waitForTick(after: begun) }
            return Fork(directory: directory, record: record)
        } catch {
            try? discard(id: id)
            throw error
        }
    }

    /// Opens a fork made before, perhaps by another run of the agent.
    public func open(id: String) throws -> Fork {
        let directory = try directory(of: id)
        guard let status = try Files.status(directory) else { throw ForkError.notFound(id: id, directory: root) }
        // What overlayfs wrote in an ordinary user's layers, it would take for the program's in root's (``OverlayMarks/prefix``).
        guard geteuid() != 0 || status.uid == 0 else {
            throw ForkError.outOfOrder(
                "The fork in \(directory) was made without root, by the user \(status.uid), and its layers mean something else to root. "
                    + "Run this as that user.")
        }
        let record: ForkRecord
        do {
            record = try JSON(parsing: Files.read("\(directory)/fork.json", limit: 1 << 20)).decode()
        } catch {
            throw ForkError.damaged(directory: directory, reason: "its record fork.json can't be read (\(error))")
        }
        guard record.version == ForkRecord.version, record.id == id else {
            throw ForkError.damaged(directory: directory, reason: "its record is of another version or fork")
        }
        // After a start of the host an image has to be mounted anew.
        try record.bounded?.reopen()
        return Fork(directory: directory, record: record)
    }

    private static let bounded = "bounded"
    private static let image = "disk.img"

    /// The names of all forks, sorted, those without a readable record included.
    public func list() throws -> [String] {
        guard try Files.status(root) != nil else { return [] }
        return try Files.entries(root).compactMap { String(validating: $0, as: UTF8.self) }
            .filter { (try? directory(of: $0)) != nil }.sorted()
    }

    /// Removes a fork and everything in it; one that is not there is no error. Its sandboxes must have ended.
    public func discard(id: String) throws {
        let directory = try directory(of: id)
        // Whether or not its record can be read: one killed while it was made has none.
        if try Files.status("\(directory)/\(Self.bounded)") != nil {
            let isImage = try Files.status("\(directory)/\(Self.image)") != nil
            try BoundedPlace.found(
                "\(directory)/\(Self.bounded)", image: isImage ? "\(directory)/\(Self.image)" : nil
            ).remove()
        }
        try Files.removeTree(directory)
    }

    private func directory(of id: String) throws -> String {
        let isAllowed = id.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard isAllowed, (1...100).contains(id.utf8.count), !id.hasPrefix("."), !id.hasPrefix("-"), !id.hasPrefix("_")
        else {
            throw ForkError.badIdentifier(id)
        }
        return "\(root)/\(id)"
    }
}
