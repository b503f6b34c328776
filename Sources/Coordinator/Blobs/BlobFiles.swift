internal import Documents
internal import FoundationEssentials
internal import Linux

/// Blobs on disk, each named by its SHA-256. What has the name is whole: a blob is hashed before it gets it.
struct BlobFiles: Sendable {
    let directory: String

    init(directory: String) throws {
        self.directory = directory
        if try Files.status(directory) == nil { try Files.makeDirectory(directory, mode: 0o700, intermediate: true) }
        // What a kill left half-written.
        let incoming = directory + "/incoming"
        if try Files.status(incoming) != nil { try Files.removeTree(incoming) }
        try Files.makeDirectory(incoming, mode: 0o700, intermediate: false)
    }

    func path(_ digest: Digest) -> String { "\(directory)/\(digest.hex.prefix(2))/\(digest.hex)" }

    func contains(_ digest: Digest) throws -> Bool { try Files.status(path(digest)) != nil }

    /// A file to write to; it is gone unless ``Incoming/keep(as:)`` names it.
    func incoming() throws -> Incoming {
        let path = "\(directory)/incoming/\(UUID().uuidString.lowercased())"
        let descriptor = try Files.open(path, flags: 0o302 /* O_RDWR | O_CREAT | O_EXCL */, mode: 0o600)
        return Incoming(blobs: self, path: path, descriptor: descriptor)
    }

    /// A blob on its way in. Belongs to one task.
    final class Incoming {
        private let blobs: BlobFiles
        private let path: String
        private let descriptor: Descriptor
        private var digest = StreamingDigest()
        private(set) var size = 0

        init(blobs: BlobFiles, path: String, descriptor: Descriptor) {
            self.blobs = blobs
            self.path = path
            self.descriptor = descriptor
        }

        func write(_ data: Data) throws {
            try Files.write(descriptor, data)
            digest.update(data)
            size += data.count
        }

        /// Gives the bytes their name, durably, if they have that digest; else gives the digest they have.
        func keep(as wanted: Digest) throws -> Digest {
            let found = digest.finish()
            guard found == wanted else {
                discard()
                return found
            }
            try Files.fsync(descriptor)
            let target = blobs.path(wanted)
            let parent = "\(blobs.directory)/\(wanted.hex.prefix(2))"
            if try Files.status(parent) == nil {
                do {
                    try Files.makeDirectory(parent, mode: 0o700, intermediate: false)
                } catch {
                    // Another upload may have made it in this moment.
                    guard try Files.status(parent) != nil else { throw error }
                }
                try Files.fsyncDirectory(blobs.directory)
            }
            try Files.rename(path, target)
            try Files.fsyncDirectory(parent)
            return found
        }

        func discard() { try? Files.unlink(path) }
    }
}
