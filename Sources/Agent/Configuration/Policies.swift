internal import Documents
internal import FoundationEssentials
public import Ledger
internal import Glibc
public import Linux
public import Missions
public import Parliament
public import Trust

/// The host's policy files, read anew each time they are needed: what stands on disk now is what rules now.
public struct Policies: Sendable {
    public let governance: Governance
    public let constitution: Constitution
    public let approvers: Approvers
    public let allowedSigners: AllowedSigners
    /// Digests of the files' very bytes.
    public let digests: PolicyDigests

    /// Reads all of them; a missing or damaged file is an error, never an empty policy.
    public static func load(_ places: Places) throws -> Policies {
        try load(places) { path in
            try checkOwner(path)
            do {
                return try Files.readString(path)
            } catch {
                throw AgentError(
                    "The policy file \(path) can't be read (\(error)). Without it nothing is judged or promoted; "
                        + "`grace up` writes a documented default where there is none.")
            }
        }
    }

    /// Whoever can write a policy file rules this host: only the agent's own user may.
    private static func checkOwner(_ path: String) throws {
        guard let status = try Files.status(path) else { return }
        guard status.kind == .file, status.uid == geteuid(), status.mode & 0o022 == 0 else {
            throw AgentError(
                "The policy file \(path) must be a regular file of the agent's own user that nobody else can write (found owner "
                    + "\(status.uid), mode \(String(status.mode & 0o7777, radix: 8))). Mend it: chown root \(path); chmod 644 \(path)."
            )
        }
    }

    /// As ``load(_:)``, with the documented defaults where a file does not exist: for tests that promote nothing.
    public static func loadOrDefault(_ places: Places) throws -> Policies {
        let defaults = [
            places.governanceFile: Governance.defaultText, places.constitutionFile: Constitution.defaultText,
            places.approversFile: HostSetup.approvers(["nobody"]), places.allowedSignersFile: "",
        ]
        return try load(places) { path in
            if try Files.status(path) == nil, let text = defaults[path] { return text }
            return try Files.readString(path)
        }
    }

    private static func load(_ places: Places, read: (String) throws -> String) throws -> Policies {
        let governance = try read(places.governanceFile)
        let constitution = try read(places.constitutionFile)
        let approvers = try read(places.approversFile)
        let signers = try read(places.allowedSignersFile)
        return Policies(
            governance: try Governance.parse(file: places.governanceFile, text: governance),
            constitution: try Constitution.parse(file: places.constitutionFile, text: constitution),
            approvers: try Approvers.parse(file: places.approversFile, text: approvers),
            allowedSigners: try AllowedSigners(parsing: signers, file: places.allowedSignersFile),
            digests: PolicyDigests(
                governance: Digest(of: Data(governance.utf8)), constitution: Digest(of: Data(constitution.utf8)),
                approvers: Digest(of: Data(approvers.utf8))))
    }
}
