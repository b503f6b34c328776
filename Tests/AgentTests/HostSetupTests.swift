import Documents
import FoundationEssentials
import Glibc
import Linux
import Missions
import Parliament
import Testing
import Trust

@testable import Agent

@Suite("Setting a host up")
struct HostSetupTests {
    static let own = (uid: geteuid(), gid: getegid())

    @Test("directories are root's alone, but for what others must reach")
    func modes() async throws {
        try await Ground.with { ground async throws in
            let places = ground.places
            try HostSetup(places: places).makeDirectories(coordinatorUser: Self.own)
            for path in [
                places.state, places.configuration, places.runtime, places.profiles, places.detectors, places.remedies,
            ] {
                #expect(try Files.status(path)?.mode == 0o755, "\(path)")
            }
            for path in [
                places.agentState, places.missions, places.journal, places.forks, places.promotions, places.blobs,
                places.scratch,
                places.coordinatorState,
            ] { #expect(try Files.status(path)?.mode == 0o700, "\(path)") }
        }
    }

    @Test("the coordinator's directory is its user's", .enabled(if: isRoot, "giving a directory away needs root"))
    func owner() async throws {
        try await Ground.with { ground async throws in
            try HostSetup(places: ground.places).makeDirectories(coordinatorUser: (61184, 61185))
            let status = try #require(try Files.status(ground.places.coordinatorState))
            #expect(status.uid == 61184 && status.gid == 61185)
            #expect(try Files.status(ground.places.agentState)?.uid == 0)
        }
    }

    @Test("a directory that is there keeps its mode")
    func kept() async throws {
        try await Ground.with { ground async throws in
            try Files.makeDirectory(ground.places.configuration, mode: 0o750)
            try HostSetup(places: ground.places).makeDirectories(coordinatorUser: Self.own)
            #expect(try Files.status(ground.places.configuration)?.mode == 0o750)
        }
    }

    @Test("default policies can be read back, and name who approves")
    func defaults() async throws {
        try await Ground.with { ground async throws in
            let setup = HostSetup(places: ground.places)
            try setup.makeDirectories(coordinatorUser: Self.own)
            try setup.writeDefaultPolicies(principals: ["alice", "bob"])
            try setup.writeIfMissing(ground.places.allowedSignersFile, "")
            let policies = try Policies.load(ground.places)
            #expect(policies.approvers.groups == ["operators": ["alice", "bob"]])
            #expect(
                policies.approvers.requirement(severity: .critical, labels: [:])?.demands == [
                    .init(group: "operators", count: 1)
                ])
            #expect(policies.governance.digest == Digest(of: Data(Governance.defaultText.utf8)))
            #expect(policies.constitution == .standard)
            for path in [ground.places.governanceFile, ground.places.approversFile, ground.places.agentFile] {
                #expect(try Files.status(path)?.mode == 0o644)
            }
        }
    }

    @Test("a file that is there is never overwritten, not even an empty one")
    func never() async throws {
        try await Ground.with { ground async throws in
            let places = ground.places
            let setup = HostSetup(places: places)
            try setup.makeDirectories(coordinatorUser: Self.own)
            let files = [places.governanceFile, places.constitutionFile, places.approversFile, places.agentFile]
            for (index, path) in files.enumerated() {
                try Files.writeAtomically(path, Data((index == 0 ? "" : "mine \(index)").utf8), mode: 0o600)
            }
            try setup.writeDefaultPolicies(principals: ["alice"])
            for (index, path) in files.enumerated() {
                #expect(try Files.readString(path) == (index == 0 ? "" : "mine \(index)"))
                #expect(try Files.status(path)?.mode == 0o600)
            }
        }
    }

    @Test("a token is random, kept, and only its digest is told")
    func token() async throws {
        try await Ground.with { ground async throws in
            let setup = HostSetup(places: ground.places)
            let first = try setup.token(at: ground.path("a"))
            #expect(try setup.token(at: ground.path("a")) == first)
            #expect(try setup.token(at: ground.path("b")).token != first.token)
            #expect(first.token.utf8.count >= 43, "256 bits in base64url")
            #expect(first.sha256 == Digest(of: Data(first.token.utf8)))
            #expect(try Files.status(ground.path("a"))?.mode == 0o600)
        }
    }

