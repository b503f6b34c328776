import CSandbox
import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// `network: host`: shared, recorded, and without what would take live's place.
@Suite(.enabled(if: Host.isRoot, "ports below 1024 are root's to give")) struct HostNetworkTests {
    private static let profile = Host.profile {
        $0.network = .host
        $0.capabilities += ["NET_RAW"]
    }

    @Test func itIsTheHostsOwnAndThatIsRecordedEachTime() async throws {
        let (result, _) = try await Host.withSandbox(profile: Self.profile) { sandbox, _ in
            #expect(sandbox.networkNamespace == nil)
            let recorded = sandbox.fallbacks.filter { $0.feature == .networkNamespace }
            #expect(recorded.count == 1 && recorded[0].mend?.contains("egress") == true)
            return try await sandbox.shell("readlink /proc/self/ns/net")
        }
        #expect(result.out == "\(try Files.readlink("/proc/self/ns/net").string ?? "?")\n")
    }

    @Test func aProfileThatRequiresANetworkOfItsOwnRefusesIt() async throws {
        var profile = Self.profile
        profile.require = [.networkNamespace]
        await #expect(throws: SandboxError.self) { try await Host.withSandbox(profile: profile) { _, _ in } }
    }

    /// With every capability that a profile can give.
    @Test func portsBelow1024AndRawSocketsStayTheHosts() async throws {
        let (_, _) = try await Host.withSandbox(profile: Self.profile) { sandbox, _ in
            let port =
                "perl -MSocket -e 'socket(my $s, AF_INET, SOCK_STREAM, 0); bind($s, sockaddr_in(PORT, INADDR_LOOPBACK)) or die qq($!\\n)'"
            for number in ["1023", "1", "997"] {
                let result = try await sandbox.shell(port.replacing("PORT", with: number))
                #expect(result.err == "Permission denied\n", "port \(number): \(result)")
            }
            #expect(try await sandbox.shell(port.replacing("PORT", with: "0")).exit == .exited(0))
            let raw = """
                perl -MSocket -e 'for my $d (AF_INET, AF_INET6, 17) { for my $t (SOCK_RAW, 10) { \
                socket(my $s, $d, $t, $d == 17 ? 3 : 1) and print "got $d $t\\n"; } } print "tried\\n"'
                """
            #expect(try await sandbox.shell(raw).out == "tried\n")
            for line in ["ip link set lo down", "ip addr add 127.9.9.9/8 dev lo", "nft list ruleset"] {
                #expect(try await sandbox.shell(line).exit != .exited(0), "\(line)")
            }
        }
    }

    /// The visible fallback, where root inside is the host's: it must not bind them either.
    @Test func theFallbacksRootLosesTheRightToThem() throws {
        let plan = try PlanWriter(
            mode: CSANDBOX_PLAIN, specification: SandboxSpecification(profile: Self.profile),
            overlays: [PlannedOverlay(mountPoint: "/", lowers: [], volatile: true)], masks: [], stage: "/stage",
            cgroups: 0,
            showCgroup: false
        ).write()
        let bytes = try plan.withRaw { try Files.read("/proc/self/fd/\($0)") }  // from its beginning
        let head = bytes.withUnsafeBytes { $0.loadUnaligned(as: csandbox_plan.self) }
        let forbidden = Capabilities.mask(["NET_BIND_SERVICE", "NET_RAW"])
        #expect(head.capabilities & forbidden == 0 && head.capabilities != 0)
    }
}
