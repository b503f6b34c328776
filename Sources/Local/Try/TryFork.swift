package import Fork
internal import FoundationEssentials
internal import Glibc
internal import Linux
package import Sandbox

/// The directory of one fork: `fork/` is the fork's own, `blobs/` the contents of its changes, `scratch/` the sandbox's, and
/// `upperdir` leads to what was written in the root's file system, where users of `try` look for it.
package struct TryFork {
    package let directory: String
    package let fork: Fork
    /// Held as long as this fork is in use.
    private let lock: Descriptor
    /// Whether this very command made the directory.
    package private(set) var isOwnDirectory = false

    private static let foreign = ["upperdir", "workdir", "temproot"]

    /// A new fork in a new directory, `TMPDIR/tmp.XXXXXX.try-MILLISECONDS`.
    ///
    /// - Parameters:
    ///   - lowers: Directories of forks that it lies over.
    ///   - unfinished: Where the directory is noted as soon as it is there.
    ///   - secrets: The host's, where they are known.
    /// - Returns: The fork.
    /// - Throws: ``Failure`` where no directory can hold one; `SystemError`, `ForkError`.
    static func make(over lowers: [String] = [], unfinished: Unfinished, secrets: [HiddenPath]) throws -> TryFork {
        let below = try lowers.map { try open($0) }
        let wanted = Processes.variable("TMPDIR") ?? "/tmp"
        // overlayfs takes neither an overlay nor a network file system as upper layer.
        let parent = [wanted, "/var/tmp", "/dev/shm"].first { canHold($0) }
        guard let parent else {
            throw Failure(
                "Neither \(wanted) nor /var/tmp nor /dev/shm lies on a file system that can hold a fork. Set TMPDIR, or give -N DIR.",
                code: 125)
        }
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let suffix = ".try-\(Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000)"
        // mkdtemp(3) wants its random part at the end, and users look for the suffix there.
        let alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        for _ in 0..<100 {
            let letters = (0..<10).compactMap { _ in alphabet.randomElement() }
            let path = "\(parent)/tmp.\(String(letters))\(suffix)"
            if mkdir(path, 0o700) == 0 {
                unfinished.add(path)
                var made = try TryFork(making: path, over: below, secrets: secrets)
                made.isOwnDirectory = true
                return made
            }
            guard errno == EEXIST else { throw SystemError(call: "mkdir", subject: path, code: errno) }
        }
        throw Failure("No name for a directory in \(parent) was free.", code: 125)
    }

    private static func canHold(_ path: String) -> Bool {
        guard let magic = (try? Files.fileSystem(path))?.magic else { return false }
        return magic != 0x794c_7630 && magic != 0x6969
    }

    /// The fork in `directory`; with `orMake` a new one where the directory holds none.
    ///
    /// - Throws: ``Failure`` with code 2 where there is no such directory, 1 where it can't be used.
    package static func open(
        _ directory: String, orMake: Bool = false, over lowers: [String] = [], secrets: [HiddenPath]? = nil
    ) throws -> TryFork {
        guard !directory.isEmpty, let real = try? resolved(directory), (try? Files.status(real)?.isDirectory) == true
        else { throw Failure("could not find sandbox directory '\(directory)'", code: 2) }
        if try Files.status(real + "/fork") == nil {
            let others = try foreign.filter { try Files.status("\(real)/\($0)") != nil }
            guard others.isEmpty else {
                throw Failure(
                    "given sandbox '\(directory)' is invalid: it has \(others.joined(separator: ", ")) and no fork of grace's. Commit it with the program that made it.",
                    code: 1)
            }
            guard orMake else {
                throw Failure(
                    "could not find a fork in '\(directory)': run grace try -N '\(directory)' CMD first", code: 1)
            }
            return try TryFork(making: real, over: lowers.map { try open($0) }, secrets: secrets)
        }
        guard lowers.isEmpty else {
            throw Failure(
                "'\(directory)' holds a fork already, and what it lies over was settled when it was made; give -L with an empty directory.",
                code: 1)
        }
        let lock = try take(real)
        let store = ForkStore(root: real, mountPoints: [])
        do {
            let fork = TryFork(directory: real, fork: try store.open(id: "fork"), lock: lock)
            if try Files.status(real + giving) != nil {
                try fork.fork.detach()
                try fork.endGiving()
            }
            return fork
        } catch let error as ForkError {
            throw Failure("given sandbox '\(directory)' is invalid: \(error)", code: 1)
        }
    }

    /// Makes the changes of the forks in `lowers` together, the first over the others, the change of a new fork in `directory`.
    static func merge(_ lowers: [String], into directory: String) throws {
        guard let real = try? resolved(directory), try Files.status(real + "/fork") == nil else {
            throw Failure("'\(directory)' must be a directory without a fork in it", code: 1)
        }
        _ = try TryFork(making: real, over: lowers.map { try open($0) }, asChange: true)
    }

    private init(directory: String, fork: Fork, lock: Descriptor) {
        self.directory = directory
        self.fork = fork
        self.lock = lock
    }

    private init(
        making directory: String, over lowers: [TryFork], asChange: Bool = false, secrets: [HiddenPath]? = nil
    ) throws {
        lock = try Self.take(directory)
        self.directory = directory
        let view = HostView.current(
            mounts: try MountInfo.read(), mask: [directory], secrets: secrets,
            fresh: HostView.freshBesidesTemporary)
        // Neither do the files in it outlive a loss of power.
        fork = try ForkStore(root: directory, view: view).create(
            id: "fork", over: lowers.map(\.fork), lasting: false)
        do {
            if !lowers.isEmpty { try fork.lay(lowers.map(\.fork), asChange: asChange) }
        } catch {
            try? Files.removeTree(directory + "/fork")
            throw error
        }
        try Files.symlink(BytePath("fork/root/apply/upper"), at: directory + "/upperdir")
        if geteuid() != 0 { try prepareForeignParents() }
    }

    /// Without root, overlayfs can't copy up a directory of another user's, and so nothing below it could be written. So those on
    /// the way to where people work (here, HOME, TMPDIR) are put into the upper layer beforehand, as the caller's; the
    /// comparison passes over them.
    private func prepareForeignParents() throws {
        _ = try fork.overlays(for: .apply)
        let environment = Processes.currentEnvironment()
        let places = [".", environment["HOME"], environment["TMPDIR"] ?? "/tmp"].compactMap { $0 }
        let mounts = fork.mountPoints.filter { $0 != "/" }
        for place in places {
            guard let real = try? Self.resolved(place) else { continue }
            var path = ""
            for name in real.split(separator: "/") {
                path += "/\(name)"
                if mounts.contains(path) { break }
                guard let status = try Files.status(path), status.isDirectory, status.uid != geteuid() else { break }
                let copy = directory + "/fork/root/apply/upper" + path
                if try Files.status(copy) != nil { continue }
                try Files.makeDirectory(copy, mode: status.mode & 0o7777 | 0o700)
                try Files.chmod(copy, status.mode & 0o7777 | 0o700)
            }
        }
    }

    private static func take(_ directory: String) throws -> Descriptor {
        let file = try Files.open(directory + "/lock", flags: O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, mode: 0o600)
        guard try Files.lock(file) else {
            throw Failure("The fork in \(directory) is in use by another grace try; wait until it has ended.", code: 1)
        }
        return file
    }

    /// The absolute path without links (realpath(3)).
    static func resolved(_ path: String) throws -> String {
        guard let real = realpath(path, nil) else { throw SystemError(call: "realpath", subject: path, code: errno) }
        defer { free(real) }
        return String(cString: real)
    }

    package var blobs: BlobStore { BlobStore(root: directory + "/blobs") }

    /// What the commands in the fork changed, as far as `filter` wants it, with its contents among ``blobs``; on a terminal with a
    /// word about how long it takes.
    package func changeSet(_ filter: PathFilter) throws -> ChangeSet {
        // Contents are names of the layer's own inodes, which a command since may have written in place.
        try Self.removeTree(directory + "/blobs")
        let blobs = blobs
        let progress = TryProgress("comparing the fork with live") {
            ((try? Files.entries(blobs.root)) ?? []).reduce(0) { sum, name in
                sum + ((try? Files.entries("\(blobs.root)/\(String(decoding: name, as: UTF8.self))").count) ?? 0)
            }
        }
        defer { progress.stop() }
        return try fork.changeSet(blobs: blobs).part(where: filter.isWanted)
    }

    /// The same with the contents left where they are: for showing what changed, and for a commit that follows.
    package func changes(_ filter: PathFilter) throws -> (changes: ChangeSet, contents: LayerContents) {
        // Of an earlier look. Names of the layer's own inodes are no reason not to give those away.
        try Self.removeTree(directory + "/blobs")
        let tally = ContentTally()
        let progress = TryProgress("comparing the fork with live") { tally.count }
        defer { progress.stop() }
        let (changes, contents) = try fork.changeSetInPlace(tally: tally)
        return (try changes.part(where: filter.isWanted), contents)
    }

    /// Lets the contents of this fork's changes become live files themselves, since it is thrown away afterwards. Only where it was made
    /// by this very command: the lock was taken before anything was written.
    package func giveAway(_ contents: inout LayerContents) throws {
        if isOwnDirectory { try contents.giveAway(since: lock) }
    }

    /// Marks the fork, durably, as one whose files may become live ones: whoever opens it again, after a kill, has them copied first
    /// (``Fork/detach()``).
    package func beginGiving() throws { try Files.writeAtomically(directory + Self.giving, Data()) }

    /// None became one.
    package func endGiving() throws { try Files.unlink(directory + Self.giving) }

    private static let giving = "/giving"

    /// Hides paths from what runs in the fork from now on.
    func hide(_ paths: [String]) throws {
        guard !paths.isEmpty else { return }
        guard geteuid() == 0 else {
            throw Failure(
                "-i needs root: without it no layer that hides can be made. Run as root, or without -i.", code: 2)
        }
        try fork.hide(
            paths.map { path in
                let full = path.absolute
                // The directory through its links; the last component as it is.
                let parts = full.split(separator: "/").map(String.init)
                guard let name = parts.last, name != "..", name != "." else { throw Failure("cannot hide /", code: 2) }
                let parent = "/" + parts.dropLast().joined(separator: "/")
                guard let real = try? Self.resolved(parent) else {
                    throw Failure("cannot hide \(path): there is no directory \(parent)", code: 2)
                }
                return BytePath(real == "/" ? "/\(name)" : "\(real)/\(name)")
            })
    }

    /// Removes the directory and everything in it.
    package func discard() throws { try Self.removeTree(directory) }

    /// overlayfs leaves directories of mode 0 in its work directory, which their owner without root must open first.
    static func removeTree(_ path: String) throws {
        do {
            try Files.removeTree(path)
        } catch let error as SystemError where error.code == EACCES && geteuid() != 0 {
            try unlockTree(path)
            try Files.removeTree(path)
        }
    }

    private static func unlockTree(_ path: String) throws {
        guard let status = try Files.status(path), status.isDirectory, status.uid == geteuid() else { return }
        if status.mode & 0o700 != 0o700 { try Files.chmod(path, 0o700) }
        for name in try Files.entries(path) {
            if let name = String(validating: name, as: UTF8.self) { try unlockTree("\(path)/\(name)") }
        }
    }
}
