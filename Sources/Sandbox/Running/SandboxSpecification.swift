/// Everything needed to start a sandbox.
public struct SandboxSpecification: Codable, Equatable, Sendable {
    public var profile: Profile
    /// The copy-on-write layers. Empty: throw-away ones over everything in ``HostView/current(mounts:mask:)``.
    public var overlays: [OverlayMount]
    /// Paths seen as empty, besides the profile's and the standard ones: Grace's own state, configuration and runtime directories.
    public var masks: [String]
    public var hostname: String
    /// Names the control group: letters, digits, `-`, `_` and `.`.
    public var label: String
    /// Whether `/tmp` is the host's, seen through the copy-on-write layers; else it is fresh and private. For a person's own
    /// command (`grace try`), whose files often lie there.
    public var sharesTemporary: Bool

    public init(
        profile: Profile, overlays: [OverlayMount] = [], masks: [String] = [], hostname: String = "sandbox",
        label: String = "sandbox", sharesTemporary: Bool = false
    ) {
        self.profile = profile
        self.overlays = overlays
        self.masks = masks
        self.hostname = hostname
        self.label = label
        self.sharesTemporary = sharesTemporary
    }
}
