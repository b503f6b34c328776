internal import Documents
internal import FoundationEssentials
internal import Glibc
internal import Linux

/// Every file-system call of the promoter: first the edge is asked, then the kernel; errors name the path as people know it.
struct FileCalls: Sendable {
    let edge: any FileEdge
    /// Whether every call goes straight to the kernel: then nobody counts them, and several threads may make them.
    let isKernel: Bool

    init(edge: any FileEdge) {
        self.edge = edge
        isKernel = edge is KernelEdge
    }

    func call<T>(_ kind: FileCall, _ shown: BytePath, _ body: () throws -> T) throws -> T {
        if !isKernel { try edge.will(kind, shown.display) }
        do {
            return try body()
        } catch let error as SystemError {
            throw SystemError(call: error.call, subject: shown.display, code: error.code)
        }
    }

    // MARK: opening and reading

    func open(path: BytePath, flags: Int32, mode: UInt32 = 0) throws -> Descriptor {
        try call(flags & O_CREAT == 0 ? .open : .create, path) { try Files.open(path, flags: flags, mode: mode) }
    }

    /// Opens below `directory`; refuses every link and every way out (Linux 5.6).
    func open(beneath directory: Descriptor, _ relative: BytePath, flags: Int32, shown: BytePath) throws -> Descriptor {
        try call(.open, shown) {
            try Files.open(
                relative, flags: flags, at: directory,
                resolve: Files.Resolve.beneath | Files.Resolve.noSymlinks | Files.Resolve.noMagicLinks)
        }
    }

    func create(_ place: Place) throws -> Descriptor {
        try call(.create, place.shown) {
            try Files.open(
                BytePath(bytes: place.name), flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600,
                at: place.directory)
        }
    }

    func status(_ place: Place) throws -> Status? {
        try call(.status, place.shown) { try Files.status(place.path) }
    }

    func status(of descriptor: Descriptor, shown: BytePath) throws -> Status {
        try call(.status, shown) { try Files.status(of: descriptor) }
    }

    func read(_ path: BytePath, limit: Int = 1 << 40) throws -> Data {
        try call(.read, path) { try Files.read(path, limit: limit) }
    }

    func list(_ path: BytePath) throws -> [[UInt8]] {
        try call(.list, path) { try Files.entries(path) }
    }

    // MARK: making

    func makeDirectory(_ place: Place) throws {
        try call(.mkdir, place.shown) { try Files.makeDirectory(place.path, mode: 0o700) }
    }

    func symlink(_ target: Data, at place: Place) throws {
        try call(.symlink, place.shown) { try Files.symlink(BytePath(bytes: Array(target)), at: place.path) }
    }

    func node(_ kind: Status.Kind, at place: Place) throws {
        try call(.mknod, place.shown) { try Files.mknod(place.path, kind: kind, mode: 0o600) }
    }

    func link(_ from: Place, to place: Place) throws {
        try call(.link, place.shown) { try Files.link(from.path, place.path) }
    }

    func link(of file: Descriptor, to place: Place) throws {
        try call(.link, place.shown) { try Files.link(of: file, place.path) }
    }

