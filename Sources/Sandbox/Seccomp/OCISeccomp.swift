internal import Documents

/// A seccomp file of container engines, taken as it is: the format of moby's `profiles/seccomp/default.json` and containers-common's
/// `seccomp.json`, which is the OCI runtime specification's `linux.seccomp` with conditions on capabilities, machine and kernel.
///
/// What it says is kept as written; which of its rules apply is decided for each sandbox (``FilterPlan``).
public struct OCISeccomp: Codable, Hashable, Sendable {
    public enum Action: String, Codable, Sendable, CaseIterable {
        case allow = "SCMP_ACT_ALLOW"
        case log = "SCMP_ACT_LOG"
        case fail = "SCMP_ACT_ERRNO"
        case trap = "SCMP_ACT_TRAP"
        case kill = "SCMP_ACT_KILL"
        case killThread = "SCMP_ACT_KILL_THREAD"
        case killProcess = "SCMP_ACT_KILL_PROCESS"

        /// Whether a call so answered is carried out.
        public var allows: Bool { self == .allow || self == .log }
    }

    public enum Comparison: String, Codable, Sendable, CaseIterable {
        case notEqual = "SCMP_CMP_NE"
        case less = "SCMP_CMP_LT"
        case lessOrEqual = "SCMP_CMP_LE"
        case equal = "SCMP_CMP_EQ"
        case greaterOrEqual = "SCMP_CMP_GE"
        case greater = "SCMP_CMP_GT"
        case maskedEqual = "SCMP_CMP_MASKED_EQ"
    }

    /// A condition on the argument with this index; with ``Comparison/maskedEqual`` `value` is the mask and `second` what must be left.
    public struct Argument: Codable, Hashable, Sendable {
        public var index: UInt32
        public var value: UInt64
        public var second: UInt64
        public var comparison: Comparison

        init(index: UInt32, value: UInt64, second: UInt64, comparison: Comparison) {
            self.index = index
            self.value = value
            self.second = second
            self.comparison = comparison
        }

        private enum CodingKeys: String, CodingKey { case index, value, second, comparison }

        public init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            index = try container.decode(UInt32.self, forKey: .index)
            value = try container.decode(Exact.self, forKey: .value).number
            second = try container.decode(Exact.self, forKey: .second).number
            comparison = try container.decode(Comparison.self, forKey: .comparison)
        }

        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(index, forKey: .index)
            try container.encode(Exact(number: value), forKey: .value)
            try container.encode(Exact(number: second), forKey: .second)
            try container.encode(comparison, forKey: .comparison)
        }
    }

    /// A number that stays apart from its neighbours: beyond 2^53, where canonical JSON (RFC 8785) knows doubles alone, it is written as
    /// a text of decimal digits.
    private struct Exact: Codable {
        var number: UInt64

        init(number: UInt64) { self.number = number }

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let small = try? container.decode(UInt64.self) {
                number = small
                return
            }
            guard let large = UInt64(try container.decode(String.self)) else {
                throw DecodingError.dataCorruptedError(
                    in: container, debugDescription: "neither a number below 2^64 nor its decimal digits")
            }
            number = large
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            if number <= 1 << 53 { try container.encode(number) } else { try container.encode(String(number)) }
        }
    }

    /// When a rule applies; what is not said makes no difference.
    public struct Circumstances: Codable, Hashable, Sendable {
        /// Capabilities, without `CAP_`.
        public var capabilities: [String] = []
        /// Machines, in the words of Go: `amd64`, `arm64`.
        public var machines: [String] = []
        /// The kernel's version, `4.8`.
        public var kernel: String?
    }

    public struct Rule: Codable, Hashable, Sendable {
        public var names: [String]
        public var action: Action
        /// What is answered with ``Action/fail``.
        public var errno: Int32
        public var arguments: [Argument]
        public var includes: Circumstances
        public var excludes: Circumstances
    }

    /// Where it was read; no part of the digest.
    public var path: String
    public var defaultAction: Action
    public var defaultErrno: Int32
    public var rules: [Rule]
    /// Calls that it allows and that the libseccomp of this host has never heard of: they stay denied.
    public var unknown: [String]

    /// Its meaning in canonical JSON, for digests.
    var json: JSON {
        get throws {
            var plain = self
            plain.path = ""
            return try JSON(encoding: plain)
        }
    }
}
