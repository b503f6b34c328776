import CSandbox
import Glibc
import Linux
import Synchronization

@testable import Sandbox

/// Where an attack is made: a shipped profile, in one of the modes that a sandbox has.
struct Ground: Sendable, CustomStringConvertible {
    /// `mapped` and `plain` are root's; `ordinary` is a user's without any right, with its own processes and files outside.
    enum Mode: Sendable { case mapped, plain, ordinary }

    let profile: String
    let mode: Mode
    /// Whether it has a way out, by rules that allow every address.
    var reaches = false

    var description: String {
        let way = reaches ? "\(profile) with a way out" : profile
        return switch mode {
        case .mapped: way
        case .plain: "\(way), root not mapped"
        case .ordinary: "\(way), an ordinary user's"
        }
    }

    /// As root with a mapped root: what every host that can do it gets.
    static let mapped = ["strict", "service", "package", "build", "ci"].map { Ground(profile: $0, mode: .mapped) }
    /// The visible fallback. `package` forbids it.
    static let plain = [Ground(profile: "service", mode: .plain), Ground(profile: "build", mode: .plain)]
    static let asRoot = mapped + plain
    /// The one with most rights inside; `package` can't be had.
    static let ordinary = [Ground(profile: "service", mode: .ordinary)]
    /// `build` allows debuggers.
    static let tracing = all + [Ground(profile: "build", mode: .ordinary)]
    static let all = asRoot + ordinary
    static let limited = [Ground(profile: "strict", mode: .mapped), Ground(profile: "service", mode: .plain)]
    /// `package` has a way out too, to Debian's mirrors alone.
    static let reaching = [
        Ground(profile: "service", mode: .mapped, reaches: true),
        Ground(profile: "service", mode: .plain, reaches: true),
    ]

    /// Ports that the rules of ``reaching`` open at every address.
    static let openPorts: ClosedRange<UInt16> = 20480...20543

    /// The shipped profile as it is used here. An ordinary user has no control groups: there the limits that need one are done without.
    func used() throws -> Profile {
        var profile = try shipped()
        if mode == .ordinary { profile.optional += [.memoryLimit, .swapLimit, .pidsLimit, .cpuLimit] }
        if reaches {
            let ports = "\(Self.openPorts.lowerBound)-\(Self.openPorts.upperBound)"
            profile.network = .egress
            profile.egress = [try Host.rule("0.0.0.0/0", ports), try Host.rule("::/0", ports)]
        }
        return profile
    }

    /// From `GRACE_TEST_PROFILES`, the working directory, or the checkout that the tests were built in.
    func shipped() throws -> Profile {
        if let known = Self.known.withLock({ $0[profile] }) { return known }
        let shipped = try ProfileLibrary(directories: Self.places).profile(named: profile)
        Self.known.withLock { $0[profile] = shipped }
        return shipped
    }

    static let places: [String] = {
        let checkout = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let named = getenv("GRACE_TEST_PROFILES").map { String(cString: $0) }
        return (named.map { [$0] } ?? []) + ["sandbox-profiles", "\(checkout)/sandbox-profiles"]
    }()

    /// Read once: hundreds of attacks are made on the same few.
    private static let known = Mutex<[String: Profile]>([:])
}

/// What came of an attack.
enum Answer: Equatable, Sendable, CustomStringConvertible {
    case succeeded(String)
    case refused(String)
    /// It did not live to say, or said something else.
    case ended(ProcessExit, String)

    init(_ exit: ProcessExit, _ output: String) {
        let line = output.split(separator: "\n").last.map(String.init) ?? ""
        switch exit {
        case .exited(0) where line.hasPrefix("succeeded "): self = .succeeded(String(line.dropFirst(10)))
        case .exited(1) where line.hasPrefix("refused "): self = .refused(String(line.dropFirst(8)))
        default: self = .ended(exit, output)
        }
    }

    var description: String {
        switch self {
        case .succeeded(let detail): "succeeded: \(detail)"
        case .refused(let steps): "refused: \(steps)"
        case .ended(let exit, let output): "\(exit): \(output)"
        }
    }

    var isRefused: Bool { if case .refused = self { true } else { false } }
    var isSuccess: Bool { if case .succeeded = self { true } else { false } }
}
