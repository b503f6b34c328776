internal import CSandbox
internal import CSeccomp
internal import Glibc

/// System calls of one kind that one program made and that the sandbox's filter denied.
public struct DeniedCall: Codable, Equatable, Hashable, Sendable {
    /// The call's name, as in syscalls(2); of another architecture, that in front: `i386 open`.
    public var call: String
    /// The path of the program's executable as seen inside; `nil` when it was gone, or there were too many kinds to keep apart.
    public var program: String?
    /// The thread's name, which a program may choose by itself; `nil` as above.
    public var name: String?
    /// How often.
    public var count: Int

    public init(call: String, program: String?, name: String?, count: Int) {
        self.call = call
        self.program = program
        self.name = name
        self.count = count
    }
}

/// What a sandbox's filter denied and reported: the calls that matter to security.
///
/// Calls that the kernel merely does not have (any that Grace does not know; `clone3`, which falls back to `clone`) and a few noisy,
/// harmless ones (``SystemCalls/quiet``, and the profile's `seccomp.quiet`) are denied without a report.
public struct DeniedCalls: Codable, Equatable, Sendable {
    /// How many there were; `nil`: this host could not count them, see ``reason``.
    public var total: Int?
    /// By call and program, the most frequent first. Their counts add up to ``total``.
    public var calls: [DeniedCall]
    /// Why they were not counted; `nil` when they were.
    public var reason: String?

    /// What was counted.
    public init(_ calls: [DeniedCall]) {
        total = calls.reduce(0) { $0 + $1.count }
        self.calls = calls.sorted {
            ($1.count, $0.call, $0.program ?? "", $0.name ?? "") < ($0.count, $1.call, $1.program ?? "", $1.name ?? "")
        }
        reason = nil
    }

    /// Nothing was counted, for this reason.
    public init(notCounted reason: String) {
        total = nil
        calls = []
        self.reason = reason
    }

    /// The kinds that ``sum(_:)`` keeps apart by program.
    static let kinds = 512

    /// Several sandboxes' calls together. Not counted in one is not counted at all: a sum with a part missing would be no figure.
    ///
    /// Past 512 kinds the rarer ones are kept by call alone; no count is lost.
    public static func sum(_ parts: [DeniedCalls]) -> DeniedCalls {
        if let missing = parts.first(where: { $0.total == nil }) { return missing }
        var counts: [DeniedCall: Int] = [:]
        func add(_ call: DeniedCall) {
            var kind = call
            kind.count = 0
            counts[kind, default: 0] += call.count
        }
        for part in parts { part.calls.forEach(add) }
        let all = DeniedCalls(counts.map { DeniedCall(call: $0.call, program: $0.program, name: $0.name, count: $1) })
        guard all.calls.count > kinds else { return all }
        counts = [:]
        for (position, call) in all.calls.enumerated() {
            add(position < kinds ? call : DeniedCall(call: call.call, program: nil, name: nil, count: call.count))
        }
        return DeniedCalls(counts.map { DeniedCall(call: $0.call, program: $0.program, name: $0.name, count: $1) })
    }
}

extension DeniedCall {
    /// What the C side counted.
    init(_ counted: csandbox_denied_call) {
        self.init(
            call: Self.callName(counted.call, counted.architecture),
            program: withUnsafeBytes(of: counted.program) { Self.text($0) },
            name: withUnsafeBytes(of: counted.name) { Self.text($0) },
            count: Int(clamping: counted.count))
    }

    private static func callName(_ number: Int32, _ architecture: UInt32) -> String {
        guard number >= 0 || architecture != 0 else { return "others" }
        let native = seccomp_arch_native()
        var token = architecture
        // AUDIT_ARCH_X86_64 with the bit of x32 in the number; libseccomp knows that as an architecture of its own.
        if architecture == 0xC000_003E, number & 0x4000_0000 != 0 { token = 0x4000_003E }
        let prefix =
            switch token {
            case native: ""
            case 0x4000_0003: "i386 "
            case 0x4000_003E: "x32 "
            default: "architecture \(String(architecture, radix: 16)) "
            }
        guard let name = seccomp_syscall_resolve_num_arch(token, number) else { return "\(prefix)call \(number)" }
        defer { free(name) }
        return prefix + String(cString: name)
    }

    /// Bytes that a hostile program may have chosen, as text that does nothing to a terminal. `nil`: empty.
    private static func text(_ bytes: UnsafeRawBufferPointer) -> String? {
        let decoded = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        let harmless = decoded.unicodeScalars.map { scalar -> Unicode.Scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned: "\u{FFFD}"
            default: scalar
            }
        }
        return harmless.isEmpty ? nil : String(String.UnicodeScalarView(harmless))
    }
}
