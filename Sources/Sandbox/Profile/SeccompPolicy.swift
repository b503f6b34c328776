/// Which system calls a sandbox's processes may make: Grace's standard allow-list, with additions and removals.
///
/// What is not on the list answers ENOSYS, as on an older kernel, so that programs fall back; what is dangerous answers EPERM
/// and cannot be added (see ``SystemCalls/forbidden``).
public struct SeccompPolicy: Codable, Equatable, Sendable {
    /// Names of system calls, or of groups such as `@debug`, allowed besides the standard list.
    public var allow: [String]
    /// Names or groups taken off it; they answer EPERM.
    public var deny: [String]

    public init(allow: [String] = [], deny: [String] = []) {
        self.allow = allow
        self.deny = deny
    }
}
