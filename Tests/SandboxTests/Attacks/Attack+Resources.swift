import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// Using things up. The shipped limits are lowered here, so that the attack is quick and a machine of any size withstands it; without the
/// limit the same attack, which stops by itself, comes through.
extension Attack {
    static let resources: [Attack] = [
        limited(
            "a fork bomb", .forkBomb, grounds: Ground.asRoot, inside: ["fork-bomb", "200"], breach: .pids,
            { $0.limits.pids = 32 },
            without: { $0.limits.pids = nil }),
        limited(
            "a memory bomb", .memoryBomb, grounds: Ground.asRoot, inside: ["memory-bomb", "96"], breach: .oom,
            { $0.limits.memory = 32 << 20 },
            without: { $0.limits.memory = nil }),
        limited(
            "filling /tmp, /run and /dev/shm", .memoryFill, grounds: Ground.asRoot,
            inside: ["fill", "64", "/tmp", "/run", "/dev/shm"],
            { $0.limits.memory = 32 << 20 }, without: { $0.limits.memory = nil }),
        limited(
            "filling a memfd", .memoryFill, grounds: Ground.asRoot, inside: ["fill-memfd", "96"], breach: .oom,
            { $0.limits.memory = 32 << 20 },
            without: { $0.limits.memory = nil }),
        limited(
            "opening descriptors without end", .descriptors, inside: ["descriptors", "2000"], { $0.limits.files = 256 },
            without: { $0.limits.files = 4096 }),
        limited(
            "filling the disk", .diskFill, inside: ["fill", "64", "/var", "DIR/place"], breach: .disk,
            { $0.limits.disk = 16 << 20 },
            without: { $0.limits.disk = nil }),
        limited(
            "filling the inodes", .diskFill, inside: ["fill-inodes", "2000", "/var"], breach: .disk,
            {
                $0.limits.disk = 24 << 20
                $0.limits.inodes = 300
            },
            without: { $0.limits.disk = nil }),
    ]

    /// `lower` sets the limit and `without` takes it away. `breach` is the outcome that the limit has; `nil` where the kernel refuses and
    /// the sandbox lives on.
    private static func limited(
        _ name: String, _ threat: Threat, grounds: [Ground] = Ground.all, inside: [String], breach: Breach? = nil,
        _ lower: @escaping @Sendable (inout Profile) -> Void,
        without: @escaping @Sendable (inout Profile) -> Void
    ) -> Attack {
        Attack(
            name, threat, grounds: grounds, anyUserCan: true,
            control: .succeeds { scene in
                let (answer, outcome) = try await scene.inside(
                    inside,
                    {
                        $0.profile = Host.profile()
                        without(&$0.profile)
                    })
                #expect(answer.isSuccess && outcome.breach == nil, "\(answer) \(outcome.breach.map(\.rawValue) ?? "")")
            }
        ) { scene in
            let (answer, outcome) = try await scene.inside(inside, { lower(&$0.profile) })
            #expect(!answer.isSuccess, "\(answer)")
            if let breach { #expect(outcome.breach == breach) }
            // The host still has what was asked for.
            try await scene.comesThrough(["descriptors", "64"])
        }
    }
}
