internal import Glibc
internal import Linux

/// A directory on disk that can't grow past a limit: for layers that outlive their sandbox and may be promoted.
///
/// A project quota where the file system enforces them; elsewhere an ext4 image of that size, mounted there.
public struct BoundedPlace: Codable, Equatable, Sendable {
    /// How it is bounded.
    public enum Means: String, Codable, Sendable {
        case projectQuota = "project_quota"
        case image
    }

    public let directory: String
    public let means: Means
    public let limit: DiskLimit
    /// The image's file; `nil` with a project quota.
    public let image: String?

    /// Makes the directory, bounded.
    ///
    /// - Parameters:
    ///   - directory: Must not exist yet.
    ///   - image: Where an image would lie. Not below `directory`.
    ///   - limit: What may be in it.
    /// - Returns: How it came to be bounded: to be kept, for ``reopen()`` and ``remove()``.
    /// - Throws: `SystemError`, ``SandboxError``. Nothing is left then.
    public static func make(_ directory: String, image: String, limit: DiskLimit) throws -> BoundedPlace {
        try Files.makeDirectory(directory, mode: 0o700, intermediate: false)
        do {
            let opened = try Files.open(directory, flags: O_RDONLY | O_DIRECTORY)
            if ProjectQuota.isEnforced(on: opened) {
                let place = BoundedPlace(directory: directory, means: .projectQuota, limit: limit, image: nil)
                try place.setQuota(opened)
                return place
            }
            opened.close()
            let place = BoundedPlace(directory: directory, means: .image, limit: limit, image: image)
            let file = try DiskImage.named(image, limit)
            do {
                try LoopDevice.attach(file).mountExt4(at: directory)
                try? Files.removeDirectory("\(directory)/lost+found")
                try Files.chmod(directory, 0o700)
            } catch {
                try? Mounts.detach(directory)
                try? Files.unlink(image)
                throw error
            }
            return place
        } catch {
            try? Files.removeDirectory(directory)
            throw error
        }
    }

    /// One whose record is lost, to be removed: with an image, or with whatever quota its directory has.
    public static func found(_ directory: String, image: String?) -> BoundedPlace {
        BoundedPlace(
            directory: directory, means: image == nil ? .projectQuota : .image, limit: DiskLimit(bytes: 0), image: image
        )
    }

    /// Makes it whole again after the host was started anew: mounts the image.
    public func reopen() throws {
        guard means == .image, let image, try Files.status(directory)?.isMountRoot != true else { return }
        try LoopDevice.attach(try Files.open(image, flags: O_RDWR)).mountExt4(at: directory)
    }

    /// Removes it with everything in it. What is gone already is no error.
    public func remove() throws {
        switch means {
        case .image:
            try Self.unmount(directory)
            if let image, try Files.status(image) != nil { try Files.unlink(image) }
            if try Files.status(directory) != nil { try Files.removeTree(directory) }
        case .projectQuota:
            guard let opened = try? Files.open(directory, flags: O_RDONLY | O_DIRECTORY) else { return }
            let project = ProjectQuota.project(of: opened)
            try Files.removeTree(directory)
            // A limit without files would stay in the file system's tables for ever.
            let parent = try Files.open(BytePath(directory).parent, flags: O_RDONLY | O_DIRECTORY)
            if let project, project != 0 { try ProjectQuota.set(project, bytes: 0, inodes: 0, on: parent) }
        }
    }

    /// Takes every mount at a directory away: one that was mounted twice, too.
    static func unmount(_ directory: String) throws {
        for _ in 0..<16 {
            guard try Files.status(directory)?.isMountRoot == true else { return }
            try Mounts.detach(directory)
        }
    }

    /// Whether what lies at `path` can't grow past `limit`, whoever saw to that: a project's root tells its quota as its size.
    static func isBounded(_ path: String, by limit: DiskLimit) -> Bool {
        guard let now = try? Files.fileSystem(path), now.size <= limit.bytes else { return false }
        guard let inodes = limit.inodes else { return true }
        // ext4 makes inodes by the block, in every group of 128 MiB, and takes eleven for itself.
        return now.inodes > 0 && Int64(clamping: now.inodes) <= inodes + 11 + 16 * (limit.bytes / (128 << 20) + 1)
    }

    private func setQuota(_ opened: Descriptor) throws {
        for _ in 0..<64 {
            // A number of our own that nobody uses: without a limit and without a file.
            let project = 0x4700_0000 | UInt32.random(in: 0..<0x100_0000)
            let now = try? ProjectQuota.read(project, on: opened)
            if let now, now.bytes != 0 || now.inodes != 0 || now.usedInodes != 0 { continue }
            try ProjectQuota.set(
                project, bytes: UInt64(clamping: limit.bytes), inodes: UInt64(clamping: limit.inodes ?? 0), on: opened)
            try ProjectQuota.assign(project, to: opened)
            let set = try ProjectQuota.read(project, on: opened)
            guard set.bytes >= UInt64(clamping: limit.bytes), set.bytes < UInt64(clamping: limit.bytes) + 1024,
                set.inodes == UInt64(clamping: limit.inodes ?? 0)
            else {
                throw SandboxError.invalid(
                    "The file system of \(directory) took a project quota of \(limit.bytes) bytes and says \(set.bytes)."
                )
            }
            return
        }
        throw SandboxError.invalid("No project number is free on the file system of \(directory).")
    }
}
