internal import Documents
public import Linux

/// Where the contents of a change set's files are to be had.
public protocol ContentSource: Sendable {
    /// The content of an entry, open for reading. Its bytes are not checked.
    func open(_ change: Change) throws -> Descriptor

    /// A sentence for every content that is not there.
    func missing(_ changes: ChangeSet) -> [String]

    /// Bytes that the content of an entry takes on disk; `nil` where nobody knows.
    func allocated(_ change: Change) throws -> Int64?

    /// The file with the content of an entry, where the very inode may become live: it has all of the entry's attributes and the
    /// content with its digest, has one name alone, and nobody can write it any more but by that name.
    func whole(_ change: Change) throws -> Descriptor?

    /// Waits until what ``whole(_:)`` gave is on disk.
    ///
    /// - Throws: Where any of it could not be written, whenever that was.
    func settle() throws
}

extension BlobStore: ContentSource {
    public func open(_ change: Change) throws -> Descriptor {
        guard let content = change.content else {
            throw ForkError.malformed("\(change.path.display): the change set has no content for it.")
        }
        return try open(content)
    }

    public func missing(_ changes: ChangeSet) -> [String] {
        changes.blobs.sorted().filter { !contains($0) }.map {
            "the content \($0.hex) is not in \(root); fetch it again"
        }
    }

    public func allocated(_ change: Change) throws -> Int64? {
        try change.content.flatMap { try Files.status(path($0)) }?.allocated
    }

    /// Never: blobs are kept.
    public func whole(_ change: Change) throws -> Descriptor? { nil }

    public func settle() throws {}
}