    /// Copies a blob into the new file `target`, keeps holes as holes, and gives the digest of what was copied.
    func copy(_ blob: Descriptor, to target: Descriptor, shown: BytePath) throws -> (digest: Digest, size: Int64) {
        var digest = StreamingDigest()
        var offset: Int64 = 0
        var endsInHole = false
        let expected = try call(.status, shown) { try Files.status(of: blob) }.size
        // One byte more than is expected: so one read of a small file shows its end too.
        let room = Int(min(1 << 18, max(0, expected) + 1))
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: room, alignment: 4096)
        defer { buffer.deallocate() }
        while true {
            let count = try call(.read, shown) { try Self.read(blob, into: buffer, at: offset) }
            let piece = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            digest.update(piece)
            let start = offset
            let isHole = Self.isZero(piece)
            if !isHole { try call(.write, shown) { try Self.write(piece, to: target, at: start) } }
            if count > 0 { endsInHole = isHole }
            offset += Int64(count)
            if count < room { break }
        }
        let size = offset
        if endsInHole { try call(.truncate, shown) { try Files.truncate(target, to: size) } }
        return (digest.finish(), size)
    }

    private static func isZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let start = bytes.baseAddress, let first = bytes.first else { return true }
        // Every byte is the one before it, and the first is zero.
        return first == 0 && memcmp(start, start + 1, bytes.count - 1) == 0
    }

    /// Fills the buffer from `offset` on, by as many calls as it takes: the kernel may give less than it was asked for at any time.
    ///
    /// - Returns: How many bytes; less than the buffer holds where the file ends, and there alone.
    static func read(_ file: Descriptor, into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws -> Int {
        try file.withRaw { raw in
            try all(buffer.count, "pread") { done, left in
                pread(raw, buffer.baseAddress.map { $0 + done }, left, off_t(offset) + done)
            }
        }
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, to target: Descriptor, at offset: Int64) throws {
        let done = try target.withRaw { raw in
            try all(bytes.count, "pwrite") { done, left in
                pwrite(raw, bytes.baseAddress.map { $0 + done }, left, off_t(offset) + done)
            }
        }
        guard done == bytes.count else { throw SystemError(call: "pwrite", subject: "", code: EIO) }
    }

    /// Calls `move` with how many bytes are done and how many are left, until none are or it says that there are no more.
    private static func all(_ count: Int, _ call: String, _ move: (_ done: Int, _ left: Int) -> Int) throws -> Int {
        var done = 0
        while done < count {
            let moved = move(done, count - done)
            if moved == 0 { break }
            if moved > 0 {
                done += moved
            } else if errno != EINTR {
                throw SystemError(call: call, subject: "", code: errno)
            }
        }
        return done
    }

    // MARK: moving and removing

    func exchange(_ a: Place, _ b: Place) throws {
        try call(.exchange, a.shown) { try Files.exchange(a.path, b.path) }
    }

    /// Renames; EEXIST where something is at `to`.
    func move(_ from: Place, to: Place) throws {
        try call(.rename, to.shown) { try Files.renameNoReplace(from.path, to.path) }
    }

    func removeTree(_ place: Place) throws {
        try call(.removeTree, place.shown) { try Files.removeTree(place.path) }
    }

    // MARK: making durable

    func fsync(_ directory: Descriptor, shown: BytePath) throws {
        try call(.fsync, shown) { try Files.fsync(directory) }
    }

    func syncFileSystem(of directory: Descriptor, shown: BytePath) throws {
        try call(.syncfs, shown) { try Files.syncfs(directory) }
    }

    /// Replaces `name` in the plain directory `directory` by `data` in one step, durably.
    func replace(_ name: String, in directory: BytePath, with data: Data) throws {
        try replace(name, in: directory) { write in try write(data) }
    }

    /// The same with what `body` hands out piece by piece; a mebibyte of it at most is in memory.
    func replace(_ name: String, in directory: BytePath, _ body: ((Data) throws -> Void) throws -> Void) throws {
        try place(name, in: directory, body)
        try fsync(directory)
    }

    /// Waits until the names in a plain directory are on disk.
    func fsync(_ directory: BytePath) throws {
        try call(.fsync, directory) { try Files.fsyncDirectory(directory) }
    }

    /// As ``replace(_:in:_:)``, but that the name reaches the disk with the directory: see ``fsync(_:)``.
    func place(_ name: String, in directory: BytePath, _ body: ((Data) throws -> Void) throws -> Void) throws {
        let new = directory.appending(name + ".new")
        let target = directory.appending(name)
        let file = try open(path: new, flags: O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o600)
        var waiting = Data()
        func flush() throws {
            try call(.write, new) { try Files.write(file, waiting) }
            waiting.removeAll(keepingCapacity: true)
        }
        try body { piece in
            waiting.append(piece)
            if waiting.count >= 1 << 20 { try flush() }
        }
        if !waiting.isEmpty { try flush() }
        try call(.fsync, new) { try Files.fsync(file) }
        try call(.rename, target) { try Files.rename(new, target) }
    }
}
