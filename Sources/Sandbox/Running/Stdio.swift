public import Linux

/// Where a standard stream of a command leads.
public enum Stdio: Sendable {
    /// Nowhere: the sandbox's own `/dev/null`.
    case null
    /// The caller's own stream of the same number.
    case inherit
    /// This descriptor; the caller may close it once the command is started.
    case descriptor(Descriptor)
    /// Kept in memory up to `limit` bytes. One byte more is a breach (``Breach/output``) and ends the sandbox.
    case capture(limit: Int)
}
