import CSandbox
import Glibc
import Linux
import Synchronization

@testable import Sandbox

/// Where an attack is made: a shipped profile, in one of the modes that a sandbox has.
struct Ground: Sendable, CustomStringConvertible {
    enum Mode: Sendable { case mapped, plain }

    let profile: String
    let mode: Mode

    var description: String { mode == .mapped ? profile : "\(profile), root not mapped" }

    /// As root with a mapped root: what every host that can do it gets.
    static let mapped = ["strict", "service", "package", "build", "ci"].map { Ground(profile: $0, mode: .mapped) }
    /// The visible fallback. `package` forbids it.
    static let plain = [Ground(profile: "service", mode: .plain), Ground(profile: "build", mode: .plain)]
    static let all = mapped + plain
    static let limited = [Ground(profile: "strict", mode: .mapped), Ground(profile: "service", mode: .plain)]

    /// The shipped profile, from `GRACE_TEST_PROFILES`, the working directory, or the checkout that the tests were built in.
    func shipped() throws -> Profile {
        let checkout = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let places = [
            getenv("GRACE_TEST_PROFILES").map { String(cString: $0) }, "sandbox-profiles",
            "\(checkout)/sandbox-profiles",
        ]
        if let known = Self.known.withLock({ $0[profile] }) { return known }
        let shipped = try ProfileLibrary(directories: places.compactMap { $0 }).profile(named: profile)
        Self.known.withLock { $0[profile] = shipped }
        return shipped
    }

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
