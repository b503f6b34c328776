public import Documents
public import FoundationEssentials
internal import Glibc
public import Linux

/// Contents of files, each named by the SHA-256 of its bytes: `ROOT/ab/cdef…`.
///
/// Putting the same content twice keeps one blob. A blob is never altered; whoever reads one has it hashed again, so that
/// a disk or a person that changed it is noticed. Blobs keep the holes of sparse files.
public struct BlobStore: Sendable {
    /// The store's directory.
    public let root: String

    /// Takes `root` as the store's directory; it is made, for the owner alone, when the first blob is put.
    public init(root: String) {
        self.root = root
    }

    /// Where the blob lies, or would lie.
    public func path(_ digest: Digest) -> String {
        let hex = digest.hex
        return "\(root)/\(hex.prefix(2))/\(hex.dropFirst(2))"
    }

    /// Whether the blob is there; not whether it is whole.
    public func contains(_ digest: Digest) -> Bool {
        ((try? Files.status(path(digest))) ?? nil)?.isFile == true
    }

    /// Stores `data`.
    @discardableResult
    public func put(_ data: Data) throws -> Digest {
        try store { temporary in
            try data.withUnsafeBytes { try temporary.write($0, at: 0) }
            return Digest(of: data)
        }
    }

    /// Stores what `file`, open for reading, holds from its beginning to its end. Memory use does not depend on the
    /// file's size. The digest is of the very bytes stored, also when someone writes the file meanwhile.
    @discardableResult
    public func put(file: Descriptor) throws -> Digest {
        try store { temporary in
            var digest = StreamingDigest()
            try FileBytes(file).forEachPiece { offset, piece in
                digest.update(piece.bytes)
                if !piece.isHole { try temporary.write(piece.bytes, at: offset) }
                try temporary.extend(to: offset + Int64(piece.bytes.count))
            }
            return digest.finish()
        }
    }

    /// Stores what `file` holds as ``put(file:)`` does, but by a second name of its inode where the store lies on the same file
    /// system: nothing is copied. For files that nobody writes any more.
    @discardableResult
    public func adopt(file: Descriptor) throws -> Digest {
        let digest = try FileBytes(file).digest()
        // Any refusal of the kernel means that it is copied. Who is not root might not be let into its own file again.
        guard geteuid() == 0 else { return try put(file: file) }
        let destination = path(digest)
        if Self.link(file, to: destination) { return digest }
        // Something of that name is there: this very inode, or one that a power loss may have torn.
        let known = (try? Files.status(destination)) ?? nil
        if let known, try known.identity == Files.status(of: file).identity { return digest }
        try Files.makeDirectory(BytePath(destination).parent, mode: 0o700, intermediate: true)
        let temporary = "\(root)/new-\(UUID().uuidString)"
        guard Self.link(file, to: temporary) else { return try put(file: file) }
        do {
            try Files.rename(temporary, destination)
            return digest
        } catch {
            try? Files.unlink(temporary)
            throw error
        }
    }

    private static func link(_ file: Descriptor, to path: String) -> Bool {
        file.withRaw { linkat(AT_FDCWD, "/proc/self/fd/\($0)", AT_FDCWD, path, AT_SYMLINK_FOLLOW) } == 0
    }

    /// The content of a blob of at most `limit` bytes, hashed again.
    public func read(_ digest: Digest, limit: Int = 64 << 20) throws -> Data {
        let file = try open(digest)
        let size = try FileBytes(file).size()
        guard size <= Int64(limit) else {
            throw ForkError.blob(
                digest: digest.hex, reason: "it has \(size) bytes and at most \(limit) are read into memory")
        }
        var data = Data()
        try FileBytes(file).forEachPiece { _, piece in data.append(contentsOf: piece.bytes) }
        guard Digest(of: data) == digest else { throw Self.altered(digest) }
        return data
    }

    /// Opens a blob for reading. Its bytes are not checked: see ``verify(_:)``.
    public func open(_ digest: Digest) throws -> Descriptor {
        do {
            return try Files.open(path(digest), flags: O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
        } catch let error as SystemError where error.code == ENOENT {
            throw ForkError.blob(
                digest: digest.hex, reason: "it is not in \(root); fetch it again or run the change again")
        }
    }

    /// Hashes a blob again; throws when it is missing or its bytes are not the ones it is named after.
    public func verify(_ digest: Digest) throws {
        guard try FileBytes(open(digest)).digest() == digest else { throw Self.altered(digest) }
    }

    /// Makes everything put so far survive a power loss. One barrier for many blobs costs far less than one each.
    public func flush() throws {
        guard try Files.status(root) != nil else { return }
        try Files.syncfs(root)
    }

    private static func altered(_ digest: Digest) -> ForkError {
        .blob(
            digest: digest.hex,
            reason: "its bytes are no longer the ones it is named after; restore it or run the change again")
    }

    private func store(_ write: (FileBytes) throws -> Digest) throws -> Digest {
        let temporary = "\(root)/new-\(UUID().uuidString)"
        do {
            let flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
            let file: Descriptor
            do {
                file = try Files.open(temporary, flags: flags, mode: 0o600)
            } catch let error as SystemError where error.code == ENOENT {
                try Files.makeDirectory(root, mode: 0o700, intermediate: true)
                file = try Files.open(temporary, flags: flags, mode: 0o600)
            }
            let digest = try write(FileBytes(file))
            try place(temporary, at: path(digest))
            return digest
        } catch {
            try? Files.unlink(temporary)
            throw error
        }
    }

    /// Renamed over a blob that is there already: after a power loss that one may be torn, this one is whole.
    private func place(_ temporary: String, at destination: String) throws {
        do {
            try Files.rename(temporary, destination)
        } catch let error as SystemError where error.code == ENOENT {
            try Files.makeDirectory(BytePath(destination).parent, mode: 0o700, intermediate: true)
            try Files.rename(temporary, destination)
        }
    }
}
