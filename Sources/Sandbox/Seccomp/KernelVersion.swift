internal import Glibc

/// A kernel's version by its first two numbers.
struct KernelVersion: Comparable, Sendable {
    var major: Int
    var minor: Int

    /// Reads `4.8` or `6.18.44-generic`; `nil` when it is neither.
    init?(_ text: String) {
        let parts = text.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2, let major = Int(parts[0]), let minor = Int(parts[1].prefix { $0.isNumber }), major >= 0
        else { return nil }
        self.major = major
        self.minor = minor
    }

    /// The one that runs; 0.0 when it does not say.
    static var running: KernelVersion {
        var names = utsname()
        guard uname(&names) == 0 else { return KernelVersion(major: 0, minor: 0) }
        let release = withUnsafeBytes(of: names.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return KernelVersion(release) ?? KernelVersion(major: 0, minor: 0)
    }

    init(major: Int, minor: Int) {
        self.major = major
        self.minor = minor
    }

    static func < (left: KernelVersion, right: KernelVersion) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }
}
