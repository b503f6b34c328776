public import FoundationEssentials
internal import Glibc
public import Linux
public import Missions

/// What Hunter needs besides the change set, its contents and its pre-images.
public struct HunterContext: Sendable {
    /// A scanner that the host's configuration names.
    public struct Scanner: Sendable, Equatable {
        /// The name in reports and in `required_scanners` rules.
        public var name: String
        /// The program's absolute path.
        public var program: String

        public init(name: String, program: String) {
            self.name = name
            self.program = program
        }
    }

    /// The live content of a path as the base has it, to tell new findings from old ones: at most the given number of
    /// bytes from its beginning; `nil` when there is none. What throws counts as none: then everything in the file is new.
    public var baseContent: @Sendable (BytePath, Int) throws -> Data?
    /// Scanners configured besides the built-in one.
    public var scanners: [Scanner]
    /// Names of scanners that policy requires: ``Governance/requiredScanners``. One that is NOT_RUN is a high finding.
    public var required: [String]
    /// The mission's declared scope; links that leave it are findings. Empty: none was declared.
    public var scope: [String]
    /// Bytes of a text file that are read for secrets and settings; a longer one is a low finding.
    public var textLimit: Int
    /// What the sandboxes' filters denied, by part of the test.
    public var denied: [DeniedReport]

    public init(
        baseContent: @escaping @Sendable (BytePath, Int) throws -> Data?, scanners: [Scanner] = [],
        required: [String] = [],
        scope: [String] = [], textLimit: Int = 1 << 20, denied: [DeniedReport] = []
    ) {
        self.baseContent = baseContent
        self.scanners = scanners
        self.required = required
        self.scope = scope
        self.textLimit = textLimit
        self.denied = denied
    }

    /// Reads pre-images from a live tree. No link is followed in the last place, and what is no regular file has no content.
    public static func live(root: String = "/") -> @Sendable (BytePath, Int) throws -> Data? {
        { path, limit in
            let start = try Files.open(root, flags: O_RDONLY | O_DIRECTORY)
            guard let status = try Files.status(BytePath(root).appending(path.bytes)), status.kind == .file else {
                return nil
            }
            let relative = BytePath(bytes: Array(path.bytes.drop { $0 == UInt8(ascii: "/") }))
            let file = try Files.open(
                relative, flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK, at: start, resolve: Files.Resolve.inRoot)
            guard try Files.status(of: file).kind == .file else { return nil }
            return try Files.pread(file, count: limit, offset: 0)
        }
    }
}
