public import Documents
internal import FoundationEssentials
internal import Ledger
public import Linux
internal import Trust

/// Makes what a host needs before Grace runs on it for the first time: directories, default policy files, tokens. What is
/// there already is never changed.
public struct HostSetup: Sendable {
    public let places: Places

    public init(places: Places) { self.places = places }

    /// Directories: everything is root's alone, but for what the unprivileged coordinator and its clients must reach.
    public func makeDirectories(coordinatorUser: (uid: UInt32, gid: UInt32)) throws {
        for (path, mode) in [
            (places.state, UInt32(0o755)), (places.configuration, 0o755), (places.runtime, 0o755),
            (places.agentState, 0o700),
            (places.missions, 0o700), (places.journal, 0o700), (places.forks, 0o700), (places.promotions, 0o700),
            (places.blobs, 0o700), (places.scratch, 0o700), (places.profiles, 0o755), (places.detectors, 0o755),
            (places.remedies, 0o755), (places.coordinatorState, 0o700),
        ] {
            if try Files.status(path) == nil { try Files.makeDirectory(path, mode: mode, intermediate: true) }
        }
        try Files.chown(BytePath(places.coordinatorState), uid: coordinatorUser.uid, gid: coordinatorUser.gid)
    }

    /// A random bearer token kept in `path` (mode 0600); its SHA-256 is what the coordinator is told.
    public func token(at path: String) throws -> (token: String, sha256: Digest) {
        if try Files.status(path) == nil {
            var generator = SystemRandomNumberGenerator()
            var bytes = Data()
            for _ in 0..<4 { withUnsafeBytes(of: generator.next()) { bytes.append(contentsOf: $0) } }
            try Files.writeAtomically(path, Data((bytes.base64URL + "\n").utf8), mode: 0o600)
        }
        guard let token = try Files.readString(path).split(separator: "\n").first.map(String.init),
            token.utf8.count >= 32
        else {
            throw AgentError(
                "The token in \(path) is shorter than 32 characters; remove the file and a new one is made.")
        }
        return (token, Digest(of: Data(token.utf8)))
    }

    /// Policy files with their documented defaults, where there are none.
    public func writeDefaultPolicies(principals: [String]) throws {
        try writeIfMissing(places.governanceFile, Governance.defaultText)
        try writeIfMissing(places.constitutionFile, Constitution.defaultText)
        try writeIfMissing(places.approversFile, Self.approvers(principals))
        try writeIfMissing(places.agentFile, Self.agent)
    }

    public func writeIfMissing(_ path: String, _ text: String) throws {
        guard try Files.status(path) == nil else { return }
        try Files.writeAtomically(path, Data(text.utf8), mode: 0o644)
    }

    static func approvers(_ principals: [String]) -> String {
        """
        # Who must approve what, verified by the agent itself before anything is promoted (docs/approvals.md).
        groups:
          operators: [\(principals.joined(separator: ", "))]
        rules:
          # One operator for anything; a detector may have proposed it, a person may approve what they proposed themselves.
          - require: [{group: operators, count: 1}]
            proposer: allowed

        """
    }

    static let agent = """
        # The agent's settings; every key has a default (docs/configuration.md).
        # labels: {role: app}
        # trust_threshold: 95%
        # trial_share: 25%
        # ready_sandboxes: 0
        # trial_weight: 10
        # memory_reserve: 10%
        # pressure: {cpu: 100%, memory: 10%, io: 50%, for: 10s, rest: 1m}
        # cgroup: grace
        # try: allowed

        """
}

extension HostSetup {
    /// What a test without a coordinator needs.
    public func makeVerifyDirectories() throws {
        for path in [places.state, places.agentState, places.missions, places.forks, places.blobs, places.scratch] {
            if try Files.status(path) == nil { try Files.makeDirectory(path, mode: 0o700, intermediate: true) }
        }
    }
}