    @Test(
        "a token that could be guessed is refused",
        arguments: ["", "\n", "secret\n", "0123456789012345678901234567890\n"])
    func weak(text: String) async throws {
        try await Ground.with { ground async throws in
            try ground.write("token", text, mode: 0o600)
            #expect(refusal { _ = try HostSetup(places: ground.places).token(at: ground.path("token")) } != nil)
            #expect(try ground.text("token") == text)
        }
    }
}

@Suite("Policy files")
struct PoliciesTests {
    static func places(_ ground: Ground) throws -> Places {
        let setup = HostSetup(places: ground.places)
        try setup.makeDirectories(coordinatorUser: HostSetupTests.own)
        try setup.writeDefaultPolicies(principals: ["alice"])
        try setup.writeIfMissing(ground.places.allowedSignersFile, "")
        return ground.places
    }

    static let files: [@Sendable (Places) -> String] = [
        { $0.governanceFile }, { $0.constitutionFile }, { $0.approversFile }, { $0.allowedSignersFile },
    ]

    @Test("a missing one is an error that names it, never an empty policy", arguments: 0..<4)
    func missing(index: Int) async throws {
        try await Ground.with { ground async throws in
            let places = try Self.places(ground)
            _ = try Policies.load(places)
            let path = Self.files[index](places)
            try Files.unlink(path)
            let said = try #require(refusal { _ = try Policies.load(places) })
            #expect(said.contains(path) && said.contains("nothing is judged or promoted"))
        }
    }

    @Test("a damaged one is an error", arguments: 0..<4)
    func damaged(index: Int) async throws {
        try await Ground.with { ground async throws in
            let places = try Self.places(ground)
            try Files.writeAtomically(Self.files[index](places), Data("rules: [{oh\n".utf8), mode: 0o644)
            #expect(refusal { _ = try Policies.load(places) } != nil)
            #expect(
                refusal { _ = try Policies.loadOrDefault(places) } != nil,
                "a default never takes a damaged file's place")
        }
    }

    @Test("one that others than its owner can write is refused", arguments: 0..<4, [UInt32(0o666), 0o664, 0o646])
    func writable(index: Int, mode: UInt32) async throws {
        try await Ground.with { ground async throws in
            let places = try Self.places(ground)
            try Files.chmod(Self.files[index](places), mode)
            #expect(refusal { _ = try Policies.load(places) }?.contains(Self.files[index](places)) ?? false)
        }
    }

    @Test(
        "one of another user is refused, and so is a link", .enabled(if: isRoot, "giving a file away needs root"),
        arguments: 0..<4)
    func foreign(index: Int) async throws {
        try await Ground.with { ground async throws in
            let places = try Self.places(ground)
            let path = Self.files[index](places)
            try Files.chown(path, uid: 61184, gid: 0)
            #expect(refusal { _ = try Policies.load(places) } != nil)
            try Files.chown(path, uid: 0, gid: 0)
            _ = try Policies.load(places)
            try Files.rename(path, ground.path("elsewhere"))
            try Files.symlink(ground.path("elsewhere"), at: path)
            #expect(refusal { _ = try Policies.load(places) } != nil)
        }
    }

    @Test("digests are those of the files' very bytes, read anew each time")
    func digests() async throws {
        try await Ground.with { ground async throws in
            let places = try Self.places(ground)
            let before = try Policies.load(places).digests
            let text = try Files.readString(places.governanceFile) + "# a word more\n"
            try Files.writeAtomically(places.governanceFile, Data(text.utf8), mode: 0o644)
            let after = try Policies.load(places).digests
            #expect(after.governance == Digest(of: Data(text.utf8)) && after.governance != before.governance)
            #expect(after.approvers == before.approvers && after.constitution == before.constitution)
        }
    }

    @Test("for tests that promote nothing the defaults stand in for missing files")
    func standIn() async throws {
        try await Ground.with { ground async throws in
            let policies = try Policies.loadOrDefault(ground.places)
            #expect(!policies.governance.rules.isEmpty)
            #expect(policies.approvers.people == ["nobody"])
        }
    }
}
