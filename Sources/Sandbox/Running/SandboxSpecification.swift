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

    public init(
        profile: Profile, overlays: [OverlayMount] = [], masks: [String] = [], hostname: String = "sandbox",
        label: String = "sandbox"
    ) {
        self.profile = profile
        self.overlays = overlays
        self.masks = masks
        self.hostname = hostname
        self.label = label
    }
}
