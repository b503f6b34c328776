/// One copy-on-write layer over one live mount.
public struct OverlayMount: Codable, Equatable, Sendable {
    /// The live mount's place, `/` for the root.
    public var mountPoint: String
    /// Directories seen above the live mount and below `upper`, topmost first.
    public var lowers: [String]
    /// Where writes go. It and `work` lie on one file system, have a common parent, and that parent is nothing else's.
    /// Empty (with an empty `work`): a private tmpfs that vanishes with the sandbox.
    public var upper: String
    /// overlayfs's own working directory.
    public var work: String
    /// Throw-away: nothing is synced to disk, and the upper layer is worthless after a crash.
    public var volatile: Bool

    public init(
        mountPoint: String, lowers: [String] = [], upper: String = "", work: String = "", volatile: Bool = false
    ) {
        self.mountPoint = mountPoint
        self.lowers = lowers
        self.upper = upper
        self.work = work
        self.volatile = volatile
    }

    /// Whether what is written there outlives the sandbox.
    var isLasting: Bool { !volatile && !upper.isEmpty }
}
