import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// The attacks on sandboxes that a user without any right makes, who has processes and files outside as everybody has: the victims are of
/// the same user. They run in a second process of the tests', which gives up root before the first of them.
enum OrdinaryUser {
    /// Nobody's on any host.
    static let id: UInt32 = 65432
    /// Whether this is that second process.
    static let isHere = getenv("GRACE_TEST_ORDINARY") != nil

    /// Becomes that user, where this is the process for it.
    static func become() -> Bool { isHere && became }

    private static let became: Bool = {
        guard setgroups(0, nil) == 0, setgid(id) == 0, setuid(id) == 0 else { return false }
        return getuid() == id && geteuid() == id && setuid(0) != 0
    }()

    /// Runs the second process to its end.
    static func attack() async throws -> ProcessOutput {
        try await Host.withDirectory { directory in
            // The build and the checkout may lie where only root comes in; what is needed of them is copied out.
            for (name, path) in [
                ("grace-sandbox", try SandboxEngine.locateHelper()), ("grace-attacks", try Scene.locateProgram()),
            ] {
                try Files.writeAtomically("\(directory)/\(name)", try Files.read(path), mode: 0o755)
            }
            let profiles = "\(directory)/profiles"
            try Files.makeDirectory(profiles, mode: 0o755)
            for place in Ground.places {
                for name in (try? Files.entries(place)) ?? [] {
                    let name = String(decoding: name, as: UTF8.self)
                    try Files.writeAtomically("\(profiles)/\(name)", try Files.read("\(place)/\(name)"), mode: 0o644)
                }
            }
            var environment = ["GRACE_TEST_ORDINARY": "1", "NO_COLOR": "1", "HOME": directory]
            environment["GRACE_LIBEXEC_DIR"] = directory
            environment["GRACE_TEST_PROFILES"] = profiles
            // Of a directory of root's an ordinary user's sandbox can make no copy (one user alone is known inside): what is attacked lies
            // on a file system whose root is the user's.
            let home = try BoundedPlace.make(
                "\(directory)/home", image: "\(directory)/home.img", limit: DiskLimit(bytes: 256 << 20))
            defer { try? home.remove() }
            try Files.chown(home.directory, uid: id, gid: id)
            environment["GRACE_TEST_PLACE"] = home.directory
            for name in ["PATH", "GRACE_VM", "LD_LIBRARY_PATH"] {
                environment[name] = getenv(name).map { String(cString: $0) }
            }
            return try await Processes.run(
                try bundle(),
                arguments: [
                    "--testing-library", "swift-testing", "--no-parallel", "--filter",
                    "SandboxTests\\.AttackTests/(isWithstood|succeedsWithoutItsDefence)",
                ], timeout: .seconds(1200), environment: environment)
        }
    }

    /// The test bundle's program: this process, or mapped into the runner.
    private static func bundle() throws -> String {
        let maps = try Files.readString("/proc/self/maps").split(separator: "\n").filter { $0.hasSuffix(".xctest") }
        let path = maps.first.flatMap { line in line.firstIndex(of: "/").map { String(line[$0...]) } }
        return try #require(path, "The program of the tests is not mapped into this process.")
    }
}
