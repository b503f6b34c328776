/// How much a tree of files may take.
public struct DiskLimit: Codable, Equatable, Sendable {
    /// Bytes, the file system's own bookkeeping included.
    public var bytes: Int64
    /// Files, directories and links; `nil`: as many as the file system makes for that many bytes.
    public var inodes: Int64?

    public init(bytes: Int64, inodes: Int64? = nil) {
        self.bytes = bytes
        self.inodes = inodes
    }
}

extension SandboxLimits {
    /// The limit of the upper layers, where there is one.
    public var diskLimit: DiskLimit? { disk.map { DiskLimit(bytes: $0, inodes: inodes) } }
}
