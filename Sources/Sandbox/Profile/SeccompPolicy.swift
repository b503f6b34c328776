public import Documents

/// Which system calls a sandbox's processes may make: Grace's standard allow-list, with additions and removals.
///
/// What is not on the list answers ENOSYS, as on an older kernel, so that programs fall back; what is dangerous answers EPERM
/// and cannot be added (see ``SystemCalls/forbidden``).
public struct SeccompPolicy: Codable, Hashable, Sendable {
    /// Names of system calls, or of groups such as `@debug`, allowed besides the standard list.
    public var allow: [String]
    /// Names or groups taken off it; they answer EPERM and are reported.
    public var deny: [String]
    /// Names or groups that are denied without a report: what a program calls so often that counting it would slow it.
    public var quiet: [String]
    /// A file of container engines whose rules stand in place of Grace's standard list; additions and removals come on top.
    public var file: OCISeccomp?

    public init(allow: [String] = [], deny: [String] = [], quiet: [String] = [], file: OCISeccomp? = nil) {
        self.allow = allow
        self.deny = deny
        self.quiet = quiet
        self.file = file
    }

    /// The SHA-256 of its canonical JSON.
    public var digest: Digest { Digest(of: json.canonical) }

    var json: JSON {
        func texts(_ values: [String]) -> JSON { .array(Set(values).sorted().map { .string($0) }) }
        var members = ["allow": texts(allow), "deny": texts(deny)]
        if !quiet.isEmpty { members["quiet"] = texts(quiet) }
        if let file, let rules = try? file.json { members["file"] = rules }
        return .object(members)
    }
}
