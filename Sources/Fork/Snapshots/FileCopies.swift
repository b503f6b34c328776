internal import FoundationEssentials
internal import Glibc
internal import Linux

/// Copies of live's regular files by inode, so that a second look copies only what changed since the first.
struct FileCopies {
    /// A copy and what the original looked like when it was made.
    struct Copy {
        var path: String
        var size: Int64
        var modified: FileTime
        var changed: FileTime
        /// The stamps were so new that a later write may have left them as they are.
        var isFresh: Bool
    }

    /// Stamps within this of the copy say nothing: the clock behind them has ticks of up to 10 ms.
    static let tick: Int64 = 10_000_000

    private let directory: String
    /// When ``writeBack(_:)`` began.
    private var writtenBack: FileTime?
    private var copies: [FileIdentity: Copy] = [:]
    private var next = 0
    private(set) var copiedFiles = 0
    private(set) var copiedBytes: Int64 = 0
    private(set) var shared: Set<FileIdentity> = []

    init(directory: String) throws {
        self.directory = directory
        try Files.makeDirectory(directory, mode: 0o700, intermediate: true)
    }

    subscript(identity: FileIdentity) -> Copy? { copies[identity] }

    /// Whether the copy of this inode is still what the file is.
    func isCurrent(_ node: Node) -> Bool {
        guard let copy = copies[node.status.identity], !copy.isFresh else { return false }
        return copy.size == node.status.size && copy.modified == node.status.modified
            && copy.changed == node.status.changed
    }

    /// Copies a file, again where there is a copy.
    ///
    /// - Parameters:
    ///   - node: The file.
    ///   - syncing: Write dirty pages back before, where ``writeBack(_:)`` has not: that write-protects shared mappings, so that
    ///     the next store through one changes the file's times. Without, a second store to a dirty page leaves no trace in them.
    ///   - tick: Called for every piece; throws to give up.
    /// - Throws: What `tick` throws, `SystemError`, and ``ForkError/unstable(path:reason:)`` where another file came.
    mutating func copy(_ node: Node, syncing: Bool, tick: () throws -> Void) throws {
        let source = try node.contents()
        var before = try Files.status(of: source)
        if syncing, writtenBack.map({ Self.nanoseconds(from: before.modified, to: $0) < Self.tick }) ?? true {
            try Files.fsync(source, subject: node.shown.display)
            before = try Files.status(of: source)
        }
        guard before.identity == node.status.identity else {
            throw ForkError.unstable(path: node.shown, reason: "another file is in its place")
        }
        let started = Self.now()
        let path: String
        if let old = copies.removeValue(forKey: before.identity) {
            path = old.path
            try Files.unlink(path)
        } else {
            path = "\(directory)/\(next)"
            next += 1
        }
        let target = try Files.open(path, flags: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode: 0o600)
        shared.remove(before.identity)
        if Self.clone(source, target) {
            shared.insert(before.identity)
        } else {
            let bytes = FileBytes(target)
            var length: Int64 = 0
            try FileBytes(source).forEachPiece { offset, piece in
                try tick()
                if !piece.isHole { try bytes.write(piece.bytes, at: offset) }
                length = offset + Int64(piece.bytes.count)
            }
            try bytes.truncate(to: length)
        }
        copiedFiles += 1
        copiedBytes += before.size
        let age = Self.nanoseconds(from: max(before.modified, before.changed), to: started)
        copies[before.identity] = Copy(
            path: path, size: before.size, modified: before.modified, changed: before.changed, isFresh: age < Self.tick)
    }

    /// Writes back every dirty page of the file systems that hold `paths`, in one go: for many files far cheaper than one fsync
    /// each. A store after it shows in its file's times, and only such files are synced once more before they are copied.
    mutating func writeBack(_ paths: [BytePath]) throws {
        let begin = Self.now()
        var devices: Set<DeviceNumber> = []
        for path in paths {
            guard let status = try Files.status(path.parent), devices.insert(status.device).inserted else { continue }
            try Files.syncfs(path.parent)
        }
        writtenBack = begin
    }

    private static func nanoseconds(from: FileTime, to: FileTime) -> Int64 {
        let (product, overflow) = (to.seconds - from.seconds).multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? (to < from ? .min : .max) : product + Int64(to.nanoseconds) - Int64(from.nanoseconds)
    }

    /// Hands a copy over to be renamed to its place; its attributes are still to be set.
    mutating func take(_ identity: FileIdentity) -> String? { copies.removeValue(forKey: identity)?.path }

    mutating func resetCounters() {
        copiedFiles = 0
        copiedBytes = 0
    }

    /// ioctl(FICLONE): both files share their blocks until one is written. No on ext4; yes on btrfs and xfs with reflink.
    private static func clone(_ source: Descriptor, _ target: Descriptor) -> Bool {
        let request: UInt = 0x4004_9409
        return source.withRaw { from in target.withRaw { ioctl($0, request, from) } } == 0
    }

    private static func now() -> FileTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return FileTime(seconds: Int64(time.tv_sec), nanoseconds: UInt32(time.tv_nsec))
    }
}
